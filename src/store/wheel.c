/* Wheels: taken in, held, looked at. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"

/* ---- reading ---- */

/* What is not there or not to be read as what it was is damage; what may go away again is not. */
static int read_part(int dir, const char *name, size_t most, char **ret, size_t *ret_size, struct err *e)
{
    int r = file_read(dir, name, most, ret, ret_size);

    if (r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r == -EFBIG || r == -EIO || r == -ELOOP)
        return err_set(e, EUCLEAN, "its file `%s`: %s", name, strerrordesc_np(-r));
    return r < 0 ? err_set(e, -r, "%s: %s", name, strerrordesc_np(-r)) : 0;
}

int store_read_about(int dir, struct about *ret, struct err *e)
{
    autofree char *text = NULL;
    size_t size;
    int r = read_part(dir, "about", ABOUT_BYTES, &text, &size, e);

    if (r < 0)
        return r;
    r = about_parse(text, size, ret);
    return r < 0 ? err_set(e, -r, "its file `about` is damaged") : 0;
}

int store_read_manifest(int dir, const struct about *about, bool is_set, struct manifest *ret, struct err *e)
{
    char *text = NULL;
    size_t size;
    int r = read_part(dir, "manifest", MANIFEST_BYTES, &text, &size, e);

    if (r == 0)
        r = manifest_parse(text, size, is_set, SIZE_MAX, ret, e);
    if (r < 0 || ret->n == about->files)
        return r;
    manifest_fini(ret);
    return err_set(e, EUCLEAN, "its manifest was cut");
}

void wheel_fini(struct wheel *wheel)
{
    about_fini(&wheel->about);
    manifest_fini(&wheel->manifest);
    fd_close(&wheel->tree);
}

int wheel_open(struct store *s, const char *id, struct tree_verify *how, struct wheel *ret, struct err *e)
{
    struct wheel wheel = {.id = id, .about = ABOUT_INIT, .manifest = MANIFEST_INIT, .tree = -1};
    autofd int dir = text_is_id(id, strlen(id)) ? file_open_dir(s->wheels, id) : -ENOENT;
    int r;

    if (dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP)
        return err_set(e, EUCLEAN, "it is not in the store");
    if (dir < 0)
        return err_set(e, -dir, "%s: %s", id, strerrordesc_np(-dir));
    r = store_read_about(dir, &wheel.about, e);
    if (r == 0)
        r = store_read_manifest(dir, &wheel.about, false, &wheel.manifest, e);
    if (r == 0) {
        wheel.tree = file_open_dir(dir, "tree");
        if (wheel.tree == -ENOENT || wheel.tree == -ENOTDIR || wheel.tree == -ELOOP)
            r = err_set(e, EUCLEAN, "its tree is missing");
        else if (wheel.tree < 0)
            r = err_set(e, -wheel.tree, "%s: %s", id, strerrordesc_np(-wheel.tree));
    }
    if (r == 0 && how) {
        r = tree_verify(wheel.tree, &wheel.manifest, how, e);
        if (r == -ENOENT || r == -EACCES) /* it is being removed, or its modes were changed */
            r = -EUCLEAN;
    }
    if (r < 0)
        wheel_fini(&wheel);
    else
        *ret = wheel;
    return r;
}

/* ---- holding ---- */

static struct work_wheel *add_held(struct store_work *w, const char *id, int lock_take)
{
    struct work_wheel *wheel;

    w->wheels = xrealloc(w->wheels, w->n_wheels + 1, sizeof *w->wheels);
    wheel = &w->wheels[w->n_wheels++];
    *wheel = (struct work_wheel){.lock = lock_take};
    (void)snprintf(wheel->id, sizeof wheel->id, "%s", id);
    return wheel;
}

struct work_wheel *work_hold(struct store *s, struct store_work *w, const char *id)
{
    int lock;

    for (size_t i = 0; i < w->n_wheels; i++) {
        struct work_wheel *wheel = &w->wheels[i];

        if (strcmp(wheel->id, id) != 0)
            continue;
        if (faccessat(s->wheels, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            return wheel;
        fd_close(&wheel->lock); /* somebody found it damaged; it may come again */
        *wheel = w->wheels[--w->n_wheels];
        break;
    }
    if (!text_is_id(id, strlen(id)) || lock_take(s->wheels, id, LOCK_USE, &lock) < 0)
        return NULL;
    return add_held(w, id, lock);
}

bool store_has_wheel(struct store *s, struct store_work *w, const char *id)
{
    if (w)
        return work_hold(s, w, id) != NULL;
    return text_is_id(id, strlen(id)) && faccessat(s->wheels, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *store_wheel_tree(const struct store *s, const char *id)
{
    return xasprintf("%s/wheels/%s/tree", s->path, id);
}

/* ---- taking in ---- */

/* A directory that a sandbox made; it may have taken rights from it, which its owner can put back. */
static int open_made(int at, const char *name)
{
    int fd = file_open_dir(at, name);

    if (fd == -EACCES && fchmodat(at, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        fd = file_open_dir(at, name);
    return fd;
}

static int read_made_manifest(int dir, struct manifest *ret, struct err *e)
{
    char *text = NULL;
    size_t size;
    int r = file_read(dir, "manifest", MANIFEST_BYTES, &text, &size);

    if (r == -EACCES && fchmodat(dir, "manifest", 0600, AT_SYMLINK_NOFOLLOW) == 0)
        r = file_read(dir, "manifest", MANIFEST_BYTES, &text, &size);
    if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
        return err_set(e, -r, "its manifest: %s", strerrordesc_np(-r));
    if (r < 0)
        return err_set(e, EUCLEAN, "its manifest: %s", strerrordesc_np(-r));
    return manifest_parse(text, size, false, LIMIT_WHEEL_FILES, ret, e);
}

/* The store's own files beside the tree, written anew: what the sandbox wrote could still be open somewhere. */
static int write_parts(int stage, const struct manifest *m)
{
    struct about about = {.files = m->n, .bytes = manifest_disk_bytes(m)};
    autobuf struct buf text = BUF_INIT, lines = BUF_INIT;
    int r;

    for (size_t i = 0; i < m->n; i++)
        manifest_add_line(&lines, &m->files[i]);
    about.bytes += lines.len;
    about_write(&text, &about);
    r = file_write(stage, "manifest", 0444, buf_str(&lines), lines.len);
    if (r == 0)
        r = file_write(stage, "about", 0444, buf_str(&text), text.len);
    return r < 0 ? r : file_write(stage, STORE_LOCK, 0600, "", 0);
}

/* To be moved, a directory has to be writable for its owner: rename(2) changes its `..`. */
static int move_tree(int made, int tree, int stage)
{
    if (fchmod(tree, 0700) < 0 || renameat(made, "tree", stage, "tree") < 0 || fchmod(tree, 0555) < 0)
        return -errno;
    return 0;
}

/* 0: it is in the store, this one or one that was there before; -EAGAIN: that one is just being removed. */
static int put_in_place(struct store *s, struct store_work *w, const char *stage, const char *id)
{
    autofd int lock = -1;
    int r = lock_take(w->dir, stage, LOCK_USE, &lock);

    if (r < 0)
        return r;
    if (renameat(w->dir, stage, s->wheels, id) == 0) {
        add_held(w, id, steal_fd(&lock))->verified = true;
        return 0;
    }
    if (errno != EEXIST && errno != ENOTEMPTY)
        return -errno;
    return work_hold(s, w, id) ? 0 : -EAGAIN;
}

static int publish(struct store *s, struct store_work *w, const char *id, int made, int tree, struct manifest *m)
{
    char name[STORE_RANDOM + 1];
    autofd int stage = -1;
    int r;

    random_id(name, STORE_RANDOM);
    r = file_mkdir(w->dir, name, 0755);
    if (r < 0)
        return r;
    stage = file_open_dir(w->dir, name);
    r = stage < 0 ? stage : write_parts(stage, m);
    if (r == 0)
        r = move_tree(made, tree, stage);
    if (r < 0)
        return r;
    for (int i = 0; (r = put_in_place(s, w, name, id)) == -EAGAIN && i < 3;)
        i++;
    return r == -EAGAIN ? -EBUSY : r;
}

int store_publish_wheel(struct store *s, struct store_work *w, const char *id, struct err *e)
{
    struct manifest m = MANIFEST_INIT;
    autofd int made = -1, tree = -1;
    int r;

    if (!text_is_id(id, strlen(id)))
        return err_set(e, EUCLEAN, "its id is not one");
    if (work_hold(s, w, id))
        return 0;
    made = open_made(w->out, id);
    if (made < 0)
        return err_set(e, EUCLEAN, "it was not unpacked");
    (void)fchmod(made, 0700);
    r = read_made_manifest(made, &m, e);
    if (r < 0)
        return r;
    tree = open_made(made, "tree");
    r = tree < 0 ? err_set(e, EUCLEAN, "it has no tree") : tree_seal(tree, &m, e);
    if (r == 0) {
        r = publish(s, w, id, made, tree, &m);
        if (r < 0)
            (void)err_set(e, -r, "package store %.300s: %s", s->path, strerrordesc_np(-r));
    }
    manifest_fini(&m);
    return r;
}
