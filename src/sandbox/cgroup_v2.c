/*
 * The server's group in version 2. The rules are in the kernel's Documentation/admin-guide/cgroup-v2.rst: "Top-down
 * Constraint" (a group has the controllers that its parent's cgroup.subtree_control names), "No Internal Process
 * Constraint" (who names some has no processes, except the root: EBUSY), "Delegation Containment" (a process may be
 * moved by who may write to cgroup.procs of the target and of the nearest group above both).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "sandbox/cgroup_impl.h"

#define PROCS_MAX 4096
#define MOVE_ROUNDS 8 /* processes can fork while they are moved */

enum { MEMORY = 1, PROCESSES = 2 };

/* ---- controllers ---- */

static unsigned read_controllers(const char *dir, const char *name)
{
    char text[1024], *rest = text, *word;
    unsigned found = 0;

    if (cgroup_file_read(dir, name, text, sizeof text) < 0)
        return 0;
    while ((word = strsep(&rest, " \n"))) {
        if (strcmp(word, "memory") == 0)
            found |= MEMORY;
        else if (strcmp(word, "pids") == 0)
            found |= PROCESSES;
    }
    return found;
}

/* Switch on ('+') or off ('-') for the groups below. */
static int change(const char *dir, char sign, unsigned controllers)
{
    char text[32];

    if (!controllers)
        return 0;
    (void)snprintf(text, sizeof text, "%c%s %c%s", sign, controllers & MEMORY ? "memory" : "pids", sign,
                   controllers & PROCESSES ? "pids" : "memory");
    return cgroup_file_write(dir, "cgroup.subtree_control", text);
}

static int enable(const char *dir, unsigned controllers)
{
    return change(dir, '+', controllers & ~read_controllers(dir, "cgroup.subtree_control"));
}

/* ---- moving the server's own processes ---- */

/* -EXDEV: others are there, and nobody was moved. */
static int move(const char *from, const char *to, pid_t server)
{
    pid_t pids[PROCS_MAX];
    ssize_t n = cgroup_file_procs(from, pids, PROCS_MAX);

    if (n < 0 || n == PROCS_MAX)
        return n < 0 ? (int)n : -EXDEV;
    for (ssize_t i = 0; server && i < n; i++)
        if (!cgroup_is_ours(pids[i], server))
            return -EXDEV;
    for (ssize_t i = 0; i < n; i++) {
        char text[16];
        int status;

        (void)snprintf(text, sizeof text, "%d", (int)pids[i]);
        status = cgroup_file_write(to, "cgroup.procs", text);
        if (status < 0 && status != -ESRCH) /* it has ended meanwhile */
            return status;
    }
    return 0;
}

static int leaf_path(char ret[CGROUP_FILE_MAX], const char *base)
{
    return cgroup_path(ret, CGROUP_FILE_MAX, base, CGROUP_LEAF);
}

/* Everything in the leaf is ours: it came from there. */
static void move_back(const char *base, const char *home)
{
    char leaf[CGROUP_FILE_MAX];

    if (leaf_path(leaf, base) < 0)
        return;
    for (int i = 0; i < MOVE_ROUNDS && cgroup_rmdir(leaf, 0) == -EBUSY; i++)
        if (move(leaf, home, 0) < 0)
            break;
}

static int move_and_enable(const char *home, const char *base, pid_t server, unsigned controllers)
{
    char leaf[CGROUP_FILE_MAX];
    int status = leaf_path(leaf, base);

    if (status == 0 && mkdir(leaf, 0755) < 0)
        status = -errno;
    if (status < 0)
        return status;
    status = -EBUSY;
    for (int i = 0; i < MOVE_ROUNDS && status == -EBUSY; i++) {
        status = move(home, leaf, server);
        if (status == 0)
            status = enable(home, controllers);
    }
    if (status < 0)
        move_back(base, home);
    return status;
}

void cgroup_v2_move_back(const struct cgroups *c)
{
    const char *base = c->memory[0] ? c->memory : c->processes;

    /* As long as controllers are on, no process may be in home; off from below to above. */
    (void)change(base, '-', read_controllers(base, "cgroup.subtree_control"));
    (void)change(c->home, '-', c->enabled);
    move_back(base, c->home);
}

/* ---- the place ---- */

static const char *explain(int status)
{
    switch (-status) {
    case EXDEV:
        return "other programs run in it";
    case EROFS:
        return "it is mounted read-only";
    case EACCES:
    case EPERM:
        return "it belongs to somebody else";
    default:
        return strerror(-status);
    }
}

/* The server's group below dir. may_move: dir is the group that the server is in. */
static int open_in(struct cgroups *c, const char *dir, bool may_move, pid_t server, const char *name, struct err *e)
{
    unsigned controllers = read_controllers(dir, "cgroup.controllers");
    unsigned before = read_controllers(dir, "cgroup.subtree_control");
    char base[CGROUP_PATH_MAX];
    bool moved = false;
    int status = cgroup_path(base, sizeof base, dir, name);

    if (!controllers)
        return err_set(e, ENOTSUP, "%s has no controllers", dir);
    if (status < 0)
        return err_set(e, -status, "the path of %s is too long", dir);
    status = cgroup_server_make(dir, base);
    if (status < 0)
        return err_set(e, -status, "no group can be made in %s: %s", dir, explain(status));
    status = enable(dir, controllers);
    if (status == -EBUSY && may_move) {
        status = move_and_enable(dir, base, server, controllers);
        moved = status == 0;
    }
    if (status == 0)
        status = enable(base, controllers);
    *c = (struct cgroups){.version = 2, .enabled = controllers & ~before};
    (void)snprintf(c->memory, sizeof c->memory, "%s", controllers & MEMORY ? base : "");
    (void)snprintf(c->processes, sizeof c->processes, "%s", controllers & PROCESSES ? base : "");
    (void)snprintf(c->home, sizeof c->home, "%s", moved ? dir : "");
    if (status == 0)
        return 0;
    cgroups_close(c);
    return err_set(e, -status, "controllers of %s cannot be switched on: %s", dir, explain(status));
}

/* The builder before this one moved the server, and ended without closing: go on where it was. */
static bool adopt(struct cgroups *c, const struct cgroup_own *own, const char *name)
{
    char home[CGROUP_PATH_MAX], base[CGROUP_PATH_MAX], leaf[CGROUP_FILE_MAX];
    size_t size = strlen(own->v2), tail = strlen(name) + sizeof "//" CGROUP_LEAF - 1;
    unsigned controllers;

    if (size <= tail || tail >= sizeof home)
        return false;
    (void)snprintf(home, sizeof home, "%.*s", (int)(size - tail), own->v2);
    if (cgroup_path(base, sizeof base, home, name) < 0 || leaf_path(leaf, base) < 0 || strcmp(leaf, own->v2) != 0)
        return false;
    controllers = read_controllers(base, "cgroup.subtree_control");
    if (!controllers)
        return false;
    (void)cgroup_rmdir_below(base, CGROUP_LEAF, 0);
    *c = (struct cgroups){.version = 2, .enabled = controllers};
    memcpy(c->home, home, sizeof home);
    (void)snprintf(c->memory, sizeof c->memory, "%s", controllers & MEMORY ? base : "");
    (void)snprintf(c->processes, sizeof c->processes, "%s", controllers & PROCESSES ? base : "");
    return true;
}

int cgroup_v2_open(struct cgroups *c, const struct cgroup_own *own, pid_t server, const char *name, struct err *e)
{
    char parent[CGROUP_PATH_MAX];
    uint64_t limit = UINT64_MAX;
    struct err first = ERR_INIT;

    if (adopt(c, own, name) || open_in(c, own->v2, true, server, name, &first) == 0)
        return 0;
    /* Somebody who limits this group's memory means what is started in it, too. */
    (void)cgroup_file_number(own->v2, "memory.max", NULL, &limit);
    (void)snprintf(parent, sizeof parent, "%s", own->v2);
    if (limit == UINT64_MAX && strcmp(own->v2, own->v2_top) != 0 && strrchr(parent, '/')) {
        *strrchr(parent, '/') = '\0';
        if (open_in(c, parent, false, server, name, e) == 0)
            return 0;
    }
    return err_set(e, first.code, "%s", first.text);
}
