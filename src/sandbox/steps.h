/* Carrying out a plan, in the first process of a sandbox. */
#ifndef CELLBLOCK_SANDBOX_STEPS_H
#define CELLBLOCK_SANDBOX_STEPS_H

#include <sys/types.h>

struct err;
struct guard;
struct plan;

struct steps_context {
    int control;               /* to the builder, kept by STEP_SEAL */
    int host_proc_user;        /* /proc/sys/user of the host, for STEP_NESTING; -1: none */
    unsigned owner;            /* of the writable directories, as seen outside: the user inside */
    const struct guard *guard; /* where there are no namespaces */
    int mounts;                /* a template to start with (template.h), -1: none; */
    int net;                   /* a network namespace to enter (nets.h), -1: the builder's */
    size_t done;               /* so many steps are done in it */
};

/* All steps in order, but for the first ones; an error text names the step. */
int steps_run(const struct plan *plan, size_t done, const struct steps_context *context, struct err *e);

/* STEP_LOOPBACK, in the network namespace of the caller. */
int steps_loopback_up(struct err *e);

/* Asks the builder to write the maps of the user namespace that was made, and waits (init.c). */
int steps_ask_for_maps(int control, struct err *e);

#endif
