#include "store/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store/file.h"
#include "store/manifest.h"
#include "store/store.h"
#include "store/text.h"

#define EMPTY_DIRECTORIES 1000 /* those that hold no file: a zip file may have such entries */

struct walk {
    struct manifest *manifest;
    struct tree_verify *verify; /* NULL: sealing */
    dev_t device;
    size_t files, directories, most_directories;
    uint64_t bytes;
    char path[STORE_PATH_BYTES]; /* of what is looked at */
    struct err *e;
};

/* ---- what was looked at already ---- */

static int compare_inodes(const void *a, const void *b)
{
    uint64_t x = ((const struct tree_known_file *)a)->inode, y = ((const struct tree_known_file *)b)->inode;

    return x < y ? -1 : x > y;
}

void tree_known_sort(struct tree_known *known)
{
    if (known->n)
        qsort(known->files, known->n, sizeof *known->files, compare_inodes);
}

void tree_known_fini(struct tree_known *known)
{
    free(known->files);
    *known = (struct tree_known){NULL, 0, 0};
}

static void learn(struct tree_known *known, uint64_t inode, const unsigned char *hash)
{
    if (known->n == known->room) {
        known->room = known->room ? known->room * 2 : 1024;
        known->files = xrealloc(known->files, known->room, sizeof *known->files);
    }
    known->files[known->n].inode = inode;
    memcpy(known->files[known->n++].hash, hash, SHA256_BYTES);
}

static bool is_known(const struct tree_known *known, uint64_t inode, const unsigned char *hash)
{
    struct tree_known_file key = {.inode = inode}, *found;

    if (!known || !known->n)
        return false;
    found = bsearch(&key, known->files, known->n, sizeof *known->files, compare_inodes);
    return found && memcmp(found->hash, hash, SHA256_BYTES) == 0;
}

/* ---- one file ---- */

static int refuse(struct walk *w, const char *why)
{
    char shown[TEXT_SHOWN];

    return err_set(w->e, EUCLEAN, "%s: %s", text_shown(w->path, shown), why);
}

static int failed(struct walk *w, int r)
{
    char shown[TEXT_SHOWN];

    return err_set(w->e, -r, "%s: %s", text_shown(w->path, shown), strerrordesc_np(-r));
}

/*
 * Extended attributes: an access control list could let somebody write, a capability gives rights (capabilities(7)).
 * Only a security module's own cannot be removed, and need not be.
 */
static void strip(int fd)
{
    char names[4096];
    ssize_t size = flistxattr(fd, names, sizeof names);

    for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1)
        (void)fremovexattr(fd, name);
}

/* Ours, and with these modes. Only root gives away or takes; nobody else has files of another here. */
static int take_over(int fd, mode_t mode)
{
    struct stat st;

    strip(fd);
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid != geteuid() && fchown(fd, geteuid(), getegid()) < 0)
        return -errno;
    return fchmod(fd, mode) < 0 ? -errno : 0;
}

/* As it has to be before it is opened: what can be told without. */
static int look(struct walk *w, const struct stat *st, const struct manifest_file *file)
{
    if (!file)
        return refuse(w, "its manifest does not have it");
    if ((uint64_t)st->st_size != file->size)
        return refuse(w, "its size is not that of its manifest");
    if (!w->verify) {
        if (st->st_nlink != 1)
            return refuse(w, "it is a hard link");
        if (st->st_mode & (S_ISUID | S_ISGID))
            return refuse(w, "it has a set-user-id bit");
        w->bytes += file->size;
        return w->bytes > LIMIT_WHEEL_UNPACKED ? refuse(w, "unpacked, it is too large") : 0;
    }
    if (file->kind == 'l')
        return S_ISLNK(st->st_mode) ? 0 : refuse(w, "it is no symbolic link any more");
    if (st->st_uid != geteuid() || (st->st_mode & 07777) != file_mode(file->kind))
        return refuse(w, "its mode or owner was changed");
    if (st->st_mtim.tv_sec != FILE_TIME || st->st_mtim.tv_nsec != 0)
        return refuse(w, "it was changed");
    return 0;
}

static int check_link(struct walk *w, int dir, const char *name, const struct manifest_file *file)
{
    unsigned char hash[SHA256_BYTES];
    char target[STORE_PATH_BYTES];
    ssize_t size = readlinkat(dir, name, target, sizeof target);

    if (size < 0)
        return failed(w, -errno);
    sha256_of(target, (size_t)size, hash);
    return memcmp(hash, file->hash, sizeof hash) == 0 ? 0 : refuse(w, "it leads elsewhere");
}

/* The owner may have taken the right to read from itself. */
static int open_file(int dir, const char *name, struct stat *ret)
{
    int fd = file_open_read(dir, name, ret);

    if (fd == -EACCES && fchmodat(dir, name, 0600, AT_SYMLINK_NOFOLLOW) == 0)
        fd = file_open_read(dir, name, ret);
    return fd;
}

static int check_content(struct walk *w, int dir, const char *name, const struct stat *seen,
                         const struct manifest_file *file)
{
    unsigned char hash[SHA256_BYTES];
    struct stat st;
    autofd int fd = open_file(dir, name, &st);
    uint64_t bytes = 0;
    int r = fd < 0 ? fd : 0;

    if (r == 0 && (st.st_ino != seen->st_ino || st.st_size != seen->st_size))
        return refuse(w, "it changes");
    if (r == 0 && !w->verify)
        r = take_over(fd, file_mode(file->kind));
    if (r == 0)
        r = file_hash(fd, hash, &bytes);
    if (r == 0 && !w->verify)
        r = file_set_time(fd);
    if (r == -EINVAL)
        return refuse(w, "it is no regular file any more");
    if (r == -EIO)
        return refuse(w, "the disk cannot read it");
    if (r < 0)
        return failed(w, r);
    if (bytes != file->size || memcmp(hash, file->hash, sizeof hash) != 0)
        return refuse(w, "its content is not that of its manifest");
    if (w->verify)
        w->verify->bytes += bytes;
    if (w->verify && w->verify->learn)
        learn(w->verify->learn, st.st_ino, hash);
    return 0;
}

static int check_file(struct walk *w, int dir, const char *name, const struct stat *st)
{
    struct manifest_file *file = manifest_find(w->manifest, w->path);
    int r = look(w, st, file);

    if (r < 0)
        return r;
    if (file->kind == 'l')
        r = check_link(w, dir, name, file);
    else if (!w->verify || !is_known(w->verify->known, st->st_ino, file->hash))
        r = check_content(w, dir, name, st, file);
    file->seen = r == 0;
    w->files += r == 0;
    return r;
}

/* ---- directories ---- */

static int walk_dir(struct walk *w, int fd, size_t length, unsigned depth);

static int check_dir(struct walk *w, int dir, const char *name, size_t length, unsigned depth)
{
    autofd int fd = file_open_dir(dir, name);

    if (fd == -EACCES && fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        fd = file_open_dir(dir, name);
    if (fd < 0)
        return failed(w, fd);
    if (depth == TREE_DEPTH)
        return refuse(w, "directories are nested too deeply");
    if (!w->verify && ++w->directories > w->most_directories)
        return refuse(w, "there are too many directories");
    w->path[length] = '/';
    w->path[length + 1] = '\0';
    return walk_dir(w, fd, length + 1, depth + 1);
}

static int check_entry(struct walk *w, int dir, const char *name, size_t length, unsigned depth)
{
    size_t size = strlen(name);
    struct stat st;

    if (length + size + 2 > sizeof w->path)
        return refuse(w, "the path of something in it is too long");
    memcpy(w->path + length, name, size + 1);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(w, -errno);
    if (st.st_dev != w->device)
        return refuse(w, "it lies on another disk");
    if (S_ISDIR(st.st_mode))
        return check_dir(w, dir, name, length + size, depth);
    if (S_ISREG(st.st_mode) || (w->verify && S_ISLNK(st.st_mode)))
        return check_file(w, dir, name, &st);
    return refuse(w, S_ISLNK(st.st_mode) ? "it is a symbolic link" : "it is neither a file nor a directory");
}

/* fd is the directory whose path, a slash at its end, has length bytes. */
static int walk_dir(struct walk *w, int fd, size_t length, unsigned depth)
{
    struct dirent *entry;
    int r = w->verify ? 0 : take_over(fd, 0700);
    DIR *list = r < 0 ? NULL : file_list(fd);

    if (!list)
        return failed(w, r < 0 ? r : -errno);
    while (r == 0 && (errno = 0, entry = file_next(list)) != NULL)
        r = check_entry(w, fd, entry->d_name, length, depth);
    if (r == 0 && errno)
        r = failed(w, -errno);
    (void)closedir(list);
    w->path[length] = '\0';
    if (r == 0 && !w->verify && fchmod(fd, 0555) < 0)
        r = failed(w, -errno);
    return r;
}

static int walk(struct walk *w, int tree)
{
    struct stat st;
    int r;

    if (fstat(tree, &st) < 0)
        return err_errno(w->e, "tree");
    w->device = st.st_dev;
    for (size_t i = 0; i < w->manifest->n; i++)
        w->manifest->files[i].seen = false;
    r = walk_dir(w, tree, 0, 0);
    for (size_t i = 0; r == 0 && w->files < w->manifest->n && i < w->manifest->n; i++) {
        if (w->manifest->files[i].seen)
            continue;
        memcpy(w->path, w->manifest->files[i].path, strlen(w->manifest->files[i].path) + 1);
        r = refuse(w, "it is missing");
    }
    return r;
}

int tree_seal(int tree, struct manifest *manifest, struct err *e)
{
    struct walk w = {.manifest = manifest, .e = e};
    size_t needed = manifest_directories(manifest);

    if (needed > LIMIT_WHEEL_FILES)
        return err_set(e, EUCLEAN, "its files need %zu directories, at most %d are taken", needed, LIMIT_WHEEL_FILES);
    w.most_directories = needed + EMPTY_DIRECTORIES;
    return walk(&w, tree);
}

int tree_verify(int tree, struct manifest *manifest, struct tree_verify *how, struct err *e)
{
    struct walk w = {.manifest = manifest, .verify = how, .e = e};

    return walk(&w, tree);
}
