/*
 * Installs of a session: the job for install_dependencies, and what code asks for with %pip while it runs. Both get the
 * packages by providing.h, then tell the kernel what to look at again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "session/impl.h"
#include "session/kernel.h"
#include "packages/packages.h"
#include "session/providing.h"

#define REFRESH_WITHIN_MS 5000
#define PARTS_MAX (2 + LIMIT_FRAME_FIELDS / 2)

struct install {
    struct job job;
    char **specs;
    size_t n_specs;
    int64_t timeout_ms;
    struct install_ops ops;
    void *data;
    struct providing *providing;
    struct install_outcome *outcome; /* a copy, while the kernel looks at it */
};

struct exec_install {
    struct session *session;
    uint32_t seq;
    char **specs;
    size_t n_specs;
    struct providing *providing;
    char *line; /* the last one of its progress */
};

static void free_specs(char **specs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(specs[i]);
    free(specs);
}

/* ---- the job ---- */

static void free_install(struct install *i)
{
    free_specs(i->specs, i->n_specs);
    free(i);
}

static void finish(struct install *i, const struct install_outcome *out)
{
    struct session *s = i->job.session;

    job_remove(&i->job);
    i->ops.done(i->data, out);
    free_install(i);
    session_next(s);
}

static void finish_copy(struct install *i, const char *notes)
{
    struct install_outcome *out = i->outcome;

    if (notes && *notes) {
        const char *before = out->notes;

        out->notes = before ? xasprintf("%s\n%s", before, notes) : xstrdup(notes);
        free((char *)before);
    }
    i->outcome = NULL;
    finish(i, out);
    install_outcome_free(out);
}

/* Nothing else of a package runs by itself. */
static void finish_at_fault(struct install *i, const char *what)
{
    autofree char *note =
        xasprintf("Python %s the path files (.pth) of what was installed, and will each time that it starts. %s", what,
                  i->job.session->all->isolated ? "Start a new session, which does not have these packages."
                                                : "Take the package that brings them out of the environment.");

    finish_copy(i, note);
}

static void on_refresh_late(uv_timer_t *timer)
{
    struct session *s = timer->data;

    finish_at_fault((struct install *)s->first, "does not answer while it reads");
}

static void on_progress(void *data, double seconds, const char *line)
{
    struct install *i = data;

    if (i->ops.progress)
        i->ops.progress(i->data, seconds, line);
}

static void on_provided(void *data, const struct install_outcome *out, const struct wire_part *parts, size_t n)
{
    struct install *i = data;
    struct session *s = i->job.session;

    i->providing = NULL;
    if (n && layer_overrides(&s->layer) && !s->kernel_used) {
        session_drop_kernel(s); /* what it has imported already is the version of before, and nothing else is lost */
        n = 0;
    }
    if (!n || !s->kernel || s->kernel->told) {
        finish(i, out);
        return;
    }
    i->outcome = install_outcome_copy(out);
    kernel_send(s->kernel, WIRE_REFRESH, i->job.seq, parts, n);
    (void)uv_timer_start(&s->ladder, on_refresh_late, REFRESH_WITHIN_MS, 0);
}

static const struct providing_ops job_ops = {on_progress, on_provided};

static void install_fail(struct install *i, const char *text, bool cancelled)
{
    struct install_outcome out = {.error_text = text, .cancelled = cancelled};

    finish(i, &out);
}

static void install_start(struct job *job)
{
    struct install *i = (struct install *)job;
    struct err e = ERR_INIT;

    if (providing_start(job->session, i->specs, i->n_specs, i->timeout_ms, &job_ops, i, &i->providing, &e) < 0)
        install_fail(i, e.text, false);
}

static void install_frame(struct job *job, const struct wire_frame *frame)
{
    struct install *i = (struct install *)job;
    const char *data = "";
    size_t size = 0;
    autofree char *text = NULL;

    if (frame->header.type != WIRE_REFRESHED || !i->outcome) {
        kernel_break(job->session->kernel, "it answered something else");
        return;
    }
    (void)wire_find(frame, WIRE_TEXT, &data, &size);
    text = xstrndup(data, size);
    finish_copy(i, text);
}

static void install_kernel_gone(struct job *job)
{
    struct install *i = (struct install *)job;

    if (i->outcome && job->session->closed) {
        finish_copy(i, NULL);
    } else if (i->outcome) {
        finish_at_fault(i, "ended while it read");
    } else if (job->session->closed) {
        if (i->providing)
            providing_forget(i->providing);
        install_fail(i, "the session was closed", true);
    }
    /* else: the install goes on without a kernel */
}

static void install_cancel_job(struct job *job)
{
    struct install *i = (struct install *)job;

    if (!job->started)
        install_fail(i, "cancelled before it started", true);
    else if (i->providing)
        providing_cancel(i->providing);
}

static void install_unavailable(struct job *job, const char *text)
{
    install_fail((struct install *)job, text, false);
}

static const struct job_kind install_kind = {
    false, install_start, install_frame, install_kernel_gone, install_cancel_job, install_unavailable};

int install_check(const char *spec, struct err *e)
{
    return requirement_check(spec, e);
}

void install_cancel(struct install *i)
{
    install_cancel_job(&i->job);
}

int session_install(struct session *s, const char *const *specs, size_t n, int64_t timeout_ms,
                    const struct install_ops *ops, void *data, struct install **ret, struct err *e)
{
    struct install *i;
    int r;

    if (n == 0)
        return err_set(e, EINVAL, "no package was named");
    if (n > LIMIT_PACKAGES)
        return err_set(e, E2BIG, "%zu packages in one call, at most %d are taken", n, LIMIT_PACKAGES);
    for (size_t k = 0; k < n; k++)
        if ((r = requirement_check(specs[k], e)) < 0)
            return r;
    i = xnew(struct install);
    i->job.kind = &install_kind;
    i->specs = xnew_n(char *, n);
    for (i->n_specs = 0; i->n_specs < n; i->n_specs++)
        i->specs[i->n_specs] = xstrdup(specs[i->n_specs]);
    i->timeout_ms = timeout_ms;
    i->ops = *ops;
    i->data = data;
    r = session_queue(s, &i->job, e);
    if (r < 0) {
        free_install(i);
        return r;
    }
    *ret = i;
    session_next(s);
    return 0;
}

/* ---- installs that code asks for ---- */

static void reply(struct exec_install *i, bool ok, const char *text, const struct wire_part *more, size_t n_more)
{
    size_t size = strlen(text);
    struct wire_part parts[PARTS_MAX] = {
        {WIRE_STATUS, ok ? "ok" : "error", ok ? 2 : 5},
        {WIRE_TEXT, text, size && text[size - 1] == '\n' ? size - 1 : size}, /* it is printed as a line */
    };

    if (i->session->kernel) {
        for (size_t n = 0; n < n_more && n < PARTS_MAX - 2; n++)
            parts[2 + n] = more[n];
        kernel_send(i->session->kernel, WIRE_INSTALL_REPLY, i->seq, parts,
                    2 + (n_more < PARTS_MAX - 2 ? n_more : PARTS_MAX - 2));
    }
}

static void free_exec_install(struct exec_install *i)
{
    free_specs(i->specs, i->n_specs);
    free(i->line);
    free(i);
}

static void on_exec_progress(void *data, double seconds, const char *line)
{
    struct exec_install *i = data;

    (void)seconds;
    if (line) {
        free(i->line);
        i->line = xstrdup(line);
    }
}

static void on_exec_provided(void *data, const struct install_outcome *out, const struct wire_part *parts, size_t n)
{
    struct exec_install *i = data;
    autobuf struct buf text = BUF_INIT;

    install_describe(out, &text);
    reply(i, out->ok, buf_str(&text), parts, n);
    execution_install_done(i->session, i);
    free_exec_install(i);
}

static const struct providing_ops exec_ops = {on_exec_progress, on_exec_provided};

struct exec_install *exec_install_start(struct session *s, uint32_t seq, const struct wire_frame *frame,
                                        int64_t timeout_ms)
{
    struct exec_install *i = xnew(struct exec_install);
    struct err e = ERR_INIT;
    const char *data;
    size_t size, pos = 0;
    uint32_t tag;
    int r = 0;

    i->session = s;
    i->seq = seq;
    i->specs = xnew_n(char *, LIMIT_PACKAGES);
    while (wire_next(frame, &pos, &tag, &data, &size))
        if (tag == WIRE_ARG && i->n_specs < LIMIT_PACKAGES)
            i->specs[i->n_specs++] = xstrndup(data, size);
    for (size_t n = 0; n < i->n_specs && r == 0; n++)
        r = requirement_check(i->specs[n], &e);
    if (r == 0 && i->n_specs == 0)
        r = err_set(&e, EINVAL, "no package was named");
    if (timeout_ms == 0)
        timeout_ms = LIMIT_TIMEOUT_MAX_MS;
    else if (timeout_ms < LIMIT_INSTALL_MS)
        timeout_ms = LIMIT_INSTALL_MS;
    if (r == 0)
        r = providing_start(s, i->specs, i->n_specs, timeout_ms, &exec_ops, i, &i->providing, &e);
    if (r < 0) {
        reply(i, false, e.text, NULL, 0);
        free_exec_install(i);
        return NULL;
    }
    return i;
}

const char *exec_install_line(const struct exec_install *i)
{
    return i->line;
}

void exec_install_cancel(struct exec_install *i)
{
    providing_cancel(i->providing);
}

void exec_install_forget(struct exec_install *i)
{
    providing_forget(i->providing);
    free_exec_install(i);
}
