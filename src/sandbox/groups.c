#include "sandbox/groups.h"

#include <errno.h>

#include "base/err.h"

static bool are_same(const struct cgroup_limits *a, const struct cgroup_limits *b)
{
    return a->memory_bytes == b->memory_bytes && a->processes == b->processes;
}

static void drop(struct groups *groups)
{
    while (groups->n > 0)
        (void)cgroup_remove(&groups->place, groups->kept[--groups->n], 0, NULL);
}

int groups_take(struct groups *groups, const struct cgroup_limits *limits, struct cgroup *ret, struct err *e)
{
    if (groups->place.version == 0)
        return 0;
    if (!are_same(limits, &groups->limits)) { /* those in use have others: they are not kept later */
        drop(groups);
        groups->limits = *limits;
        groups->first = groups->last + 1;
    }
    if (groups->n > 0 && cgroup_open(&groups->place, groups->kept[--groups->n], ret, NULL) == 0)
        return 0;
    return cgroup_make(&groups->place, ++groups->last, limits, ret, e);
}

void groups_keep_one(struct groups *groups)
{
    struct cgroup made = CGROUP_INIT;

    if (groups->place.version == 0 || groups->n > 0 || groups_take(groups, &groups->limits, &made, NULL) < 0)
        return;
    groups->kept[groups->n++] = made.id;
    cgroup_close(&made);
}

int groups_give(struct groups *groups, uint32_t id)
{
    if (id == 0)
        return 0;
    if (id >= groups->first && groups->n < GROUPS_KEPT && cgroup_is_clean(&groups->place, id)) {
        groups->kept[groups->n++] = id;
        return 0;
    }
    return cgroup_remove(&groups->place, id, 0, NULL) == -EBUSY ? -EBUSY : 0;
}
