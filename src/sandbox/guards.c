/* The ids and the directory of a builder whose sandboxes have no namespaces. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "sandbox/guard.h"
#include "sandbox/outer.h"
#include "sandbox/people.h"

#define RANGE (2 * GUARDS_MAX)
#define RANGES_MAX 16 /* as many builders may run at once */

void guards_get(const struct guards *g, unsigned number, struct guard *ret)
{
    ret->user = g->first + 2 * number;
    ret->self = ret->user + 1;
    (void)snprintf(ret->home, sizeof ret->home, "%s/%u", g->base, number);
}

/* Ended and emptied, then removed. */
static int sweep(const struct guards *g, unsigned number, struct err *e)
{
    struct guard guard;
    int status = 0;
    pid_t pid;

    guards_get(g, number, &guard);
    pid = fork();
    if (pid == 0)
        guard_sweep(&guard);
    if (pid < 0)
        return err_errno(e, "fork");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, "waitpid");
    if (status != 0)
        return err_set(e, EBUSY, "what an earlier server left at user id %u does not end", guard.user);
    home_remove(guard.home);
    return 0;
}

static int sweep_all(const struct guards *g, struct err *e)
{
    DIR *dir = opendir(g->base);
    struct dirent *entry;
    unsigned id;
    int status = 0, found;

    while (dir && status == 0 && (entry = readdir(dir)))
        if (isdigit((unsigned char)entry->d_name[0]))
            status = sweep(g, (unsigned)strtoul(entry->d_name, NULL, 10), e);
    if (dir)
        (void)closedir(dir);
    while (status == 0 && (found = people_find(g->first, g->first + RANGE - 1, &id)) != 0) {
        if (found < 0)
            return err_set(e, -found, "/proc does not show processes: it cannot be told which ones are left");
        status = sweep(g, (id - g->first) / 2, e);
    }
    return status;
}

/* The lock says that the range is in use; also a dead builder's directory is found by it. */
static int claim(struct guards *g, const char *parent, uint32_t first, struct err *e)
{
    autofd int fd = -1;
    struct stat st;

    (void)snprintf(g->base, sizeof g->base, "%s/cellblock-boxes-%u", parent, first);
    if (mkdir(g->base, 0711) < 0 && errno != EEXIST)
        return err_errno(e, "mkdir %s", g->base);
    fd = open(g->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, "%s", g->base);
    if (st.st_uid != 0 || st.st_mode & 022)
        return err_set(e, EPERM, "%s belongs to somebody else", g->base);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return err_errno(e, "%s is another server's", g->base);
    if (fchmod(fd, 0711) < 0) /* whatever the umask is */
        return err_errno(e, "chmod %s", g->base);
    g->first = first;
    if (sweep_all(g, e) < 0)
        return -e->code;
    g->lock = steal_fd(&fd);
    return 0;
}

int guards_open(struct guards *g, struct err *e)
{
    static const char *const parents[] = {"/tmp", "/var/tmp", "/run", "/dev/shm"};
    uint32_t firsts[RANGES_MAX];
    size_t n;

    *g = (struct guards)GUARDS_INIT;
    if (outer_can_give_ids(e) < 0)
        return -e->code;
    n = outer_id_ranges(RANGE, firsts, RANGES_MAX);
    if (n == 0)
        return err_set(e, ENOSPC, "this user namespace has too few user ids to give sandboxes their own");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < sizeof parents / sizeof *parents; j++) {
            if (claim(g, parents[j], firsts[i], e) == 0)
                return 0;
            if (e->code == EWOULDBLOCK) /* not in another directory then: the ids are taken */
                break;
        }
    return -e->code;
}

void guards_close(struct guards *g)
{
    if (g->lock >= 0)
        (void)rmdir(g->base);
    fd_close(&g->lock);
}
