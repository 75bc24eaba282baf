/*
 * The fetch sandbox: it has the network of this machine, the interpreter, and index settings, can write to one
 * directory of the store and to the installers' cache, and sees nothing else. And the build sandbox, in which code of
 * packages runs: it has no network, unless that was asked for, and can write to its own directories only, which are of
 * a limited size and go with it. Each run has a sandbox of its own, which has ended with everything in it when box_run
 * returns: then nobody is left who could change what it wrote.
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

enum box_kind { BOX_FETCH, BOX_BUILD, BOX_BUILD_NETWORK, BOX_KINDS };

/* One for all kinds: control groups are named by who has the builder. */
struct box {
    struct builder builder;
    bool running;
    enum sandbox_tier tier;        /* what the next sandbox is tried with */
    struct buf filters[BOX_KINDS]; /* empty: not compiled yet */
    bool has_user;
    uint32_t user; /* of the first sandbox, and so of all that fetch, and of none that builds */
};

#define BOX_INIT                                                                                                       \
    {                                                                                                                  \
        BUILDER_INIT, false, TIER_FULL, {BUF_INIT, BUF_INIT, BUF_INIT}, false, 0                                       \
    }

struct box_run {
    enum box_kind kind;
    const struct sandbox_mount *mounts; /* read-only and writable; those of the interpreter too */
    size_t n_mounts;
    const char *cwd; /* NULL: the sandbox's own directory */
    char *const *argv;
    char *const *environment;
    /* Once the sandbox is there: user is the owner that its files are to have, or -1 when it is the caller itself.
     * NULL: nothing is to be done. */
    int (*prepare)(void *data, uid_t user, struct err *e);
    /* After a program that ended well, before the sandbox ends: to copy what it left in its own directory (O_PATH).
     * Others of it may still run, and change what is being read. NULL: nothing is wanted. */
    int (*take)(void *data, int directory, struct err *e);
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
