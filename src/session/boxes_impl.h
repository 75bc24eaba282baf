/* Inside of boxes: what boxes.c, boxes_plan.c and boxes_start.c share. */
#ifndef CELLBLOCK_SESSION_BOXES_IMPL_H
#define CELLBLOCK_SESSION_BOXES_IMPL_H

#include "base/buf.h"
#include "sandbox/build.h"
#include "sandbox/plan.h"
#include "session/box_mounts.h"
#include "session/boxes.h"

struct box {
    struct boxes *all;
    struct box *next; /* among the ready ones */
    struct sandbox sandbox;
    unsigned generation;
    char *workspace; /* NULL: SANDBOX_WORKSPACE */
};

struct boxes {
    struct boxes_config config;
    struct isolation_level level;
    struct builder builder;
    bool running;
    bool plain;          /* sandboxes have no namespaces */
    unsigned generation; /* of the builder: sandboxes of an earlier one are gone */
    uv_poll_t *poll;     /* on the builder's socket; NULL while none runs */
    char *packages;      /* what plain ones may read besides */
    bool has_plan;
    struct plan plan;
    struct buf entering;
    char **environment;
    struct box *ready, **last; /* the oldest first */
    struct box *begun;         /* the one that is being made, if it was told; the builder makes one at a time */
    size_t n_ready, n_making;
    size_t wanted; /* by those who wait now */
    struct box_mounts mounts;
    unsigned n_lost; /* builders, since the last sandbox was made */
    bool asking;     /* in boxes_want, whose caller looks at the error itself */
    char *error;
};

/* ---- boxes.c ---- */

int boxes_start_builder(struct boxes *all, struct err *e);
int boxes_start_polling(struct boxes *all); /* 0 or what uv says */

/* ---- boxes_start.c ---- */

/* Find the best level that there is here, with a builder for it. 0, or -errno and e. */
int boxes_start(struct boxes *all, struct err *e);

/* ---- boxes_plan.c ---- */

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
