/*
 * The keeper: a tiny process beside the server that ends what sessions left behind, and everything once the server is
 * gone, however it went. It is in a session of its own, so that what ends the server's process group spares it.
 */
#ifndef CELLBLOCK_SESSION_KEEPER_H
#define CELLBLOCK_SESSION_KEEPER_H

#include <stdint.h>

struct err;

struct keeper {
    int fd;          /* to the keeper; its closing tells that the server is gone */
    uint64_t server; /* the server's part of every mark */
    char *rundir;    /* a private directory for files of sessions, removed by the keeper; owned */
};

#define KEEPER_INIT                                                                                                    \
    {                                                                                                                  \
        -1, 0, NULL                                                                                                    \
    }

/*
 * Make the directory below TMPDIR, fork the keeper, mark this process. The keeper first removes directories of servers
 * that were killed together with their keepers.
 */
int keeper_start(struct keeper *keeper, struct err *e);

/* End what is left of a kernel, soon. */
void keeper_end_kernel(const struct keeper *keeper, uint64_t mark);

/* The server goes: what is left is ended now, and again by the keeper. */
void keeper_stop(struct keeper *keeper);

#endif
