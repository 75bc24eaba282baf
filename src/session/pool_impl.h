/* Inside of pool: what pool.c and pool_spares.c share. */
#ifndef CELLBLOCK_SESSION_POOL_IMPL_H
#define CELLBLOCK_SESSION_POOL_IMPL_H

#include "session/boxes.h"
#include "session/kernel.h"
#include "session/pool.h"
#include "session/zygote.h"

#define SPARE_MAX 8

struct pool_wait {
    struct pool_wait *next;
    struct pool *pool;
    struct box *box;
    bool bare;
    pool_cb done;
    void *data;
};

struct pool {
    struct pool_config config;
    struct boxes *boxes; /* NULL: local */
    unsigned generation; /* of the builder whose sandboxes the zygotes can enter */
    struct zygote *bare, *warm;
    struct kernel *spare[SPARE_MAX];
    size_t n_spare;
    struct kernel *early; /* forked into a sandbox that has only begun; the sandbox is not ours yet */
    struct pool_wait *first, **last;
    size_t n_waiting;
    bool preparing;
    uv_timer_t *spare_timer; /* spares are made between calls, not during them */
};

/* The one to fork from, NULL while there is none. */
struct zygote *pool_best(const struct pool *pool);

/* ---- pool_spares.c ---- */

/* A place for a new kernel. false: there is none yet, boxes_changed will be called, or never (boxes_error). */
bool pool_take_place(struct pool *pool, struct box **ret);

/* A kernel in a sandbox that was taken: the one that was forked early, if it is right, or a new one. */
int pool_fork(struct pool *pool, struct zygote *z, struct box *box, struct kernel **ret, struct err *e);

void pool_drop_spares(struct pool *pool); /* all that nobody uses yet */
void pool_want_spares(struct pool *pool); /* they are made between calls, not during them */

/* Of struct boxes_config. */
void pool_on_begun(void *data, struct box *box);
void pool_on_dropped(void *data, struct box *box);

#endif
