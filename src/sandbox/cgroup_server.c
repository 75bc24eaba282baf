/* The groups of servers: whose they are, and which are left over. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/cgroup_impl.h"

#define NAME_FORMAT "cellblock-%d-%" PRIu64 "-%lu"
#define SWEEP_MAX 64 /* groups of dead servers, at once */
#define ANCESTORS_MAX 64

/* Parent and start time, in clock ticks since boot: fields 4 and 22 of /proc/PID/stat. */
static int read_stat(pid_t pid, pid_t *ret_parent, uint64_t *ret_start)
{
    char dir[32], text[1024], *at;
    int parent;

    (void)snprintf(dir, sizeof dir, "/proc/%d", (int)pid);
    if (cgroup_file_read(dir, "stat", text, sizeof text) < 0)
        return -ESRCH;
    at = strrchr(text, ')'); /* the name before it may hold anything */
    if (!at || sscanf(at + 1, " %*c %d", &parent) != 1)
        return -EBADMSG;
    for (int field = 2; field < 22 && at; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return -EBADMSG;
    *ret_parent = parent;
    *ret_start = strtoull(at + 1, NULL, 10);
    return 0;
}

/* Numbers of processes are different ones in another PID namespace, which can share the tree. */
static unsigned long pid_namespace(void)
{
    struct stat s;

    return stat("/proc/self/ns/pid", &s) == 0 ? (unsigned long)s.st_ino : 0;
}

int cgroup_server_name(pid_t server, char *ret, size_t room)
{
    uint64_t start;
    pid_t parent;
    int status = read_stat(server, &parent, &start);

    if (status == 0)
        (void)snprintf(ret, room, NAME_FORMAT, (int)server, start, pid_namespace());
    return status;
}

static bool is_dead(const char *name)
{
    char same[128];
    uint64_t start;
    unsigned long namespace;
    int pid;

    if (sscanf(name, "cellblock-%d-%" SCNu64 "-%lu", &pid, &start, &namespace) != 3 || pid <= 0)
        return false;
    (void)snprintf(same, sizeof same, NAME_FORMAT, pid, start, namespace);
    if (strcmp(same, name) != 0 || namespace != pid_namespace())
        return false;
    if (cgroup_server_name(pid, same, sizeof same) == 0)
        return strcmp(same, name) != 0;
    return kill(pid, 0) < 0 && errno == ESRCH; /* /proc can hide processes (hidepid) */
}

void cgroup_sweep(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    unsigned n = 0;

    if (!list)
        return;
    while (n < SWEEP_MAX && (entry = readdir(list))) {
        char path[CGROUP_FILE_MAX];

        if (entry->d_type != DT_DIR || !is_dead(entry->d_name))
            continue;
        n++;
        if (cgroup_path(path, sizeof path, dir, entry->d_name) == 0 && cgroup_rmdir_below(path, "", 0) == 0)
            (void)cgroup_rmdir(path, 0);
    }
    (void)closedir(list);
}

int cgroup_server_make(const char *dir, const char *path)
{
    cgroup_sweep(dir);
    if (mkdir(path, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    (void)cgroup_rmdir_below(path, CGROUP_LEAF, 0);
    return 0;
}

bool cgroup_is_ours(pid_t pid, pid_t server)
{
    uint64_t start;

    for (unsigned i = 0; i < ANCESTORS_MAX && pid > 0; i++)
        if (pid == server)
            return true;
        else if (read_stat(pid, &pid, &start) < 0)
            return false;
    return false;
}
