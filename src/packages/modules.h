/*
 * Which modules are at the top of directories such as site-packages, from the names of their entries: no Python has to
 * run for it. Two distributions may have one without a name in common (cffi, and Debian's package of its C part).
 *
 * Directories without an __init__.py are left out: as parts of a namespace package (PEP 420) they hide nothing, and
 * are hidden by any real module of that name, wherever either stands on sys.path.
 */
#ifndef CELLBLOCK_PACKAGES_MODULES_H
#define CELLBLOCK_PACKAGES_MODULES_H

#include <stdbool.h>
#include <stddef.h>

struct modules {
    char **items; /* sorted once sealed */
    size_t n, cap;
};

#define automodules __attribute__((cleanup(modules_fini)))

void modules_fini(struct modules *m);

/* Add those of dir; a directory that cannot be read has none. */
void modules_add(struct modules *m, const char *dir);

/* After the last modules_add, before modules_meet. */
void modules_seal(struct modules *m);

/* Is a module of one in the other too? Both sealed. */
bool modules_meet(const struct modules *a, const struct modules *b);

#endif
