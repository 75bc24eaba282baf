#include "sandbox/outer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

/* No distribution gives these to anybody: systemd's UIDS-GIDS lists 1879048192 to 2147483647 as unused. */
#define POOL_FIRST 1879048192u
#define POOL_ROOM (4 * OUTER_SANDBOXES_MAX)

bool outer_has_capability(int capability)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};

    return syscall(SYS_capget, &header, data) == 0 &&
           data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool outer_is_privileged(void)
{
    static const int needed[] = {CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT, CAP_NET_ADMIN};

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!outer_has_capability(needed[i]))
            return false;
    return true;
}

static int write_text(const char *path, const char *text, struct err *e)
{
    autofd int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, "open %s", path);
    if (write(fd, text, strlen(text)) < 0)
        return err_errno(e, "write %s", path);
    return 0;
}

int outer_can_give_ids(struct err *e)
{
    static const struct {
        int number;
        const char *name;
    } needed[] = {
        {CAP_SETUID, "CAP_SETUID"}, {CAP_SETGID, "CAP_SETGID"}, {CAP_SETPCAP, "CAP_SETPCAP"},
        {CAP_KILL, "CAP_KILL"},     {CAP_CHOWN, "CAP_CHOWN"},   {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
    };

    if (geteuid() != 0)
        return err_set(e, EPERM, "only root can give sandboxes user ids of their own");
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!outer_has_capability(needed[i].number))
            return err_set(e, EPERM, "%s is missing, to give sandboxes user ids of their own", needed[i].name);
    return 0;
}

/* A range of a user namespace's map that has room for the pool (user_namespaces(7)): its first id, or 0. */
static uint32_t room_in(const char *path)
{
    FILE *map = fopen(path, "re");
    unsigned long long inside, outside, count;
    uint32_t found = 0;

    while (map && fscanf(map, "%llu %llu %llu", &inside, &outside, &count) == 3) {
        if (inside <= POOL_FIRST && inside + count >= POOL_FIRST + OUTER_SANDBOXES_MAX)
            found = POOL_FIRST;
        else if (inside >= OUTER_SANDBOXES_MAX && count == OUTER_SANDBOXES_MAX) /* made by outer_make */
            found = (uint32_t)inside;
        else if (!found && inside == 0 && count >= POOL_ROOM) /* a container's: below its last ids, which have names */
            found = (uint32_t)(count - 2 * OUTER_SANDBOXES_MAX);
    }
    if (map)
        (void)fclose(map);
    return found;
}

static uint32_t room_for_pool(void)
{
    uint32_t uids = room_in("/proc/self/uid_map"), gids = room_in("/proc/self/gid_map");

    return uids == gids ? uids : 0;
}

/* ---- maps ---- */

/* From outside of the namespace: only there is the privilege to map more than oneself (user_namespaces(7)). */
static int write_maps(pid_t pid, uint32_t pool)
{
    char path[64], map[96];
    struct err e = ERR_INIT;
    int status;

    (void)snprintf(map, sizeof map, "0 0 1\n%u %u %d\n", pool, pool, OUTER_SANDBOXES_MAX);
    (void)snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
    status = write_text(path, map, &e);
    (void)snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
    return status < 0 ? status : write_text(path, map, &e);
}

/* A namespace that has the pool's ids too, by a child that stays outside. */
static int make_with_pool(uint32_t pool, struct err *e)
{
    pid_t self = getpid(), pid;
    int pair[2], status;
    char byte = 0;

    status = fd_socketpair(SOCK_STREAM, pair);
    if (status < 0)
        return err_set(e, -status, "socketpair: %s", strerror(-status));
    pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        _exit(recv(pair[1], &byte, 1, 0) == 1 && write_maps(self, pool) == 0 ? 0 : 1);
    }
    fd_close(&pair[1]);
    status = pid < 0 ? err_errno(e, "fork") : 0;
    if (status == 0 && unshare(CLONE_NEWUSER) < 0)
        status = err_errno(e, "unshare(CLONE_NEWUSER)");
    if (status == 0)
        (void)send(pair[0], &byte, 1, MSG_NOSIGNAL);
    fd_close(&pair[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (e->code)
        return -e->code;
    return status ? err_set(e, EPERM, "the maps of the user namespace cannot be written") : 0;
}

int outer_make(struct err *e)
{
    unsigned uid = geteuid(), gid = getegid();
    uint32_t pool = outer_can_give_ids(NULL) == 0 ? room_for_pool() : 0;
    char map[64];
    int status;

    if (outer_is_privileged())
        return 0;
    if (pool)
        return make_with_pool(pool, e);
    if (unshare(CLONE_NEWUSER) < 0)
        return err_errno(e, "unshare(CLONE_NEWUSER)");
    /* Who may write a gid_map without privilege must give up setgroups first (CVE-2014-8989, user_namespaces(7)). */
    status = write_text("/proc/self/setgroups", "deny", e);
    (void)snprintf(map, sizeof map, "0 %u 1", gid);
    if (status == 0)
        status = write_text("/proc/self/gid_map", map, e);
    (void)snprintf(map, sizeof map, "0 %u 1", uid);
    return status < 0 ? status : write_text("/proc/self/uid_map", map, e);
}

uint32_t outer_uid_pool(void)
{
    return outer_is_privileged() ? room_for_pool() : 0;
}

/* The end of the map that has id 0 and reaches furthest, or 0. */
static uint32_t end_of_map(const char *path)
{
    FILE *map = fopen(path, "re");
    unsigned long long inside, outside, count, end = 0;

    while (map && fscanf(map, "%llu %llu %llu", &inside, &outside, &count) == 3)
        if (inside == 0)
            end = count;
    if (map)
        (void)fclose(map);
    return end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
}

size_t outer_id_ranges(uint32_t count, uint32_t *ret_firsts, size_t max)
{
    uint32_t uids = end_of_map("/proc/self/uid_map"), gids = end_of_map("/proc/self/gid_map");
    uint32_t end = uids < gids ? uids : gids;
    size_t n = 0;

    /* A container's map may be small: from below its last ids, which have names, down to the half. */
    if (end >= POOL_FIRST + OUTER_SANDBOXES_MAX + max * count)
        while (n < max) {
            ret_firsts[n] = POOL_FIRST + OUTER_SANDBOXES_MAX + (uint32_t)n * count;
            n++;
        }
    else
        for (uint32_t top = end - end % count; n < max && top >= end / 2 + 2 * count; top -= count)
            ret_firsts[n++] = top - 2 * count;
    return n;
}
