#include "store/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define PIECE ((size_t)64 * 1024) /* on the stack: most files are small */

int file_open_dir(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int file_open_read(int at, const char *name, struct stat *ret)
{
    autofd int fd = -1;

    /* Looked at first: opening a device can have effects. */
    if (fstatat(at, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISREG(ret->st_mode))
        return -EINVAL;
    fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret) < 0)
        return -errno;
    return S_ISREG(ret->st_mode) ? steal_fd(&fd) : -EINVAL;
}

void *file_list(int dir)
{
    autofd int fd = file_open_dir(dir, ".");
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (fd < 0)
        errno = -fd;
    if (list)
        fd = -1;
    return list;
}

struct dirent *file_next(void *list)
{
    struct dirent *entry;

    do
        entry = readdir(list);
    while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry;
}

int file_read(int at, const char *name, size_t most, char **ret, size_t *ret_size)
{
    struct stat st;
    autofd int fd = file_open_read(at, name, &st);
    autofree char *text = NULL;
    size_t size = 0;

    if (fd < 0)
        return fd;
    if ((uint64_t)st.st_size > most)
        return -EFBIG;
    text = xcalloc(1, (size_t)st.st_size + 1);
    while (size < (size_t)st.st_size) {
        ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
    }
    *ret = steal_ptr(text);
    *ret_size = size;
    return 0;
}

int file_write(int at, const char *name, mode_t mode, const void *data, size_t size)
{
    autofd int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return -errno;
    r = fd_write_all(fd, data, size);
    if (r < 0)
        return r;
    return fchmod(fd, mode) < 0 ? -errno : 0;
}

int file_mkdir(int at, const char *name, mode_t mode)
{
    autofd int fd = -1;

    if (mkdirat(at, name, 0700) < 0)
        return -errno;
    fd = file_open_dir(at, name);
    if (fd < 0)
        return fd;
    return fchmod(fd, mode) < 0 ? -errno : 0;
}

int file_hash(int fd, unsigned char ret[SHA256_BYTES], uint64_t *ret_bytes)
{
    char piece[PIECE];
    struct sha256 h;
    ssize_t n;

    sha256_init(&h);
    while ((n = read(fd, piece, PIECE)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        sha256_add(&h, piece, (size_t)n);
    }
    *ret_bytes = h.size;
    sha256_end(&h, ret);
    return 0;
}

mode_t file_mode(char kind)
{
    return kind == 'x' ? 0555 : 0444;
}

int file_set_time(int fd)
{
    const struct timespec times[2] = {{FILE_TIME, 0}, {FILE_TIME, 0}};

    return futimens(fd, times) < 0 ? -errno : 0;
}
