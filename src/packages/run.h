/*
 * One call of packages_install while it runs. run.c: the whole, from the first step to the outcome; prepare.c: finding
 * or making the environment; attempt.c: the installer, and again without what fails. Each step starts a child process
 * or waits for a lock, and names what follows.
 */
#ifndef CELLBLOCK_PACKAGES_RUN_H
#define CELLBLOCK_PACKAGES_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "packages/packages.h"
#include "packages/child.h"
#include "packages/python.h"
#include "packages/report.h"
#include "packages/site.h"
#include "packages/words.h"
#include "packages/outcome.h"

struct packages_run;

typedef void (*run_step)(struct packages_run *run);
typedef void (*run_child_done)(struct packages_run *run, const struct child_result *result);

struct packages_run {
    uv_loop_t *loop;
    struct install_ops ops;
    void *data;
    int64_t start_us, timeout_ms;

    /* what was asked for */
    char *workdir;
    char *session_python;
    bool in_venv; /* the session's Python is one of a virtual environment */
    struct request *requests;
    size_t n;

    /* the environment */
    char *dir, *python;
    char *uv; /* or NULL: pip */
    struct python_info base, venv;
    int workdir_lock, dir_lock;
    struct site before, after;
    struct packages_target target;
    bool has_target;

    /* what is going on */
    struct child *child;
    run_child_done child_done;
    uv_timer_t step_timer, deadline, tick;
    int n_timers;
    run_step step;
    int64_t told_us; /* the last sign of life */
    char *line;      /* of output, not told yet; NULL: none */
    char *last_line;
    bool timed_out, cancelled;
    char *error; /* a failure of the whole */

    /* the installer */
    int extra_fd;                    /* of the child: pip's log, uv's constraints */
    const char *pip_python;          /* the interpreter whose pip installs; NULL: not known yet */
    bool pip_made;                   /* ensurepip was tried */
    bool constrained, unconstrained; /* uv keeps to the versions of the base; that was tried and does not work */
    bool singles;                    /* one package at a time, because nobody knows which one fails */
    size_t n_refused;                /* answers 401 or 403, one after the other */
    bool *attempted;                 /* which requests the running attempt is about */
    size_t n_attempted;
};

/* Wait, then go on with step. */
void run_later(struct packages_run *run, run_step step, int64_t delay_ms);

/* Start a program in cwd; done when it has ended, unless the run is to stop. When it cannot start: run_fail. */
void run_child(struct packages_run *run, const struct words *argv, const char *cwd, bool for_uv, run_child_done done);

/* End the run, with a failure of the whole; the text is copied and cleaned of credentials. */
void run_fail(struct packages_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* End the run: report what is there. */
void run_finish(struct packages_run *run);

/* A line to show while there is no output. */
void run_say(struct packages_run *run, const char *line);

void prepare_start(struct packages_run *run); /* ends in attempt_start */
void attempt_start(struct packages_run *run); /* ends in run_finish */

/* Scan what the environment has now. */
void run_scan(struct packages_run *run, struct site *ret);

#endif
