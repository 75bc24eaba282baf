/*
 * Inside of the session module: what its files share. A session runs jobs one after the other: executions, installs,
 * listings of packages. Each job needs the session's kernel, which is taken from the pool when the first one starts.
 */
#ifndef CELLBLOCK_SESSION_IMPL_H
#define CELLBLOCK_SESSION_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "session/changes.h"
#include "session/keeper.h"
#include "session/layer.h"
#include "session/session.h"

#define SESSION_ID_CHARS 6 /* one client: handles need not be secret, but short for a model to repeat */

struct box;
struct fetch_settings;
struct fetcher;
struct job;
struct kernel;
struct later;
struct pool;
struct pool_wait;
struct prepared;
struct watch;
struct wire_frame;

/* What differs between kinds of jobs. */
struct job_kind {
    bool limited; /* counts as a running execution */
    void (*start)(struct job *job);
    /* A frame with the job's number. */
    void (*frame)(struct job *job, const struct wire_frame *frame);
    /* The kernel is gone; the job must end (job_done) now. */
    void (*kernel_gone)(struct job *job);
    /* End it as cancelled: at once when it has not started, else soon. */
    void (*cancel)(struct job *job);
    /* No kernel is to be had; end it. */
    void (*unavailable)(struct job *job, const char *text);
};

struct job {
    const struct job_kind *kind;
    struct session *session;
    struct job *next;
    uint32_t seq;
    bool started;
};

struct session {
    struct sessions *all;
    struct session *next;
    char id[SESSION_ID_CHARS + 1];
    struct kernel *kernel;
    struct box *box;    /* where its kernels run, when isolated; owned; NULL before the first */
    struct layer layer; /* what it has installed, when isolated */
    struct pool_wait *wait;
    struct job *first, **last; /* first is the one that runs, when it has started */
    uv_timer_t ladder, tick;   /* for the job that runs: its timeout, its signs of life */
    unsigned closing;
    bool closed, stalled;
    uint64_t memory_kills; /* in its box, when last looked at */
    bool files_lost;       /* with its sandbox, the same */
    bool kernel_used;      /* it has run code: it may have variables */
    bool kernel_lost;      /* the last kernel died: the next result tells it, whoever saw the one before */
    uint32_t last_seq;
    unsigned n_outputs; /* numbers the files in scratch */
    int64_t last_used_ms;
    char *scratch;          /* its path */
    int scratch_fd;         /* -1: not opened */
    struct buf idle_text;   /* written between executions */
    struct changes changes; /* of an isolated one's files */
    char *recent[32];       /* files it changed, for resources/list */
    size_t n_recent;
};

struct sessions {
    uv_loop_t *loop;
    const struct isolation *isolated; /* NULL: local */
    char *workdir;
    int workdir_fd;
    size_t max_sessions, n_sessions, n_running, max_running;
    size_t n_providing; /* installs under way, also of sessions that are gone */
    int64_t idle_ms;
    struct session *first;
    struct pool *pool;
    struct pool_config *pool_config; /* until the pool is made */
    struct fetch_settings *fetching; /* NULL: local */
    char *packages;                  /* --packages */
    struct prepared *prepared;
    struct fetcher *fetcher; /* NULL: nothing was installed yet */
    struct keeper keeper;
    bool keeper_running;
    uint64_t oom_kills; /* of the whole system, when last looked at */
    struct watch *watch;
    uv_timer_t reaper;
    struct later *later;
    char ended[1024][SESSION_ID_CHARS + 1]; /* a ring */
    size_t n_ended;
    int64_t stop_by_ms;
    void (*stopped)(void *data);
    void *stopped_data;
};

/* ---- session.c ---- */

/* Append the job; it starts when those before it are done. */
int session_queue(struct session *s, struct job *job, struct err *e);

/* Take a job that has ended out of the queue, before its callback is called; then session_next. */
void job_remove(struct job *job);
void session_next(struct session *s);

/* Let go of its kernel, not from within one of its callbacks; the next job gets another. */
void session_drop_kernel(struct session *s);

/* ---- files.c ---- */

/* Its working directory; -1: an isolated one that has none yet. */
int session_workdir_fd(const struct session *s);

/*
 * The directory for files that are not the user's own, as the code knows it; the kernel makes it when it needs it. The
 * other is a descriptor of it (O_PATH), which stays the same when the code moves the directory; it makes it, too, and
 * is -1 when that cannot be done.
 */
const char *session_scratch(struct session *s);
int session_scratch_fd(struct session *s);
void session_forget_scratch(struct session *s);
void session_remember_file(struct session *s, const char *path);

/* ---- sessions.c ---- */

int sessions_prepare(struct sessions *all, struct err *e); /* keeper, watch, pool: before the first process */
struct fetcher *sessions_fetcher(struct sessions *all,
                                 struct err *e); /* opens the package store; NULL and e: it cannot */
void sessions_wake(struct sessions *all);        /* an execution ended: others may run */
void sessions_flush_later(struct sessions *all); /* make the calls that wait, now */
void sessions_remember_ended(struct sessions *all, const char *id);
bool sessions_unlink(struct sessions *all, struct session *s); /* was it among them? */

/* ---- installing.c ---- */

struct exec_install; /* an install that code asked for (%pip) */

/*
 * NULL: refused, and the kernel is answered. It may take as long as the code itself (timeout_ms, 0: no limit), at least
 * LIMIT_INSTALL_MS: the code's time stands still meanwhile.
 */
struct exec_install *exec_install_start(struct session *s, uint32_t seq, const struct wire_frame *frame,
                                        int64_t timeout_ms);
const char *exec_install_line(const struct exec_install *i); /* what it did last; NULL: nothing yet */
void exec_install_cancel(struct exec_install *i);            /* the kernel is answered */
void exec_install_forget(struct exec_install *i);            /* the kernel is gone */

/* ---- execution.c ---- */

/* Output belongs to the execution that runs, or to the next one. */
void execution_output(struct session *s, const char *bytes, size_t size);

/* For exec_install: it has answered and is gone. */
void execution_install_done(struct session *s, struct exec_install *i);

#endif
