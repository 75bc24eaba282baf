/* The file of --packages: what an environment is to have, as requirements.txt or as pyproject.toml tell it. */
#ifndef CELLBLOCK_PACKAGES_WANTED_H
#define CELLBLOCK_PACKAGES_WANTED_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct words;

#define WANTED_MAX 1000 /* requirements of one file */

/* By its name: a pyproject.toml, which Python has to read (wanted_project_code). */
bool wanted_is_project(const char *path);

/*
 * The requirements of a requirements.txt, each checked (requirement_check): comments, continued lines and -r are
 * understood, other options are not. -errno and e, with file and line.
 */
int wanted_read(const char *path, struct words *ret, struct err *e);

/* For python -c, with the file's name: writes what wanted_take reads, or why not to stderr. Python 3.11 or later. */
extern const char wanted_project_code[];
int wanted_take(const char *path, const char *output, size_t size, struct words *ret, struct err *e);

#endif
