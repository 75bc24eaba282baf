/*
 * The server's end of one zygote: a Python process that forks kernels on request (src/kernel/). It stays as long as
 * it has kernels, because they end with it.
 */
#ifndef CELLBLOCK_SESSION_ZYGOTE_H
#define CELLBLOCK_SESSION_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct box;
struct boxes;
struct err;
struct kernel;
struct zygote;

/* What the interpreter said of itself. */
struct interpreter {
    char *version, *executable, *prefix, *base_prefix, *site_packages; /* owned by the zygote */
    char *sites; /* the directories of packages on its sys.path, separated by colons */
};

struct zygote_events {
    void (*hello)(void *data, struct zygote *z);                    /* it can fork from now on */
    void (*failed)(void *data, struct zygote *z, const char *text); /* it never will, or not any more */
};

struct zygote_config {
    uv_loop_t *loop;
    const char *python, *workdir;
    const char *preload; /* NULL: a bare one */
    struct boxes *boxes; /* its kernels are isolated; NULL: local ones */
    uint64_t server;     /* for the marks of its kernels */
    const struct zygote_events *events;
    void *data;
};

int zygote_start(const struct zygote_config *config, struct zygote **ret, struct err *e);
const struct interpreter *zygote_interpreter(const struct zygote *z); /* NULL before hello */

/*
 * A new kernel, which can be sent frames at once; the fork follows. In box, where kernels are isolated; alone: what an
 * earlier kernel left there is ended first.
 */
int zygote_fork(struct zygote *z, struct box *box, bool alone, struct kernel **ret, struct err *e);

/* For kernel_free: the kernel is not to be spoken of any more. */
void zygote_release(struct zygote *z, struct kernel *k);

/* No further kernels: it ends, and its memory goes, when it has none left. No event follows. */
void zygote_retire(struct zygote *z);

#endif
