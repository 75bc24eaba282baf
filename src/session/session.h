/*
 * Sessions: named, stateful places where code runs. A session has a kernel (a Python process) and a working
 * directory; the kernel may die and be replaced, the session stays. Executions of one session run in order, those of
 * different sessions in parallel. Knows nothing of JSON-RPC. One thread, one libuv loop, nothing blocks.
 */
#ifndef CELLBLOCK_SESSION_SESSION_H
#define CELLBLOCK_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "packages/outcome.h"

struct err;
struct fetch_settings;
struct isolation;
struct isolation_level;
struct sessions;
struct session;
struct execution;

struct sessions_config {
    uv_loop_t *loop;
    const char *workdir; /* absolute */
    const char *python;  /* --python, or NULL: the .venv's, else python3 on PATH */
    const char *preload; /* comma-separated modules, or NULL for the default list; "" for none */
    size_t max_sessions; /* 0: the default, likewise below */
    int64_t idle_ms;
    size_t spare_kernels;                  /* kept ready for new sessions, 0 for none: then no sandboxes are either */
    bool no_warm;                          /* never start a warm zygote (cellblock run) */
    const char *packages;                  /* a file of requirements that isolated sessions are to have, or NULL */
    const struct fetch_settings *fetching; /* where isolated sessions get packages from (fetch/fetch.h); copied */
    const struct isolation *isolation;     /* sessions are isolated (isolation.h); NULL: local. Outlives the sessions */
};

/* Strings of config are copied. Starts no process. */
int sessions_new(const struct sessions_config *config, struct sessions **ret, struct err *e);

/* Find out whether sessions can be had, isolated as required; else e says why. Blocks for some milliseconds. */
int sessions_check(struct sessions *all, struct err *e);

/* Start the interpreters ahead of the first call; safe to call again. */
void sessions_warm(struct sessions *all);

/*
 * End every session and process; done is called when all are gone (within 2 s), then all is freed. Not from within a
 * callback of this module, except one of sessions_later.
 */
void sessions_stop(struct sessions *all, void (*done)(void *data), void *data);

/* What their isolation is to be, NULL: they are local. */
const struct isolation *sessions_isolation(const struct sessions *all);

/* What isolated sessions get on this machine (boxes.h); NULL: they are local, or none was started yet. */
const struct isolation_level *sessions_level(const struct sessions *all);

/* Call cb in ms milliseconds, or when the sessions are stopped, whichever comes first. */
void sessions_later(struct sessions *all, uint64_t ms, void (*cb)(void *data), void *data);

/* A new session; when the limit is reached the longest idle one is ended for it, -EAGAIN if none is idle. */
int session_new(struct sessions *all, struct session **ret, struct err *e);
struct session *session_find(struct sessions *all, const char *id); /* NULL: unknown or ended */
bool session_ended(const struct sessions *all, const char *id);     /* was there once */
const char *session_id(const struct session *s);
void session_close(struct session *s);

/* A file of the session: path below the workspace, or below ".cellblock/" for the session's scratch files. */
int session_open_file(struct session *s, const char *path, int *ret_fd, int64_t *ret_size, struct err *e);

/* The same, to be written: a new file, or one that is there, emptied. Its directory exists. The caller closes *ret_fd.
 */
int session_create_file(struct session *s, const char *path, int *ret_fd, struct err *e);

/* A directory of its workspace, to be read; "." is the workspace itself. */
int session_open_dir(const struct session *s, const char *path, int *ret_fd, struct err *e);

/* The files that sessions changed lately and that are still there, newest session first. */
void sessions_each_file(const struct sessions *all,
                        void (*each)(void *data, const char *session, const char *path, int64_t size), void *data);

/* ---- for those who look from outside (overview.c) ---- */

struct session_info {
    const char *id, *workdir; /* the code's working directory, as the code sees it */
    bool isolated, busy;
    int64_t idle_ms; /* since its last call */
    size_t n_files;  /* that changed lately */
};

void session_describe(const struct session *s, struct session_info *ret); /* texts live as long as the session */
void sessions_each(const struct sessions *all, void (*each)(void *data, const struct session_info *info), void *data);

/* A private directory of this server, or NULL while there is none: it is made with the first session. */
const char *sessions_runtime_dir(const struct sessions *all);

/* ---- executions ---- */

struct exec_params {
    const char *code;
    size_t code_size;
    const char *stdin_text; /* NULL: none */
    size_t stdin_size;
    int64_t timeout_ms; /* 0: no limit; stands still while the code waits for packages that it installs */
};

enum exec_status {
    EXEC_OK,
    EXEC_ERROR, /* Python raised; error_text has the traceback */
    EXEC_EXIT,  /* sys.exit or exit: variables kept; exit_code */
    EXEC_TIMEOUT,
    EXEC_CANCELLED,
    EXEC_DIED,        /* the kernel ended under it: exit_code or signal */
    EXEC_PROTOCOL,    /* the kernel broke the wire format and was killed */
    EXEC_UNAVAILABLE, /* no Python could be started; error_text says why and what to do */
    EXEC_STATUS_MAX,
};

enum exec_item_kind { EXEC_TEXT, EXEC_IMAGE, EXEC_FILE };

struct exec_item {
    enum exec_item_kind kind;
    char *data; /* text (any bytes), image bytes, or the file's path */
    size_t size;
    const char *mime; /* images: image/png or image/jpeg */
};

struct exec_file {
    char *path; /* relative to the workspace, or starting with ".cellblock/" */
    int64_t size;
    bool is_new;
};

struct exec_outcome {
    enum exec_status status;
    const struct exec_item *items; /* in the order that things happened */
    size_t n_items;
    const struct exec_file *files; /* new and changed, the first LIMIT_FILES_LISTED */
    size_t n_files;
    size_t n_files_more;
    const char *error_text;     /* NULL when there is none */
    const char *error_name;     /* "ModuleNotFoundError", or NULL */
    const char *missing_module; /* of a ModuleNotFoundError, any text; or NULL */
    int exit_code;
    int signal;
    bool out_of_memory;       /* something was killed meanwhile for want of memory; always told with a signal */
    uint64_t memory_limit;    /* then: the session's, in bytes; 0: the system's memory was out */
    bool variables_kept;      /* does the kernel live? */
    bool kernel_was_replaced; /* this execution started in a fresh kernel because the earlier one had died */
    bool files_kept;          /* does the place live where they are? */
    bool files_were_lost;     /* the earlier place did not: this started with an empty directory */
    bool interrupted_hard;    /* needed the abort that cannot be caught */
    int64_t duration_us;      /* from the start of the code to its end */
    int64_t installing_us;    /* of it, waiting for packages, which its timeout does not count */
    int64_t output_total;     /* bytes that the code wrote, kept or not */
    const struct isolation_level *isolation; /* NULL: it ran locally */
    const char *output_path;                 /* where the whole output is, when the text here was cut; else NULL */
};

struct exec_ops {
    /* Something to tell while it runs (a last line of output, or NULL as a sign of life); at most 1 in 500 ms. */
    void (*progress)(void *data, double seconds, const char *line);
    /* Text as it comes, for somebody who watches; NULL where nobody does. */
    void (*output)(void *data, const char *text, size_t size);
    /* Once. Everything in outcome is gone after it returns, and so is the execution. */
    void (*done)(void *data, const struct exec_outcome *outcome);
};

/* Queue code. done may be called before this returns (no Python is to be had). -EAGAIN: too many wait already. */
int session_execute(struct session *s, const struct exec_params *params, const struct exec_ops *ops, void *data,
                    struct execution **ret, struct err *e);

/* Interrupt it, or drop it while it waits; done follows. Safe to call again. */
void execution_cancel(struct execution *x);

/*
 * name==version lines of what the session can import, in queue order; a comment in front of what it installed itself
 * and of the rest, where there is both. text NULL: error_text says why.
 */
typedef void (*session_list_cb)(void *data, const char *text, const char *error_text);
int session_list_packages(struct session *s, session_list_cb done, void *data, struct err *e);

/* ---- installing ---- */

struct install;

/* 0, or why a requirement is refused: nothing is run for it. */
int install_check(const char *spec, struct err *e);

/* Install into the session's environment; the session sees the packages at once. Refused specifiers: done, at once. */
int session_install(struct session *s, const char *const *specs, size_t n, int64_t timeout_ms,
                    const struct install_ops *ops, void *data, struct install **ret, struct err *e);
void install_cancel(struct install *i);

#endif
