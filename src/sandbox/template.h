/*
 * What all sandboxes of a plan have alike, the system and the devices, is mounted once in a mount namespace that no
 * process lives in. A sandbox starts with a copy of it: copying mounts takes a tenth of what making them does.
 *
 * The files of the new root are then the same ones in all sandboxes, and read-only there, as those of /usr are. What is
 * configured (environments, shared directories) is not in it: it may be replaced by another at the same path.
 */
#ifndef CELLBLOCK_SANDBOX_TEMPLATE_H
#define CELLBLOCK_SANDBOX_TEMPLATE_H

#include <stdint.h>

#include "sandbox/plan.h"

struct steps_context;

struct template
{
    int mounts;       /* owned; the namespace, -1: none could be made */
    struct plan plan; /* the steps that are done in it */
    int64_t made_ms;  /* 0: never */
};

#define TEMPLATE_INIT                                                                                                  \
    {                                                                                                                  \
        -1, PLAN_INIT, 0                                                                                               \
    }

/*
 * In the builder: sets mounts and done of the context to a template that is right for the plan; it is at most a second
 * old, because a system changes too. Where none can be made they are left alone: the plan as a whole will fail for the
 * same reason, with a better text.
 */
void template_use(struct template *t, const struct plan *plan, struct steps_context *context);

/* In the first process of a sandbox: a copy of the template, instead of the builder's mounts. 0 or -errno. */
int template_enter(int mounts);

#endif
