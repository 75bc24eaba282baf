/*
 * Landlock (landlock(7)): a second wall for files, signals and abstract sockets, and the first one where there are no
 * namespaces. After fork: no malloc, no stdio.
 */
#ifndef CELLBLOCK_SANDBOX_LANDLOCK_H
#define CELLBLOCK_SANDBOX_LANDLOCK_H

#include <stddef.h>

struct err;

/* The version that the kernel offers, 0 for none. */
int landlock_abi(void);

/*
 * From now on and for all children: everything can be read and executed, only what is below the given directories
 * changed, no signal sent and no abstract socket reached outside. A directory that is not there is left out.
 * Versions before 2 are not used: they refuse every rename from one directory to another.
 */
int landlock_restrict(const char *const *writable, size_t n, struct err *e);

/* Below this version a file could be cut to nothing by its path (LANDLOCK_ACCESS_FS_TRUNCATE). */
#define LANDLOCK_WALL_ABI 3

/*
 * The same as the only wall: besides that nothing can be read or executed but what is readable (directories with all
 * that is below them, and files), and /dev/shm can be used but not listed. What Landlock does not cover is the
 * caller's to refuse: names and dates of files that the user may reach, watching them, sockets that have a path.
 * LANDLOCK_WALL_ABI is needed.
 */
int landlock_wall(const char *const *readable, size_t n_readable, const char *const *writable, size_t n_writable,
                  struct err *e);

#endif
