/* Work directories in tmp/, and what is being removed there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"
#include "store/tree.h"

#define TRIES 16

/* ---- removing ---- */

int store_drop(struct store *s, int at, const char *id)
{
    char gone[STORE_RANDOM + 1];

    random_id(gone, STORE_RANDOM);
    if (renameat(at, id, s->tmp, gone) < 0)
        return -errno;
    /* What is left of it when this fails or is ended, the next sweep finds. */
    (void)tree_remove(s->tmp, gone);
    return 0;
}

/*
 * A directory is of a dead process when its lock can be had. One without lock is half removed, or about to get its
 * lock: young ones are left. The new lock's maker looks again after it has it (work_make), so nothing is taken from it.
 */
static void sweep_one(struct store *s, const char *name)
{
    autofd int lock = -1;
    struct stat st;
    int r;

    if (fstatat(s->tmp, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISDIR(st.st_mode)) {
        r = lock_take(s->tmp, name, LOCK_REMOVE, &lock);
        if (r == -EBUSY)
            return;
    }
    if (lock < 0 && lock_now_ms() - (int64_t)st.st_mtim.tv_sec * 1000 < STORE_RECENT_MS)
        return;
    (void)tree_remove(s->tmp, name);
}

void store_sweep(struct store *s)
{
    DIR *list = file_list(s->tmp);

    for (struct dirent *entry; list && (entry = file_next(list)) != NULL;)
        if (strlen(entry->d_name) < STORE_ID_MAX)
            sweep_one(s, entry->d_name);
    if (list)
        (void)closedir(list);
}

/* ---- works ---- */

/* -EAGAIN: a sweep was quicker. */
static int work_make(struct store_work *w)
{
    struct store *s = w->store;
    autofd int dir = -1, lock = -1;
    int r;

    random_id(w->id, STORE_RANDOM);
    r = file_mkdir(s->tmp, w->id, 0711);
    if (r < 0)
        return r == -ENOENT || r == -EEXIST ? -EAGAIN : r;
    dir = file_open_dir(s->tmp, w->id);
    if (dir < 0)
        return dir == -ENOENT ? -EAGAIN : dir;
    r = file_write(dir, STORE_LOCK, 0600, "", 0);
    if (r == 0)
        r = lock_take(s->tmp, w->id, LOCK_REMOVE, &lock);
    if (r == 0)
        r = file_mkdir(dir, "out", 0700);
    if (r == 0) {
        w->out = file_open_dir(dir, "out");
        r = w->out < 0 ? w->out : 0;
    }
    if (r < 0)
        return r == -EBUSY || r == -ENOENT || r == -EUCLEAN ? -EAGAIN : r;
    w->dir = steal_fd(&dir);
    w->lock = steal_fd(&lock);
    return 0;
}

/* The caches are emptied only when nobody shares this lock. That takes a moment; a process that was stopped meanwhile
 * is not waited for. */
static void share_works(struct store_work *w)
{
    const struct timespec moment = {0, 5000000};

    w->works = openat(w->store->root, "works", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    for (int i = 0; i < 200 && w->works >= 0 && flock(w->works, LOCK_SH | LOCK_NB) < 0; i++)
        (void)nanosleep(&moment, NULL);
}

int store_work_begin(struct store *s, struct store_work **ret, struct err *e)
{
    struct store_work *w = xnew(struct store_work);
    int r = -EAGAIN;

    store_sweep(s);
    w->store = s;
    w->dir = w->out = w->lock = w->works = -1;
    for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
        fd_close(&w->out);
        r = work_make(w);
    }
    if (r < 0) {
        fd_close(&w->out);
        free(w);
        return err_set(e, -r, "package store %.300s: no work directory: %s", s->path, strerrordesc_np(-r));
    }
    share_works(w);
    (void)file_mkdir(s->root, "cache", 0711); /* it may just have been emptied */
    w->path = xasprintf("%s/tmp/%s", s->path, w->id);
    w->out_path = xasprintf("%s/out", w->path);
    *ret = w;
    return 0;
}

const char *store_work_dir(const struct store_work *w)
{
    return w->path;
}

const char *store_work_out(const struct store_work *w)
{
    return w->out_path;
}

int store_work_give(struct store_work *w, uid_t user, gid_t group, struct err *e)
{
    return fchown(w->out, user, group) < 0 ? err_errno(e, "%.300s", w->out_path) : 0;
}

void store_work_end(struct store_work *w)
{
    if (!w)
        return;
    (void)tree_remove(w->store->tmp, w->id);
    for (size_t i = 0; i < w->n_wheels; i++)
        fd_close(&w->wheels[i].lock);
    fd_close(&w->out);
    fd_close(&w->dir);
    fd_close(&w->lock);
    fd_close(&w->works);
    free(w->wheels);
    free(w->path);
    free(w->out_path);
    free(w);
}
