/*
 * One program, or one function, in a sandbox: what a zygote does for a kernel, from a process of its own. For the
 * probe, for fetching packages, and for tests.
 */
#ifndef CELLBLOCK_SANDBOX_RUN_H
#define CELLBLOCK_SANDBOX_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sandbox/enter.h"

struct builder;
struct err;
struct sandbox;

struct run_config {
    struct enter_config enter; /* what struct sandbox has is filled in */
    char *const *argv;         /* the program, found inside; NULL: check is called instead */
    int (*check)(void);        /* returns the exit status; after the seal, so with plain system calls only */
    char *const *environment;  /* NULL: a small one of its own */
    int in, out;               /* its standard input, and its output and error; 0: those of the caller */
};

/* One that runs. */
struct run {
    pid_t pid;  /* of the process that waits for it */
    int report; /* readable when it has ended; owned */
};

/* The caller must run_wait, when run->report is readable or before. */
int run_start(const struct builder *b, const struct sandbox *s, const struct run_config *config, struct run *ret,
              struct err *e);
int run_wait(struct run *run, int *ret_status, struct err *e);

/*
 * Both: 0 and the status of waitpid(2), or -errno when it could not be joined or sealed, or the program not started.
 */
int run_inside(const struct builder *b, const struct sandbox *s, const struct run_config *config, int *ret_status,
               struct err *e);

#endif
