/* Version numbers of packages, as PEP 440 writes them. Only their form: nothing here compares versions. */
#ifndef CELLBLOCK_PACKAGES_VERSION_H
#define CELLBLOCK_PACKAGES_VERSION_H

#include <stdbool.h>
#include <stddef.h>

struct version_form {
    int n_release;  /* numbers in the release part: 3 in 1.2.3 */
    bool has_local; /* ends in +something */
    bool wildcard;  /* ends in .* */
};

/* Is text a version (a trailing .* is accepted and told)? ret may be NULL. */
bool version_check(const char *text, size_t size, struct version_form *ret);

#endif
