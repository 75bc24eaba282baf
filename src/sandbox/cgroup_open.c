/* The server's place: made, tried, removed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "sandbox/cgroup_impl.h"

#define CLOSE_MS 1000
#define TRIAL_ID 0
#define TRIAL_BYTES (64u << 20)

/* One controller of version 1: a directory in its hierarchy, below the group that the server is in. */
static int open_v1(const char *own, const char *name, char ret[CGROUP_PATH_MAX], struct err *e)
{
    char path[CGROUP_PATH_MAX];
    int status;

    if (!own[0])
        return -ENOENT;
    status = cgroup_path(path, sizeof path, own, name);
    if (status == 0)
        status = cgroup_server_make(own, path);
    if (status < 0)
        return err_set(e, -status, "make a group in %s: %s", own, strerror(-status));
    memcpy(ret, path, sizeof path);
    return 0;
}

static int try_v1(struct cgroups *c, const struct cgroup_own *own, const char *name, struct err *e)
{
    struct cgroups v1 = CGROUPS_INIT;

    (void)open_v1(own->memory, name, v1.memory, e);
    (void)open_v1(own->processes, name, v1.processes, e);
    if (!v1.memory[0] && !v1.processes[0])
        return e->code ? -e->code : err_set(e, ENOENT, "no hierarchy with memory or pids is mounted");
    v1.version = 1;
    *c = v1;
    return 0;
}

/* What can be made can still be closed to processes, for instance by who owns the group above. */
static int try_entering(const struct cgroups *c, struct err *e)
{
    struct cgroup_limits limits = {TRIAL_BYTES, 64};
    struct cgroup g = CGROUP_INIT;
    int status = cgroup_make(c, TRIAL_ID, &limits, &g, e), code = 0;
    pid_t pid;

    if (status < 0)
        return status;
    pid = fork();
    if (pid == 0)
        _exit(-cgroup_enter(g.fds, g.n_fds) & 0xff);
    if (pid < 0)
        status = err_errno(e, "fork");
    cgroup_close(&g);
    while (pid > 0 && waitpid(pid, &code, 0) < 0 && errno == EINTR)
        ;
    if (status == 0 && code != 0)
        status = err_set(e, WIFEXITED(code) ? WEXITSTATUS(code) : ECHILD, "enter a group in %s: %s",
                         c->memory[0] ? c->memory : c->processes,
                         WIFEXITED(code) ? strerror(WEXITSTATUS(code)) : "the process was ended");
    (void)cgroup_remove(c, TRIAL_ID, CLOSE_MS, NULL);
    return status;
}

int cgroups_open_at(struct cgroups *c, const char *proc, pid_t server, struct err *e)
{
    struct cgroup_own own;
    struct err why = ERR_INIT, why_v1 = ERR_INIT;
    char name[128];
    int status;

    *c = (struct cgroups)CGROUPS_INIT;
    server = server ? server : getpid();
    status = cgroup_server_name(server, name, sizeof name);
    if (status < 0)
        return err_set(e, -status, "process %d: %s", (int)server, strerror(-status));
    status = cgroup_find(proc, &own, &why);
    if (status == 0 && !own.v2[0])
        status = err_set(&why, ENOENT, "no control group file system is mounted that has the group of this process");
    if (status == 0)
        status = cgroup_v2_open(c, &own, server, name, &why);
    if (status < 0 && (own.memory[0] || own.processes[0])) {
        status = try_v1(c, &own, name, &why_v1);
        why = why_v1;
    }
    if (status == 0) {
        status = try_entering(c, &why);
        if (status < 0)
            cgroups_close(c);
    }
    if (status == 0)
        return 0;
    return err_set(e, ENOTSUP, "no control group for the limits of memory and processes: %.250s. " CGROUPS_REMEDY,
                   why.text);
}

int cgroups_open(struct cgroups *c, pid_t server, struct err *e)
{
    return cgroups_open_at(c, "/proc", server, e);
}

void cgroups_close(struct cgroups *c)
{
    const char *dirs[CGROUP_FDS_MAX];
    size_t n = cgroups_dirs(c, dirs);
    int64_t until = clock_ms() + CLOSE_MS;

    for (size_t i = 0; i < n; i++) {
        int64_t left = until - clock_ms();

        cgroup_sweep(dirs[i]); /* of servers that were started in a session without isolation */
        if (cgroup_rmdir_below(dirs[i], CGROUP_LEAF, left > 0 ? (int)left : 0) < 0)
            continue; /* somebody lives there, and keeps its limits */
        if (c->home[0])
            cgroup_v2_move_back(c);
        (void)cgroup_rmdir(dirs[i], 0);
    }
    *c = (struct cgroups)CGROUPS_INIT;
}
