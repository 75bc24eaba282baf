/* A store's folder: where it is, whether it may be used, and what a new one gets. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"

#define FORMAT "cellblock store "
#define FORMAT_NUMBER 1
#define TAG "Signature: 8a477f597d28d172789f06886806bc55\n" /* the Cache Directory Tagging Specification's */

/* ---- where ---- */

static char *default_path(struct err *e)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && *cache == '/') /* a relative one is to be ignored: XDG Base Directory Specification */
        return xasprintf("%s/cellblock/store", cache);
    if (geteuid() == 0)
        return xstrdup("/var/cache/cellblock/store");
    if (home && *home == '/')
        return xasprintf("%s/.cache/cellblock/store", home);
    (void)err_set(e, ENOENT, "neither HOME nor XDG_CACHE_HOME is set: name the package store with --store DIR");
    return NULL;
}

static char *absolute_path(const char *dir, struct err *e)
{
    autofree char *here = NULL, *path = NULL;
    size_t size;

    if (!dir || !*dir)
        return default_path(e);
    if (*dir != '/' && !(here = getcwd(NULL, 0))) {
        (void)err_errno(e, "the current directory");
        return NULL;
    }
    path = here ? xasprintf("%s/%s", here, dir) : xstrdup(dir);
    /* With a slash at the end a symbolic link would be followed. */
    for (size = strlen(path); size > 1 && path[size - 1] == '/'; size--)
        path[size - 1] = '\0';
    if (size > PATH_MAX / 2) {
        (void)err_set(e, ENAMETOOLONG, "the path of the package store is too long");
        return NULL;
    }
    return steal_ptr(path);
}

/* mkdir -p, for the owner only, but the last one: sandboxes pass through it. */
static int make_path(const char *path, struct err *e)
{
    autofree char *part = xstrdup(path);

    bool made = mkdir(path, 0711) == 0;

    if (!made && errno == EEXIST)
        return 0;
    for (char *slash = part + 1; !made && (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        if (mkdir(part, geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST)
            return err_errno(e, "the package store needs %.300s, which cannot be made", part);
    }
    made = made || mkdir(path, 0711) == 0;
    if (!made && errno == EEXIST)
        return 0;
    return !made || chmod(path, 0711) < 0 ? err_errno(e, "the package store %.300s cannot be made", path) : 0;
}

/* ---- whether ---- */

static int check_owner(const struct store *s, struct err *e)
{
    struct stat st;

    if (fstat(s->root, &st) < 0)
        return err_errno(e, "%.300s", s->path);
    if (st.st_uid != geteuid())
        return err_set(e, EPERM,
                       "the package store %.300s belongs to user %u, and who writes to it decides what code runs: use "
                       "one of your own (--store)",
                       s->path, (unsigned)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return err_set(e, EPERM,
                       "the package store %.300s can be written by others, who would decide what code runs: chmod "
                       "go-w it, or use another (--store)",
                       s->path);
    return 0;
}

/* 1: it has one that this program knows, 0: none. */
static int read_format(const struct store *s, struct err *e)
{
    autofree char *text = NULL;
    struct cursor c;
    uint64_t number;
    size_t size;
    int r = file_read(s->root, "format", 1000, &text, &size);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return err_set(e, -r, "%.300s/format: %s", s->path, strerrordesc_np(-r));
    c = (struct cursor){text, text + size};
    if (text_take(&c, FORMAT) && text_take_number(&c, &number) && text_take(&c, "\n") && number <= FORMAT_NUMBER)
        return 1;
    return err_set(e, EPROTO,
                   "the package store %.300s is of another version of cellblock: remove it, or use another (--store)",
                   s->path);
}

/* Is nothing in it but what a process leaves that is ended while it makes a store? */
static bool is_empty(const struct store *s)
{
    DIR *list = file_list(s->root);
    struct dirent *entry;
    bool empty = list != NULL;

    while (empty && (entry = file_next(list)) != NULL)
        empty = strncmp(entry->d_name, "format.", 7) == 0;
    if (list)
        (void)closedir(list);
    return empty;
}

/* A small file that is there as a whole or not at all. */
static int put(const struct store *s, const char *name, const char *text)
{
    char temporary[64], id[13];
    int r;

    random_id(id, sizeof id - 1);
    (void)snprintf(temporary, sizeof temporary, "format.%s", id);
    r = file_write(s->root, temporary, 0644, text, strlen(text));
    if (r == 0 && renameat(s->root, temporary, s->root, name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(s->root, temporary, 0);
    return r;
}

static int check_format(const struct store *s, struct err *e)
{
    char text[64];
    int r = read_format(s, e);

    if (r != 0)
        return r < 0 ? r : 0;
    if (!is_empty(s)) {
        r = read_format(s, e); /* another process may just have made it one */
        return r ? (r < 0 ? r : 0)
                 : err_set(e, EEXIST, "%.300s has files and is no package store: name an empty directory (--store)",
                           s->path);
    }
    (void)snprintf(text, sizeof text, FORMAT "%d\n", FORMAT_NUMBER);
    r = put(s, "format", text);
    return r < 0 ? err_set(e, -r, "package store %.300s: %s", s->path, strerrordesc_np(-r)) : 0;
}

/* ---- what is in it ---- */

static int open_part(const struct store *s, const char *name, mode_t mode, int *ret, struct err *e)
{
    struct stat st;
    int r = file_mkdir(s->root, name, mode);

    if (r < 0 && r != -EEXIST)
        return err_set(e, -r, "%.300s/%s: %s", s->path, name, strerrordesc_np(-r));
    *ret = file_open_dir(s->root, name);
    if (*ret < 0 || fstat(*ret, &st) < 0)
        return err_set(e, ENOTDIR, "%.300s/%s cannot be opened: remove it", s->path, name);
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_set(e, EPERM, "%.300s/%s belongs to or can be written by others: remove it", s->path, name);
    return 0;
}

static int open_parts(struct store *s, struct err *e)
{
    autofd int cache = -1;
    int r = open_part(s, "wheels", 0711, &s->wheels, e);

    if (r == 0)
        r = open_part(s, "sets", 0711, &s->sets, e);
    if (r == 0)
        r = open_part(s, "answers", 0700, &s->answers, e);
    if (r == 0)
        r = open_part(s, "tmp", 0711, &s->tmp, e);
    if (r == 0)
        r = open_part(s, "cache", 0711, &cache, e);
    if (r == 0 && faccessat(s->root, "CACHEDIR.TAG", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        (void)put(s, "CACHEDIR.TAG", TAG "# Packages of cellblock. It can be removed: cellblock store empty\n");
    return r;
}

int store_open(const char *dir, uint64_t max_bytes, struct store **ret, struct err *e)
{
    struct store *s;
    char *path = absolute_path(dir, e);
    int r;

    if (!path)
        return e && e->code ? -e->code : -ENOENT;
    s = xnew(struct store);
    s->path = path;
    s->cache_path = xasprintf("%s/cache", path);
    s->max_bytes = max_bytes ? max_bytes : LIMIT_STORE_BYTES;
    s->root = s->wheels = s->sets = s->answers = s->tmp = -1;
    r = make_path(path, e);
    if (r == 0) {
        s->root = file_open_dir(AT_FDCWD, path);
        if (s->root == -ELOOP || s->root == -ENOTDIR)
            r = err_set(e, ENOTDIR, "the package store %.300s is a symbolic link, or no directory", path);
        else if (s->root < 0)
            r = err_set(e, -s->root, "the package store %.300s: %s", path, strerrordesc_np(-s->root));
    }
    if (r == 0)
        r = check_owner(s, e);
    if (r == 0)
        r = check_format(s, e);
    if (r == 0)
        r = open_parts(s, e);
    if (r < 0)
        store_close(s);
    else
        *ret = s;
    return r;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    fd_close(&s->root);
    fd_close(&s->wheels);
    fd_close(&s->sets);
    fd_close(&s->answers);
    fd_close(&s->tmp);
    free(s->path);
    free(s->cache_path);
    free(s);
}

const char *store_dir(const struct store *s)
{
    return s->path;
}

const char *store_cache(const struct store *s)
{
    return s->cache_path;
}
