/*
 * Interpreters, and kernels kept ready. Two zygotes of the same Python: a bare one that can fork after some 30 ms, and
 * a warm one that imports what sessions are likely to need first; the bare one serves until the warm one is there.
 */
#ifndef CELLBLOCK_SESSION_POOL_H
#define CELLBLOCK_SESSION_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct box;
struct boxes;
struct err;
struct kernel;
struct pool;

struct pool_config {
    uv_loop_t *loop;
    const char *workdir;
    const char *python;                /* NULL: the .venv's below workdir, else python3 */
    const char *preload;               /* NULL: the default modules; "": no warm zygote */
    size_t spare;                      /* kernels kept ready */
    uint64_t server;                   /* for marks */
    const struct isolation *isolation; /* kernels are isolated; NULL: local ones */
    /* The interpreter is to be made first: called when one is needed, pool_prepared has to follow. NULL: it is there.
     */
    void (*prepare)(void *data);
    void *data;
};

/* e: no sandbox can be made here (boxes.h). */
int pool_new(const struct pool_config *config, struct pool **ret, struct err *e);
void pool_free(struct pool *pool); /* ends every interpreter */

/* Start the interpreters if they are not there; safe to call again. */
void pool_start(struct pool *pool);

struct pool_wait; /* somebody who waits for a kernel */

/*
 * One kernel, now (then the return value is NULL and done was called) or later. k is NULL when there is none to be
 * had: text says why and what to do. Of isolated ones the taker owns k->box too; box: a new kernel in that one, which
 * is what follows when a kernel has died. bare: nothing may be imported in it already.
 */
typedef void (*pool_cb)(void *data, struct kernel *k, const char *text);
struct pool_wait *pool_take(struct pool *pool, struct box *box, bool bare, pool_cb done, void *data);
void pool_forget(struct pool_wait *wait); /* done will not be called */

/* A sandbox was found gone: look whether all are, before another is taken. */
void pool_check(struct pool *pool);

const struct boxes *pool_boxes(const struct pool *pool); /* NULL: local */

/* For sandboxes into which nothing can be mounted (boxes_show_packages); before the first pool_start. */
void pool_show_packages(struct pool *pool, const char *directory);

/* The answer to prepare: python NULL and why there is none, else what config was not known to have. */
void pool_prepared(struct pool *pool, const char *python, const char *preload, const char *why);

/* Packages changed: sessions from now on come from new interpreters; a .venv that was made is used. */
void pool_renew(struct pool *pool);

#endif
