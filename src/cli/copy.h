/*
 * Copying files between a session and the rest of the machine. The session's side may be changed by hostile code all
 * the while: nothing is followed there (openat2(2)), only regular files are opened, no more is read than a file had in
 * the beginning, holes stay holes, and no special bits are taken over.
 */
#ifndef CELLBLOCK_CLI_COPY_H
#define CELLBLOCK_CLI_COPY_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* From where fd from stands to its end, and to is cut there when it is a regular file. */
int copy_bytes(int from, int to, struct err *e);

struct copy_report {
    size_t files, left_out; /* symbolic links and special files */
    size_t failed;          /* told on stderr, each */
};

struct copy_tree {
    int from, to;     /* directories, to be read */
    bool give;        /* as root: what is made belongs to whom its directory belongs to */
    const char *skip; /* a name at the top that is left alone, or NULL */
};

/* What is in one directory into the other, which keeps what it has. Goes on after a failure, and counts it. */
void copy_tree(const struct copy_tree *tree, struct copy_report *report);

/* A name for a terminal: no control characters, cut at 120 bytes. ret has COPY_SHOWN bytes. */
#define COPY_SHOWN 128
const char *copy_shown(const char *name, char *ret);

#endif
