/* How near two names are to each other. Nothing here knows which names there are. */
#ifndef CELLBLOCK_PACKAGES_SPELLING_H
#define CELLBLOCK_PACKAGES_SPELLING_H

#include <stdbool.h>
#include <stddef.h>

#define SPELLING_MAX 48 /* bytes of a name that is compared */

/*
 * How many letters are wrong, missing, too many or exchanged with the next (Damerau and Levenshtein, each letter moved
 * at most once); case does not count. SPELLING_MAX when one of them is longer than that.
 */
size_t spelling_distance(const char *a, const char *b);

/* The same to an index (PEP 503): - _ . and case do not count. b may have extras in brackets. */
bool spelling_same_name(const char *a, const char *b);

#endif
