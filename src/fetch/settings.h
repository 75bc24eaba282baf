/*
 * What a person has set for uv and pip, on the machine, in their home directory and in the server's environment, made
 * to work in a sandbox in which none of these places exists: variables, copies of files, and what has to be shown. The
 * working directory's own files are not looked at: code may have written them.
 */
#ifndef CELLBLOCK_FETCH_SETTINGS_H
#define CELLBLOCK_FETCH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "packages/words.h"

struct buf;
struct err;

/* The variables and, with sizes and times, the files that an answer depends on: one line each. */
void settings_describe(const char *prefix, bool uv, struct buf *out);

struct settings {
    struct words env;   /* for the program in the sandbox */
    struct words shown; /* directories and files to be shown where they are, read-only */
    bool no_index;      /* pip's no-index, for uv */
};

/*
 * dir: a directory to which files are copied: it becomes HOME. prefix: of the environment whose pip.conf counts. Files
 * that do not exist are left out.
 */
void settings_make(const char *dir, const char *prefix, bool uv, struct settings *ret);
void settings_fini(struct settings *s);

/* The copies become readable for this user and for nobody else. */
int settings_give(const char *dir, uid_t user, struct err *e);

#endif
