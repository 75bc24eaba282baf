/*
 * Isolated kernels: the zygote's part of entering a sandbox (sandbox/enter.h). After ZY_ISOLATE every kernel is forked
 * into one; there is no way back to local ones.
 */
#include "kernel/ext/ext.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIMITS_MAX 32
#define PATHS_MAX 256
#define OTHERS_GONE_MS 1000

/* What the zygote has itself of what RLIMIT_DATA counts: memory that it shares with all its kernels. */
static uint64_t own_data(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file && fscanf(file, "%*u %*u %*u %*u %*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        (void)fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static const struct enter_limit *take_limits(const char *data, size_t n)
{
    struct enter_limit *limits = calloc(n + 1, sizeof *limits);

    for (size_t i = 0; limits && i < n; i++) {
        struct zy_limit limit;

        memcpy(&limit, data + i * sizeof limit, sizeof limit);
        if (limit.resource == RLIMIT_DATA && limit.value != RLIM_INFINITY)
            limit.value += own_data();
        limits[i] = (struct enter_limit){limit.resource, limit.value};
    }
    return limits;
}

/* Pointers to paths, each ended by NUL, in data; *ret_n of them. */
static const char *const *take_paths(const char *data, size_t size, size_t *ret_n)
{
    const char **paths = calloc(PATHS_MAX, sizeof *paths);

    *ret_n = 0;
    for (size_t at = 0; paths && at < size && *ret_n < PATHS_MAX; at += strlen(data + at) + 1)
        paths[(*ret_n)++] = data + at;
    return paths;
}

static int take(const struct packet *p, struct enter_config *isolation, struct err *e)
{
    struct zy_isolation head = {0};
    size_t limits_size;
    char *data, *at;

    if (p->msg.text_size >= sizeof head)
        memcpy(&head, p->text, sizeof head);
    limits_size = head.n_limits * sizeof(struct zy_limit);
    if (head.n_limits > LIMITS_MAX || head.writable_size > ZY_TEXT_MAX || head.readable_size > ZY_TEXT_MAX ||
        head.filter_size > ZY_TEXT_MAX || head.filter_size == 0 ||
        sizeof head + limits_size + head.writable_size + head.readable_size + head.filter_size != p->msg.text_size)
        return err_set(e, EBADMSG, "a broken message about sandboxes");
    data = malloc(p->msg.text_size + 1);
    if (!data)
        return err_set(e, ENOMEM, "no memory");
    memcpy(data, p->text, p->msg.text_size);
    data[p->msg.text_size] = '\0';
    isolation->landlock = head.landlock;
    at = data + sizeof head;
    isolation->limits = take_limits(at, head.n_limits);
    isolation->n_limits = head.n_limits;
    at += limits_size;
    isolation->writable = take_paths(at, head.writable_size, &isolation->n_writable);
    at += head.writable_size;
    isolation->readable = take_paths(at, head.readable_size, &isolation->n_readable);
    isolation->filter = at + head.readable_size;
    isolation->filter_size = head.filter_size;
    return isolation->limits && isolation->writable && isolation->readable ? 0 : err_set(e, ENOMEM, "no memory");
}

int isolate_prepare(const struct packet *p, struct enter_config **ret, struct err *e)
{
    static struct enter_config isolation; /* for the life of the process */

    heap_merge(); /* before own_data() is asked for */
    if (take(p, &isolation, e) < 0)
        return -1;
    if (enter_outer(p->n_fds ? p->fds[0] : -1, e) < 0)
        return -1;
    /* Orphans of kernels come here, where no PID namespace has a first process that would reap them. */
    if (isolation.n_readable)
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    *ret = &isolation;
    return 0;
}

/* Until they are reaped, too: so long they count in the limit of processes, which may be what ended their kernel. */
static void end_others(void)
{
    for (int i = 0; i < OTHERS_GONE_MS && kill(-1, SIGKILL) == 0; i++)
        (void)poll(NULL, 0, 1);
}

/* Of a sandbox that has only begun (sandbox/build.h): the first process in it is not done. Nothing is joined before. */
static int pass_gate(int fd, struct err *e)
{
    char byte;
    ssize_t n;

    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : err_set(e, ECHILD, "the sandbox could not be made");
}

int isolate_enter(struct enter_config *isolation, const struct packet *p, struct err *e)
{
    int gate = p->msg.status & ZY_FORK_GATE ? p->fds[3] : -1, groups = gate >= 0 ? 4 : 3;

    isolation->pidfd = p->fds[2];
    isolation->namespaces = (int)p->msg.value;
    isolation->uid = (unsigned)p->msg.pid;
    isolation->home = p->text + WIRE_NONCE_SIZE;
    for (int i = groups; i < p->n_fds; i++) /* cgroups(7): 0 stands for the writer */
        if (write(p->fds[i], "0", 1) < 0)
            return err_errno(e, "enter the control group");
    /* Its own view of groups, instead of the sandbox's: what it is in is the root, and has no name. */
    if (p->n_fds > groups && isolation->namespaces) {
        if (unshare(CLONE_NEWCGROUP) < 0)
            return err_errno(e, "a cgroup namespace");
        isolation->namespaces &= ~CLONE_NEWCGROUP;
    }
    if ((gate >= 0 && pass_gate(gate, e) < 0) || enter_join(isolation, e) < 0)
        return -1;
    /* All that this process may end: the others of the sandbox. It is in there if its parent cannot be seen, or by its
     * user. */
    if (p->msg.status & ZY_FORK_ALONE && (isolation->namespaces ? getppid() == 0 : getuid() == isolation->uid))
        end_others();
    return 0;
}

int isolate_seal(const struct enter_config *isolation, struct err *e)
{
    return enter_seal(isolation, e) < 0 ? -1 : 0;
}
