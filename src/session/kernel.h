/*
 * The server's end of one kernel: its channel, its output pipe, its process. A kernel is made by a zygote (zygote.h),
 * attached to whoever uses it, and told gone once its process has ended and everything it wrote has been read.
 */
#ifndef CELLBLOCK_SESSION_KERNEL_H
#define CELLBLOCK_SESSION_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/buf.h"
#include "kernel/wire.h"

struct box;
struct err;
struct zygote;

struct kernel_events {
    /* May call kernel_kill, not kernel_free. The frame is gone afterwards. */
    void (*frame)(void *data, const struct wire_frame *frame);
    /* Bytes of stdout and stderr, as written. */
    void (*output)(void *data, const char *bytes, size_t size);
    /* The process has ended and all it wrote was delivered. Nothing follows. */
    void (*gone)(void *data);
};

struct kernel {
    uv_loop_t *loop;
    struct zygote *zygote; /* its parent process */
    struct box *box;       /* where it runs; whoever uses the kernel owns it; NULL: a local one */
    struct kernel *next;   /* in the zygote's list */
    uint32_t serial;
    uint64_t mark;
    char nonce[WIRE_NONCE_SIZE + 1];

    int channel, output, alarm, pidfd; /* -1 when closed */
    pid_t pid;                         /* 0 until forked */
    uv_poll_t channel_poll, output_poll, alarm_poll;
    uv_timer_t timer; /* for what is done about a closed channel */
    unsigned closing; /* handles whose close callback is still to come */
    bool watching;    /* the output pipe is polled */
    bool alarm_set;   /* to watch it, some time after sent_us */
    int64_t sent_us;  /* the last frame */

    struct buf in, unsent;
    bool exited, gone, told, broken, freed;
    int wait_status; /* once exited */
    long peak_kib;
    char reason[128]; /* why it was broken */

    const struct kernel_events *events;
    void *data;
};

/*
 * Make the channel and the pipe; *ret_fds get the kernel's ends, which the caller sends and closes. Used by zygote.c.
 */
int kernel_new(uv_loop_t *loop, struct zygote *zygote, uint32_t serial, uint64_t mark, struct kernel **ret,
               int ret_fds[2], struct err *e);
void kernel_forked(struct kernel *k, pid_t pid, int pidfd_take);
void kernel_exited(struct kernel *k, int wait_status, long peak_kib);

void kernel_attach(struct kernel *k, const struct kernel_events *events, void *data);

/*
 * Send a frame; what does not fit now is sent later. Output is then looked at only after a moment or when a frame
 * comes, because waking up for each line of a short execution would cost more than the execution.
 */
void kernel_send(struct kernel *k, uint16_t type, uint32_t seq, const struct wire_part *parts, size_t n);

/* Deliver all that is in the output pipe now, and hardly more: whoever writes on without end does not keep us here. */
void kernel_drain(struct kernel *k);

/* SIGINT to its process group, the abort that cannot be caught, SIGKILL. */
void kernel_interrupt(struct kernel *k);
void kernel_abort(struct kernel *k);
void kernel_kill(struct kernel *k);

/* It broke the protocol: kill it and remember why. */
void kernel_break(struct kernel *k, const char *reason);

/* Let go of it, alive or not: it is killed, nothing is told any more, memory follows. */
void kernel_free(struct kernel *k);

#endif
