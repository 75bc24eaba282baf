/* The question as text: two that have the same key have the same answer, as long as the index says the same. */
#ifndef CELLBLOCK_FETCH_KEY_H
#define CELLBLOCK_FETCH_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "fetch/fetch.h"

struct words;

/*
 * A requirement in the form that is compared: its name normalised, spaces gone where they mean nothing. spec is a
 * checked requirement. The caller frees.
 */
char *key_of_spec(const char *spec);

struct key_parts {
    const struct fetch_base *base;
    const struct words *specs, *hashes;
    const struct words *wheels; /* ids of those that the session has */
    bool of_file;
    const char *uv; /* its path, or NULL */
    enum fetch_builds builds;
};

/*
 * Everything that an answer depends on. It may hold credentials (index settings): never to be shown. The caller frees.
 */
char *key_make(const struct key_parts *parts);

#endif
