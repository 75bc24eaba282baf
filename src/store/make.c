/* Making a set: the union of wheels by hard links. The file system tells what overlaps. */
#include "store/make.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"

/* ---- parents ---- */

static void note_dir(struct making *m, const char *path, size_t size)
{
    if (m->n_dirs == m->room_dirs) {
        m->room_dirs = m->room_dirs ? m->room_dirs * 2 : 256;
        m->dirs = xrealloc(m->dirs, m->room_dirs, sizeof *m->dirs);
    }
    m->dirs[m->n_dirs++] = xstrndup(path, size);
}

/* -ENOTDIR: there is a file where a directory would have to be. */
static int make_parents(struct making *m, const char *path)
{
    char dir[STORE_PATH_BYTES];

    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        size_t size = (size_t)(slash - path);

        memcpy(dir, path, size);
        dir[size] = '\0';
        if (mkdirat(m->tree, dir, 0700) == 0)
            note_dir(m, dir, size);
        else if (errno != EEXIST)
            return -errno;
    }
    return 0;
}

/* ---- files ---- */

static void keep(struct making *m, const struct manifest_file *file)
{
    if (m->n_kept == m->room_kept) {
        m->room_kept = m->room_kept ? m->room_kept * 2 : 1024;
        m->kept = xrealloc(m->kept, m->room_kept, sizeof *m->kept);
    }
    m->kept[m->n_kept++] = *file;
}

static int copy_bytes(int from, int to)
{
    char piece[64 * 1024];
    ssize_t n;

    while ((n = read(from, piece, sizeof piece)) != 0) {
        int r = n < 0 && errno != EINTR ? -errno : n > 0 ? fd_write_all(to, piece, (size_t)n) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_file(struct making *m, const struct wheel *wheel, const struct manifest_file *file)
{
    struct stat st;
    autofd int from = file_open_read(wheel->tree, file->path, &st), to = -1;
    int r;

    if (from < 0)
        return from;
    to = openat(m->tree, file->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    r = copy_bytes(from, to);
    if (r == 0 && fchmod(to, file_mode(file->kind)) < 0)
        r = -errno;
    m->about.bytes += file->size;
    return r < 0 ? r : file_set_time(to);
}

/* A file may have only so many names, 65,000 on ext4, and some file systems know no second name. */
static bool needs_copy(int error)
{
    return error == EMLINK || error == EPERM || error == EXDEV || error == EOPNOTSUPP || error == ENOSYS;
}

static int link_once(struct making *m, const struct wheel *wheel, const struct manifest_file *file)
{
    if (linkat(wheel->tree, file->path, m->tree, file->path, 0) == 0)
        return 0;
    return needs_copy(errno) ? copy_file(m, wheel, file) : -errno;
}

/* 1: something is there already. */
static int link_file(struct making *m, const struct wheel *wheel, struct manifest_file *file)
{
    int r = link_once(m, wheel, file);

    if (r == -ENOENT) {
        r = make_parents(m, file->path);
        if (r == 0)
            r = link_once(m, wheel, file);
    }
    if (r == 0)
        keep(m, file);
    return r == -EEXIST || r == -ENOTDIR || r == -EISDIR ? 1 : r;
}

static int link_wheel(struct making *m, size_t i)
{
    struct wheel *wheel = &m->wheels[i];
    int r = 0;

    /* Bytecode last: whether it is taken depends on its source. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t j = 0; r >= 0 && j < wheel->manifest.n; j++) {
            struct manifest_file *file = &wheel->manifest.files[j];

            if (overlap_is_bytecode(file->path) != (pass == 1) || (pass == 1 && !overlap_has_source(wheel, file->path)))
                continue;
            r = link_file(m, wheel, file);
            if (r == 1 && pass == 0)
                overlap_note(m, i, file);
        }
    if (r == -ENOENT) { /* somebody else found it damaged, and removes it */
        m->damaged = wheel->id;
        return err_set(m->e, EUCLEAN, "it is not in the store any more");
    }
    return r < 0 ? r : 0;
}

/* ---- what no wheel brings ---- */

static int add_file(struct making *m, const struct store_file *add)
{
    const struct timespec times[2] = {{FILE_TIME, 0}, {FILE_TIME, 0}};
    const char *content = add->link ? add->link : add->content;
    struct manifest_file file = {.path = add->path, .size = strlen(content), .kind = add->link ? 'l' : '-'};
    int r;

    if (!text_is_path(add->path, strlen(add->path)) || (add->link && (file.size == 0 || file.size >= STORE_PATH_BYTES)))
        return -EINVAL;
    sha256_of(content, file.size, file.hash);
    r = make_parents(m, add->path);
    if (r == 0 && add->link)
        r = symlinkat(content, m->tree, add->path) < 0 ? -errno : 0;
    else if (r == 0)
        r = file_write(m->tree, add->path, file_mode('-'), content, file.size);
    if (r < 0 || utimensat(m->tree, add->path, times, AT_SYMLINK_NOFOLLOW) < 0)
        return r < 0 ? r : -errno;
    keep(m, &file);
    m->about.bytes += 4096;
    return 0;
}

/* ---- closing ---- */

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->path, ((const struct manifest_file *)b)->path);
}

/*
 * All directories of a set get one time that no other set has: Python's finders look at a directory anew only when its
 * time has changed (importlib's FileFinder), and one set takes the place of another in a running session.
 */
static int close_dirs(struct making *m)
{
    struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};
    struct stat st;

    (void)clock_gettime(CLOCK_REALTIME, &times[1]);
    times[1].tv_nsec = (long)(random_u64() % 1000000000);
    for (size_t i = m->n_dirs; i-- > 0;)
        if (fchmodat(m->tree, m->dirs[i], 0555, 0) < 0 || utimensat(m->tree, m->dirs[i], times, 0) < 0)
            return -errno;
    if (fchmod(m->tree, 0555) < 0 || futimens(m->tree, times) < 0 || fstat(m->tree, &st) < 0)
        return -errno;
    m->about.seconds = st.st_mtim.tv_sec; /* as the file system keeps it */
    m->about.nanoseconds = (uint64_t)st.st_mtim.tv_nsec;
    return 0;
}

static int write_parts(struct making *m, const char *info)
{
    autobuf struct buf lines = BUF_INIT, text = BUF_INIT;
    int r;

    if (m->n_kept)
        qsort(m->kept, m->n_kept, sizeof *m->kept, compare_paths);
    for (size_t i = 0; i < m->n_kept; i++)
        manifest_add_line(&lines, &m->kept[i]);
    m->about.files = m->n_kept;
    m->about.bytes += (m->n_dirs + 4) * 4096 + lines.len + strlen(info);
    about_write(&text, &m->about);
    r = file_write(m->stage, "manifest", 0444, buf_str(&lines), lines.len);
    if (r == 0)
        r = file_write(m->stage, "info", 0444, info, strlen(info));
    if (r == 0)
        r = file_write(m->stage, "about", 0444, buf_str(&text), text.len);
    return r < 0 ? r : file_write(m->stage, STORE_LOCK, 0600, "", 0);
}

static int build(struct making *m, const struct store_set_make *make, const char *name)
{
    int r = file_mkdir(m->work->dir, name, 0755);

    if (r < 0)
        return r;
    m->stage = file_open_dir(m->work->dir, name);
    r = m->stage < 0 ? m->stage : file_mkdir(m->stage, "tree", 0700);
    if (r < 0)
        return r;
    m->tree = file_open_dir(m->stage, "tree");
    r = m->tree < 0 ? m->tree : 0;
    for (size_t i = 0; r == 0 && i < make->n_files; i++)
        r = add_file(m, &make->files[i]);
    for (size_t i = 0; r == 0 && i < m->n_wheels; i++)
        r = link_wheel(m, i);
    if (r == 0)
        r = close_dirs(m);
    return r < 0 ? r : write_parts(m, make->info ? make->info : "");
}

/* With a lock already, so that nobody collects it before its maker has it. */
static int put_in_place(struct making *m, const char *name, struct store_set **ret, struct err *e)
{
    struct store *s = m->store;
    char id[STORE_RANDOM + 1];
    autofd int lock = -1;
    int r = lock_take(m->work->dir, name, LOCK_USE, &lock);

    random_id(id, STORE_RANDOM);
    if (r == 0 && renameat(m->work->dir, name, s->sets, id) < 0)
        r = -errno;
    if (r < 0)
        return err_set(e, -r, "package store %.300s: %s", s->path, strerrordesc_np(-r));
    return store_set_load(s, id, LOCK_USE, ret, e);
}

/* ---- wheels ---- */

static int open_wheel(struct making *m, const char *id)
{
    struct work_wheel *held = work_hold(m->store, m->work, id);
    struct about_wheel *about = &m->about.wheels[m->n_wheels];
    struct tree_verify how = {0};
    int r = held ? 0 : err_set(m->e, EUCLEAN, "it is not in the store");

    if (r == 0)
        r = wheel_open(m->store, id, held->verified ? NULL : &how, &m->wheels[m->n_wheels], m->e);
    if (r == -EUCLEAN) {
        /* What is not there, or just being removed, may come back whole at any moment. */
        if (text_is_id(id, strlen(id)) && (held || lock_used_ms(m->store->wheels, id) == 0))
            (void)store_drop(m->store, m->store->wheels, id);
        m->damaged = id;
    }
    if (r < 0)
        return r;
    held->verified = true;
    (void)snprintf(about->id, sizeof about->id, "%s", id);
    about->bytes = m->wheels[m->n_wheels].about.bytes;
    m->about.n_wheels = ++m->n_wheels;
    return 0;
}

static int make_set(struct making *m, const struct store_set_make *make, struct store_set **ret, struct err *e)
{
    char name[STORE_RANDOM + 1];
    int r = 0;

    if (make->n_wheels > ABOUT_WHEELS || (make->info && strlen(make->info) > STORE_INFO_BYTES))
        return err_set(e, E2BIG, "that is too much for one set of packages");
    m->wheels = xnew_n(struct wheel, make->n_wheels + 1);
    m->about.wheels = xnew_n(struct about_wheel, make->n_wheels + 1);
    for (size_t i = 0; r == 0 && i < make->n_wheels; i++)
        r = open_wheel(m, make->wheels[i]);
    if (r < 0)
        return r;
    random_id(name, STORE_RANDOM);
    r = build(m, make, name);
    if (r < 0 && m->damaged)
        return r;
    if (r < 0)
        return err_set(e, -r, "package store %.300s: a set cannot be made: %s", m->store->path, strerrordesc_np(-r));
    return put_in_place(m, name, ret, e);
}

int store_make_set(struct store *s, struct store_work *w, const struct store_set_make *make, struct store_set **ret,
                   struct buf *overlaps, char **ret_damaged, struct err *e)
{
    struct making m = {.store = s, .work = w, .make = make, .overlaps = overlaps, .e = e, .stage = -1, .tree = -1};
    int r = make_set(&m, make, ret, e);

    *ret_damaged = xstrdup(m.damaged);
    for (size_t i = 0; i < m.n_wheels; i++)
        wheel_fini(&m.wheels[i]);
    for (size_t i = 0; i < m.n_dirs; i++)
        free(m.dirs[i]);
    about_fini(&m.about);
    free(m.wheels);
    free(m.dirs);
    free(m.kept);
    fd_close(&m.tree);
    fd_close(&m.stage);
    return r;
}
