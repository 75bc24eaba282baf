/* Files and directories of control groups. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "sandbox/cgroup_impl.h"

int cgroup_path(char *ret, size_t room, const char *dir, const char *name)
{
    int size = snprintf(ret, room, "%s/%s", dir, name);

    return size < 0 || (size_t)size >= room ? -ENAMETOOLONG : 0;
}

static int open_file(const char *dir, const char *name, int flags)
{
    char path[CGROUP_FILE_MAX];
    int status = cgroup_path(path, sizeof path, dir, name), fd;

    if (status < 0)
        return status;
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int cgroup_file_read(const char *dir, const char *name, char *ret, size_t room)
{
    autofd int fd = open_file(dir, name, O_RDONLY);
    ssize_t size;

    if (fd < 0)
        return fd;
    do {
        size = read(fd, ret, room - 1);
    } while (size < 0 && errno == EINTR);
    if (size < 0)
        return -errno;
    ret[size] = '\0';
    return 0;
}

int cgroup_file_write(const char *dir, const char *name, const char *text)
{
    autofd int fd = open_file(dir, name, O_WRONLY);
    ssize_t size;

    if (fd < 0)
        return fd;
    do {
        size = write(fd, text, strlen(text));
    } while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : 0;
}

int cgroup_file_number(const char *dir, const char *name, const char *key, uint64_t *ret)
{
    char text[1024], *at = text;
    size_t size = key ? strlen(key) : 0;
    int status = cgroup_file_read(dir, name, text, sizeof text);

    if (status < 0)
        return status;
    while (key && (strncmp(at, key, size) != 0 || at[size] != ' ')) {
        at = strchr(at, '\n');
        if (!at)
            return -ENODATA;
        at++;
    }
    at += key ? size + 1 : 0;
    if (strncmp(at, "max", 3) == 0)
        *ret = UINT64_MAX;
    else if (*at < '0' || *at > '9')
        return -EBADMSG;
    else
        *ret = strtoull(at, NULL, 10);
    return 0;
}

ssize_t cgroup_file_procs(const char *dir, pid_t *ret, size_t room)
{
    int fd = open_file(dir, "cgroup.procs", O_RDONLY);
    FILE *file;
    long pid;
    size_t n = 0;
    bool failed;

    if (fd < 0)
        return fd;
    file = fdopen(fd, "r");
    if (!file) {
        fd_close(&fd);
        return -ENOMEM;
    }
    errno = 0;
    while (n < room && fscanf(file, "%ld", &pid) == 1)
        ret[n++] = (pid_t)pid;
    failed = ferror(file); /* EOPNOTSUPP: a threaded group */
    (void)fclose(file);
    return failed ? -EIO : (ssize_t)n;
}

int cgroup_rmdir(const char *dir, int wait_ms)
{
    int64_t until = clock_ms() + wait_ms;

    for (;;) {
        if (rmdir(dir) == 0 || errno == ENOENT)
            return 0;
        /* A process that has been waited for may be counted a moment longer. */
        if (errno != EBUSY || clock_ms() >= until)
            return -errno;
        (void)poll(NULL, 0, 1);
    }
}

int cgroup_rmdir_below(const char *dir, const char *except, int wait_ms)
{
    int64_t until = clock_ms() + wait_ms;
    DIR *list = opendir(dir);
    struct dirent *entry;
    int first = 0;

    if (!list)
        return errno == ENOENT ? 0 : -errno;
    while ((entry = readdir(list))) {
        char path[CGROUP_FILE_MAX];
        int64_t left = until - clock_ms();
        int status;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || strcmp(entry->d_name, except) == 0)
            continue;
        status = cgroup_path(path, sizeof path, dir, entry->d_name);
        if (status == 0)
            status = cgroup_rmdir(path, left > 0 ? (int)left : 0);
        first = first ? first : status;
    }
    (void)closedir(list);
    return first;
}
