/* Requests to mount something into a running sandbox that the builder has not answered yet. Used by boxes.c. */
#ifndef CELLBLOCK_SESSION_BOX_MOUNTS_H
#define CELLBLOCK_SESSION_BOX_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "session/boxes.h"

struct box_mounts {
    uv_loop_t *loop;
    struct box_mount_wait *first; /* in the order of the requests */
    uv_timer_t *timer;            /* NULL: nothing has failed yet */
};

/* Remember who asked for a mount into the sandbox of this number; answers come in the order of requests. */
void box_mounts_add(struct box_mounts *all, uint32_t id, const struct box *box, box_mounted_cb done, void *data);

/* An answer for the sandbox of this number, e NULL: it worked. false: nobody has asked, it is about something else. */
bool box_mounts_answer(struct box_mounts *all, uint32_t id, const struct err *e);

/* That box has ended: its answer may still come, nobody is told. */
void box_mounts_forget(struct box_mounts *all, const struct box *box);

/* There will be no answers any more. Who waits is told later, because whoever finds out may be anywhere. */
void box_mounts_fail(struct box_mounts *all, const char *text);

/* The same, and nobody is told. */
void box_mounts_free(struct box_mounts *all);

#endif
