/* The question as text: two that have the same key have the same answer, as long as the index says the same. */
#ifndef CELLBLOCK_FETCH_KEY_H
#define CELLBLOCK_FETCH_KEY_H

#include <stddef.h>

#include "fetch/fetch.h"

/*
 * A requirement in the form that is compared: its name normalised, spaces gone where they mean nothing. spec is a
 * checked requirement. The caller frees.
 */
char *key_of_spec(const char *spec);

/*
 * Everything that an answer depends on. wheels: ids of those that the session has. uv: the path of uv, or NULL. It may
 * hold credentials (index settings): never to be shown. The caller frees.
 */
char *key_make(const struct fetch_base *base, const char *const *specs, size_t n_specs, const char *const *wheels,
               size_t n_wheels, const char *uv, enum fetch_builds builds);

#endif
