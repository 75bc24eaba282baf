/*
 * Giving up power, in a process that is about to run foreign code or to guard it. After fork: no malloc, no stdio.
 * Every step must succeed: a sandbox that is half sealed is none.
 */
#ifndef CELLBLOCK_SANDBOX_SEAL_H
#define CELLBLOCK_SANDBOX_SEAL_H

struct err;

/* Real, effective and saved user and group. */
int seal_set_ids(unsigned id, struct err *e);

/* No capability in any set, none to be gained by any exec, no_new_privs. */
int seal_privileges(struct err *e);

/*
 * The two halves of it, around a change of ids that needs a capability: after the first none can be gained, after the
 * second none is left.
 */
int seal_bounds(struct err *e);
int seal_capabilities(struct err *e);

/* The whole of it for the first process of a sandbox: it keeps the descriptor control and nothing else. */
int seal_init(int control, struct err *e);

/* The same for the guard of a sandbox without namespaces, which is without capabilities already, and outlives us. */
int seal_guard(int control, struct err *e);

/* Close every descriptor from low on, but keep. */
int seal_close_from(unsigned low, int keep, struct err *e);

#endif
