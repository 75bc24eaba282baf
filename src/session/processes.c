#include "session/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/random.h"
#include "kernel/mark.h"

#define SERVER_BITS 30

uint64_t processes_mark(uint64_t server, uint64_t serial)
{
    return server << MARK_KERNEL_BITS | (serial & MARK_SERIAL_MAX);
}

int processes_mark_self(uint64_t *ret_server, struct err *e)
{
    struct rlimit limit;
    uint64_t highest = UINT64_C(1) << SERVER_BITS, server;

    if (getrlimit(RLIMIT_RTTIME, &limit) < 0)
        return err_errno(e, "getrlimit");
    /* Started from code that runs in another server: marks can only go down. */
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max >= MARK_BASE)
        highest = MARK_SERVER(limit.rlim_max - MARK_BASE);
    else if (limit.rlim_max != RLIM_INFINITY)
        return err_set(e, EPERM, "the hard limit of RLIMIT_RTTIME (ulimit -R) is set: processes cannot be marked");
    if (highest < 2)
        return err_set(e, EPERM, "servers are nested too deep");
    server = 1 + random_u64() % (highest - 1);
    limit.rlim_cur = limit.rlim_max = MARK_BASE + processes_mark(server, MARK_SERIAL_MAX);
    if (setrlimit(RLIMIT_RTTIME, &limit) < 0)
        return err_errno(e, "setrlimit(RLIMIT_RTTIME)");
    *ret_server = server;
    return 0;
}

/* A zombie has ended already; it only waits for its parent. */
static bool is_zombie(pid_t pid)
{
    char path[64], text[256], *state;
    ssize_t n;
    autofd int fd = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    n = read(fd, text, sizeof text - 1);
    if (n <= 0)
        return true;
    text[n] = '\0';
    state = strrchr(text, ')'); /* proc(5): the name before it may hold anything */
    return !state || state[1] != ' ' || state[2] == 'Z' || state[2] == 'X';
}

static bool has_mark(pid_t pid, uint64_t mark, bool whole_server)
{
    struct rlimit limit;
    uint64_t has;

    if (prlimit(pid, RLIMIT_RTTIME, NULL, &limit) < 0 || limit.rlim_max == RLIM_INFINITY || limit.rlim_max < MARK_BASE)
        return false;
    has = limit.rlim_max - MARK_BASE;
    return whole_server ? MARK_SERVER(has) == MARK_SERVER(mark) : has == mark;
}

unsigned processes_kill(uint64_t mark, bool whole_server, pid_t except)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    unsigned found = 0;

    while (dir && (entry = readdir(dir))) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        if (pid <= 1 || pid == except || pid == getpid() || !has_mark(pid, mark, whole_server) || is_zombie(pid))
            continue;
        if (kill(pid, SIGKILL) == 0)
            found++;
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

static bool is_named(pid_t pid, const char *name)
{
    char path[64], text[32];
    autofd int fd = -1;
    ssize_t n;

    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

bool processes_named(uint64_t mark, const char *name)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    bool found = false;

    while (dir && !found && (entry = readdir(dir))) {
        pid_t pid = (pid_t)atoi(entry->d_name);

        found = pid > 1 && is_named(pid, name) && has_mark(pid, mark, true) && !is_zombie(pid);
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

uint64_t processes_oom_kills(void)
{
    static const char key[] = "\noom_kill ";
    char text[16384];
    autofd int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    const char *at;

    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}
