/*
 * Control groups of sandboxes, used again. To make and to remove one, in each hierarchy, costs as much as all that the
 * builder does besides. A group whose sandbox has ended is given to another one if it is as it was made: nobody is in
 * it, nothing was refused or ended at its limits, and next to no memory is charged to it any more. What its counters
 * say about the past (the peak of memory) is of all who were in it.
 */
#ifndef CELLBLOCK_SANDBOX_GROUPS_H
#define CELLBLOCK_SANDBOX_GROUPS_H

#include "sandbox/cgroup.h"

#define GROUPS_KEPT 4

struct groups {
    struct cgroups place; /* version 0: there are none, and nothing is made */
    struct cgroup_limits limits;
    uint32_t kept[GROUPS_KEPT]; /* with these limits */
    size_t n;
    uint32_t first, last; /* numbers: of the first one with these limits, of the newest one */
};

#define GROUPS_INIT                                                                                                    \
    {                                                                                                                  \
        CGROUPS_INIT, {0, 0}, {0}, 0, 0, 0                                                                             \
    }

/* One with these limits, which the caller closes. Its id is what groups_give wants. Without groups: id 0. */
int groups_take(struct groups *groups, const struct cgroup_limits *limits, struct cgroup *ret, struct err *e);

/* See to it that the next groups_take with the same limits has one to give, when there is time. */
void groups_keep_one(struct groups *groups);

/* Its sandbox has ended, to the last process. -EBUSY: the kernel is not done with it, to be tried again. */
int groups_give(struct groups *groups, uint32_t id);

#endif
