/* Kernels that nobody uses yet: those kept ready, and the one that waits for its sandbox. */
#include "base/err.h"
#include "base/log.h"
#include "session/pool_impl.h"

static void spare_gone(void *data);

static void spare_frame(void *data, const struct wire_frame *frame)
{
    (void)data;
    (void)frame; /* READY */
}

static void spare_output(void *data, const char *bytes, size_t size)
{
    (void)data;
    (void)bytes;
    (void)size;
}

static const struct kernel_events spare_events = {spare_frame, spare_output, spare_gone};

/* ---- kernels that are forked while their sandbox is being made ---- */

static void drop_early(struct pool *pool)
{
    kernel_free(pool->early);
    pool->early = NULL;
}

void pool_on_begun(void *data, struct box *box)
{
    struct pool *pool = data;
    struct zygote *z = pool_best(pool);

    drop_early(pool);
    /* That it fails is told when the sandbox is there. */
    if (!z || !pool->first || pool->first->bare || zygote_fork(z, box, false, &pool->early, NULL) < 0)
        pool->early = NULL;
    else
        kernel_attach(pool->early, &spare_events, pool);
}

void pool_on_dropped(void *data, struct box *box)
{
    struct pool *pool = data;

    if (pool->early && pool->early->box == box)
        drop_early(pool);
}

int pool_fork(struct pool *pool, struct zygote *z, struct box *box, struct kernel **ret, struct err *e)
{
    struct kernel *early = pool->early;

    if (!early || early->box != box)
        return zygote_fork(z, box, false, ret, e);
    if (z != early->zygote) { /* it may still be on its way to its end */
        drop_early(pool);
        return zygote_fork(z, box, true, ret, e);
    }
    pool->early = NULL;
    *ret = early;
    return 0;
}

/* ---- kernels kept ready ---- */

static void free_spare(struct kernel *k)
{
    struct box *box = k->box;

    kernel_free(k);
    box_end(box);
}

void pool_drop_spares(struct pool *pool)
{
    while (pool->n_spare)
        free_spare(pool->spare[--pool->n_spare]);
    drop_early(pool);
}

/* A place for a new kernel. false: there is none yet, boxes_changed will be called, or never (boxes_error). */
bool pool_take_place(struct pool *pool, struct box **ret)
{
    *ret = pool->boxes ? boxes_take(pool->boxes) : NULL;
    return !pool->boxes || *ret;
}

static void on_spare_timer(uv_timer_t *timer)
{
    struct pool *pool = timer->data;
    struct zygote *z = pool_best(pool);
    struct err e = ERR_INIT;

    /* While the warm one is on its way, a bare spare would only be in the way. */
    if (!z || (pool->warm && z != pool->warm))
        return;
    while (pool->n_spare < pool->config.spare && pool->n_spare < SPARE_MAX) {
        struct kernel *k;
        struct box *box;

        if (!pool_take_place(pool, &box)) {
            boxes_want(pool->boxes, pool->config.spare - pool->n_spare);
            return;
        }
        if (pool_fork(pool, z, box, &k, &e) < 0) {
            log_warn("no kernel in reserve: %s", e.text);
            box_end(box);
            return;
        }
        kernel_attach(k, &spare_events, pool);
        pool->spare[pool->n_spare++] = k;
    }
}

void pool_want_spares(struct pool *pool)
{
    if (pool->config.spare && !uv_is_active((uv_handle_t *)pool->spare_timer))
        (void)uv_timer_start(pool->spare_timer, on_spare_timer, 1, 0);
}

static void spare_gone(void *data)
{
    struct pool *pool = data;

    if (pool->early && pool->early->gone)
        drop_early(pool);
    for (size_t i = 0; i < pool->n_spare; i++)
        if (pool->spare[i]->gone) {
            free_spare(pool->spare[i]);
            pool->spare[i--] = pool->spare[--pool->n_spare];
        }
    /* Not replaced at once: whatever ended it might do so for ever. The next taker asks again. */
}
