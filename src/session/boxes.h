/*
 * The sandboxes of isolated sessions: the builder that makes them, some kept ready, how kernels enter them. One
 * sandbox (a box) belongs to one session, from its first kernel to its end; kernels in it may die and be replaced.
 */
#ifndef CELLBLOCK_SESSION_BOXES_H
#define CELLBLOCK_SESSION_BOXES_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "sandbox/build.h"
#include "session/isolation.h"

struct box;
struct boxes;
struct buf;
struct err;
struct interpreter;

struct boxes_config {
    uv_loop_t *loop;
    const struct isolation *isolation; /* outlives the boxes */
    size_t ready;                      /* sandboxes kept ready, beyond those of kernels that are kept ready */
    void (*changed)(void *data);       /* a box is ready, or none can be made: boxes_error tells why */
    /*
     * One that is waited for has begun: kernels can be forked into it, and will wait in there. It is the caller's when
     * boxes_take returns it; if it cannot be finished, it is dropped.
     */
    void (*begun)(void *data, struct box *box);
    void (*dropped)(void *data, struct box *box);
    void *data;
};

/*
 * Start the builder and make a sandbox on trial. e: no sandbox can be had here, or none of the level that is required,
 * with what to do about it. Blocks for some milliseconds.
 */
int boxes_new(const struct boxes_config *config, struct boxes **ret, struct err *e);
void boxes_free(struct boxes *all); /* ends every sandbox */

/* What this machine granted. */
const struct isolation_level *boxes_level(const struct boxes *all);

/* Bytes that all processes of a session may use together. */
uint64_t boxes_memory(const struct boxes *all);

/*
 * Where nothing can be mounted into a running sandbox, all of them can read this directory, where it is; its own rights
 * are to keep them from listing it. Before boxes_set_interpreter. Where it can, this does nothing.
 */
void boxes_show_packages(struct boxes *all, const char *directory);

/* Sandboxes from now on show this interpreter and its packages; the first call makes the first ones. */
int boxes_set_interpreter(struct boxes *all, const struct interpreter *python, struct err *e);

/* What a zygote has to be told once before it can fork into boxes (wire.h, ZY_ISOLATE), and the descriptor to send. */
const struct buf *boxes_entering(const struct boxes *all);
int boxes_userns(const struct boxes *all); /* -1: none */

/* Changes when the builder was lost and started anew: zygotes that were told of the old one cannot enter any more. */
unsigned boxes_generation(const struct boxes *all);

/* The environment of code in sandboxes, NAME=VALUE, ended by NULL. */
char *const *boxes_environment(const struct boxes *all);

/*
 * One that is ready, or NULL: say with boxes_want how many are waited for, then look at boxes_error; changed is called
 * for each that is made, and when one cannot be made after all.
 * The caller owns it: box_end. boxes_free is for when none is in use any more.
 */
struct box *boxes_take(struct boxes *all);
void boxes_want(struct boxes *all, size_t n);

/* Look now whether the builder is still there: who finds a sandbox gone should not be given others that are going. */
void boxes_check(struct boxes *all);

/* Why none can be made, or NULL. Forgotten by the next boxes_take. */
const char *boxes_error(const struct boxes *all);

const struct sandbox *box_sandbox(const struct box *box);
/* Its directory as code in it names it. NULL: the one that most have. */
const char *box_workspace(const struct box *box);
bool box_alive(const struct box *box); /* false: everything in it is gone, its files too */

/* How many processes the kernel has ended in it because its memory was out; 0 where nothing counts them. */
uint64_t box_memory_kills(const struct box *box);

/*
 * Show a directory of the host, read-only and over what was shown there before, at SANDBOX_PACKAGES of a box that
 * lives. done: once, never from within; e is NULL when it is there. Not any more after box_end. Without namespaces
 * (box_plain) nothing can be mounted: -ENOTSUP.
 */
typedef void (*box_mounted_cb)(void *data, const struct err *e);
int box_mount(struct box *box, const char *directory, box_mounted_cb done, void *data, struct err *e);
bool box_plain(const struct box *box);

void box_end(struct box *box); /* NULL is fine */

#endif
