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

#define ANSWER_FDS (2 + CGROUP_FDS_MAX)

static void close_fds(int fds[ANSWER_FDS])
{
    for (size_t i = 0; i < ANSWER_FDS; i++)
        fd_close(&fds[i]);
}

/* One message, NUL-terminated, and its descriptors, -1 for none, which the caller owns. */
static int receive(struct builder *b, struct build_msg *ret, const char **ret_text, int ret_fds[ANSWER_FDS],
                   struct err *e)
{
    static _Thread_local char packet[sizeof(struct build_msg) + BUILD_ANSWER_MAX + 1];
    size_t n_fds = ANSWER_FDS;
    ssize_t size;

    for (size_t i = 0; i < ANSWER_FDS; i++)
        ret_fds[i] = -1;
    size = fd_recv(b->sock, packet, sizeof packet - 1, ret_fds, &n_fds);
    if (size == 0)
        return err_set(e, EPIPE, "the process that makes sandboxes has ended");
    if (size < 0)
        return err_set(e, (int)-size, "the process that makes sandboxes: %s", strerror((int)-size));
    memcpy(ret, packet, sizeof *ret);
    if ((size_t)size < sizeof *ret || ret->size != (size_t)size - sizeof *ret) {
        close_fds(ret_fds);
        return err_set(e, EBADMSG, "the process that makes sandboxes sent nonsense");
    }
    packet[size] = '\0';
    *ret_text = packet + sizeof *ret;
    if (ret->op == BUILD_FAILED) {
        close_fds(ret_fds);
        return err_set(e, ret->status > 0 ? ret->status : EIO, "%s", *ret_text);
    }
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

/* Numbers go on: who still has a sandbox of a builder that is gone must not end another one with it. */
static void clear(struct builder *b)
{
    uint32_t last_id = b->last_id;

    *b = (struct builder)BUILDER_INIT;
    b->last_id = last_id;
}

static int start(struct builder *b, bool plain, struct err *e)
{
    struct build_msg hello;
    int pair[2], fds[ANSWER_FDS] = {-1, -1, -1, -1}, status;
    const char *text = "";

    clear(b);
    status = fd_socketpair(SOCK_SEQPACKET, pair);
    if (status < 0)
        return err_set(e, -status, "socketpair: %s", strerror(-status));
    b->pid = fork();
    if (b->pid == 0)
        become_builder(pair[1], plain);
    fd_close(&pair[1]);
    b->sock = pair[0];
    status = b->pid < 0 ? err_errno(e, "fork") : receive(b, &hello, &text, fds, e);
    b->userns = steal_fd(&fds[0]);
    close_fds(fds);
    if (status == 0 && hello.op != BUILD_HELLO)
        status = err_set(e, EPROTO, "this program does not start its builder: builder_hook is missing in main");
    if (status < 0) {
        builder_stop(b);
        return status;
    }
    b->uid_pool = hello.uid;
    (void)cgroups_unpack(text, &b->cgroups);
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
    clear(b);
}

int builder_ask_make(struct builder *b, const struct plan *plan, bool early, uint32_t *ret_id, struct err *e)
{
    struct build_msg msg = {.op = BUILD_MAKE, .id = b->last_id + 1, .status = early};
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
    struct build_msg msg = {0};
    const char *text;
    int fds[ANSWER_FDS], status = receive(b, &msg, &text, fds, e);

    *ret = (struct sandbox)SANDBOX_INIT;
    ret->id = msg.id;
    if (status < 0)
        return status;
    if ((msg.op == BUILD_MADE || msg.op == BUILD_BEGUN) && fds[1] < 0) {
        close_fds(fds);
        return err_set(e, EBADMSG, "the process that makes sandboxes sent too few descriptors");
    }
    ret->pidfd = fds[0];
    *(msg.op == BUILD_BEGUN ? &ret->gate : &ret->workspace) = fds[1];
    for (size_t i = 2; i < ANSWER_FDS && fds[i] >= 0; i++)
        ret->cgroup[ret->n_cgroup++] = fds[i];
    ret->pid = msg.pid;
    ret->namespaces = msg.namespaces;
    ret->uid = msg.uid;
    ret->group = msg.group;
    (void)snprintf(ret->home, sizeof ret->home, "%.*s", SANDBOX_HOME_MAX - 1, msg.op == BUILD_MADE ? text : "");
    return 0;
}

int builder_make(struct builder *b, const struct plan *plan, struct sandbox *ret, struct err *e)
{
    uint32_t id;
    int status = builder_ask_make(b, plan, false, &id, e);

    return status < 0 ? status : builder_answer(b, ret, e);
}

void sandbox_end(struct builder *b, struct sandbox *s)
{
    struct build_msg msg = {.op = BUILD_END, .id = s->id};

    if (s->pidfd >= 0)
        (void)send_request(b, &msg, NULL, 0, NULL); /* fails when the builder is gone, and the sandbox with it */
    sandbox_close(s);
}

void sandbox_close(struct sandbox *s)
{
    fd_close(&s->pidfd);
    fd_close(&s->workspace);
    fd_close(&s->gate);
    for (size_t i = 0; i < s->n_cgroup; i++)
        fd_close(&s->cgroup[i]);
    *s = (struct sandbox)SANDBOX_INIT;
}
