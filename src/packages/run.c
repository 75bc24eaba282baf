#include "packages/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "packages/explain.h"
#include "packages/installer.h"
#include "packages/requirement.h"

#define PROGRESS_MS 500
#define SIGN_OF_LIFE_US 2000000
#define LINE_SHOWN 160

/* ---- the end ---- */

static void free_run(struct packages_run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        free(run->requests[i].spec);
        free(run->requests[i].key);
        free(run->requests[i].reason);
    }
    free(run->requests);
    free(run->attempted);
    free(run->workdir);
    free(run->session_python);
    free(run->dir);
    free(run->python);
    free(run->uv);
    free(run->line);
    free(run->last_line);
    free(run->error);
    python_info_fini(&run->base);
    python_info_fini(&run->venv);
    site_fini(&run->before);
    site_fini(&run->after);
    fd_close(&run->workdir_lock);
    fd_close(&run->dir_lock);
    fd_close(&run->extra_fd);
    free(run);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct packages_run *run = handle->data;

    if (--run->n_timers == 0)
        free_run(run);
}

/* What is said of the whole, and of what it did not come to. */
static char *final_words(struct packages_run *run, const char **ret_unfinished)
{
    *ret_unfinished = "not installed";
    if (run->cancelled) {
        *ret_unfinished = "cancelled before it was installed";
        return xstrdup("the installation was cancelled");
    }
    if (!run->timed_out)
        return run->error ? xstrdup(run->error) : NULL;
    *ret_unfinished = "not finished in time";
    return xasprintf("not finished after %.0f s, so it was stopped%s%s. Ask again with a longer timeout: what was "
                     "downloaded is kept",
                     (double)run->timeout_ms / 1000, run->last_line ? " at: " : "",
                     run->last_line ? run->last_line : "");
}

void run_finish(struct packages_run *run)
{
    struct install_outcome out = {.timed_out = run->timed_out, .cancelled = run->cancelled};
    struct install_item *items = NULL;
    autofree char *error = NULL;
    const char *unfinished;
    bool complete;

    if (run->has_target)
        run_scan(run, &run->after);
    error = final_words(run, &unfinished);
    out.n_items = report_make(run->requests, run->n, &run->before, &run->after, unfinished, &items, &complete);
    out.items = items;
    out.ok = complete && !error;
    out.error_text = error;
    out.duration_us = clock_us() - run->start_us;
    /* Before done: whoever is told may start the next one. */
    fd_close(&run->dir_lock);
    fd_close(&run->workdir_lock);
    run->ops.done(run->data, &out);
    report_free(items, out.n_items);
    uv_close((uv_handle_t *)&run->step_timer, on_timer_closed);
    uv_close((uv_handle_t *)&run->deadline, on_timer_closed);
    uv_close((uv_handle_t *)&run->tick, on_timer_closed);
}

void run_fail(struct packages_run *run, const char *format, ...)
{
    autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    run->error = explain_clean(text, strlen(text));
    run_finish(run);
}

/* The deadline or a cancellation. */
static void stop(struct packages_run *run)
{
    if (run->child)
        child_stop(run->child); /* on_child_done goes on */
    else
        run_later(run, run_finish, 0);
}

static void on_deadline(uv_timer_t *timer)
{
    struct packages_run *run = timer->data;

    if (run->timed_out || run->cancelled)
        return;
    run->timed_out = true;
    stop(run);
}

void packages_cancel(struct packages_run *run)
{
    if (run->timed_out || run->cancelled)
        return;
    run->cancelled = true;
    stop(run);
}

/* ---- steps ---- */

static void on_step(uv_timer_t *timer)
{
    struct packages_run *run = timer->data;

    run->step(run);
}

void run_later(struct packages_run *run, run_step step, int64_t delay_ms)
{
    run->step = step;
    (void)uv_timer_start(&run->step_timer, on_step, (uint64_t)delay_ms, 0);
}

void run_say(struct packages_run *run, const char *line)
{
    free(run->line);
    free(run->last_line);
    run->line = xstrdup(line);
    run->last_line = xstrdup(line);
}

static void on_line(void *data, const char *line)
{
    struct packages_run *run = data;
    autofree char *clean = explain_tail(line, strlen(line), 1);
    char shown[LINE_SHOWN];

    clean[strcspn(clean, "\n")] = '\0';
    if (!clean[strspn(clean, " ")])
        return;
    requirement_show(clean + strspn(clean, " "), shown, sizeof(shown));
    run_say(run, shown);
}

static void on_tick(uv_timer_t *timer)
{
    struct packages_run *run = timer->data;
    autofree char *line = steal_ptr(run->line);
    int64_t now = clock_us();

    if (!run->ops.progress || run->timed_out || run->cancelled || (!line && now - run->told_us < SIGN_OF_LIFE_US))
        return;
    run->told_us = now;
    run->ops.progress(run->data, (double)(now - run->start_us) / 1e6, line);
}

static void on_child_done(void *data, const struct child_result *result)
{
    struct packages_run *run = data;

    run->child = NULL;
    if (run->timed_out || run->cancelled)
        run_finish(run);
    else
        run->child_done(run, result);
}

void run_child(struct packages_run *run, const struct words *argv, const char *cwd, bool for_uv, run_child_done done)
{
    static const struct child_ops ops = {on_line, on_child_done};
    autowords struct words env = {NULL, 0};
    bool no_index = false;
    struct child_params params = {argv->items, NULL, NULL, cwd, run->extra_fd, run->dir_lock};
    struct err e = ERR_INIT;

    installer_env(run->workdir, run->dir, for_uv, &env, &no_index);
    params.env = env.items;
    if (params.lock_fd < 0)
        params.lock_fd = run->workdir_lock;
    run->child_done = done;
    if (child_start(run->loop, &params, &ops, run, &run->child, &e) < 0)
        run_fail(run, "%s", e.text);
}

void run_scan(struct packages_run *run, struct site *ret)
{
    size_t size = strlen(run->dir);

    site_add(ret, run->venv.site_packages, true);
    for (size_t i = 0; i < run->venv.n_path; i++) {
        const char *path = run->venv.path[i];
        bool own = strncmp(path, run->dir, size) == 0 && path[size] == '/';

        if (strcmp(path, run->venv.site_packages) != 0)
            site_add(ret, path, own);
    }
    site_seal(ret);
}

/* ---- the start ---- */

static int take_requests(struct packages_run *run, const char *const *specs, size_t n, struct err *e)
{
    run->requests = xnew_n(struct request, n);
    run->attempted = xnew_n(bool, n);
    for (size_t i = 0; i < n; i++) {
        struct request *q = &run->requests[run->n];
        struct requirement parsed;
        int r = requirement_parse(specs[i], &parsed, e);
        const char *start = specs[i] + strspn(specs[i], " \t");
        size_t size = strlen(start);

        if (r < 0)
            return r;
        while (size && strchr(" \t", start[size - 1]))
            size--;
        q->spec = xstrndup(start, size);
        q->key = xstrdup(parsed.name);
        q->bare = !parsed.has_extras && !parsed.has_version && !parsed.has_url && !parsed.has_marker;
        q->has_marker = parsed.has_marker;
        run->n++;
    }
    return 0;
}

static void start_timers(struct packages_run *run)
{
    uv_timer_t *const timers[] = {&run->step_timer, &run->deadline, &run->tick};

    for (; run->n_timers < 3; run->n_timers++) {
        (void)uv_timer_init(run->loop, timers[run->n_timers]);
        timers[run->n_timers]->data = run;
    }
    (void)uv_timer_start(&run->deadline, on_deadline, (uint64_t)run->timeout_ms, 0);
    (void)uv_timer_start(&run->tick, on_tick, PROGRESS_MS, PROGRESS_MS);
    run_later(run, prepare_start, 0); /* so that done is never called from within packages_install */
}

int packages_install(uv_loop_t *loop, const struct packages_env *env, const char *const *specs, size_t n,
                     int64_t timeout_ms, const struct install_ops *ops, void *data, struct packages_run **ret,
                     struct err *e)
{
    struct packages_run *run;
    int r;

    if (n == 0)
        return err_set(e, EINVAL, "no packages were named");
    if (n > LIMIT_PACKAGES)
        return err_set(e, E2BIG, "%zu packages in one call; at most %d are accepted", n, LIMIT_PACKAGES);
    run = xnew(struct packages_run);
    run->workdir_lock = run->dir_lock = run->extra_fd = -1;
    r = take_requests(run, specs, n, e);
    if (r < 0) {
        free_run(run);
        return r;
    }
    run->loop = loop;
    run->ops = *ops;
    run->data = data;
    run->start_us = run->told_us = clock_us();
    run->timeout_ms = timeout_ms > 0 ? timeout_ms : LIMIT_INSTALL_MS;
    run->workdir = xstrdup(env->workdir);
    run->session_python = xstrdup(env->python);
    run->in_venv = strcmp(env->prefix, env->base_prefix) != 0;
    run->dir = run->in_venv ? xstrdup(env->prefix) : xasprintf("%s/.venv", env->workdir);
    run->python = run->in_venv ? xstrdup(env->python) : xasprintf("%s/bin/python", run->dir);
    start_timers(run);
    *ret = run;
    return 0;
}

const struct packages_target *packages_run_target(const struct packages_run *run)
{
    return run->has_target ? &run->target : NULL;
}
