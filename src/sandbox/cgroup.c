#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "sandbox/cgroup_impl.h"

#define CLEAN_BYTES (1 * MIB) /* some is counted in advance for each processor, and given back later */

/* ---- the server's place ---- */

size_t cgroups_dirs(const struct cgroups *c, const char *ret[CGROUP_FDS_MAX])
{
    size_t n = 0;

    if (c->memory[0])
        ret[n++] = c->memory;
    if (c->processes[0] && strcmp(c->memory, c->processes) != 0)
        ret[n++] = c->processes;
    return n;
}

/* The kernel refuses line ends in the names of groups, because they would break /proc/PID/cgroup. */
void cgroups_pack(const struct cgroups *c, char ret[CGROUPS_TEXT_MAX])
{
    (void)snprintf(ret, CGROUPS_TEXT_MAX, "%d\n%s\n%s\n", c->version, c->memory, c->processes);
}

static const char *unpack_line(const char *at, char *ret, size_t room)
{
    size_t size = strcspn(at, "\n");

    if (at[size] != '\n' || size >= room || (size > 0 && *at != '/'))
        return NULL;
    memcpy(ret, at, size);
    ret[size] = '\0';
    return at + size + 1;
}

int cgroups_unpack(const char *text, struct cgroups *ret)
{
    struct cgroups c = CGROUPS_INIT;

    if (*text < '0' || *text > '2' || text[1] != '\n')
        return -EINVAL;
    c.version = *text - '0';
    text = unpack_line(text + 2, c.memory, sizeof c.memory);
    text = text ? unpack_line(text, c.processes, sizeof c.processes) : NULL;
    if (!text || *text || (c.version != 0) != (c.memory[0] || c.processes[0]))
        return -EINVAL;
    *ret = c;
    return 0;
}

static int group_path(char ret[CGROUP_FILE_MAX], const char *dir, uint32_t id)
{
    char name[16];

    (void)snprintf(name, sizeof name, "s%" PRIu32, id);
    return cgroup_path(ret, CGROUP_FILE_MAX, dir, name);
}

/* ---- making ---- */

/* What a kernel does not have is left out when it only makes a limit tighter. */
static int set(const char *dir, const char *name, uint64_t value, bool optional, struct err *e)
{
    char text[24];
    int status;

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    status = cgroup_file_write(dir, name, text);
    if (status == 0 || (optional && (status == -ENOENT || status == -EOPNOTSUPP || status == -EINVAL)))
        return 0;
    return err_set(e, -status, "set %s of %s to %s: %s", name, dir, text, strerror(-status));
}

static int limit_memory(int version, const char *dir, uint64_t bytes, struct err *e)
{
    int status;

    if (bytes == 0)
        return 0;
    if (version == 2) {
        status = set(dir, "memory.max", bytes, false, e);
        if (status == 0) /* not there without swap accounting */
            status = set(dir, "memory.swap.max", 0, true, e);
        return status < 0 ? status : set(dir, "memory.oom.group", 1, true, e); /* Linux 4.19 */
    }
    status = set(dir, "memory.limit_in_bytes", bytes, false, e);
    if (status == 0) /* memory and swap together, never below the limit of memory: hence afterwards */
        status = set(dir, "memory.memsw.limit_in_bytes", bytes, true, e);
    return status < 0 ? status : set(dir, "memory.swappiness", 0, true, e);
}

/*
 * A thread that moves itself alone (Linux 5.5) waits for nobody; a process waits until no processor is in the middle
 * of a fork, some 10 ms. Version 2 has the former in threaded groups only.
 */
static int open_in(const struct cgroups *c, const char *path, struct cgroup *g, struct err *e)
{
    char procs[CGROUP_FILE_MAX + 16];
    int fd;

    (void)cgroup_path(procs, sizeof procs, path, c->version == 1 ? "tasks" : "cgroup.procs");
    fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "open %s", procs);
    g->fds[g->n_fds++] = fd;
    return 0;
}

static int make_in(const struct cgroups *c, const char *dir, struct cgroup *g, const struct cgroup_limits *limits,
                   struct err *e)
{
    char path[CGROUP_FILE_MAX];
    int status = group_path(path, dir, g->id);

    if (status < 0)
        return err_set(e, -status, "the path of the control group below %s is too long", dir);
    /* A builder that ended without closing may have left one. */
    if (mkdir(path, 0755) < 0 && (errno != EEXIST || cgroup_rmdir(path, 0) < 0 || mkdir(path, 0755) < 0))
        return err_errno(e, "make the control group %s", path);
    if (dir == c->memory)
        status = limit_memory(c->version, path, limits->memory_bytes, e);
    if (status == 0 && limits->processes && strcmp(dir, c->processes) == 0)
        status = set(path, "pids.max", limits->processes, false, e);
    if (status == 0)
        status = open_in(c, path, g, e);
    if (status < 0)
        (void)cgroup_rmdir(path, 0);
    return status;
}

int cgroup_make(const struct cgroups *c, uint32_t id, const struct cgroup_limits *limits, struct cgroup *ret,
                struct err *e)
{
    struct cgroup g = CGROUP_INIT;
    const char *dirs[CGROUP_FDS_MAX];
    char path[CGROUP_FILE_MAX];
    size_t n = cgroups_dirs(c, dirs);
    int status = n ? 0 : err_set(e, ENOTSUP, "there are no control groups");

    g.id = id;
    for (size_t i = 0; status == 0 && i < n; i++)
        status = make_in(c, dirs[i], &g, limits, e);
    if (status < 0) {
        for (size_t i = 0; i < g.n_fds; i++) /* one made is one descriptor; another's group of this name stays */
            if (group_path(path, dirs[i], id) == 0)
                (void)cgroup_rmdir(path, 0);
        cgroup_close(&g);
        return status;
    }
    *ret = g;
    return 0;
}

int cgroup_open(const struct cgroups *c, uint32_t id, struct cgroup *ret, struct err *e)
{
    struct cgroup g = CGROUP_INIT;
    const char *dirs[CGROUP_FDS_MAX];
    char path[CGROUP_FILE_MAX];
    size_t n = cgroups_dirs(c, dirs);
    int status = 0;

    g.id = id;
    for (size_t i = 0; status == 0 && i < n; i++) {
        status = group_path(path, dirs[i], id);
        if (status == 0)
            status = open_in(c, path, &g, e);
    }
    if (status < 0)
        cgroup_close(&g);
    else
        *ret = g;
    return status;
}

void cgroup_close(struct cgroup *g)
{
    for (size_t i = 0; i < CGROUP_FDS_MAX; i++)
        fd_close(&g->fds[i]);
    g->n_fds = 0;
}

int cgroup_enter(const int *fds, size_t n_fds)
{
    for (size_t i = 0; i < n_fds; i++) {
        ssize_t size;

        do {
            size = write(fds[i], "0", 1); /* whoever writes it */
        } while (size < 0 && errno == EINTR);
        if (size < 0)
            return -errno;
    }
    return 0;
}

/* ---- use ---- */

static uint64_t number_or_0(const char *dir, const char *name, const char *key)
{
    uint64_t value = 0;

    return cgroup_file_number(dir, name, key, &value) < 0 ? 0 : value;
}

int cgroup_usage(const struct cgroups *c, uint32_t id, struct cgroup_usage *ret, struct err *e)
{
    struct cgroup_usage use = {0};
    const char *dirs[CGROUP_FDS_MAX];
    char path[CGROUP_FILE_MAX];
    size_t n = cgroups_dirs(c, dirs);
    bool v2 = c->version == 2;

    if (n == 0)
        return err_set(e, ENOENT, "there are no control groups");
    for (size_t i = 0; i < n; i++) {
        if (group_path(path, dirs[i], id) < 0 || access(path, F_OK) < 0)
            return err_set(e, ENOENT, "there is no control group s%" PRIu32 " in %s", id, dirs[i]);
        if (dirs[i] == c->memory) {
            use.memory_bytes = number_or_0(path, v2 ? "memory.current" : "memory.usage_in_bytes", NULL);
            use.memory_peak_bytes = number_or_0(path, v2 ? "memory.peak" : "memory.max_usage_in_bytes", NULL);
            use.memory_kills = number_or_0(path, v2 ? "memory.events" : "memory.oom_control", "oom_kill");
        }
        if (strcmp(dirs[i], c->processes) == 0) {
            use.processes = number_or_0(path, "pids.current", NULL);
            use.processes_refused = number_or_0(path, "pids.events", "max");
        }
    }
    *ret = use;
    return 0;
}

bool cgroup_is_clean(const struct cgroups *c, uint32_t id)
{
    const char *dirs[CGROUP_FDS_MAX];
    char path[CGROUP_FILE_MAX];
    size_t n = cgroups_dirs(c, dirs);
    bool v2 = c->version == 2;
    uint64_t value;

    for (size_t i = 0; i < n; i++) {
        if (group_path(path, dirs[i], id) < 0)
            return false;
        if (dirs[i] == c->memory &&
            (cgroup_file_number(path, v2 ? "memory.current" : "memory.usage_in_bytes", NULL, &value) < 0 ||
             value > CLEAN_BYTES ||
             cgroup_file_number(path, v2 ? "memory.events" : "memory.oom_control", "oom_kill", &value) < 0 || value))
            return false;
        if (strcmp(dirs[i], c->processes) == 0 &&
            (cgroup_file_number(path, "pids.current", NULL, &value) < 0 || value ||
             cgroup_file_number(path, "pids.events", "max", &value) < 0 || value))
            return false;
    }
    return n > 0;
}

int cgroup_remove(const struct cgroups *c, uint32_t id, int wait_ms, struct err *e)
{
    const char *dirs[CGROUP_FDS_MAX];
    char path[CGROUP_FILE_MAX];
    size_t n = cgroups_dirs(c, dirs);

    for (size_t i = 0; i < n; i++) {
        int status = group_path(path, dirs[i], id);

        if (status == 0)
            status = cgroup_rmdir(path, wait_ms);
        if (status < 0)
            return err_set(e, -status, "remove the control group %s: %s", path, strerror(-status));
    }
    return 0;
}
