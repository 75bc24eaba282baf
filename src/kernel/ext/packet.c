#include "kernel/ext/ext.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void packet_close_fds(struct packet *p)
{
    for (int i = 0; i < p->n_fds; i++)
        (void)close(p->fds[i]);
    p->n_fds = 0;
}

/* Take the descriptors out; those that do not fit are closed, and the packet is refused. */
static int take_fds(struct msghdr *msg, struct packet *ret)
{
    int status = msg->msg_flags & MSG_CTRUNC ? -EMFILE : 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (ret->n_fds < PACKET_FDS) {
                ret->fds[ret->n_fds++] = fd;
            } else {
                (void)close(fd);
                status = -EBADMSG;
            }
        }
    }
    return status;
}

int packet_recv(int sock, struct packet *ret)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 8)];
    } control;
    struct iovec parts[2] = {{&ret->msg, sizeof ret->msg}, {ret->text, ZY_TEXT_MAX}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    int status;

    ret->n_fds = 0;
    do
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (n == 0)
        return 0;
    status = take_fds(&msg, ret);
    if ((size_t)n < sizeof ret->msg || msg.msg_flags & MSG_TRUNC || ret->msg.zero != 0 ||
        ret->msg.text_size != (size_t)n - sizeof ret->msg)
        status = -EBADMSG;
    if (status < 0) {
        packet_close_fds(ret);
        return status;
    }
    ret->text[ret->msg.text_size] = '\0';
    return 1;
}

int packet_send(int sock, const struct zy_msg *msg, const char *text, size_t text_size, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct zy_msg copy = *msg;
    struct iovec parts[2] = {{&copy, sizeof copy}, {(void *)text, text_size < ZY_TEXT_MAX ? text_size : ZY_TEXT_MAX}};
    struct msghdr out = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;

    copy.text_size = (uint32_t)parts[1].iov_len;
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
        out.msg_control = &control;
        out.msg_controllen = sizeof control;
    }
    do
        n = sendmsg(sock, &out, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}
