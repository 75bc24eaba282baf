#include "sandbox/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

#define SHM "/dev/shm"
#define BLOCK 512 /* the unit of st_blocks, whatever the file system's is: stat(3type) */

static const char *const parts[] = {HOME_WORKSPACE, HOME_TMP};
#define N_PARTS (sizeof parts / sizeof *parts)

/* ---- making ---- */

/* Of the owner before anybody else can reach it; 0700 whatever the umask is. */
static int make_owned(const char *path, mode_t mode, unsigned user, unsigned group, struct err *e)
{
    if (mkdir(path, 0700) < 0)
        return err_errno(e, "mkdir %s", path);
    if (chmod(path, mode) < 0 || chown(path, user, group) < 0) /* in this order root needs no CAP_FOWNER */
        return err_errno(e, "%s", path);
    return 0;
}

int home_make(const char *home, unsigned owner, struct err *e)
{
    int status = make_owned(home, 0710, 0, owner, e);

    for (size_t i = 0; i < N_PARTS && status == 0; i++) {
        char path[HOME_PATH_MAX];

        home_path(path, home, parts[i]);
        status = make_owned(path, 0700, owner, owner, e);
    }
    return status;
}

void home_remove(const char *home)
{
    for (size_t i = 0; i < N_PARTS; i++) {
        char path[HOME_PATH_MAX];

        home_path(path, home, parts[i]);
        (void)rmdir(path);
    }
    (void)rmdir(home);
}

/* ---- the door ---- */

void home_close(const char *home)
{
    char path[HOME_PATH_MAX];

    home_path(path, home, HOME_WORKSPACE);
    (void)chmod(path, 0);
}

bool home_is_closed(int workspace)
{
    struct stat st;

    return fstat(workspace, &st) == 0 && !(st.st_mode & S_IXUSR);
}

/* ---- looking ---- */

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* To be listed, also when the owner (this process) has taken that right from itself. Never a link's target. */
static DIR *open_dir(int at, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, fd = openat(at, name, flags);
    DIR *dir;

    if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
        fd = openat(at, name, flags);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        fd_close(&fd);
    return dir;
}

static int measure_dir(int at, const char *name, int depth, struct home_usage *sum)
{
    DIR *dir = open_dir(at, name);
    struct dirent *entry;
    int status = 0;

    if (!dir)
        return errno == ENOENT ? 0 : errno == EMFILE ? -E2BIG : -errno;
    while (status == 0 && (entry = readdir(dir))) {
        struct stat st;

        if (is_dots(entry->d_name) || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        sum->bytes += (uint64_t)st.st_blocks * BLOCK;
        sum->files++;
        if (S_ISDIR(st.st_mode))
            status = depth < HOME_DEPTH_MAX ? measure_dir(dirfd(dir), entry->d_name, depth + 1, sum) : -E2BIG;
    }
    (void)closedir(dir);
    return status == -E2BIG ? status : 0; /* what goes while it is looked at is no failure */
}

int home_measure(const char *home, struct home_usage *ret)
{
    struct home_usage sum = {0, 0};
    int status = 0;

    for (size_t i = 0; i < N_PARTS && status == 0; i++) {
        char path[HOME_PATH_MAX];

        home_path(path, home, parts[i]);
        status = measure_dir(AT_FDCWD, path, 0, &sum);
    }
    if (status == 0)
        *ret = sum;
    return status;
}

/* ---- emptying ---- */

/* To a name that is free there. */
static int move_up(int from, const char *name, int top, unsigned *serial)
{
    char up[32];

    do {
        (void)snprintf(up, sizeof up, ".%u", ++*serial);
        if (renameat(from, name, top, up) == 0)
            return 0;
    } while (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR);
    return -errno;
}

/* What lies in the directory name of top goes, or moves up into top: so no depth takes descriptors or stack. */
static int flatten(int top, const char *name, unsigned *serial)
{
    DIR *dir = open_dir(top, name);
    struct dirent *entry;
    int status = 0;

    if (!dir)
        return -errno;
    (void)fchmod(dirfd(dir), 0700);
    while (status == 0 && (entry = readdir(dir))) {
        if (is_dots(entry->d_name) || unlinkat(dirfd(dir), entry->d_name, 0) == 0 ||
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0)
            continue;
        /* Its ".." changes: it must be writable. */
        status =
            fchmodat(dirfd(dir), entry->d_name, 0700, 0) < 0 ? -errno : move_up(dirfd(dir), entry->d_name, top, serial);
    }
    (void)closedir(dir);
    return status;
}

static int empty_dir(const char *path)
{
    unsigned serial = 0;
    bool more = true;
    int status = 0;

    (void)chmod(path, 0700);
    while (more && status == 0) {
        DIR *dir = open_dir(AT_FDCWD, path);
        struct dirent *entry;

        if (!dir)
            return errno == ENOENT ? 0 : -errno;
        more = false;
        while (status == 0 && (entry = readdir(dir))) {
            if (is_dots(entry->d_name) || unlinkat(dirfd(dir), entry->d_name, 0) == 0 ||
                unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0)
                continue;
            status = flatten(dirfd(dir), entry->d_name, &serial);
            more = true; /* it is removed by the next pass, with what moved up out of it */
        }
        (void)closedir(dir);
    }
    return status;
}

static void empty_shm(unsigned owner)
{
    DIR *dir = opendir(SHM);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        struct stat st;

        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == owner)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        (void)closedir(dir);
}

int home_empty(const char *home, unsigned owner)
{
    int status = 0;

    for (size_t i = 0; i < N_PARTS; i++) {
        char path[HOME_PATH_MAX];
        int r;

        home_path(path, home, parts[i]);
        r = empty_dir(path);
        if (r < 0)
            status = r;
    }
    empty_shm(owner);
    return status;
}
