/* File descriptors: see fd.h. */
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

void fd_close(int *fd)
{
    int saved = errno;

    if (*fd < 0)
        return;
    (void)close(*fd); /* freed even on EINTR (close(2)): closing again could hit somebody else's */
    *fd = -1;
    errno = saved;
}

/* Set or clear one flag with fcntl(2). */
static int change_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);

    if (flags < 0)
        return -errno;
    flags = on ? flags | flag : flags & ~flag;
    return fcntl(fd, set, flags) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool on)
{
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_socketpair(int type, int ret[2])
{
    int pair[2];

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    ret[0] = pair[0];
    ret[1] = pair[1];
    return 0;
}

int fd_pipe(int ret[2])
{
    int pair[2];
    int r;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    r = fd_set_nonblock(pair[0], true); /* pipe2's own O_NONBLOCK would be for both ends */
    if (r < 0) {
        fd_close(&pair[0]);
        fd_close(&pair[1]);
        return r;
    }
    ret[0] = pair[0];
    ret[1] = pair[1];
    return 0;
}

int fd_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* A file without a name below TMPDIR. The descriptor or -errno. */
static int open_unlinked(void)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    int size;
    int fd;

    if (!dir || !*dir)
        dir = "/tmp";
    size = snprintf(path, sizeof(path), "%s/cellblock-XXXXXX", dir);
    if (size < 0 || (size_t)size >= sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    (void)unlink(path);
    return fd;
}

int fd_memfile(const char *name, const void *data, size_t size)
{
    autofd int fd = memfd_create(name, MFD_CLOEXEC);
    int r;

    if (fd < 0) /* refused by a seccomp filter, or /dev/shm is out of bounds */
        fd = open_unlinked();
    if (fd < 0)
        return fd;
    r = fd_write_all(fd, data, size);
    if (r < 0)
        return r;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    return steal_fd(&fd);
}

/* Room for the descriptors of one message, aligned as cmsg(3) wants. */
union control {
    char bytes[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
    struct cmsghdr align;
};

int fd_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    ssize_t sent;

    assert(n_fds <= FD_PASS_MAX);
    if (n_fds > 0) {
        struct cmsghdr *head;

        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * n_fds);
    }
    do {
        sent = sendmsg(sock, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return (size_t)sent == size ? 0 : -EMSGSIZE;
}

/* Take the descriptors out of a received message: the first `room` into fds, the rest closed. How many were taken. */
static size_t take_fds(struct msghdr *message, int *fds, size_t room)
{
    size_t taken = 0;

    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        size_t n;

        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
            if (taken < room)
                fds[taken++] = fd;
            else
                fd_close(&fd);
        }
    }
    return taken;
}

ssize_t fd_recv(int sock, void *data, size_t size, int *fds, size_t *n_fds)
{
    struct iovec part = {.iov_base = data, .iov_len = size};
    union control control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    size_t room = n_fds ? *n_fds : 0;
    ssize_t got;

    if (n_fds)
        *n_fds = 0;
    do {
        got = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    room = take_fds(&message, fds, room);
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (size_t i = 0; i < room; i++)
            fd_close(&fds[i]);
        return -EMSGSIZE;
    }
    if (n_fds)
        *n_fds = room;
    return got;
}
