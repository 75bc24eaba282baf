/*
 * Which isolation this machine grants, found out by doing: a sandbox is made, entered and tested from inside.
 */
#ifndef CELLBLOCK_SANDBOX_PROBE_H
#define CELLBLOCK_SANDBOX_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox/plan.h"

#define PROBE_FEATURES_MAX 12

enum probe_state { PROBE_OK, PROBE_LIMITED, PROBE_MISSING, PROBE_STATE_MAX };

struct probe_feature {
    const char *name;
    enum probe_state state;
    char detail[200]; /* what was found */
    char remedy[400]; /* what to do about it; empty when nothing */
};

struct probe {
    enum sandbox_tier tier;
    int64_t make_us; /* to make one sandbox, 0 when none could be made */
    size_t n;
    struct probe_feature features[PROBE_FEATURES_MAX];
};

void probe_run(struct probe *ret);

const char *tier_name(enum sandbox_tier tier);
const char *probe_state_name(enum probe_state state);

#endif
