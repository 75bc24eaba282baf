/*
 * What was probably meant by the name of a distribution that the index does not have, or not in a form that helps. Only
 * well-known ones are named: that something of a similar name exists on an index is no reason to trust it.
 */
#ifndef CELLBLOCK_PACKAGES_NEAR_H
#define CELLBLOCK_PACKAGES_NEAR_H

#include <stdbool.h>

struct buf;

#define NEAR_NAMES_MAX 3

/*
 * Append them to out, the best first, with ", " between. name: as a person or PEP 503 writes it. surely: only what is
 * the same but for words such as "python", or has a module of that name; not what is merely spelt like it. False: there
 * is none, and nothing is appended; so it is for names that are well known themselves.
 */
bool near_names(const char *name, bool surely, struct buf *out);

/* Is it a module of Python itself? */
bool near_is_standard(const char *name);

#endif
