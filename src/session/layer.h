/*
 * What an isolated session has installed: a set of the package store, shown read-only in its sandbox. It belongs to the
 * session, not to the sandbox or the kernel: new ones get it before they run anything.
 */
#ifndef CELLBLOCK_SESSION_LAYER_H
#define CELLBLOCK_SESSION_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/wire.h"

struct box;
struct err;
struct session;
struct store_set;

/* When it is there (e is NULL), or not: then the layer is what it was before. */
typedef void (*layer_cb)(void *data, const struct err *e);

struct layer {
    struct store_set *set;      /* owned; NULL: nothing was installed */
    const struct box *shown_in; /* only compared */
    uint64_t told;              /* mark of the kernel that knows of it */
    char *site, *executable, *prefix;
    struct store_set **earlier; /* owned; without namespaces loaded modules may come from these */
    size_t n_earlier;

    struct store_set *coming; /* owned; being shown, NULL: nothing is */
    unsigned n_failed;        /* times that they could not be shown again in a sandbox that lives */
    layer_cb done;
    void *data;
};

void layer_fini(struct layer *l);

/*
 * Make set the layer of a session. 1: done follows, not from within, unless the session is closed before; 0: it will
 * be shown to its next kernel, there is none now; -errno: not possible, set is released.
 */
int layer_change(struct session *s, struct store_set *set_take, layer_cb done, void *data, struct err *e);

/* Before a job starts in its kernel: does that know of the layer? false: session_next is called when it does. */
bool layer_ready(struct session *s);

/* Its sandbox is gone, or going. */
void layer_box_gone(struct session *s);

/* What its kernel has to look at (WIRE_REFRESH), after done. The texts belong to the layer. Returns how many. */
#define LAYER_PARTS 3
size_t layer_parts(const struct layer *l, struct wire_part parts[LAYER_PARTS]);

/* Does it have other versions of what kernels bring from their zygote? */
bool layer_overrides(const struct layer *l);

#endif
