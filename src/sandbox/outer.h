/*
 * The user namespace that sandboxes are made in. Root needs none and has user ids to give; an ordinary user becomes
 * root in a namespace of its own, which has one user.
 */
#ifndef CELLBLOCK_SANDBOX_OUTER_H
#define CELLBLOCK_SANDBOX_OUTER_H

#include <stdbool.h>
#include <stdint.h>

struct err;

#define OUTER_SANDBOXES_MAX 4096

/* May this process mount and give user ids away as it is? */
bool outer_is_privileged(void);

/* Enter a new one, unless privileged. One thread only. */
int outer_make(struct err *e);

/* The first of OUTER_SANDBOXES_MAX user and group ids, one for each sandbox; 0: all have the builder's. */
uint32_t outer_uid_pool(void);

#endif
