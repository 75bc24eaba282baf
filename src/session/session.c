#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "session/impl.h"
#include "session/kernel.h"
#include "session/pool.h"

#define SCRATCH_PREFIX ".cellblock/"

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

    keeper_end_kernel(&s->all->keeper, k->mark);
    s->kernel_lost = true;
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
        kernel_attach(k, &kernel_events, s);
        session_next(s);
    } else if (s->first && !s->first->started) {
        s->first->kind->unavailable(s->first, text);
        session_next(s);
    }
}

/* ---- the queue ---- */

void session_next(struct session *s)
{
    struct job *job = s->first;

    if (!job || job->started || s->closed || s->wait)
        return;
    if (!s->kernel) {
        /* on_kernel may be called before pool_take returns, and then this again: NULL must not overwrite its wait. */
        struct pool_wait *wait = pool_take(s->all->pool, on_kernel, s);

        if (wait)
            s->wait = wait;
        return;
    }
    if (s->kernel->gone || s->kernel->told)
        return; /* on_gone comes and asks again */
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

/* ---- files ---- */

const char *session_scratch(struct session *s)
{
    if (s->scratch)
        return s->scratch;
    if (!s->all->keeper.rundir)
        return NULL;
    s->scratch = xasprintf("%s/%s", s->all->keeper.rundir, s->id);
    if (mkdir(s->scratch, 0700) < 0 && errno != EEXIST) {
        free(s->scratch);
        s->scratch = NULL;
    }
    return s->scratch;
}

void session_remember_file(struct session *s, const char *path)
{
    size_t max = sizeof s->recent / sizeof *s->recent;

    for (size_t i = 0; i < s->n_recent; i++)
        if (strcmp(s->recent[i], path) == 0)
            return;
    if (s->n_recent == max) {
        free(s->recent[0]);
        memmove(s->recent, s->recent + 1, (max - 1) * sizeof *s->recent);
        s->n_recent--;
    }
    s->recent[s->n_recent++] = xstrdup(path);
}

int session_open_file(const struct session *s, const char *path, int *ret_fd, int64_t *ret_size, struct err *e)
{
    /* openat2(2): no way out of the directory, by no symlink, and no FIFO that would block. */
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    autofd int scratch = -1, fd = -1;
    int dir = s->all->workdir_fd;
    struct stat st;

    if (strncmp(path, SCRATCH_PREFIX, strlen(SCRATCH_PREFIX)) == 0) {
        path += strlen(SCRATCH_PREFIX);
        scratch = s->scratch ? open(s->scratch, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        dir = scratch;
    }
    fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
    if (fd < 0 && (errno == EXDEV || errno == ELOOP))
        return err_set(e, EACCES, "%s leads out of the session's files", path);
    if (fd < 0)
        return err_set(e, dir < 0 ? ENOENT : errno, "%s: %s", path, strerror(dir < 0 ? ENOENT : errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s is not a regular file", path);
    *ret_fd = steal_fd(&fd);
    *ret_size = st.st_size;
    return 0;
}

void sessions_each_file(const struct sessions *all,
                        void (*each)(void *data, const char *session, const char *path, int64_t size), void *data)
{
    for (const struct session *s = all->first; s; s = s->next)
        for (size_t i = s->n_recent; i-- > 0;) {
            struct stat st;

            if (fstatat(all->workdir_fd, s->recent[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
                each(data, s->id, s->recent[i], st.st_size);
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
    free(s->scratch);
    free(s);
}

void session_close(struct session *s)
{
    if (s->closed)
        return;
    s->closed = true;
    sessions_unlink(s->all, s);
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
    if (s->kernel) {
        uint64_t mark = s->kernel->mark;

        kernel_free(s->kernel);
        s->kernel = NULL;
        keeper_end_kernel(&s->all->keeper, mark);
    }
    s->closing = 2;
    uv_close((uv_handle_t *)&s->ladder, on_closed);
    uv_close((uv_handle_t *)&s->tick, on_closed);
}
