/*
 * Directories and files of this machine that index settings name: local indexes, directories with wheels, certificates,
 * constraints. Found by how they are written (a path that begins with a slash, a file: URL), not by parsing each
 * format.
 */
#ifndef CELLBLOCK_FETCH_PLACES_H
#define CELLBLOCK_FETCH_PLACES_H

#include <stdbool.h>

struct words;

#define PLACES_MAX 64

/* Add what the value of a variable names, each once, if it exists and may be shown (place_may_be_shown). */
void places_of_value(const char *value, struct words *ret);

/* The same for a pip.conf or uv.toml: of the settings that mean such places. text may be NULL. */
void places_of_file(const char *text, struct words *ret);

/* Not what would show more than was meant: the whole machine, a person's whole home, the sandbox's own directories. */
bool place_may_be_shown(const char *path);

#endif
