/*
 * The user namespace that sandboxes are made in. Root needs none and has user ids to give; an ordinary user becomes
 * root in a namespace of its own, which has one user. Root of a container, who may not mount, becomes root in one too,
 * and brings the ids.
 */
#ifndef CELLBLOCK_SANDBOX_OUTER_H
#define CELLBLOCK_SANDBOX_OUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define OUTER_SANDBOXES_MAX 4096

/* May this process mount and give user ids away as it is? */
bool outer_is_privileged(void);

bool outer_has_capability(int capability); /* effective, in this process */

/* May it give user ids away, and later reach files and processes of those users? e (may be NULL): what is missing. */
int outer_can_give_ids(struct err *e);

/* Enter a new one, unless privileged. One thread only. */
int outer_make(struct err *e);

/* The first of OUTER_SANDBOXES_MAX user and group ids, one for each sandbox; 0: all have the builder's. */
uint32_t outer_uid_pool(void);

/* Ranges of count user and group ids that this user namespace has and nobody is given: up to max of them. */
size_t outer_id_ranges(uint32_t count, uint32_t *ret_firsts, size_t max);

#endif
