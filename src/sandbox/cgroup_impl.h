/* What the parts of the control group library share: files of a group, groups of the server, where this process is. */
#ifndef CELLBLOCK_SANDBOX_CGROUP_IMPL_H
#define CELLBLOCK_SANDBOX_CGROUP_IMPL_H

#include "sandbox/cgroup.h"

#define CGROUP_FILE_MAX (CGROUP_PATH_MAX + 64)
#define CGROUP_LEAF "server" /* where the server's own processes are moved to */

/* ---- cgroup_file.c: 0 or -errno ---- */

/* dir/name into ret; -ENAMETOOLONG. */
int cgroup_path(char *ret, size_t room, const char *dir, const char *name);

/* The beginning of a file, NUL-terminated. */
int cgroup_file_read(const char *dir, const char *name, char *ret, size_t room);

/* One write(2), as these files want. */
int cgroup_file_write(const char *dir, const char *name, const char *text);

/* The number in a file, or in its line that begins with key. "max" is UINT64_MAX. */
int cgroup_file_number(const char *dir, const char *name, const char *key, uint64_t *ret);

/* Up to room processes of a group: how many. 0 is a process that has no number in this PID namespace. */
ssize_t cgroup_file_procs(const char *dir, pid_t *ret, size_t room);

/* Remove a directory; -EBUSY after wait_ms. Not being there is no error. */
int cgroup_rmdir(const char *dir, int wait_ms);

/* The same for each directory directly below it except one, in wait_ms together; the first failure. */
int cgroup_rmdir_below(const char *dir, const char *except, int wait_ms);

/* ---- cgroup.c ---- */

/* The different directories of the server: how many. */
size_t cgroups_dirs(const struct cgroups *c, const char *ret[CGROUP_FDS_MAX]);

/* ---- cgroup_find.c ---- */

/* The groups that this process is in, as directories; "" where there is none, or it cannot be reached. */
struct cgroup_own {
    char v2[CGROUP_PATH_MAX];
    char v2_top[CGROUP_PATH_MAX];                             /* where its file system is mounted */
    char memory[CGROUP_PATH_MAX], processes[CGROUP_PATH_MAX]; /* version 1 */
};

/* proc: /proc, or a directory that has self/cgroup and self/mountinfo, in tests. */
int cgroup_find(const char *proc, struct cgroup_own *ret, struct err *e);

/* ---- cgroup_server.c ---- */

/* The name of a server's group; -ESRCH when there is no such process. */
int cgroup_server_name(pid_t server, char *ret, size_t room);

/* Remove groups below dir whose server is dead. Only empty ones can be removed. */
void cgroup_sweep(const char *dir);

/* Sweep dir and make the server's group in it; one of a builder that ended without closing is used again. */
int cgroup_server_make(const char *dir, const char *path);

/* Is the process the server, or a descendant of it? */
bool cgroup_is_ours(pid_t pid, pid_t server);

/* ---- cgroup_v2.c ---- */

/* Make the server's group in or next to own->v2. */
int cgroup_v2_open(struct cgroups *c, const struct cgroup_own *own, pid_t server, const char *name, struct err *e);

/* Undo the move of the server's processes. */
void cgroup_v2_move_back(const struct cgroups *c);

/* ---- cgroup_open.c ---- */

int cgroups_open_at(struct cgroups *c, const char *proc, pid_t server, struct err *e);

#endif
