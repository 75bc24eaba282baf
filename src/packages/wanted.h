/* The file of --packages: what an environment is to have, as requirements.txt or as pyproject.toml tell it. */
#ifndef CELLBLOCK_PACKAGES_WANTED_H
#define CELLBLOCK_PACKAGES_WANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "packages/words.h"

struct err;

#define WANTED_MAX 1000         /* requirements of one file */
#define WANTED_HASHES_MAX 30000 /* of all of them: some list sixty files of one package */

struct wanted {
    struct words specs;  /* each checked (requirement_check) */
    struct words hashes; /* "name sha256", the name normalised: files that may be used for it. None: any */
};

#define autowanted __attribute__((cleanup(wanted_fini)))

void wanted_fini(struct wanted *w);

/* By its name: a pyproject.toml, which Python has to read (wanted_project_code). */
bool wanted_is_project(const char *path);

/*
 * The requirements of a requirements.txt: comments, continued lines, -r and --hash are understood, other options are
 * not. With one hash all need one, and == with a version (pip's documentation, "Secure installs"); the one in the
 * address of a file counts too. -errno and e, with file and line.
 */
int wanted_read(const char *path, struct wanted *ret, struct err *e);

/* For python -c, with the file's name: writes what wanted_take reads, or why not to stderr. Python 3.11 or later. */
extern const char wanted_project_code[];
int wanted_take(const char *path, const char *output, size_t size, struct wanted *ret, struct err *e);

#endif
