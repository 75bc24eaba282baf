#include "sandbox/build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "sandbox/builder.h"
#include "sandbox/outer.h"
#include "sandbox/plan.h"

static const char *const kind_names[BUILDER_KIND_MAX] = {"outer-namespace", "own-namespace", "no-namespace"};

void builder_hook(int argc, char **argv)
{
    char *end;
    long fd;

    if (argc != 3 || strcmp(argv[0], BUILDER_ARGV0) != 0)
        return;
    fd = strtol(argv[1], &end, 10);
    if (*end || end == argv[1] || fd < 3 || fd > INT_MAX || fd_set_cloexec((int)fd, true) < 0)
        exit(1);
    for (int kind = 0; kind < BUILDER_KIND_MAX; kind++)
        if (strcmp(argv[2], kind_names[kind]) == 0)
            exit(builder_serve((int)fd, (enum builder_kind)kind));
    exit(1);
}

/* In the child: never returns. The text of what failed goes the way of all answers. */
static void become_builder(int sock, bool plain)
{
    struct build_msg msg = {.op = BUILD_FAILED};
    struct err e = ERR_INIT;
    char packet[sizeof msg + ERR_TEXT_MAX], number[16];
    enum builder_kind kind = plain ? BUILDER_PLAIN : outer_is_privileged() ? BUILDER_OWN : BUILDER_OUTER;
    char *argv[] = {(char[]){BUILDER_ARGV0}, number, (char *)kind_names[kind], NULL};
    char *environment[] = {NULL};     /* what the server was given is not for sandboxes */
    int fd = fcntl(sock, F_DUPFD, 3); /* survives exec */

    if (fd < 0) {
        (void)err_errno(&e, "fcntl");
    } else if (kind != BUILDER_OUTER || outer_make(&e) == 0) {
        (void)snprintf(number, sizeof number, "%d", fd);
        (void)execve("/proc/self/exe", argv, environment);
        (void)err_errno(&e, "start the builder (/proc/self/exe)");
    }
    msg.status = e.code;
    msg.size = (uint32_t)strlen(e.text);
    memcpy(packet, &msg, sizeof msg);
    memcpy(packet + sizeof msg, e.text, msg.size);
    (void)fd_send(sock, packet, sizeof msg + msg.size, NULL, 0);
    _exit(1);
}

/* One message and up to two descriptors, which the caller owns. */
static int receive(struct builder *b, struct build_msg *ret, char ret_text[ERR_TEXT_MAX + 1], int ret_fds[2],
                   struct err *e)
{
    char packet[sizeof(struct build_msg) + ERR_TEXT_MAX];
    size_t n_fds = 2;
    ssize_t size;

    ret_fds[0] = ret_fds[1] = -1;
    size = fd_recv(b->sock, packet, sizeof packet, ret_fds, &n_fds);
    if (size == 0)
        return err_set(e, EPIPE, "the process that makes sandboxes has ended");
    if (size < 0)
        return err_set(e, (int)-size, "the process that makes sandboxes: %s", strerror((int)-size));
    memcpy(ret, packet, sizeof *ret);
    if ((size_t)size < sizeof *ret || ret->size != (size_t)size - sizeof *ret) {
        fd_close(&ret_fds[0]);
        fd_close(&ret_fds[1]);
        return err_set(e, EBADMSG, "the process that makes sandboxes sent nonsense");
    }
    if (ret->op == BUILD_FAILED)
        return err_set(e, ret->status > 0 ? ret->status : EIO, "%.*s", (int)ret->size, packet + sizeof *ret);
    memcpy(ret_text, packet + sizeof *ret, ret->size);
    ret_text[ret->size] = '\0';
    return 0;
}

static int send_request(struct builder *b, struct build_msg *msg, const void *data, size_t size, struct err *e)
{
    struct buf packet = BUF_INIT;
    int status;

    if (size > BUILD_TEXT_MAX)
        return err_set(e, E2BIG, "the plan of the sandbox is too long: fewer mounts are needed");
    msg->size = (uint32_t)size;
    status = buf_append(&packet, msg, sizeof *msg);
    if (status == 0 && size > 0)
        status = buf_append(&packet, data, size);
    if (status == 0)
        status = fd_send(b->sock, buf_begin(&packet), packet.len, NULL, 0);
    buf_fini(&packet);
    return status < 0 ? err_set(e, -status, "the process that makes sandboxes: %s", strerror(-status)) : 0;
}

static int start(struct builder *b, bool plain, struct err *e)
{
    char none[ERR_TEXT_MAX + 1];
    struct build_msg hello;
    int pair[2], fds[2] = {-1, -1}, status;

    *b = (struct builder)BUILDER_INIT;
    status = fd_socketpair(SOCK_SEQPACKET, pair);
    if (status < 0)
        return err_set(e, -status, "socketpair: %s", strerror(-status));
    b->pid = fork();
    if (b->pid == 0)
        become_builder(pair[1], plain);
    fd_close(&pair[1]);
    b->sock = pair[0];
    status = b->pid < 0 ? err_errno(e, "fork") : receive(b, &hello, none, fds, e);
    b->userns = fds[0];
    fd_close(&fds[1]);
    if (status == 0 && hello.op != BUILD_HELLO)
        status = err_set(e, EPROTO, "this program does not start its builder: builder_hook is missing in main");
    if (status < 0) {
        builder_stop(b);
        return status;
    }
    b->uid_pool = hello.uid;
    return 0;
}

int builder_start(struct builder *b, struct err *e)
{
    return start(b, false, e);
}

int builder_start_plain(struct builder *b, struct err *e)
{
    return start(b, true, e);
}

void builder_stop(struct builder *b)
{
    fd_close(&b->sock);
    fd_close(&b->userns);
    while (b->pid > 0 && waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *b = (struct builder)BUILDER_INIT;
}

int builder_ask_make(struct builder *b, const struct plan *plan, uint32_t *ret_id, struct err *e)
{
    struct build_msg msg = {.op = BUILD_MAKE, .id = b->last_id + 1};
    autobuf struct buf packed = BUF_INIT;
    int status = plan_pack(plan, &packed);

    if (status < 0)
        return err_set(e, -status, "the plan of the sandbox cannot be packed");
    status = send_request(b, &msg, buf_begin(&packed), packed.len, e);
    if (status < 0)
        return status;
    *ret_id = ++b->last_id;
    return 0;
}

int builder_ask_mount(struct builder *b, uint32_t id, const char *source, const char *target, struct err *e)
{
    struct build_msg msg = {.op = BUILD_MOUNT, .id = id};
    autobuf struct buf texts = BUF_INIT;

    if (buf_append(&texts, source, strlen(source) + 1) < 0 || buf_append(&texts, target, strlen(target) + 1) < 0)
        return err_set(e, E2BIG, "the paths are too long");
    return send_request(b, &msg, buf_begin(&texts), texts.len, e);
}

int builder_answer(struct builder *b, struct sandbox *ret, struct err *e)
{
    char text[ERR_TEXT_MAX + 1];
    struct build_msg msg = {0};
    int fds[2], status = receive(b, &msg, text, fds, e);

    *ret = (struct sandbox)SANDBOX_INIT;
    ret->id = msg.id;
    if (status < 0)
        return status;
    ret->pidfd = fds[0];
    ret->workspace = fds[1];
    if (msg.op == BUILD_MADE && fds[1] < 0) {
        fd_close(&ret->pidfd);
        return err_set(e, EBADMSG, "the process that makes sandboxes sent too few descriptors");
    }
    ret->pid = msg.pid;
    ret->namespaces = msg.namespaces;
    ret->uid = msg.uid;
    (void)snprintf(ret->home, sizeof ret->home, "%.*s", SANDBOX_HOME_MAX - 1, text);
    return 0;
}

int builder_make(struct builder *b, const struct plan *plan, struct sandbox *ret, struct err *e)
{
    uint32_t id;
    int status = builder_ask_make(b, plan, &id, e);

    return status < 0 ? status : builder_answer(b, ret, e);
}

int builder_mount(struct builder *b, const struct sandbox *s, const char *source, const char *target, struct err *e)
{
    struct sandbox none;
    int status = builder_ask_mount(b, s->id, source, target, e);

    return status < 0 ? status : builder_answer(b, &none, e);
}

void sandbox_end(struct builder *b, struct sandbox *s)
{
    struct build_msg msg = {.op = BUILD_END, .id = s->id};

    if (s->pidfd >= 0)
        (void)send_request(b, &msg, NULL, 0, NULL); /* fails when the builder is gone, and the sandbox with it */
    fd_close(&s->pidfd);
    fd_close(&s->workspace);
    *s = (struct sandbox)SANDBOX_INIT;
}
