/*
 * Sandboxes without namespaces, as in a container that grants none: what keeps them apart is a user id of their own,
 * Landlock and seccomp. Each has two ids and a guard, which takes the place of a first process: its end means that no
 * process and no file of the sandbox is left. It runs no foreign code.
 *
 * The guard's effective user is the sandbox's, so kill(-1) of it reaches all processes of the sandbox and nobody
 * else; its real and saved one are its own, so none of them reaches it (kill(2)).
 */
#ifndef CELLBLOCK_SANDBOX_GUARD_H
#define CELLBLOCK_SANDBOX_GUARD_H

#include <stdint.h>
#include <sys/types.h>

#include "sandbox/home.h"

struct err;
struct plan;
struct steps_context;

/* Of one sandbox. */
struct guard {
    unsigned user, self; /* the ids of the code and of its guard */
    char home[HOME_PATH_MAX];
};

/* The ids that this builder may use and the directory for homes; no other builder on this machine has the same. */
struct guards {
    uint32_t first; /* of 2 * GUARDS_MAX ids */
    char base[HOME_PATH_MAX / 2];
    int lock; /* owned; the directory */
};

#define GUARDS_MAX 2048
#define GUARDS_INIT                                                                                                    \
    {                                                                                                                  \
        0, "", -1                                                                                                      \
    }

/*
 * Claim a range of ids that this process's user namespace has, end what an earlier builder left there. -EPERM: the
 * capabilities that are needed are missing; e says which.
 */
int guards_open(struct guards *g, struct err *e);
void guards_close(struct guards *g); /* when all homes are gone */

void guards_get(const struct guards *g, unsigned number, struct guard *ret);

/* In a child of the builder: carry out the plan, then watch until the builder closes its end. */
_Noreturn void guard_run(const struct plan *plan, const struct steps_context *context);

/* STEP_IDENTITY: become the guard, without capabilities. */
int guard_become(const struct guard *guard, struct err *e);

/* In a child of the builder: only the end, where a guard has not done it itself. Exits with 0 when nothing is left. */
_Noreturn void guard_sweep(const struct guard *guard);

#endif
