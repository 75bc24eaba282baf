/*
 * The fetch sandbox: it has the network of this machine, the interpreter, and index settings, can write to one
 * directory of the store and to the installers' cache, and sees nothing else. Each run has a sandbox of its own, which
 * has ended with everything in it when box_run returns: then nobody is left who could change what it wrote.
 */
#ifndef CELLBLOCK_FETCH_BOX_H
#define CELLBLOCK_FETCH_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "sandbox/build.h"
#include "sandbox/plan.h"

struct err;
struct words;

struct box {
    struct builder builder;
    bool running;
    enum sandbox_tier tier; /* what the next sandbox is tried with */
    struct buf filter;
    bool has_user;
    uint32_t user; /* of the first sandbox, and so of all */
};

#define BOX_INIT                                                                                                       \
    {                                                                                                                  \
        BUILDER_INIT, false, TIER_FULL, BUF_INIT, false, 0                                                             \
    }

struct box_run {
    const struct sandbox_mount *mounts; /* read-only and writable; those of the interpreter too */
    size_t n_mounts;
    const char *cwd;
    char *const *argv;
    char *const *environment;
    /* Once the sandbox is there: user is the owner that its files are to have, or -1 when it is the caller itself. */
    int (*prepare)(void *data, uid_t user, struct err *e);
    void (*line)(void *data, const char *line); /* a line of its output, as it is */
    void *data;
};

/* The builder. -errno and e: no sandbox can be had. */
int box_open(struct box *box, struct err *e);
void box_close(struct box *box);

/*
 * Run a program to its end. 0, its status (waitpid(2)) and its output (the last part of it, if it is long); or -errno
 * and e, when it did not come to that.
 */
int box_run(struct box *box, const struct box_run *run, struct buf *ret_output, int *ret_status, struct err *e);

#endif
