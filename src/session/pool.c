#include "session/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "session/boxes.h"
#include "session/kernel.h"
#include "session/pool_impl.h"
#include "session/zygote.h"

/* src/kernel/py/warm.py knows which those are. */
#define PRELOAD "default"

static const struct zygote_events events;

/* ---- interpreters ---- */

static char *find_python(const struct pool *pool)
{
    char *venv;

    if (pool->config.python)
        return xstrdup(pool->config.python);
    if (pool->boxes) /* what lies in the working directory is not trusted more than the code is */
        return xstrdup("python3");
    venv = xasprintf("%s/.venv/bin/python", pool->config.workdir);
    if (access(venv, X_OK) == 0)
        return venv;
    free(venv);
    return xstrdup("python3");
}

static struct zygote *start_one(struct pool *pool, const char *python, const char *preload, struct err *e)
{
    struct zygote *z = NULL;
    struct zygote_config config = {
        .loop = pool->config.loop,
        .python = python,
        .workdir = pool->config.workdir,
        .preload = preload,
        .server = pool->config.server,
        .boxes = pool->boxes,
        .events = &events,
        .data = pool,
    };

    return zygote_start(&config, &z, e) < 0 ? NULL : z;
}

static void answer_all(struct pool *pool, const char *text);

void pool_start(struct pool *pool)
{
    struct err e = ERR_INIT;
    autofree char *python = NULL;

    if (pool->bare || pool->warm || pool->preparing)
        return;
    if (pool->config.prepare) {
        pool->preparing = true;
        pool->config.prepare(pool->config.data);
        return;
    }
    python = find_python(pool);
    pool->bare = start_one(pool, python, NULL, &e);
    if (!pool->bare)
        answer_all(pool, e.text);
}

/* Once the bare one can serve: it should not have to share a core, and it knows what a shim stands for. */
static void start_warm(struct pool *pool)
{
    const char *preload = pool->config.preload ? pool->config.preload : PRELOAD;
    struct err e = ERR_INIT;

    if (!*preload)
        return;
    pool->warm = start_one(pool, zygote_interpreter(pool->bare)->executable, preload, &e);
    if (!pool->warm)
        log_warn("sessions start without preloaded modules: %s", e.text);
}

static bool can_fork(const struct zygote *z)
{
    return z && zygote_interpreter(z);
}

struct zygote *pool_best(const struct pool *pool)
{
    return can_fork(pool->warm) ? pool->warm : can_fork(pool->bare) ? pool->bare : NULL;
}

/* The bare one went when the warm one came. NULL: it is on its way again. */
static struct zygote *bare_again(struct pool *pool)
{
    struct err e = ERR_INIT;

    if (!pool->bare && can_fork(pool->warm)) {
        pool->bare = start_one(pool, zygote_interpreter(pool->warm)->executable, NULL, &e);
        if (!pool->bare)
            log_warn("a Python without preloaded modules: %s", e.text);
    }
    return can_fork(pool->bare) ? pool->bare : NULL;
}

/* ---- taking ---- */

static void answer_first(struct pool *pool, struct kernel *k, const char *text)
{
    struct pool_wait *wait = pool->first;

    pool->first = wait->next;
    pool->n_waiting--;
    if (!pool->first)
        pool->last = &pool->first;
    wait->done(wait->data, k, text);
    free(wait);
}

static void answer_all(struct pool *pool, const char *text)
{
    struct pool_wait *most = NULL;

    /* Those who ask again while being answered wait for the next attempt. */
    for (most = pool->first; most && most->next; most = most->next)
        ;
    while (pool->first) {
        bool is_last = pool->first == most;

        answer_first(pool, NULL, text);
        if (is_last)
            break;
    }
}

/* For the first who waits. false: not yet. k is NULL when there will be none, for the reason in e. */
static bool make_kernel(struct pool *pool, struct zygote *z, struct kernel **ret, struct err *e)
{
    struct box *own = pool->first->box, *box = own;

    *ret = NULL;
    if (!own && !pool->first->bare && pool->n_spare) {
        *ret = pool->spare[--pool->n_spare];
        return true;
    }
    if (!own && !pool_take_place(pool, &box)) {
        boxes_want(pool->boxes, pool->n_waiting);
        if (!boxes_error(pool->boxes))
            return false;
        (void)err_set(e, EAGAIN, "%s", boxes_error(pool->boxes));
        return true;
    }
    if ((own ? zygote_fork(z, box, true, ret, e) : pool_fork(pool, z, box, ret, e)) < 0) {
        *ret = NULL;
        if (!own)
            box_end(box);
    }
    return true;
}

static void serve(struct pool *pool)
{
    /* The builder was lost and started anew: zygotes can enter the sandboxes of the old one only. */
    if (pool->boxes && pool->first)
        boxes_check(pool->boxes);
    if (pool->boxes && pool->generation != boxes_generation(pool->boxes)) {
        boxes_want(pool->boxes, pool->n_waiting + 1); /* the zygotes are told of a builder that is there */
        pool->generation = boxes_generation(pool->boxes);
        pool_renew(pool);
    }
    while (pool->first) {
        struct zygote *z = pool->first->bare ? bare_again(pool) : pool_best(pool);
        struct err e = ERR_INIT;
        struct kernel *k;

        if (!z || !make_kernel(pool, z, &k, &e))
            return;
        answer_first(pool, k, e.text);
    }
    if (pool_best(pool))
        pool_want_spares(pool);
}

struct pool_wait *pool_take(struct pool *pool, struct box *box, bool bare, pool_cb done, void *data)
{
    struct pool_wait *wait = xnew(struct pool_wait);

    wait->pool = pool;
    wait->box = box;
    wait->bare = bare;
    wait->done = done;
    wait->data = data;
    *pool->last = wait;
    pool->last = &wait->next;
    pool->n_waiting++;
    pool_start(pool);
    serve(pool);
    for (struct pool_wait *w = pool->first; w; w = w->next)
        if (w == wait)
            return wait;
    return NULL;
}

void pool_forget(struct pool_wait *wait)
{
    struct pool_wait **at;

    if (!wait)
        return;
    at = &wait->pool->first;
    while (*at && *at != wait)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = wait->next;
    if (wait->pool->last == &wait->next)
        wait->pool->last = at;
    wait->pool->n_waiting--;
    free(wait);
}

/* ---- events of zygotes ---- */

static void on_hello(void *data, struct zygote *z)
{
    struct pool *pool = data;
    struct err e = ERR_INIT;

    if (pool->boxes && boxes_set_interpreter(pool->boxes, zygote_interpreter(z), &e) < 0) {
        answer_all(pool, e.text);
        return;
    }
    if (z == pool->warm) {
        /* Kernels that were forked from the bare one keep it; it takes no more. */
        zygote_retire(pool->bare);
        pool->bare = NULL;
    }
    serve(pool); /* who waits comes first */
    if (z == pool->bare && !pool->warm)
        start_warm(pool);
    pool_want_spares(pool);
}

static void on_failed(void *data, struct zygote *z, const char *text)
{
    struct pool *pool = data;
    autofree char *why = xstrdup(text); /* it belongs to z, which goes */

    pool_drop_spares(pool);
    if (z == pool->warm) {
        pool->warm = NULL;
        zygote_retire(z);
        log_warn("preloading failed, sessions start without: %s", why);
        if (!pool->bare && pool->first)
            pool_start(pool);
        return;
    }
    if (z != pool->bare)
        return;
    pool->bare = NULL;
    zygote_retire(z);
    if (!can_fork(pool->warm)) {
        zygote_retire(pool->warm); /* the same Python */
        pool->warm = NULL;
    }
    for (struct pool_wait *wait = pool->first; wait && pool->warm; wait = wait->next)
        wait->bare = false; /* better than none */
    log_debug("python: %s", why);
    if (!pool->warm)
        answer_all(pool, why);
    else
        serve(pool);
}

static const struct zygote_events events = {on_hello, on_failed};

/* ---- life ---- */

static void on_boxes_changed(void *data)
{
    struct pool *pool = data;

    if (boxes_error(pool->boxes)) { /* who asks next tries again */
        autofree char *why = xstrdup(boxes_error(pool->boxes));

        pool_drop_spares(pool);
        answer_all(pool, why);
        return;
    }
    serve(pool);
}

void pool_check(struct pool *pool)
{
    boxes_check(pool->boxes);
}

const struct boxes *pool_boxes(const struct pool *pool)
{
    return pool->boxes;
}

void pool_prepared(struct pool *pool, const char *python, const char *preload, const char *why)
{
    pool->preparing = false;
    if (!python) {
        answer_all(pool, why);
        return;
    }
    pool->config.prepare = NULL;
    free((char *)pool->config.python);
    free((char *)pool->config.preload);
    pool->config.python = xstrdup(python);
    pool->config.preload = xstrdup(preload);
    pool_start(pool);
}

void pool_show_packages(struct pool *pool, const char *directory)
{
    boxes_show_packages(pool->boxes, directory);
}

int pool_new(const struct pool_config *config, struct pool **ret, struct err *e)
{
    struct pool *pool = xnew(struct pool);
    struct boxes_config boxes = {
        .loop = config->loop,
        .isolation = config->isolation,
        .ready = config->spare ? LIMIT_BOXES_READY : 0,
        .changed = on_boxes_changed,
        .begun = pool_on_begun,
        .dropped = pool_on_dropped,
        .data = pool,
    };

    if (config->isolation && boxes_new(&boxes, &pool->boxes, e) < 0) {
        free(pool);
        return -e->code;
    }
    pool->generation = pool->boxes ? boxes_generation(pool->boxes) : 0;
    pool->config = *config;
    pool->config.workdir = xstrdup(config->workdir);
    pool->config.python = xstrdup(config->python);
    pool->config.preload = xstrdup(config->preload);
    pool->last = &pool->first;
    pool->spare_timer = xnew(uv_timer_t);
    (void)uv_timer_init(config->loop, pool->spare_timer);
    pool->spare_timer->data = pool;
    *ret = pool;
    return 0;
}

static void retire_both(struct pool *pool)
{
    pool_drop_spares(pool);
    zygote_retire(pool->bare);
    zygote_retire(pool->warm);
    pool->bare = pool->warm = NULL;
}

void pool_renew(struct pool *pool)
{
    retire_both(pool);
    pool_start(pool);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    answer_all(pool, "the server is ending");
    retire_both(pool);
    boxes_free(pool->boxes);
    uv_close((uv_handle_t *)pool->spare_timer, on_timer_closed);
    free((char *)pool->config.workdir);
    free((char *)pool->config.python);
    free((char *)pool->config.preload);
    free(pool);
}
