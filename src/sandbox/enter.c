#include "sandbox/enter.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "sandbox/home.h"
#include "sandbox/landlock.h"
#include "sandbox/plan.h"
#include "sandbox/seal.h"

#define WRITABLE_MAX 64

/* RLIMIT_NPROC counts by user and user namespace (Linux 5.14), so each sandbox has its own count. */
const struct enter_limit enter_limits[] = {
    {RLIMIT_CORE, 0},           {RLIMIT_NPROC, 128},        {RLIMIT_NOFILE, 1024},
    {RLIMIT_FSIZE, 1024 * MIB}, {RLIMIT_MEMLOCK, 64 * KIB}, {RLIMIT_MSGQUEUE, 0},
    {RLIMIT_NICE, 0},           {RLIMIT_RTPRIO, 0},         {RLIMIT_SIGPENDING, 1024},
};
const size_t enter_n_limits = sizeof enter_limits / sizeof *enter_limits;

int enter_outer(int userns, struct err *e)
{
    if (userns < 0)
        return 0;
    if (setns(userns, CLONE_NEWUSER) < 0)
        return err_errno(e, "join the builder's user namespace (one thread is needed)");
    return 0;
}

int enter_target(int pidfd, int namespaces, struct err *e)
{
    if (namespaces == 0)
        return 0;
    return setns(pidfd, CLONE_NEWPID) < 0 ? err_errno(e, "join the sandbox's PID namespace") : 0;
}

/* Absolute, or the directory is outside: getcwd(2) then says "(unreachable)/..." (CVE-2024-21626). */
static int enter_directory(const char *path, struct err *e)
{
    char where[4096];

    if (chdir(path) < 0)
        return err_errno(e, "chdir %s", path);
    if (syscall(SYS_getcwd, where, sizeof where) < 0 || where[0] != '/')
        return err_set(e, EXDEV, "the directory %s is not in the sandbox", path);
    return 0;
}

/*
 * Where there are no namespaces: the sandbox's user is what there is to join. Capabilities go with it, so that nothing
 * of this process reaches outside from here on. The guard must be there afterwards: then its end finds this process.
 */
static int become_user(const struct enter_config *config, struct err *e)
{
    struct pollfd guard = {config->pidfd, POLLIN, 0};

    if (config->uid == 0 || !config->home)
        return err_set(e, EINVAL, "a sandbox without namespaces and without a user");
    if (syscall(SYS_getgroups, 0, NULL) != 0)
        return err_set(e, EPERM, "groups of the server are left");
    if (syscall(SYS_setresgid, config->uid, config->uid, config->uid) < 0)
        return err_errno(e, "setresgid %u", config->uid);
    if (seal_bounds(e) < 0)
        return -e->code;
    if (syscall(SYS_setresuid, config->uid, config->uid, config->uid) < 0)
        return err_errno(e, "setresuid %u", config->uid);
    if (seal_capabilities(e) < 0)
        return -e->code;
    return poll(&guard, 1, 0) != 0 ? err_set(e, ESRCH, "the sandbox has ended") : 0;
}

static int join_namespaces(const struct enter_config *config, struct err *e)
{
    /* In one call: the user namespace of the sandbox owns none of the others, so each must be joined from outside. */
    if (setns(config->pidfd, config->namespaces & ~CLONE_NEWPID) < 0)
        return err_errno(e, "setns %#x", config->namespaces & ~CLONE_NEWPID);
    return seal_set_ids(SANDBOX_ID, e);
}

int enter_join(const struct enter_config *config, struct err *e)
{
    char workspace[HOME_PATH_MAX] = SANDBOX_WORKSPACE;
    int status;

    /* Whatever of an earlier kernel still runs in there sees this process from now on: it must not look into it. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_DUMPABLE");
    /* Before joining: kill(0) by the code would reach the zygote's process group, also from another PID namespace. */
    if (setsid() < 0)
        return err_errno(e, "setsid");
    /* Refused in a user namespace that was made without privilege; its groups are then those of the user. */
    if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
        return err_errno(e, "setgroups");
    status = config->namespaces ? join_namespaces(config, e) : become_user(config, e);
    if (status < 0)
        return status;
    (void)umask(022);
    if (!config->namespaces)
        home_path(workspace, config->home, HOME_WORKSPACE);
    return enter_directory(config->workdir ? config->workdir : workspace, e);
}

/* Never more than there is: raising a hard limit takes a privilege that containers do not have. */
static int set_limit(const struct enter_limit *limit, struct err *e)
{
    struct rlimit now, wanted = {limit->value, limit->value};

    if (getrlimit((__rlimit_resource_t)limit->resource, &now) < 0)
        return err_errno(e, "getrlimit %d", limit->resource);
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < wanted.rlim_max)
        wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
    /* A second before the hard limit: SIGXCPU says what SIGKILL would not, that the time was used up. */
    if (limit->resource == RLIMIT_CPU && wanted.rlim_cur == limit->value && wanted.rlim_max < RLIM_INFINITY - 1 &&
        wanted.rlim_max < now.rlim_max)
        wanted.rlim_max++;
    if (setrlimit((__rlimit_resource_t)limit->resource, &wanted) < 0)
        return err_errno(e, "setrlimit %d", limit->resource);
    return 0;
}

static int restrict_files(const struct enter_config *config, struct err *e)
{
    const char *paths[WRITABLE_MAX + 4] = {SANDBOX_WORKSPACE, "/tmp", "/dev/shm"};
    char workspace[HOME_PATH_MAX], tmp[HOME_PATH_MAX];
    size_t n = 3;

    if (!config->namespaces) { /* landlock_wall knows /dev/shm */
        home_path(workspace, config->home, HOME_WORKSPACE);
        home_path(tmp, config->home, HOME_TMP);
        paths[0] = workspace;
        paths[1] = tmp;
        n = 2;
    }
    if (config->n_writable > WRITABLE_MAX)
        return err_set(e, E2BIG, "more than %d writable mounts", WRITABLE_MAX);
    for (size_t i = 0; i < config->n_writable; i++)
        paths[n++] = config->writable[i];
    return config->namespaces ? landlock_restrict(paths, n, e)
                              : landlock_wall(config->readable, config->n_readable, paths, n, e);
}

int enter_seal(const struct enter_config *config, struct err *e)
{
    struct sock_fprog program = {(unsigned short)(config->filter_size / sizeof(struct sock_filter)),
                                 (struct sock_filter *)(uintptr_t)config->filter}; /* NOLINT: the kernel only reads */
    int status = 0;

    for (size_t i = 0; i < config->n_limits && status == 0; i++)
        status = set_limit(&config->limits[i], e);
    if (status == 0)
        status = config->namespaces ? seal_privileges(e) : seal_capabilities(e); /* enter_join did the rest */
    if (status < 0)
        return status;
    /* After the change of ids, which undoes it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_PDEATHSIG");
    if ((config->landlock || !config->namespaces) && restrict_files(config, e) < 0)
        return -e->code;
    /* Nothing of outside is left in it. Else /proc/self would be root's, and no exec follows that changes it back. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_DUMPABLE");
    if (!config->filter || program.len == 0)
        return err_set(e, EINVAL, "no system call filter");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return err_errno(e, "seccomp");
    return 0;
}
