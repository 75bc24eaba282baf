/*
 * What is installed in directories such as site-packages, read from the names of their .dist-info and .egg-info
 * entries (PEP 376, PEP 427): no Python has to run for it.
 */
#ifndef CELLBLOCK_PACKAGES_SITE_H
#define CELLBLOCK_PACKAGES_SITE_H

#include <stdbool.h>
#include <stddef.h>

struct site_package {
    char *name; /* as a person writes it */
    char *key;  /* normalised (PEP 503) */
    char *version;
    bool own;     /* in the environment itself, not in what it inherits */
    size_t order; /* of the directories: what comes first hides what comes later */
};

struct site {
    struct site_package *items; /* by key, once sealed */
    size_t n, cap;
};

void site_fini(struct site *s);

/* Add what is in dir; a directory that cannot be read has nothing. */
void site_add(struct site *s, const char *dir, bool own);

/* After the last site_add: sort, and drop what is hidden. */
void site_seal(struct site *s);

/* NULL when it is not there. key is normalised. */
const struct site_package *site_find(const struct site *s, const char *key);

#endif
