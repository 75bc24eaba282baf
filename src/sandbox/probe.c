#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "sandbox/build.h"
#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"
#include "sandbox/outer.h"
#include "sandbox/run.h"
#include "sandbox/syscalls.h"

const char *tier_name(enum sandbox_tier tier)
{
    static const char *const names[TIER_MAX] = {"none", "landlock", "no-proc", "full"};

    return (unsigned)tier < TIER_MAX ? names[tier] : "?";
}

const char *probe_state_name(enum probe_state state)
{
    static const char *const names[PROBE_STATE_MAX] = {"ok", "limited", "missing"};

    return (unsigned)state < PROBE_STATE_MAX ? names[state] : "?";
}

__attribute__((format(printf, 4, 5))) static struct probe_feature *add(struct probe *p, const char *name,
                                                                       enum probe_state state, const char *format, ...)
{
    struct probe_feature *f = &p->features[p->n < PROBE_FEATURES_MAX ? p->n++ : PROBE_FEATURES_MAX - 1];
    va_list args;

    *f = (struct probe_feature){.name = name, .state = state};
    va_start(args, format);
    (void)vsnprintf(f->detail, sizeof f->detail, format, args);
    va_end(args);
    return f;
}

static void advise(struct probe_feature *f, const char *text)
{
    (void)snprintf(f->remedy, sizeof f->remedy, "%s", text);
}

/* ---- facts about the machine ---- */

static long read_number(const char *path)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "";

    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return -1;
    return strtol(text, NULL, 10);
}

static bool in_container(void)
{
    return access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 || getenv("container");
}

static bool is_filtered(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[128];
    int mode = 0;

    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Seccomp: %d", &mode) == 1)
            break;
    if (status)
        (void)fclose(status);
    return mode == 2;
}

/* Why namespaces are refused, by the usual suspects. */
static const char *namespace_remedy(void)
{
    if (read_number("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        return "unprivileged user namespaces are switched off: sysctl kernel.unprivileged_userns_clone=1";
    if (read_number("/proc/sys/user/max_user_namespaces") == 0)
        return "no user namespace may be made: sysctl user.max_user_namespaces=10000";
    if (read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
        return "AppArmor (Ubuntu 23.10 and later) takes the capabilities of user namespaces away from programs without "
               "a profile: install a profile for cellblock that has the rule 'userns,', or sysctl "
               "kernel.apparmor_restrict_unprivileged_userns=0";
    if (is_filtered() || in_container())
        return "a container's own profile refuses it: docker run --security-opt seccomp=unconfined "
               "--security-opt systempaths=unconfined --security-opt apparmor=unconfined, or podman run --security-opt "
               "unmask=ALL; Cellblock must not run below chroot";
    return "the kernel refused it; is it built with CONFIG_USER_NS, and is this outside of chroot?";
}

/* ---- from inside ---- */

enum {
    INSIDE_OK,
    INSIDE_FILES,
    INSIDE_WRITABLE,
    INSIDE_NAMESPACES,
    INSIDE_PROCESSES,
    INSIDE_WORKSPACE,
    INSIDE_NETWORK
};

/* Sealed already: system calls that are allowed, no more. */
static int check_inside(void)
{
    char target[64];
    int fd;

    if (access("/etc/shadow", F_OK) == 0 || access("/home", F_OK) == 0 || access("/old", F_OK) == 0)
        return INSIDE_FILES;
    if (mkdir("/x", 0700) == 0 || mkdir("/usr/x-cellblock", 0700) == 0 || access("/usr", X_OK) < 0)
        return INSIDE_WRITABLE;
    if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
        return INSIDE_NAMESPACES;
    if (getppid() != 0 || getpid() > 64 || readlink("/proc/1/root", target, sizeof target) >= 0)
        return INSIDE_PROCESSES;
    fd = open("file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0 || unlink("file") < 0)
        return INSIDE_WORKSPACE;
    return INSIDE_OK;
}

/* The same where there are no namespaces: paths are the machine's, so what can be opened is what counts. */
static int check_behind_wall(void)
{
    int fd;

    if (open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0 || open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 ||
        open("/proc/self/status", O_RDONLY | O_CLOEXEC) >= 0 || open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0)
        return INSIDE_FILES;
    if (mkdir("/x", 0700) == 0 || mkdir("/tmp/x-cellblock", 0700) == 0 || access("/usr", X_OK) < 0)
        return INSIDE_WRITABLE;
    if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
        return INSIDE_NAMESPACES;
    if (kill(getppid(), 0) == 0 || kill(1, 0) == 0)
        return INSIDE_PROCESSES;
    if (socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0)
        return INSIDE_NETWORK;
    fd = open("file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0 || unlink("file") < 0)
        return INSIDE_WORKSPACE;
    return INSIDE_OK;
}

static const char *inside_text(int status)
{
    static const char *const texts[] = {
        "",
        "files of the host can be seen",
        "the system is not read-only, or not there",
        "namespaces can be made",
        "processes outside can be seen or reached",
        "the workspace cannot be written to",
        "the network can be reached",
    };

    if (!WIFEXITED(status))
        return "it was ended by a signal";
    return WEXITSTATUS(status) < (int)(sizeof texts / sizeof *texts) ? texts[WEXITSTATUS(status)] : "it failed";
}

/* ---- the sandbox ---- */

static int make_plan(enum sandbox_tier tier, struct plan *ret, struct err *e)
{
    struct sandbox_config config = {.tier = tier};

    return plan_make(&config, ret, e);
}

static int make_sandbox(struct builder *b, enum sandbox_tier tier, struct sandbox *ret, int64_t *ret_us, struct err *e)
{
    autoplan struct plan plan = PLAN_INIT;
    int status = make_plan(tier, &plan, e);
    int64_t start = clock_us();

    if (status == 0)
        status = builder_make(b, &plan, ret, e);
    *ret_us = clock_us() - start;
    return status;
}

static void try_inside(struct probe *p, struct builder *b, const struct sandbox *s, const struct buf *filter)
{
    const char *readable[PLAN_TARGETS_MAX];
    autoplan struct plan plan = PLAN_INIT;
    struct run_config config = {
        .enter = {.limits = enter_limits,
                  .n_limits = enter_n_limits,
                  .landlock = landlock_abi() >= 2,
                  .readable = readable,
                  .filter = buf_begin(filter),
                  .filter_size = filter->len},
        .check = s->namespaces ? check_inside : check_behind_wall,
    };
    struct err e = ERR_INIT;
    int status = 0;

    if (!s->namespaces && make_plan(TIER_LANDLOCK, &plan, &e) == 0)
        config.enter.n_readable = plan_targets(&plan, STEP_READABLE, readable, PLAN_TARGETS_MAX);
    if (run_inside(b, s, &config, &status, &e) < 0)
        advise(add(p, "joining it", PROBE_MISSING, "%.199s", e.text), namespace_remedy());
    else if (status != 0)
        advise(add(p, "joining it", PROBE_MISSING, "%s", inside_text(status)), "please report this with the output");
    else
        (void)add(p, "joining it", PROBE_OK, "tested from inside: no host files, read-only system, no %s",
                  s->namespaces ? "namespaces" : "sockets");
}

/* With its own /proc, else with an empty one. Returns the tier. */
static enum sandbox_tier try_sandbox(struct probe *p, struct builder *b, const struct buf *filter)
{
    enum sandbox_tier tier = TIER_FULL;
    struct sandbox s = SANDBOX_INIT;
    struct err first = ERR_INIT, e = ERR_INIT;
    int64_t us;

    if (make_sandbox(b, TIER_FULL, &s, &us, &first) < 0) {
        tier = TIER_NO_PROC;
        if (make_sandbox(b, TIER_NO_PROC, &s, &us, &e) < 0) {
            advise(add(p, "sandbox", PROBE_MISSING, "%.199s", e.text), namespace_remedy());
            return TIER_NONE;
        }
    }
    p->make_us = us;
    (void)add(p, "sandbox", PROBE_OK, "mounts, processes, network, IPC, host name: made in %lld.%02lld ms",
              (long long)us / 1000, (long long)us % 1000 / 10);
    if (tier == TIER_FULL)
        (void)add(p, "own /proc", PROBE_OK, "shows the processes of the sandbox only");
    else
        advise(add(p, "own /proc", PROBE_LIMITED, "%.199s; sandboxes have an empty one", first.text),
               "parts of this machine's /proc are covered, as containers do: docker run --security-opt "
               "systempaths=unconfined, podman run --security-opt unmask=ALL");
    try_inside(p, b, &s, filter);
    if (p->features[p->n - 1].state != PROBE_OK)
        tier = TIER_NONE;
    sandbox_end(b, &s);
    return tier;
}

static enum sandbox_tier try_builder(struct probe *p, const struct buf *filter)
{
    struct builder b = BUILDER_INIT;
    struct err e = ERR_INIT;
    enum sandbox_tier tier = TIER_NONE;

    if (builder_start(&b, &e) < 0) {
        advise(add(p, "namespaces", PROBE_MISSING, "%.199s", e.text), namespace_remedy());
        return TIER_NONE;
    }
    (void)add(p, "namespaces", PROBE_OK, "%s", b.userns < 0 ? "as root" : "in a user namespace, without privilege");
    if (b.uid_pool)
        (void)add(p, "user ids", PROBE_OK, "one for each sandbox, from %u", b.uid_pool);
    else
        advise(add(p, "user ids", PROBE_LIMITED, "all sandboxes have the user id %u of this user", geteuid()),
               "limits that the kernel counts by user (pipe memory, keyrings) are shared; as root each has its own");
    tier = try_sandbox(p, &b, filter);
    builder_stop(&b);
    return tier;
}

/* What is left where there are none: user ids, Landlock and the filter. */
static enum sandbox_tier try_plain(struct probe *p)
{
    autobuf struct buf filter = BUF_INIT;
    enum sandbox_tier tier = TIER_LANDLOCK;
    struct builder b = BUILDER_INIT;
    struct sandbox s = SANDBOX_INIT;
    struct err e = ERR_INIT;

    if (landlock_abi() < LANDLOCK_WALL_ABI)
        (void)err_set(&e, ENOSYS, "Landlock is missing or too old");
    else if (filter_compile_for(SYSCALLS_SHARED | SYSCALLS_OFFLINE, &filter, &e) == 0 &&
             builder_start_plain(&b, &e) == 0)
        (void)make_sandbox(&b, TIER_LANDLOCK, &s, &p->make_us, &e);
    if (e.code) {
        advise(
            add(p, "walls instead", PROBE_MISSING, "%.199s", e.text),
            "without namespaces Cellblock has to be root, as usual in containers, on Linux 6.2 or later with Landlock");
        builder_stop(&b);
        return TIER_NONE;
    }
    advise(
        add(p, "walls instead", PROBE_LIMITED, "a user id for each sandbox, from %u, Landlock and seccomp", b.uid_pool),
        "the numbers of all processes and names of files can be found out, disk space is watched, not limited, there "
        "is no loopback network: namespaces are better");
    try_inside(p, &b, &s, &filter);
    if (p->features[p->n - 1].state != PROBE_OK)
        tier = TIER_NONE;
    sandbox_end(&b, &s);
    builder_stop(&b);
    return tier;
}

/* ---- the rest ---- */

static void try_landlock(struct probe *p)
{
    int abi = landlock_abi();

    if (abi >= 6)
        (void)add(p, "Landlock", PROBE_OK, "version %d", abi);
    else if (abi >= 2)
        advise(add(p, "Landlock", PROBE_LIMITED, "version %d: signals and abstract sockets are not covered", abi),
               "namespaces cover them; Linux 6.12 or later has version 6");
    else
        advise(add(p, "Landlock", PROBE_LIMITED, "not there, or too old"),
               "the second wall for files is missing: Linux 5.19 or later with lsm=landlock,... on its command line");
}

/* By making groups and sending a process through one. */
static void try_cgroup(struct probe *p)
{
    struct cgroups c = CGROUPS_INIT;
    struct err e = ERR_INIT;

    if (cgroups_open(&c, 0, &e) < 0) {
        const char *remedy = strstr(e.text, CGROUPS_REMEDY);

        advise(add(p, "memory limits", PROBE_MISSING, "%.*s", remedy ? (int)(remedy - e.text) - 2 : 199, e.text),
               in_container() ? "in a container: a writable /sys/fs/cgroup, and Cellblock as the first process; until "
                                "then limits are approximate"
                              : CGROUPS_REMEDY "; until then limits are approximate");
        return;
    }
    if (c.memory[0] && c.processes[0])
        (void)add(p, "memory limits", PROBE_OK, "memory and processes: control groups, version %d", c.version);
    else
        advise(add(p, "memory limits", PROBE_LIMITED, "control groups, version %d, but only for %s", c.version,
                   c.memory[0] ? "memory" : "processes"),
               "the other one is limited approximately; the controllers memory and pids are both needed: unit or scope "
               "with Delegate=yes, and in older systems user@.service with Delegate=memory pids");
    cgroups_close(&c);
}

void probe_run(struct probe *ret)
{
    autobuf struct buf filter = BUF_INIT;
    struct err e = ERR_INIT;
    struct utsname system;
    bool filtered;

    *ret = (struct probe){.tier = TIER_NONE};
    if (uname(&system) == 0)
        (void)add(ret, "kernel", PROBE_OK, "Linux %.60s %.20s%s", system.release, system.machine,
                  in_container() ? ", in a container" : "");
    filtered = filter_compile(&filter, &e) == 0;
    if (filtered)
        (void)add(ret, "seccomp", PROBE_OK, "filter of %zu instructions", filter.len / 8);
    else
        advise(add(ret, "seccomp", PROBE_MISSING, "%.199s", e.text), "a kernel with CONFIG_SECCOMP_FILTER is needed");
    try_landlock(ret);
    if (filtered)
        ret->tier = try_builder(ret, &filter);
    if (ret->tier == TIER_NONE && filtered)
        ret->tier = try_plain(ret);
    try_cgroup(ret);
}
