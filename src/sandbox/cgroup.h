/*
 * Control groups (cgroups(7), the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/): they limit the
 * memory and the number of processes of a session whatever its processes do, count how often a limit was hit, and find
 * every process. Version 2 where a part of its tree may be written, else version 1 (hybrid systems, as root).
 *
 * One process, the builder, opens the server's place and makes and removes groups in it; it alone closes. Others get
 * a copy as text (cgroups_pack) and may ask for the use. The tree:
 *
 *     <where the server was started>/cellblock-<server's pid>-<its start time>-<pid namespace>/s<id>
 *
 * Sessions never see a control group's files: whoever can write to them can leave, and more (CVE-2022-0492).
 */
#ifndef CELLBLOCK_SANDBOX_CGROUP_H
#define CELLBLOCK_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define CGROUP_PATH_MAX 512
#define CGROUPS_TEXT_MAX (2 * CGROUP_PATH_MAX + 16)
#define CGROUP_FDS_MAX 2

/* The server's place. Plain data: a copy may be kept, only one of them is closed. */
struct cgroups {
    int version;                     /* 1 or 2; 0: none */
    char memory[CGROUP_PATH_MAX];    /* directory that limits memory; "": this cannot be limited */
    char processes[CGROUP_PATH_MAX]; /* the same for the number of processes; version 2: the same directory */
    char home[CGROUP_PATH_MAX];      /* version 2: where the server's processes were moved from; "": they were not */
    unsigned enabled;                /* version 2: controllers that were switched on in home */
};

#define CGROUPS_INIT                                                                                                   \
    {                                                                                                                  \
        0, "", "", "", 0                                                                                               \
    }

/* What to do where there is no place; ends the text of cgroups_open's error. */
#define CGROUPS_REMEDY                                                                                                 \
    "Start Cellblock with systemd-run --user --scope -p Delegate=yes cellblock ..., as a unit with Delegate=yes, "     \
    "or as root"

struct cgroup_limits {
    uint64_t memory_bytes; /* of all processes, their files in tmpfs, and what the kernel holds for them; 0: no limit */
    uint64_t processes;    /* and threads; 0: no limit */
};

/* A group, for the process that is to enter it. */
struct cgroup {
    uint32_t id;
    int fds[CGROUP_FDS_MAX]; /* owned; cgroup.procs (version 2), or tasks of each directory (version 1) */
    size_t n_fds;
};

#define CGROUP_INIT                                                                                                    \
    {                                                                                                                  \
        0, {-1, -1}, 0                                                                                                 \
    }

struct cgroup_usage {
    uint64_t memory_bytes, memory_peak_bytes; /* now and at most; peak is 0 before Linux 5.19 with version 2 */
    uint64_t memory_kills;                    /* processes that the kernel ended because memory was out */
    uint64_t processes;                       /* now, threads included */
    uint64_t processes_refused;               /* forks and threads that failed at the limit */
};

/*
 * Find a place and make the server's own group in it; a process is sent through it, so that success means that limits
 * work. server: the process whose groups these are (0: the caller); groups of dead servers are removed.
 *
 * Version 2 has controllers only for groups without processes of their own. Where the server and its descendants are
 * the only ones, they are moved to a leaf; nobody else is ever moved. Else the group is made next to the one that the
 * server is in, unless that one limits memory, which would be a way around its limit.
 *
 * -ENOTSUP: there is no place; e says why and what to do. Forks, and waits for that child.
 */
int cgroups_open(struct cgroups *c, pid_t server, struct err *e);

/* Remove all groups, and the place, as far as they are empty; waits up to a second. Moved processes are moved back. */
void cgroups_close(struct cgroups *c);

/* As text, with a NUL, at most CGROUPS_TEXT_MAX; without what only closing needs. Unpacking: 0 or -EINVAL. */
void cgroups_pack(const struct cgroups *c, char ret[CGROUPS_TEXT_MAX]);
int cgroups_unpack(const char *text, struct cgroups *ret);

/*
 * A group with these limits, empty. Swap counts as used up. When memory is out, version 2 ends all processes of the
 * group at once, version 1 the largest: what must survive its session's code stays outside. The caller closes ret.
 */
int cgroup_make(const struct cgroups *c, uint32_t id, const struct cgroup_limits *limits, struct cgroup *ret,
                struct err *e);
/* To enter one that was made before. */
int cgroup_open(const struct cgroups *c, uint32_t id, struct cgroup *ret, struct err *e);
void cgroup_close(struct cgroup *g); /* the descriptors; the group stays */

/*
 * The calling process (which has one thread) enters, and its later children with it. After fork: write(2) only. Before
 * it changes user or namespaces: old kernels look at the writer, not at who opened the file (CVE-2021-4197). 0 or
 * -errno; then it is not, or not wholly inside, and must not go on.
 *
 * With version 2 slow (about 10 ms) unless somebody did it just before, because the kernel waits until no processor is
 * in the middle of a fork: to be done ahead of time. Who is forked by a process that is inside is inside, at no cost.
 */
int cgroup_enter(const int *fds, size_t n_fds);

/* -ENOENT: there is no such group (any more). What cannot be read is 0. */
int cgroup_usage(const struct cgroups *c, uint32_t id, struct cgroup_usage *ret, struct err *e);

/* Is it as it was made: without processes and memory, and none of its limits was ever hit? */
bool cgroup_is_clean(const struct cgroups *c, uint32_t id);

/* Remove an empty group; no group is no error. Waits for the last processes up to wait_ms, then -EBUSY. */
int cgroup_remove(const struct cgroups *c, uint32_t id, int wait_ms, struct err *e);

#endif
