#include "transport/end.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fd.h"

#define FD_MIN 10 /* out of the way of 0, 1 and 2, which are given to others */

void end_init(struct end *end)
{
    *end = (struct end){.fd = -1, .flags = -1};
}

int end_take(struct end *end, int fd)
{
    end->fd = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN);
    if (end->fd < 0)
        return -errno;
    end->flags = fcntl(end->fd, F_GETFL);
    return 0;
}

/* Regular files, directories and devices like /dev/null are refused by epoll(7) with EPERM. */
static bool is_pollable(int fd)
{
    autofd int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};

    return epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

int end_open(struct end *end, uv_loop_t *loop, bool readable, void *data)
{
    uv_handle_type type = uv_guess_handle(end->fd);
    int r;

    if (type != UV_TTY && !is_pollable(end->fd)) {
        end->is_file = true;
        return 0;
    }
    if (type == UV_TTY) {
        r = uv_tty_init(loop, &end->as.tty, end->fd, readable); /* opens the terminal anew where it can */
        end->is_open = r == 0;
    } else if (type == UV_TCP) {
        r = uv_tcp_init(loop, &end->as.tcp);
        end->is_open = r == 0;
        if (r == 0)
            r = uv_tcp_open(&end->as.tcp, end->fd);
    } else { /* a pipe, a UNIX socket, or whatever else can be polled, read and written */
        r = uv_pipe_init(loop, &end->as.pipe, 0);
        end->is_open = r == 0;
        if (r == 0)
            r = uv_pipe_open(&end->as.pipe, end->fd);
    }
    if (r == 0)
        end->fd = -1;
    if (end->is_open)
        end->as.stream.data = data;
    return r;
}

bool end_close(struct end *end, uv_close_cb closed)
{
    uv_os_fd_t fd = end->fd;

    if (fd < 0 && (!end->is_open || uv_fileno((uv_handle_t *)&end->as.stream, &fd) < 0))
        fd = -1;
    if (fd >= 0 && end->flags >= 0)
        (void)fcntl(fd, F_SETFL, end->flags);
    fd_close(&end->fd);
    if (!end->is_open)
        return false;
    end->is_open = false;
    uv_close((uv_handle_t *)&end->as.stream, closed);
    return true;
}
