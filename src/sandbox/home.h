/*
 * The private directories of a sandbox that has no mount namespace: nothing can be mounted, so they lie in a directory
 * of the machine, owned by the sandbox's own user:
 *
 *     <base>/<number>             root's; its group, the sandbox's, may pass
 *     <base>/<number>/workspace   and tmp: mode 0700
 *
 * What is in there was made by hostile code, so nothing here follows links, trusts depths, or runs as root.
 */
#ifndef CELLBLOCK_SANDBOX_HOME_H
#define CELLBLOCK_SANDBOX_HOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

#define HOME_PATH_MAX 96
#define HOME_WORKSPACE "workspace"
#define HOME_TMP "tmp"

/* By root: made, empty, and gone again. Only empty directories are removed. 0 or -errno. */
int home_make(const char *home, unsigned owner, struct err *e);
void home_remove(const char *home);

/* home/name. */
static inline void home_path(char ret[HOME_PATH_MAX], const char *home, const char *name)
{
    (void)snprintf(ret, HOME_PATH_MAX, "%.80s/%.12s", home, name);
}

/*
 * The workspace as a door, by the owner: who joins the sandbox has to enter it, and cannot once it is closed.
 * home_empty opens it. From outside: is it closed?
 */
void home_close(const char *home);
bool home_is_closed(int workspace);

/*
 * By the owner, when no other process of it is left: everything below is deleted, and what it has in /dev/shm (which
 * all share). 0, or -errno when something could not be deleted.
 */
int home_empty(const char *home, unsigned owner);

/*
 * What is below home takes: bytes on disk, and files and directories. Files that were deleted and are still open are
 * missing. -E2BIG: nested deeper than HOME_DEPTH_MAX, so it cannot be told.
 */
#define HOME_DEPTH_MAX 500

struct home_usage {
    uint64_t bytes, files;
};

int home_measure(const char *home, struct home_usage *ret);

#endif
