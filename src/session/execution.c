#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "session/boxes.h"
#include "session/changes.h"
#include "session/crash_text.h"
#include "session/impl.h"
#include "session/kernel.h"
#include "session/output.h"
#include "session/pool.h"
#include "session/processes.h"
#include "session/watch.h"

#define TICK_MS 500
#define LOOK_AFTER_US 100000

/* How far the ladder of interruption was climbed. */
enum stage { STAGE_NONE, STAGE_INTERRUPT, STAGE_ABORT, STAGE_KILL };

struct execution {
    struct job job; /* first: a job is cast to its execution */
    char *code, *stdin_text;
    size_t code_size, stdin_size;
    int64_t timeout_ms, started_us;
    struct exec_ops ops;
    void *data;
    struct output *output;
    uint64_t changes_since;
    bool watching, cancelled, replaced_kernel, lost_files;
    enum stage stage;
    struct exec_install *install;
    int64_t left_ms, stopped_us; /* of its timeout, which stands still since then; 0: it does not */
    int64_t installing_us;       /* for how long it stood still */
};

static const struct job_kind exec_kind;

static struct execution *of(struct job *job)
{
    return (struct execution *)job;
}

/* ---- the end ---- */

static void free_execution(struct execution *x)
{
    output_free(x->output);
    free(x->code);
    free(x->stdin_text);
    free(x);
}

static void collect_files(struct execution *x, struct exec_outcome *out)
{
    struct session *s = x->job.session;
    struct exec_file *files = NULL;

    if (!x->watching)
        return;
    x->watching = false;
    if (s->all->isolated)
        changes_end(&s->changes, session_workdir_fd(s), LIMIT_FILES_LISTED, &files, &out->n_files, &out->n_files_more);
    else
        watch_end(s->all->watch, x->changes_since, LIMIT_FILES_LISTED, &files, &out->n_files, &out->n_files_more);
    for (size_t i = 0; i < out->n_files; i++)
        session_remember_file(s, files[i].path);
    out->files = files;
}

/* Tell the outcome, of which status and what belongs to it are filled in; x is gone afterwards. */
static void finish(struct execution *x, struct exec_outcome *out)
{
    struct session *s = x->job.session;
    autofree char *output_path = NULL;
    struct exec_file *files;

    if (x->install)
        exec_install_forget(x->install);
    x->install = NULL;
    out->duration_us = x->started_us ? clock_us() - x->started_us : 0;
    out->kernel_was_replaced = x->replaced_kernel;
    out->files_were_lost = x->lost_files;
    out->isolation = sessions_level(s->all);
    out->memory_limit = out->out_of_memory && s->box ? boxes_memory(pool_boxes(s->all->pool)) : 0;
    out->files_kept = out->variables_kept || !s->box || box_alive(s->box);
    out->interrupted_hard = x->stage >= STAGE_ABORT;
    out->installing_us = x->installing_us;
    if (x->output) {
        int dir = output_needs_files(x->output) ? session_scratch_fd(s) : -1;

        out->output_total = output_total(x->output);
        output_finish(x->output, dir, session_scratch(s), ++s->n_outputs, &out->items, &out->n_items, &output_path);
        out->output_path = output_path;
    }
    for (size_t i = 0; out->status == EXEC_DIED && i < out->n_items; i++)
        if (out->items[i].kind == EXEC_TEXT) /* they belong to the output, which goes soon */
            ((struct exec_item *)out->items)[i].size = crash_text_trim(out->items[i].data, out->items[i].size);
    collect_files(x, out);
    files = (struct exec_file *)out->files;
    job_remove(&x->job);
    x->ops.done(x->data, out);
    for (size_t i = 0; i < out->n_files; i++)
        free(files[i].path);
    free(files);
    free_execution(x);
}

/* Text of a field as a string: a traceback may quote a line with a NUL. */
static char *text_field(const struct wire_frame *frame, uint32_t tag)
{
    const char *data;
    size_t size;
    char *text;

    if (!wire_find(frame, tag, &data, &size))
        return NULL;
    text = xmemdup(data, size);
    for (size_t i = 0; i < size; i++)
        if (!text[i])
            text[i] = ' ';
    return text;
}

/* Linux does not tell whom it killed; that it killed somebody since we last looked is the best hint. */
static bool memory_ran_out(struct session *s)
{
    uint64_t *last = s->box ? &s->memory_kills : &s->all->oom_kills, before = *last;

    *last = s->box ? box_memory_kills(s->box) : processes_oom_kills();
    return *last > before;
}

static void take_result(struct execution *x, const struct wire_frame *frame)
{
    struct session *s = x->job.session;
    struct exec_outcome out = {.variables_kept = true};
    autofree char *status = text_field(frame, WIRE_STATUS), *error = text_field(frame, WIRE_ERROR);
    autofree char *name = text_field(frame, WIRE_NAME), *module = text_field(frame, WIRE_TEXT);
    autofree char *exit_code = text_field(frame, WIRE_EXITCODE);

    out.exit_code = exit_code ? (int)strtol(exit_code, NULL, 10) : 0;
    out.error_text = error;
    out.error_name = name;
    out.missing_module = module;
    if (x->stage != STAGE_NONE)
        out.status = x->cancelled ? EXEC_CANCELLED : EXEC_TIMEOUT;
    else if (status && strcmp(status, "ok") == 0)
        out.status = EXEC_OK;
    else if (status && strcmp(status, "exit") == 0)
        out.status = EXEC_EXIT;
    else
        out.status = EXEC_ERROR;
    /* A subprocess that was killed is an error for the code, or was none at all; looking costs more than a short cell.
     */
    if (s->box && (out.status == EXEC_ERROR || clock_us() - x->started_us > LOOK_AFTER_US))
        out.out_of_memory = memory_ran_out(s);
    finish(x, &out);
    session_next(s);
}

static void exec_kernel_gone(struct job *job)
{
    struct execution *x = of(job);
    struct kernel *k = job->session->kernel;
    struct exec_outcome out = {.status = EXEC_DIED};

    if (job->session->closed || x->cancelled) {
        out.status = EXEC_CANCELLED;
    } else if (x->stage == STAGE_KILL || (x->stage != STAGE_NONE && !k->broken)) {
        out.status = EXEC_TIMEOUT;
    } else if (k->broken) {
        out.status = EXEC_PROTOCOL;
        out.error_text = k->reason;
    } else if (WIFSIGNALED(k->wait_status)) {
        out.signal = WTERMSIG(k->wait_status);
        out.out_of_memory = out.signal == SIGKILL && memory_ran_out(job->session);
    } else {
        out.exit_code = WEXITSTATUS(k->wait_status);
    }
    finish(x, &out);
}

static void exec_unavailable(struct job *job, const char *text)
{
    struct exec_outcome out = {.status = EXEC_UNAVAILABLE, .error_text = text};

    finish(of(job), &out);
}

/* ---- the ladder ---- */

static void climb(struct execution *x);

static void on_ladder(uv_timer_t *timer)
{
    struct session *s = timer->data;

    if (s->first && s->first->started && s->first->kind == &exec_kind)
        climb(of(s->first));
}

static void climb(struct execution *x)
{
    struct session *s = x->job.session;

    if (!s->kernel || s->kernel->gone)
        return;
    x->stage++;
    switch (x->stage) {
    case STAGE_INTERRUPT:
        if (x->install)
            exec_install_cancel(x->install);
        kernel_interrupt(s->kernel);
        (void)uv_timer_start(&s->ladder, on_ladder, LIMIT_ABORT_AFTER_MS, 0);
        break;
    case STAGE_ABORT:
        kernel_abort(s->kernel);
        (void)uv_timer_start(&s->ladder, on_ladder, LIMIT_KILL_AFTER_MS, 0);
        break;
    default:
        x->stage = STAGE_KILL;
        kernel_kill(s->kernel);
    }
}

/*
 * While code waits for an install, its timeout stands still: the install has one of its own. Not without bound, since a
 * kernel can say that it waits and compute meanwhile.
 */
static void stop_clock(struct execution *x)
{
    uv_timer_t *ladder = &x->job.session->ladder;

    if (x->stage != STAGE_NONE || !uv_is_active((uv_handle_t *)ladder) ||
        x->installing_us >= (int64_t)LIMIT_TIMEOUT_MAX_MS * 1000)
        return;
    x->left_ms = (int64_t)uv_timer_get_due_in(ladder);
    if (x->left_ms == 0)
        x->left_ms = 1;
    x->stopped_us = clock_us();
    (void)uv_timer_stop(ladder);
}

static void restart_clock(struct execution *x)
{
    if (!x->left_ms)
        return;
    x->installing_us += clock_us() - x->stopped_us;
    if (x->stage == STAGE_NONE) /* else it was cancelled, and climbs already */
        (void)uv_timer_start(&x->job.session->ladder, on_ladder, (uint64_t)x->left_ms, 0);
    x->left_ms = 0;
}

static void exec_cancel(struct job *job)
{
    struct execution *x = of(job);
    struct exec_outcome out = {.status = EXEC_CANCELLED, .variables_kept = true};

    if (!job->started) {
        finish(x, &out);
        return;
    }
    if (x->stage == STAGE_NONE) {
        x->cancelled = true;
        climb(x);
    }
}

void execution_cancel(struct execution *x)
{
    exec_cancel(&x->job);
}

/* ---- while it runs ---- */

static void on_tick(uv_timer_t *timer)
{
    struct session *s = timer->data;
    struct execution *x = s->first && s->first->started ? of(s->first) : NULL;

    if (x && x->job.kind == &exec_kind && x->ops.progress)
        x->ops.progress(x->data, (double)(clock_us() - x->started_us) / 1e6,
                        x->install ? exec_install_line(x->install) : output_last_line(x->output));
}

static void exec_start(struct job *job)
{
    struct execution *x = of(job);
    struct session *s = job->session;
    const char *scratch = session_scratch(s);
    struct wire_part parts[] = {
        {WIRE_CODE, x->code, x->code_size},
        {WIRE_SCRATCH, scratch, strlen(scratch)},
        {WIRE_STDIN, x->stdin_text, x->stdin_size},
    };

    x->replaced_kernel = s->kernel_lost;
    x->lost_files = s->files_lost;
    s->kernel_lost = s->files_lost = false;
    s->kernel_used = true;
    x->output = output_new(x->ops.output, x->data);
    x->watching = s->all->watch || s->all->isolated;
    if (s->all->isolated)
        changes_begin(&s->changes);
    else
        x->changes_since = watch_begin(s->all->watch);
    x->started_us = clock_us();
    if (s->idle_text.len)
        output_bytes(x->output, s->kernel->nonce, buf_begin(&s->idle_text), s->idle_text.len);
    buf_fini(&s->idle_text);
    buf_init(&s->idle_text, LIMIT_OUTPUT_KEPT / 10);
    kernel_send(s->kernel, WIRE_EXEC, job->seq, parts, x->stdin_text ? 3 : 2);
    if (x->timeout_ms)
        (void)uv_timer_start(&s->ladder, on_ladder, (uint64_t)x->timeout_ms, 0);
    if (x->ops.progress)
        (void)uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
}

void execution_output(struct session *s, const char *bytes, size_t size)
{
    struct job *job = s->first;

    if (job && job->started && job->kind == &exec_kind) {
        struct execution *x = of(job);

        output_bytes(x->output, s->kernel->nonce, bytes, size);
    } else {
        (void)buf_append(&s->idle_text, bytes, size); /* full: what threads write between calls is bounded */
    }
}

/* ---- frames ---- */

static uint32_t frame_index(const struct wire_frame *frame)
{
    const char *data;
    size_t size;
    char number[16];

    if (!wire_find(frame, WIRE_INDEX, &data, &size) || size >= sizeof number)
        return 0;
    memcpy(number, data, size);
    number[size] = '\0';
    return (uint32_t)strtoul(number, NULL, 10);
}

static void take_display(struct execution *x, const struct wire_frame *frame)
{
    const char *mime, *data;
    size_t mime_size, size;

    if (frame->header.type == WIRE_CLEAR)
        output_clear(x->output, frame_index(frame));
    else if (wire_find(frame, WIRE_MIME, &mime, &mime_size) && wire_find(frame, WIRE_DATA, &data, &size))
        output_display(x->output, frame_index(frame), mime, mime_size, data, size);
}

static void exec_frame(struct job *job, const struct wire_frame *frame)
{
    struct execution *x = of(job);

    switch (frame->header.type) {
    case WIRE_DISPLAY:
    case WIRE_CLEAR:
        take_display(x, frame);
        break;
    case WIRE_RESULT:
        take_result(x, frame);
        break;
    case WIRE_INSTALL:
        if (x->install) { /* kernels wait for the answer */
            kernel_break(job->session->kernel, "it asked for an install during another one");
            break;
        }
        x->install = exec_install_start(job->session, job->seq, frame, x->timeout_ms);
        if (x->install)
            stop_clock(x);
        break;
    default:
        kernel_break(job->session->kernel, "it sent a frame of an unknown type");
    }
}

void execution_install_done(struct session *s, struct exec_install *i)
{
    struct execution *x = s->first && s->first->kind == &exec_kind ? of(s->first) : NULL;

    if (x && x->install == i) {
        x->install = NULL;
        restart_clock(x);
    }
}

static const struct job_kind exec_kind = {true,        exec_start,      exec_frame, exec_kernel_gone,
                                          exec_cancel, exec_unavailable};

int session_execute(struct session *s, const struct exec_params *params, const struct exec_ops *ops, void *data,
                    struct execution **ret, struct err *e)
{
    struct execution *x = xnew(struct execution);
    int r;

    x->job.kind = &exec_kind;
    x->code = xmemdup(params->code, params->code_size);
    x->code_size = params->code_size;
    if (params->stdin_text) {
        x->stdin_text = xmemdup(params->stdin_text, params->stdin_size);
        x->stdin_size = params->stdin_size;
    }
    x->timeout_ms = params->timeout_ms;
    x->ops = *ops;
    x->data = data;
    r = session_queue(s, &x->job, e);
    if (r < 0) {
        free_execution(x);
        return r;
    }
    *ret = x; /* before it starts: it may be done before this returns */
    session_next(s);
    return 0;
}
