#include "session/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "session/session.h"

#define DIRS_MAX 512       /* watched directories */
#define WALK_ENTRIES 20000 /* looked at by a walk before it gives up */
#define WALK_DEPTH 6
#define CHANGES_MAX 2000 /* remembered at a time */
#define MASK (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR | IN_EXCL_UNLINK | IN_DONT_FOLLOW)

struct change {
    char *path; /* relative to root */
    bool is_new;
};

struct watch {
    uv_loop_t *loop;
    char *root;
    int fd;
    char *dirs[DIRS_MAX]; /* by slot: path relative to root, "" for root; NULL: free */
    int wds[DIRS_MAX];
    size_t n_dirs;
    struct change *changes;
    size_t n_changes;
    uint64_t first; /* number of changes[0] */
    unsigned open;
    struct walk *walk; /* in a thread */
};

static bool left_out(const char *name)
{
    return name[0] == '.' || strcmp(name, "__pycache__") == 0 || strcmp(name, "node_modules") == 0;
}

static char *join(const char *dir, const char *name)
{
    return *dir ? xasprintf("%s/%s", dir, name) : xstrdup(name);
}

/* ---- directories ---- */

static bool add_dir(struct watch *w, const char *path)
{
    autofree char *whole = *path ? xasprintf("%s/%s", w->root, path) : xstrdup(w->root);
    int wd;

    if (w->n_dirs == DIRS_MAX)
        return false;
    wd = inotify_add_watch(w->fd, whole, MASK);
    if (wd < 0)
        return false;
    for (size_t i = 0; i < w->n_dirs; i++)
        if (w->wds[i] == wd) /* known */
            return true;
    w->wds[w->n_dirs] = wd;
    w->dirs[w->n_dirs++] = xstrdup(path);
    return true;
}

static const char *dir_of(const struct watch *w, int wd)
{
    for (size_t i = 0; i < w->n_dirs; i++)
        if (w->wds[i] == wd)
            return w->dirs[i];
    return NULL;
}

static void forget_dir(struct watch *w, int wd)
{
    for (size_t i = 0; i < w->n_dirs; i++)
        if (w->wds[i] == wd) {
            free(w->dirs[i]);
            w->n_dirs--;
            w->dirs[i] = w->dirs[w->n_dirs];
            w->wds[i] = w->wds[w->n_dirs];
            return;
        }
}

/* ---- the first walk, in a thread: it touches only this ---- */

struct walk {
    uv_work_t work;
    struct watch *watch; /* NULL: the watch is gone */
    char *root;
    char *found[DIRS_MAX];
    size_t n_found, n_seen;
};

static void walk_dir(struct walk *walk, const char *path, int depth)
{
    autofree char *whole = *path ? xasprintf("%s/%s", walk->root, path) : xstrdup(walk->root);
    DIR *dir = opendir(whole);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) && walk->n_seen++ < WALK_ENTRIES) {
        if (entry->d_type != DT_DIR || left_out(entry->d_name) || walk->n_found == DIRS_MAX)
            continue;
        walk->found[walk->n_found++] = join(path, entry->d_name);
        if (depth < WALK_DEPTH)
            walk_dir(walk, walk->found[walk->n_found - 1], depth + 1);
    }
    if (dir)
        (void)closedir(dir);
}

static void on_walk(uv_work_t *work)
{
    struct walk *walk = work->data;

    walk_dir(walk, "", 1);
}

static void on_walked(uv_work_t *work, int status)
{
    struct walk *walk = work->data;

    (void)status;
    for (size_t i = 0; i < walk->n_found; i++) {
        if (walk->watch)
            (void)add_dir(walk->watch, walk->found[i]);
        free(walk->found[i]);
    }
    if (walk->watch)
        walk->watch->walk = NULL;
    free(walk->root);
    free(walk);
}

/* ---- changes ---- */

static void add_change(struct watch *w, const char *path, bool is_new)
{
    if (!w->open || w->n_changes == CHANGES_MAX)
        return;
    if (w->n_changes % 64 == 0)
        w->changes = xrealloc(w->changes, w->n_changes + 64, sizeof *w->changes);
    w->changes[w->n_changes++] = (struct change){xstrdup(path), is_new};
}

/* What was put into a new directory before it was watched. */
static void scan_new_dir(struct watch *w, const char *path, int depth)
{
    autofree char *whole = xasprintf("%s/%s", w->root, path);
    DIR *dir;
    struct dirent *entry;
    size_t seen = 0;

    if (!add_dir(w, path))
        return;
    dir = opendir(whole);
    while (dir && (entry = readdir(dir)) && seen++ < CHANGES_MAX) {
        autofree char *below = NULL;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        below = join(path, entry->d_name);
        if (entry->d_type == DT_DIR && !left_out(entry->d_name) && depth < WALK_DEPTH)
            scan_new_dir(w, below, depth + 1);
        else if (entry->d_type == DT_REG)
            add_change(w, below, true);
    }
    if (dir)
        (void)closedir(dir);
}

static void take_event(struct watch *w, const struct inotify_event *event)
{
    const char *dir = dir_of(w, event->wd);
    autofree char *path = NULL;

    if (!dir)
        return;
    if (event->mask & IN_IGNORED) {
        forget_dir(w, event->wd);
        return;
    }
    if (!event->len)
        return;
    path = join(dir, event->name);
    if (!(event->mask & IN_ISDIR))
        add_change(w, path, event->mask & (IN_CREATE | IN_MOVED_TO));
    else if (event->mask & (IN_CREATE | IN_MOVED_TO) && !left_out(event->name))
        scan_new_dir(w, path, 1);
}

static void take_events(struct watch *w)
{
    char bytes[16384] __attribute__((aligned(__alignof__(struct inotify_event))));

    /* Bounded: code that makes files without end must not keep the server here. */
    for (int i = 0; i < 256; i++) {
        ssize_t n = read(w->fd, bytes, sizeof bytes);

        if (n <= 0)
            return;
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *)(bytes + at);

            take_event(w, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

uint64_t watch_begin(struct watch *w)
{
    if (!w)
        return 0;
    take_events(w);
    w->open++;
    return w->first + w->n_changes;
}

static void forget_changes(struct watch *w)
{
    for (size_t i = 0; i < w->n_changes; i++)
        free(w->changes[i].path);
    free(w->changes);
    w->changes = NULL;
    w->first += w->n_changes;
    w->n_changes = 0;
}

static bool seen_before(struct watch *w, size_t from, size_t i)
{
    for (size_t j = from; j < i; j++)
        if (strcmp(w->changes[j].path, w->changes[i].path) == 0) {
            w->changes[j].is_new |= w->changes[i].is_new;
            return true;
        }
    return false;
}

static int64_t file_size(const struct watch *w, const char *path)
{
    autofree char *whole = xasprintf("%s/%s", w->root, path);
    struct stat st;

    return lstat(whole, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

void watch_end(struct watch *w, uint64_t since, size_t max, struct exec_file **ret, size_t *ret_n, size_t *ret_more)
{
    *ret = NULL;
    *ret_n = *ret_more = 0;
    if (!w)
        return;
    take_events(w);
    for (size_t i = (size_t)(since - w->first), from = i; i < w->n_changes; i++) {
        int64_t size;

        if (seen_before(w, from, i))
            continue;
        size = file_size(w, w->changes[i].path);
        if (size < 0)
            continue;
        if (*ret_n == max) {
            (*ret_more)++;
            continue;
        }
        if (!*ret)
            *ret = xnew_n(struct exec_file, max);
        (*ret)[(*ret_n)++] = (struct exec_file){xstrdup(w->changes[i].path), size, w->changes[i].is_new};
    }
    if (--w->open == 0)
        forget_changes(w);
}

/* ---- life ---- */

struct watch *watch_new(uv_loop_t *loop, const char *root)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    struct watch *w;

    if (fd < 0)
        return NULL;
    w = xnew(struct watch);
    w->loop = loop;
    w->root = xstrdup(root);
    w->fd = fd;
    (void)add_dir(w, "");
    w->walk = xnew(struct walk);
    w->walk->work.data = w->walk;
    w->walk->watch = w;
    w->walk->root = xstrdup(root);
    if (uv_queue_work(loop, &w->walk->work, on_walk, on_walked) < 0) {
        free(w->walk->root);
        free(w->walk);
        w->walk = NULL;
    }
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    if (w->walk)
        w->walk->watch = NULL;
    forget_changes(w);
    for (size_t i = 0; i < w->n_dirs; i++)
        free(w->dirs[i]);
    fd_close(&w->fd);
    free(w->root);
    free(w);
}
