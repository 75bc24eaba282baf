/* Inside of boxes: what boxes.c and boxes_plan.c share. */
#ifndef CELLBLOCK_SESSION_BOXES_IMPL_H
#define CELLBLOCK_SESSION_BOXES_IMPL_H

#include "sandbox/plan.h"
#include "session/boxes.h"

/* The plan of sandboxes that show this interpreter and packages; both may be NULL (the trial). */
int boxes_make_plan(const struct isolation *isolation, enum sandbox_tier tier, const struct interpreter *python,
                    const char *packages, struct plan *ret, struct err *e);

/* The text of ZY_ISOLATE. plan: of sandboxes without namespaces, NULL for others. */
int boxes_make_entering(const struct isolation *isolation, const struct isolation_level *level, const struct plan *plan,
                        struct buf *ret, struct err *e);

/* Freed with boxes_free_environment. */
char **boxes_make_environment(const struct isolation *isolation);
void boxes_free_environment(char **environment);

#endif
