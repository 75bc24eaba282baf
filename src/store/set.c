/* Sets: opened, closed, discarded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"

/* ---- opening ---- */

static void free_set(struct store_set *set)
{
    fd_close(&set->dir);
    fd_close(&set->lock);
    about_fini(&set->about);
    free(set->tree_path);
    free(set->info);
    free(set);
}

static int load(struct store_set *set, enum lock_how how)
{
    struct store *s = set->store;
    size_t size;
    int r = lock_take(s->sets, set->id, how, &set->lock);

    if (r < 0)
        return r;
    set->dir = file_open_dir(s->sets, set->id);
    if (set->dir < 0)
        return set->dir;
    r = store_read_about(set->dir, &set->about, NULL);
    return r < 0 ? r : file_read(set->dir, "info", STORE_INFO_BYTES, &set->info, &size);
}

int store_set_load(struct store *s, const char *id, enum lock_how how, struct store_set **ret, struct err *e)
{
    struct store_set *set;
    int r;

    if (!text_is_id(id, strlen(id)))
        return err_set(e, ENOENT, "that is no name of a set");
    set = xnew(struct store_set);
    set->store = s;
    set->dir = set->lock = -1;
    set->looked_at = how == LOCK_LOOK;
    (void)snprintf(set->id, sizeof set->id, "%s", id);
    r = load(set, how);
    if (r < 0) {
        free_set(set);
        /* Whatever was damaged, or is being removed: there is no set that could be used. */
        if (r == -EUCLEAN || r == -EBUSY || r == -EINVAL || r == -EFBIG || r == -ENOTDIR || r == -ELOOP || r == -EIO)
            r = -ENOENT;
        return err_set(e, -r, "set %.60s in the package store %.300s: %s", id, s->path, strerrordesc_np(-r));
    }
    set->tree_path = xasprintf("%s/sets/%s/tree", s->path, id);
    *ret = set;
    return 0;
}

int store_set_open(struct store *s, const char *id, struct store_set **ret, struct err *e)
{
    return store_set_load(s, id, LOCK_USE, ret, e);
}

void store_set_mark(const struct store_set *set)
{
    (void)unlinkat(set->dir, "about", 0);
}

static bool is_marked(const struct store_set *set)
{
    return faccessat(set->dir, "about", F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

void store_set_close(struct store_set *set)
{
    if (!set)
        return;
    /* flock(2) does not turn one lock into another in one step; another user may come in between, and then stays. */
    if (is_marked(set) && flock(set->lock, LOCK_EX | LOCK_NB) == 0)
        (void)store_drop(set->store, set->store->sets, set->id);
    else if (!set->looked_at)
        (void)futimens(set->lock, NULL);
    free_set(set);
}

int store_set_hold(const struct store_set *set, int sock)
{
    return fd_send(sock, "", 1, &set->lock, 1);
}

const char *store_set_id(const struct store_set *set)
{
    return set->id;
}

const char *store_set_tree(const struct store_set *set)
{
    return set->tree_path;
}

const char *store_set_info(const struct store_set *set)
{
    return set->info;
}

size_t store_set_n_wheels(const struct store_set *set)
{
    return set->about.n_wheels;
}

const char *store_set_wheel(const struct store_set *set, size_t i)
{
    return set->about.wheels[i].id;
}

/* ---- discarding ---- */

void store_set_discard(struct store *s, struct store_set *set_take)
{
    store_set_mark(set_take); /* first: others must not wait until all is hashed */
    for (size_t i = 0; i < set_take->about.n_wheels; i++) {
        const char *id = set_take->about.wheels[i].id;
        struct tree_verify how = {0};
        struct wheel wheel;
        autofd int lock = -1;
        int r;

        r = lock_take(s->wheels, id, LOCK_LOOK, &lock);
        if (r == -EBUSY || r == -ENOENT)
            continue; /* somebody removes it, or has */
        r = wheel_open(s, id, &how, &wheel, NULL);
        if (r == 0)
            wheel_fini(&wheel);
        else if (r == -EUCLEAN)
            (void)store_drop(s, s->wheels, id);
    }
    store_set_close(set_take);
}
