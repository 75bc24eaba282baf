/* The job that lists installed packages: the session's own kernel knows best what it can import. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "session/impl.h"
#include "session/kernel.h"

struct listing {
    struct job job;
    session_list_cb done;
    void *data;
};

static void answer(struct job *job, const char *text, const char *error)
{
    struct listing *l = (struct listing *)job;
    struct session *s = job->session;

    job_remove(job);
    l->done(l->data, text, error);
    free(l);
    session_next(s);
}

static void list_start(struct job *job)
{
    kernel_send(job->session->kernel, WIRE_PACKAGES, job->seq, NULL, 0);
}

static void list_frame(struct job *job, const struct wire_frame *frame)
{
    const char *data = "";
    size_t size = 0;
    autofree char *text = NULL;

    if (frame->header.type != WIRE_PACKAGES_REPLY) {
        kernel_break(job->session->kernel, "it answered something else");
        return;
    }
    (void)wire_find(frame, WIRE_TEXT, &data, &size);
    text = xstrndup(data, size);
    answer(job, text, NULL);
}

static void list_kernel_gone(struct job *job)
{
    answer(job, NULL, "Python ended while it listed its packages. Try again.");
}

static void list_unavailable(struct job *job, const char *text)
{
    answer(job, NULL, text);
}

static const struct job_kind list_kind = {false,           list_start, list_frame, list_kernel_gone, list_kernel_gone,
                                          list_unavailable};

int session_list_packages(struct session *s, session_list_cb done, void *data, struct err *e)
{
    struct listing *l = xnew(struct listing);
    int r;

    l->job.kind = &list_kind;
    l->done = done;
    l->data = data;
    r = session_queue(s, &l->job, e);
    if (r < 0)
        free(l);
    else
        session_next(s);
    return r;
}
