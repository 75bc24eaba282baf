#include "cli/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"

#define PIECE ((size_t)256 * 1024)
#define DEPTH_MAX 64 /* a descriptor or two each */
#define ENTRIES_MAX 1000000

const char *copy_shown(const char *name, char *ret)
{
    size_t n = 0;

    for (; name[n] && n < COPY_SHOWN - 8; n++)
        ret[n] = (unsigned char)name[n] < ' ' || name[n] == 0x7f ? '?' : name[n];
    (void)strcpy(ret + n, name[n] ? "..." : "");
    return ret;
}

/* ---- bytes ---- */

/* size bytes, or up to the end. 0, or -errno; *ret_n: how many. */
static int copy_some(int from, int to, char *piece, int64_t size, int64_t *ret_n)
{
    *ret_n = 0;
    while (*ret_n < size) {
        size_t want = size - *ret_n < (int64_t)PIECE ? (size_t)(size - *ret_n) : PIECE;
        ssize_t n = read(from, piece, want);
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        r = fd_write_all(to, piece, (size_t)n);
        if (r < 0)
            return r;
        *ret_n += n;
    }
    return 0;
}

/*
 * Data where there is data (lseek(2), SEEK_DATA): a file of a terabyte that is one hole must not fill a disk. Ends at
 * size even when the file grows meanwhile.
 */
static int copy_sparse(int from, int to, char *piece, int64_t size)
{
    int64_t n;

    for (off_t at = 0; at < size;) {
        off_t data = lseek(from, at, SEEK_DATA), end = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        int r;

        if (data < 0 && errno == ENXIO) /* only a hole is left */
            break;
        if (data < 0 || end < 0)
            return -errno;
        if (data >= size)
            break;
        if (end > size)
            end = size;
        if (end <= data) /* it was made a hole in between: look again */
            end = data + 1;
        if (lseek(from, data, SEEK_SET) < 0 || lseek(to, data, SEEK_SET) < 0)
            return -errno;
        r = copy_some(from, to, piece, end - data, &n);
        if (r < 0)
            return r;
        at = end;
    }
    return ftruncate(to, size) < 0 ? -errno : 0;
}

int copy_bytes(int from, int to, struct err *e)
{
    autofree char *piece = xcalloc(1, PIECE);
    struct stat source, target;
    int64_t n;
    int r;

    if (fstat(from, &source) < 0 || fstat(to, &target) < 0)
        return err_errno(e, "fstat");
    if (S_ISREG(source.st_mode) && S_ISREG(target.st_mode))
        r = copy_sparse(from, to, piece, source.st_size);
    else
        r = copy_some(from, to, piece, S_ISREG(source.st_mode) ? source.st_size : INT64_MAX, &n);
    return r < 0 ? err_set(e, -r, "%s", strerror(-r)) : 0;
}

/* ---- directories ---- */

struct walk {
    const struct copy_tree *tree;
    struct copy_report *report;
    struct stat root; /* of where to: not to be copied into itself */
    size_t entries;
    char *piece;
};

static int open_in(int dir, const char *name, uint64_t flags, mode_t mode)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);

    return fd < 0 ? -errno : fd;
}

static void tell(struct walk *w, const char *name, const char *why)
{
    char shown[COPY_SHOWN];

    w->report->failed++;
    (void)fprintf(stderr, "cellblock: %s: %s\n", copy_shown(name, shown), why);
}

/*
 * A file to write, made or emptied. As root it is given to the owner of the directory only when it was made here: one
 * that was there already could be anybody's, by a name that was changed at the right moment.
 */
static int open_write(const struct walk *w, int dir, const char *name, mode_t mode)
{
    int fd = open_in(dir, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    struct stat st;

    if (fd >= 0 && w->tree->give && geteuid() == 0 && fstat(dir, &st) == 0)
        (void)!fchown(fd, st.st_uid, st.st_gid);
    if (fd == -EEXIST)
        fd = open_in(dir, name, O_WRONLY, 0);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        fd_close(&fd);
        return -EINVAL;
    }
    return fd;
}

static const char *reason(int r)
{
    return r == -ELOOP    ? "a symbolic link is there, which is not followed"
           : r == -EINVAL ? "what is there is not a regular file"
           : r == -ENXIO  ? "what is there is not a regular file"
                          : strerror(-r);
}

static void copy_file(struct walk *w, int from_dir, int to_dir, const char *name)
{
    autofd int from = open_in(from_dir, name, O_RDONLY, 0);
    autofd int to = -1;
    struct stat st, there;
    int r;

    if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode)) {
        tell(w, name, from < 0 ? reason(from) : "it is no regular file any more");
        return;
    }
    if (fstatat(to_dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_dev == st.st_dev &&
        there.st_ino == st.st_ino) {
        tell(w, name, "source and destination are the same file");
        return;
    }
    to = open_write(w, to_dir, name, 0666 | (st.st_mode & 0111));
    if (to < 0) {
        tell(w, name, reason(to));
        return;
    }
    r = ftruncate(to, 0) < 0 ? -errno : copy_sparse(from, to, w->piece, st.st_size);
    if (r < 0)
        tell(w, name, strerror(-r));
    else
        w->report->files++;
}

static void copy_directory(struct walk *w, int from, int to, unsigned depth);

static void copy_subdirectory(struct walk *w, int from_dir, int to_dir, const char *name, unsigned depth)
{
    autofd int from = open_in(from_dir, name, O_RDONLY | O_DIRECTORY, 0);
    autofd int to = -1;
    struct stat st;
    bool made;

    if (from < 0 || fstat(from, &st) < 0) {
        tell(w, name, from < 0 ? reason(from) : strerror(errno));
        return;
    }
    if (depth == DEPTH_MAX || (st.st_dev == w->root.st_dev && st.st_ino == w->root.st_ino)) {
        tell(w, name,
             depth == DEPTH_MAX ? "directories are nested too deeply" : "a directory is not copied into itself");
        return;
    }
    made = mkdirat(to_dir, name, 0777) == 0;
    if (!made && errno != EEXIST) {
        tell(w, name, strerror(errno));
        return;
    }
    to = open_in(to_dir, name, O_RDONLY | O_DIRECTORY, 0);
    if (to < 0) {
        tell(w, name, reason(to));
        return;
    }
    if (made && w->tree->give && geteuid() == 0 && fstat(to_dir, &st) == 0)
        (void)!fchown(to, st.st_uid, st.st_gid);
    copy_directory(w, from, to, depth + 1);
}

static void copy_directory(struct walk *w, int from, int to, unsigned depth)
{
    int own = open_in(from, ".", O_RDONLY | O_DIRECTORY, 0); /* fdopendir takes one, and its position */
    DIR *dir = own < 0 ? NULL : fdopendir(own);

    if (!dir) {
        tell(w, ".", strerror(errno));
        return;
    }
    for (struct dirent *entry; errno = 0, (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        struct stat st;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (depth == 0 && w->tree->skip && strcmp(name, w->tree->skip) == 0)
            continue;
        if (++w->entries > ENTRIES_MAX) {
            if (w->entries == ENTRIES_MAX + 1)
                tell(w, name, "there are too many files: the rest is left out");
            errno = 0;
            break;
        }
        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            tell(w, name, strerror(errno));
        else if (S_ISDIR(st.st_mode))
            copy_subdirectory(w, from, to, name, depth);
        else if (S_ISREG(st.st_mode))
            copy_file(w, from, to, name);
        else
            w->report->left_out++;
    }
    if (errno)
        tell(w, ".", strerror(errno));
    (void)closedir(dir);
}

void copy_tree(const struct copy_tree *tree, struct copy_report *report)
{
    struct walk w = {.tree = tree, .report = report};

    w.piece = xcalloc(1, PIECE);
    if (fstat(tree->to, &w.root) < 0)
        tell(&w, ".", strerror(errno));
    else
        copy_directory(&w, tree->from, tree->to, 0);
    free(w.piece);
}
