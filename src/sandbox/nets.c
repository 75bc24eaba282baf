#include "sandbox/nets.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "sandbox/steps.h"

#define STACK_SIZE 65536

void net_close(struct net *net)
{
    fd_close(&net->ns);
}

/* FNV-1a of a file; 0 when it cannot be read. */
static uint64_t mix_file(uint64_t hash, const char *path)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char bytes[4096];
    ssize_t n = -1;

    while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < n; i++)
            hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return n < 0 ? 0 : hash;
}

/* Of the namespace that the caller is in. 0: not known. */
static uint64_t count(void)
{
    uint64_t hash = mix_file(UINT64_C(0xcbf29ce484222325), "/proc/self/net/snmp");

    if (hash && access("/proc/self/net/snmp6", F_OK) == 0)
        hash = mix_file(hash, "/proc/self/net/snmp6");
    return hash ? mix_file(hash, "/proc/self/net/netstat") : 0;
}

/* ---- inside ---- */

struct errand {
    struct net net;
    struct err *e;
};

static int make_there(void *data)
{
    struct errand *errand = data;

    if (unshare(CLONE_NEWNET) < 0)
        return err_errno(errand->e, "a network namespace");
    if (steps_loopback_up(errand->e) < 0)
        return 1;
    errand->net.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (errand->net.ns < 0)
        return err_errno(errand->e, "open /proc/self/ns/net");
    errand->net.counters = count();
    return 0;
}

static int look_there(void *data)
{
    const struct net *net = data;

    return setns(net->ns, CLONE_NEWNET) < 0 || count() != net->counters;
}

/*
 * In a child, because an ordinary user cannot come back to the namespace that the builder is in. It has the builder's
 * memory and descriptors while the builder waits, as after vfork(2): what it opens stays.
 */
static bool run_there(int (*what)(void *data), void *data)
{
    static _Alignas(16) char stack[STACK_SIZE];
    int status = 0, flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD;
    pid_t pid = clone(what, stack + sizeof stack, flags, data);

    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return status == 0;
}

/* ---- outside ---- */

int nets_take(struct nets *nets, struct net *ret, struct err *e)
{
    struct errand errand = {NET_INIT, e};

    if (nets->n > 0) {
        *ret = nets->kept[--nets->n];
        return 0;
    }
    if (!run_there(make_there, &errand)) {
        net_close(&errand.net);
        return e->code ? -e->code : err_errno(e, "make a network namespace");
    }
    *ret = errand.net;
    return 0;
}

void nets_keep_one(struct nets *nets)
{
    struct err e = ERR_INIT;
    struct net made;

    if (nets->n == 0 && nets_take(nets, &made, &e) == 0)
        nets->kept[nets->n++] = made;
}

void nets_give(struct nets *nets, struct net *net_take)
{
    if (net_take->ns >= 0 && net_take->counters && nets->n < NETS_KEPT && run_there(look_there, net_take))
        nets->kept[nets->n++] = *net_take;
    else
        net_close(net_take);
    *net_take = (struct net)NET_INIT;
}
