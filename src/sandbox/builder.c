#include "sandbox/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "sandbox/build.h"
#include "sandbox/groups.h"
#include "sandbox/guard.h"
#include "sandbox/init.h"
#include "sandbox/mount.h"
#include "sandbox/nets.h"
#include "sandbox/outer.h"
#include "sandbox/plan.h"
#include "sandbox/template.h"

#define END_MS 1000
#define END_RETRY_MS 10
#define END_PLAIN_MS 10000 /* guards delete files, of which there may be many */
#define MAKE_S 10

struct slot {
    uint32_t id; /* 0: free */
    pid_t pid;   /* 0: reaped */
    int pidfd, control;
    struct net net; /* none: that of the plan's own namespaces */
    uint32_t group; /* 0: none */
};

static struct {
    int sock, host_proc_user;
    enum builder_kind kind;
    struct guards guards;
    uint32_t uid_pool;
    struct template template;
    struct nets nets;
    struct groups groups;
    size_t n_groups_left; /* slots whose group could not be removed yet */
    struct slot slots[OUTER_SANDBOXES_MAX];
} builder;

static char packet[BUILD_MSG_MAX];

static _Noreturn void end_all(void);

/* ---- answers ---- */

/* Exits when the server is gone. Else 0, or -errno: descriptors could not be sent (ETOOMANYREFS, unix(7)). */
static int answer(const struct build_msg *msg, const char *text, const int *fds, size_t n_fds)
{
    int status;

    char out[sizeof *msg + BUILD_ANSWER_MAX];
    struct build_msg head = *msg;

    head.size = (uint32_t)(strlen(text) < BUILD_ANSWER_MAX ? strlen(text) : BUILD_ANSWER_MAX);
    memcpy(out, &head, sizeof head);
    memcpy(out + sizeof head, text, head.size);
    status = fd_send(builder.sock, out, sizeof head + head.size, fds, n_fds);
    if (status < 0 && n_fds == 0)
        end_all();
    return status;
}

static void answer_failure(uint32_t id, const struct err *e)
{
    struct build_msg msg = {.op = BUILD_FAILED, .id = id, .status = e->code};

    (void)answer(&msg, e->text, NULL, 0);
}

/* ---- making ---- */

static struct guard guard_of(const struct slot *slot)
{
    struct guard guard;

    guards_get(&builder.guards, (unsigned)(slot - builder.slots), &guard);
    return guard;
}

static uint32_t owner_of(const struct slot *slot)
{
    if (builder.kind == BUILDER_PLAIN)
        return guard_of(slot).user;
    return builder.uid_pool ? builder.uid_pool + (uint32_t)(slot - builder.slots) : geteuid();
}

static int write_map(pid_t pid, const char *name, uint32_t id, struct err *e)
{
    char path[64], map[64];
    autofd int fd = -1;
    int size = snprintf(map, sizeof map, "%d %u 1", SANDBOX_ID, id);

    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, map, (size_t)size) < 0)
        return err_errno(e, "write %s (%s)", path, map);
    return 0;
}

/* Answer its request for maps, then wait until it is ready. *ret_workspace is the caller's to close. */
static int attend(struct slot *slot, int *ret_workspace, struct err *e)
{
    for (;;) {
        struct init_failure said = {0};
        size_t n_fds = 1;
        ssize_t size = fd_recv(slot->control, &said, sizeof said, ret_workspace, &n_fds);
        uint32_t owner = owner_of(slot);

        if (size == -EINTR)
            continue;
        if (size == -EAGAIN)
            return err_set(e, ETIMEDOUT, "building the sandbox took over %d s", MAKE_S);
        if (size <= 0)
            return err_set(e, ECHILD, "the first process of the sandbox ended while building it");
        if (said.kind == INIT_READY && n_fds == 1)
            return 0;
        if (said.kind == INIT_FAILED)
            return err_set(e, said.code, "%.479s", said.text);
        if (write_map(slot->pid, "gid_map", owner, e) < 0 || write_map(slot->pid, "uid_map", owner, e) < 0)
            return -e->code;
        if (send(slot->control, &said.kind, 1, MSG_NOSIGNAL) != 1)
            return err_errno(e, "the first process of the sandbox");
    }
}

/*
 * Like fork, into new namespaces. The bare call leaves what libc knows of the thread's id stale, which only matters to
 * a process that uses threads or raise(3).
 */
static pid_t clone_into(int namespaces, int *ret_pidfd)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)(namespaces | CLONE_PIDFD | SIGCHLD), NULL, ret_pidfd, NULL, NULL);
}

static int start_init(struct slot *slot, const struct plan *plan, struct err *e)
{
    int namespaces = plan->namespaces;
    struct guard guard = guard_of(slot);
    struct steps_context context = {-1, builder.host_proc_user, owner_of(slot), NULL, -1, slot->net.ns, 0};
    struct timeval most = {.tv_sec = MAKE_S};
    int pair[2], status = fd_socketpair(SOCK_SEQPACKET, pair);

    if (status < 0)
        return err_set(e, -status, "socketpair: %s", strerror(-status));
    if (builder.kind == BUILDER_PLAIN)
        context.guard = &guard;
    template_use(&builder.template, plan, &context);
    if (context.mounts >= 0)
        namespaces &= ~CLONE_NEWNS;
    if (context.net >= 0)
        namespaces &= ~CLONE_NEWNET;
    slot->pid = clone_into(namespaces, &slot->pidfd);
    if (slot->pid == 0) {
        (void)close(pair[0]);
        context.control = pair[1];
        init_run(plan, &context);
    }
    fd_close(&pair[1]);
    slot->control = pair[0];
    /* A source may be on a file system that does not answer: that must not stop all other sessions. */
    (void)setsockopt(slot->control, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    if (slot->pid < 0)
        return err_errno(e, "clone into namespaces %#x", plan->namespaces);
    return 0;
}

/* Nobody is left in its group, but the kernel may not be done with it: then later. */
static void free_slot(struct slot *slot)
{
    if (groups_give(&builder.groups, slot->group) == -EBUSY)
        builder.n_groups_left++;
    else
        slot->id = 0;
}

static void free_left_slots(void)
{
    size_t n = builder.n_groups_left;

    builder.n_groups_left = 0;
    for (size_t i = 0; n && i < OUTER_SANDBOXES_MAX; i++)
        if (builder.slots[i].id != 0 && builder.slots[i].pid == 0)
            free_slot(&builder.slots[i]);
}

static void end_slot(struct slot *slot)
{
    fd_close(&slot->control);
    if (slot->pidfd >= 0 && builder.kind != BUILDER_PLAIN) /* a guard has to clean up before */
        (void)syscall(SYS_pidfd_send_signal, slot->pidfd, SIGKILL, NULL, 0);
    fd_close(&slot->pidfd);
    if (slot->pid > 0) /* else when it has been reaped: only then is nobody left who has its user id */
        return;
    nets_give(&builder.nets, &slot->net);
    free_slot(slot);
}

static struct slot *find_slot(uint32_t id)
{
    size_t n = builder.kind == BUILDER_PLAIN ? GUARDS_MAX : OUTER_SANDBOXES_MAX;

    for (size_t i = 0; i < n; i++)
        if (builder.slots[i].id == id && (id == 0 || builder.slots[i].pidfd >= 0))
            return &builder.slots[i];
    return NULL;
}

/* The first process stays outside: where all of a group are ended at once, the files would go with it. */
static int take_group(struct slot *slot, const struct plan *plan, struct cgroup *ret, struct err *e)
{
    struct cgroup_limits limits = {plan->memory_bytes, plan->processes};
    int status = groups_take(&builder.groups, &limits, ret, e);

    slot->group = ret->id;
    return status;
}

/* For who wants to start something in it that waits at the gate. That it cannot be told costs time only. */
static void tell_begun(const struct slot *slot, const struct build_msg *made, const struct cgroup *group, int *ret_gate)
{
    struct build_msg begun = *made;
    int fds[2 + CGROUP_FDS_MAX] = {slot->pidfd, -1, -1, -1}, gate[2];

    if (pipe2(gate, O_CLOEXEC) < 0)
        return;
    begun.op = BUILD_BEGUN;
    fds[1] = gate[0];
    for (size_t i = 0; i < group->n_fds; i++)
        fds[2 + i] = group->fds[i];
    (void)answer(&begun, "", fds, 2 + group->n_fds);
    fd_close(&gate[0]);
    *ret_gate = gate[1];
}

static void make(const struct build_msg *msg, const char *data, size_t size)
{
    struct slot *slot = find_slot(0);
    struct err e = ERR_INIT;
    autoplan struct plan plan = PLAN_INIT;
    struct build_msg made = {.op = BUILD_MADE, .id = msg->id};
    struct cgroup group = CGROUP_INIT;
    int fds[2 + CGROUP_FDS_MAX] = {-1, -1, -1, -1}, status;
    autofd int gate = -1;

    if (!slot) {
        (void)err_set(&e, EAGAIN, "there are %d sandboxes already", OUTER_SANDBOXES_MAX);
        answer_failure(msg->id, &e);
        return;
    }
    *slot = (struct slot){msg->id, 0, -1, -1, NET_INIT, 0};
    status = plan_unpack(data, size, &plan);
    if (status == 0 && (plan.namespaces == 0) != (builder.kind == BUILDER_PLAIN))
        status = -EINVAL;
    if (status < 0)
        (void)err_set(&e, -status, "a broken plan");
    else if (plan.namespaces & CLONE_NEWNET)
        status = nets_take(&builder.nets, &slot->net, &e);
    if (status == 0)
        status = start_init(slot, &plan, &e);
    if (status == 0) /* by the time it is made, the first process is ready or about to be */
        status = take_group(slot, &plan, &group, &e);
    made.pid = slot->pid;
    made.namespaces = plan.namespaces ? plan.namespaces | CLONE_NEWUSER : 0;
    made.uid = owner_of(slot);
    made.group = slot->group;
    if (status == 0 && msg->status && plan.namespaces)
        tell_begun(slot, &made, &group, &gate);
    if (status == 0)
        status = attend(slot, &fds[1], &e);
    if (status < 0) {
        fd_close(&fds[1]);
        cgroup_close(&group);
        end_slot(slot);
        answer_failure(msg->id, &e);
        return;
    }
    if (gate >= 0)
        (void)!write(gate, "", 1);
    fds[0] = slot->pidfd;
    for (size_t i = 0; i < group.n_fds; i++)
        fds[2 + i] = group.fds[i];
    status = answer(&made, plan.namespaces ? "" : guard_of(slot).home, fds, 2 + group.n_fds);
    fd_close(&fds[1]);
    cgroup_close(&group);
    if (status < 0) {
        (void)err_set(&e, -status, "hand over a sandbox: %s", strerror(-status));
        end_slot(slot);
        answer_failure(msg->id, &e);
    }
    if (plan.namespaces & CLONE_NEWNET)
        nets_keep_one(&builder.nets);
    groups_keep_one(&builder.groups);
}

/* ---- mounting into a running sandbox ---- */

static void mount_request(const struct build_msg *msg, const char *data, size_t size)
{
    const char *source = data, *target = data + strnlen(data, size) + 1;
    struct build_msg done = {.op = BUILD_MOUNTED, .id = msg->id};
    struct slot *slot = msg->id ? find_slot(msg->id) : NULL;
    struct err e = ERR_INIT;
    autofd int copy = -1;

    if (builder.kind == BUILDER_PLAIN)
        (void)err_set(&e, ENOTSUP, "nothing can be mounted here: there are no namespaces");
    else if (!slot || target >= data + size || data[size - 1] != 0)
        (void)err_set(&e, ENOENT, "no such sandbox, or no paths");
    else
        copy = mount_copy(source, 0, &e);
    if (copy >= 0)
        (void)mount_attach_inside(slot->pidfd, copy, target, &e);
    if (e.code)
        answer_failure(msg->id, &e);
    else
        (void)answer(&done, "", NULL, 0);
}

/* ---- the loop ---- */

/* The server is gone: whoever waits for the builder finds no sandbox left, unless one cannot be ended in time. */
static _Noreturn void end_all(void)
{
    int64_t until = clock_ms() + (builder.kind == BUILDER_PLAIN ? END_PLAIN_MS : END_MS);
    pid_t pid = 0;

    for (size_t i = 0; i < OUTER_SANDBOXES_MAX; i++)
        if (builder.slots[i].id != 0)
            end_slot(&builder.slots[i]);
    while (pid >= 0 && clock_ms() < until) {
        pid = waitpid(-1, NULL, WNOHANG);
        if (pid == 0)
            (void)poll(NULL, 0, 1);
    }
    for (size_t i = 0; i < GUARDS_MAX && builder.kind == BUILDER_PLAIN; i++)
        if (builder.slots[i].id != 0)
            home_remove(guard_of(&builder.slots[i]).home);
    guards_close(&builder.guards);
    if (builder.groups.place.version)
        cgroups_close(&builder.groups.place);
    exit(0);
}

static void handle(void)
{
    struct build_msg msg;
    size_t n_fds = 0;
    ssize_t size = fd_recv(builder.sock, packet, sizeof packet, NULL, &n_fds);
    const char *data = packet + sizeof msg;

    if (size == -EINTR || size == -EAGAIN)
        return;
    if (size == 0 || size == -ECONNRESET) /* the latter when it has left answers unread */
        end_all();
    if (size < (ssize_t)sizeof msg)
        exit(1);
    memcpy(&msg, packet, sizeof msg);
    if (msg.size != (size_t)size - sizeof msg || msg.id == 0)
        exit(1);
    if (msg.op == BUILD_MAKE) {
        make(&msg, data, msg.size);
    } else if (msg.op == BUILD_MOUNT && msg.size > 0) {
        mount_request(&msg, data, msg.size);
    } else if (msg.op == BUILD_END) {
        struct slot *slot = find_slot(msg.id);

        if (slot)
            end_slot(slot);
    } else {
        exit(1);
    }
}

/* A guard that was ended, or could not clean up: somebody else has to, or its ids stay taken. */
static pid_t clean_up(const struct slot *slot, int status)
{
    struct guard guard = guard_of(slot);
    pid_t pid;

    if (status == 0) {
        home_remove(guard.home);
        return 0;
    }
    while ((pid = fork()) < 0) /* memory is short: nothing else is more urgent */
        (void)poll(NULL, 0, END_RETRY_MS);
    if (pid == 0)
        guard_sweep(&guard);
    return pid;
}

static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < OUTER_SANDBOXES_MAX; i++) {
            struct slot *slot = &builder.slots[i];

            if (slot->id == 0 || slot->pid != pid)
                continue;
            slot->pid = builder.kind == BUILDER_PLAIN ? clean_up(slot, status) : 0;
            end_slot(slot);
        }
    }
}

static void on_sigchld(int number)
{
    (void)number; /* it only has to end ppoll */
}

static int prepare(int *ret_userns, struct err *e)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    *ret_userns = -1;
    if (null >= 0) { /* the server's standard streams are its client's */
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        fd_close(&null);
    }
    if (builder.kind == BUILDER_PLAIN)
        return guards_open(&builder.guards, e);
    /* Mounting by descriptor asks for a mount namespace that belongs to our user namespace. */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(e, "a mount namespace");
    if (builder.kind == BUILDER_OUTER && (*ret_userns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)) < 0)
        return err_errno(e, "open /proc/self/ns/user");
    builder.host_proc_user = open("/proc/sys/user", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return 0;
}

int builder_serve(int sock, enum builder_kind kind)
{
    struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_NOCLDSTOP};
    struct build_msg hello = {.op = BUILD_HELLO};
    struct pollfd wait = {sock, POLLIN, 0};
    static const struct timespec soon = {0, 20 * 1000 * 1000};
    struct err e = ERR_INIT;
    sigset_t block, none;
    char groups[CGROUPS_TEXT_MAX];
    autofd int userns = -1;

    builder.sock = sock;
    builder.kind = kind;
    builder.guards = (struct guards)GUARDS_INIT;
    builder.template = (struct template)TEMPLATE_INIT;
    builder.nets = (struct nets)NETS_INIT;
    (void)setsid(); /* an interrupt from a terminal is the server's to handle */
    (void)prctl(PR_SET_NAME, "cellblock-build");
    if (prepare(&userns, &e) < 0) {
        answer_failure(0, &e);
        return 1;
    }
    builder.uid_pool = kind == BUILDER_PLAIN ? builder.guards.first : outer_uid_pool();
    builder.groups = (struct groups)GROUPS_INIT;
    (void)cgroups_open(&builder.groups.place, getppid(), NULL); /* else limits are those of single processes */
    cgroups_pack(&builder.groups.place, groups);
    hello.uid = builder.uid_pool;
    if (answer(&hello, groups, &userns, userns >= 0) < 0)
        return 1;
    fd_close(&userns);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigemptyset(&none);
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &block, NULL);
    for (;;) {
        reap();
        if (builder.n_groups_left)
            free_left_slots();
        if (ppoll(&wait, 1, builder.n_groups_left ? &soon : NULL, &none) > 0)
            handle();
    }
}
