#include "session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "session/boxes.h"
#include "session/impl.h"
#include "session/kernel.h"
#include "session/pool.h"

const char *session_id(const struct session *s)
{
    return s->id;
}

/* ---- the kernel ---- */

static void on_frame(void *data, const struct wire_frame *frame)
{
    struct session *s = data;
    struct job *job = s->first;

    if (job && job->started && frame->header.seq == job->seq)
        job->kind->frame(job, frame);
    else if (frame->header.seq > s->last_seq)
        kernel_break(s->kernel, "it answered what was not asked");
    /* else: a display of a thread whose execution is over, or READY */
}

static void on_gone(void *data)
{
    struct session *s = data;
    struct kernel *k = s->kernel;
    struct job *job = s->first;

    if (!s->box) /* else what it left stays in the sandbox, until the next kernel there or the end of the session */
        keeper_end_kernel(&s->all->keeper, k->mark);
    s->kernel_lost = s->kernel_lost || s->kernel_used;
    if (job && job->started)
        job->kind->kernel_gone(job);
    s->kernel = NULL;
    kernel_free(k);
    session_next(s);
}

static void on_output(void *data, const char *bytes, size_t size)
{
    execution_output(data, bytes, size);
}

static const struct kernel_events kernel_events = {on_frame, on_output, on_gone};

static void on_kernel(void *data, struct kernel *k, const char *text)
{
    struct session *s = data;

    s->wait = NULL;
    if (k) {
        s->kernel = k;
        s->kernel_used = false;
        s->box = k->box;
        kernel_attach(k, &kernel_events, s);
        session_next(s);
    } else if (s->first && !s->first->started) {
        s->first->kind->unavailable(s->first, text);
        session_next(s);
    }
}

/* ---- the queue ---- */

/* The sandbox is gone, with all files: the next kernel gets another. */
static void drop_dead_box(struct session *s)
{
    if (!s->box || box_alive(s->box))
        return;
    layer_box_gone(s);
    box_end(s->box);
    s->box = NULL;
    pool_check(s->all->pool);
    s->files_lost = true;
    s->memory_kills = 0;
    session_forget_scratch(s);
    while (s->n_recent)
        free(s->recent[--s->n_recent]);
}

void session_next(struct session *s)
{
    struct job *job = s->first;

    if (!job || job->started || s->closed || s->wait)
        return;
    if (!s->kernel) {
        struct pool_wait *wait;

        drop_dead_box(s);
        /* on_kernel may be called before pool_take returns, and then this again: NULL must not overwrite its wait. */
        wait = pool_take(s->all->pool, s->box, layer_overrides(&s->layer), on_kernel, s);
        if (wait)
            s->wait = wait;
        return;
    }
    if (s->kernel->gone || s->kernel->told)
        return; /* on_gone comes and asks again */
    if (!layer_ready(s))
        return;
    if (job->kind->limited && s->all->n_running >= s->all->max_running) {
        s->stalled = true;
        return;
    }
    s->stalled = false;
    if (job->kind->limited)
        s->all->n_running++;
    job->started = true;
    job->seq = ++s->last_seq;
    s->last_used_ms = clock_ms();
    job->kind->start(job);
}

int session_queue(struct session *s, struct job *job, struct err *e)
{
    size_t n = 0;

    for (struct job *j = s->first; j; j = j->next)
        n++;
    if (n >= LIMIT_QUEUE)
        return err_set(e, EAGAIN, "%d calls wait in session %s already: wait for them", LIMIT_QUEUE, s->id);
    job->session = s;
    job->next = NULL;
    *s->last = job;
    s->last = &job->next;
    return 0;
}

void job_remove(struct job *job)
{
    struct session *s = job->session;
    struct job **at = &s->first;

    while (*at && *at != job)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = job->next;
    if (s->last == &job->next)
        s->last = at;
    s->last_used_ms = clock_ms();
    (void)uv_timer_stop(&s->ladder);
    (void)uv_timer_stop(&s->tick);
    if (job->started && job->kind->limited) {
        s->all->n_running--;
        sessions_wake(s->all);
    }
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct session *s = handle->data;

    if (--s->closing > 0)
        return;
    for (size_t i = 0; i < s->n_recent; i++)
        free(s->recent[i]);
    buf_fini(&s->idle_text);
    session_forget_scratch(s);
    free(s);
}

void session_drop_kernel(struct session *s)
{
    uint64_t mark = s->kernel ? s->kernel->mark : 0;

    if (!s->kernel)
        return;
    kernel_free(s->kernel);
    s->kernel = NULL;
    if (!s->box)
        keeper_end_kernel(&s->all->keeper, mark);
}

void session_close(struct session *s)
{
    if (s->closed)
        return;
    s->closed = true;
    if (sessions_unlink(s->all, s))
        sessions_remember_ended(s->all, s->id);
    pool_forget(s->wait);
    s->wait = NULL;
    while (s->first) {
        struct job *job = s->first;

        if (job->started)
            job->kind->kernel_gone(job);
        else
            job->kind->cancel(job);
    }
    session_drop_kernel(s);
    box_end(s->box);
    s->box = NULL;
    layer_fini(&s->layer);
    s->closing = 2;
    uv_close((uv_handle_t *)&s->ladder, on_closed);
    uv_close((uv_handle_t *)&s->tick, on_closed);
}
