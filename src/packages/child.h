/*
 * A program that is run to its end: its stdout and stderr together are kept (the last part of them when there is
 * much), stdin is /dev/null, and it leads a session of its own so that all it starts can be ended with it.
 */
#ifndef CELLBLOCK_PACKAGES_CHILD_H
#define CELLBLOCK_PACKAGES_CHILD_H

#include <stddef.h>
#include <uv.h>

struct buf;
struct child;
struct err;

struct child_params {
    char *const *argv; /* argv[0]: a path, or a name to look for on PATH */
    const char *file;  /* the program, where it is not argv[0]; else NULL */
    char *const *env;
    const char *cwd;
    int extra_fd; /* becomes its descriptor 3; -1: none. Stays the caller's, as does the next */
    int lock_fd;  /* becomes its descriptor 4: mostly a lock that holds as long as it lives, even when the server is
                     killed */
};

struct child_result {
    int exit_code; /* -1 when a signal ended it */
    int signal;
    struct buf *output;
};

struct child_ops {
    void (*line)(void *data, const char *line);                  /* a new last line of output; may be NULL */
    void (*done)(void *data, const struct child_result *result); /* once, when it is gone; then so is the child */
};

/* 0 or -errno; then done is not called. */
int child_start(uv_loop_t *loop, const struct child_params *params, const struct child_ops *ops, void *data,
                struct child **ret, struct err *e);

/* End it and all it started: SIGTERM, and SIGKILL a second later. done follows. Safe to call again. */
void child_stop(struct child *c);

#endif
