/*
 * File descriptors: every one is created close-on-exec, has one owner, and is -1 when empty.
 */
#ifndef CELLBLOCK_BASE_FD_H
#define CELLBLOCK_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define autofd __attribute__((cleanup(fd_close)))

/* Close *fd unless it is -1, and set it to -1; errno is preserved. close(2) is not retried: Linux frees it always. */
void fd_close(int *fd);

static inline int steal_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* 0 or -errno. */
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* A connected pair of UNIX sockets (type SOCK_STREAM or SOCK_SEQPACKET), close-on-exec, blocking. 0 or -errno. */
int fd_socketpair(int type, int ret[2]);

/* A pipe, close-on-exec; the read end does not block. 0 or -errno. */
int fd_pipe(int ret[2]);

/* Write all, across EINTR and partial writes, on a blocking descriptor. 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t size);

/*
 * An anonymous file (memfd_create(2)) with this content, close-on-exec, positioned at its start. Where memfd is
 * refused, an unlinked file below TMPDIR. Returns the descriptor or -errno. The caller closes it.
 */
int fd_memfile(const char *name, const void *data, size_t size);

#define FD_PASS_MAX 8

/* One message with up to FD_PASS_MAX descriptors (unix(7), SCM_RIGHTS), MSG_NOSIGNAL. 0 or -errno. */
int fd_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds);

/*
 * One message, received close-on-exec. *n_fds: room in fds before, number received after; what does not fit is
 * closed. Returns the size of the message, 0 at end of file, or -errno (-EMSGSIZE: cut).
 */
ssize_t fd_recv(int sock, void *data, size_t size, int *fds, size_t *n_fds);

#endif
