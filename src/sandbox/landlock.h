/* Landlock (landlock(7)): a second wall for files, signals and abstract sockets. After fork: no malloc, no stdio. */
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

#endif
