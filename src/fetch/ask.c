/*
 * The server's side. A question is worked on by a thread of the loop's pool first (look.c), which reads directories and
 * the store; what has to be fetched goes to a process. While one runs, others with the same question wait for it and
 * then look again.
 */
#include "fetch/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fetch/record.h"
#include "packages/child.h"
#include "packages/explain.h"
#include "packages/requirement.h"
#include "packages/wanted.h"
#include "packages/words.h"

extern char **environ;

#define PROCESSES_MAX 4 /* at a time: each may use 2 GiB */
#define TICK_MS 500
#define SIGN_OF_LIFE_US 2000000
#define LINE_SHOWN 160
#define RESULT_MAX (8 * MIB)

static void look(struct fetch *f);

/* ---- the end ---- */

static void free_fetch(struct fetch *f)
{
    words_fini(&f->specs);
    words_fini(&f->hashes);
    free(f->executable);
    free(f->version);
    free(f->prefix);
    free(f->base_prefix);
    free(f->sites);
    free(f->layer);
    free(f->uv);
    free(f->key);
    free(f->line);
    free(f->last_line);
    reply_fini(&f->reply);
    fd_close(&f->file);
    fd_close(&f->hold);
    free(f);
}

static void on_closed(uv_handle_t *handle)
{
    struct fetch *f = handle->data;

    if (--f->n_timers == 0)
        free_fetch(f);
}

static void wake_others(struct fetcher *all);

/* What a request that was not worked on says. */
static void fill_unfinished(struct fetch *f, const char *reason)
{
    reply_fini(&f->reply);
    f->reply.items = xnew_n(struct install_item, f->specs.n + 1);
    for (size_t i = 0; i < f->specs.n; i++)
        f->reply.items[f->reply.n_items++] = (struct install_item){
            .spec = xstrdup(f->specs.items[i]), .state = INSTALL_FAILED, .reason = xstrdup(reason), .asked = true};
}

static void set_final_words(struct fetch *f)
{
    if (f->cancelled) {
        fill_unfinished(f, "cancelled before it was installed");
        f->reply.error = xstrdup("the installation was cancelled");
    } else if (f->timed_out) {
        fill_unfinished(f, "not finished in time");
        f->reply.error =
            xasprintf("not finished after %.0f s, so it was stopped%s%s. Ask again with a longer timeout: large files "
                      "that have come are kept",
                      (double)f->timeout_ms / 1000, f->last_line ? " at: " : "", f->last_line ? f->last_line : "");
    } else if (f->reply.n_items == 0) {
        autofree char *error = steal_ptr(f->reply.error);

        fill_unfinished(f, "not installed");
        f->reply.error = steal_ptr(error);
    }
}

static void finish(struct fetch *f)
{
    struct fetcher *all = f->all;
    struct fetch_outcome out = {.set = NULL};

    set_final_words(f);
    if (f->cancelled || f->timed_out) {
        store_set_close(f->set);
        f->set = NULL;
    }
    for (struct fetch **at = &all->first; *at; at = &(*at)->next)
        if (*at == f) {
            *at = f->next;
            break;
        }
    out.install = (struct install_outcome){
        .ok = f->reply.ok && !f->reply.error,
        .timed_out = f->timed_out,
        .cancelled = f->cancelled,
        .items = f->reply.items,
        .n_items = f->reply.n_items,
        .error_text = f->reply.error,
        .notes = f->reply.notes,
        .duration_us = clock_us() - f->start_us,
    };
    out.set = steal_ptr(f->set);
    f->state = FETCH_OVER;
    wake_others(all);
    f->done(f->data, &out);
    uv_close((uv_handle_t *)&f->deadline, on_closed);
    uv_close((uv_handle_t *)&f->tick, on_closed);
}

static void fail(struct fetch *f, const char *text)
{
    reply_fini(&f->reply);
    f->reply.error = explain_clean(text, strlen(text));
    finish(f);
}

/* ---- the process ---- */

static void on_line(void *data, const char *line)
{
    struct fetch *f = data;
    autofree char *clean = explain_tail(line, strlen(line), 1);
    char shown[LINE_SHOWN];

    if (!clean[strspn(clean, " ")])
        return;
    requirement_show(clean + strspn(clean, " "), shown, sizeof shown);
    free(f->line);
    free(f->last_line);
    f->line = xstrdup(shown);
    f->last_line = xstrdup(shown);
}

/* What it wrote; it handles what strangers wrote, so it is not believed to be well. */
static int read_result(struct fetch *f)
{
    autofree char *text = NULL;
    struct stat st;
    ssize_t n;

    if (fstat(f->file, &st) < 0 || st.st_size <= 0 || st.st_size > (off_t)RESULT_MAX)
        return -EBADMSG;
    text = xnew_n(char, (size_t)st.st_size + 1);
    n = pread(f->file, text, (size_t)st.st_size, 0);
    reply_fini(&f->reply);
    if (n != st.st_size || reply_read(text, (size_t)n, &f->reply) < 0)
        return -EBADMSG;
    return 0;
}

static void on_child_done(void *data, const struct child_result *result)
{
    struct fetch *f = data;

    f->child = NULL;
    f->all->n_processes--;
    if (f->timed_out || f->cancelled) {
        f->cleaning = true;
        look(f);
        return;
    }
    if (result->exit_code != 0 || read_result(f) < 0) {
        autofree char *tail = explain_tail(buf_str(result->output), result->output->len, 3);
        autofree char *text =
            result->signal ? xasprintf("the process that fetches packages was ended by signal %d", result->signal)
                           : xasprintf("the process that fetches packages failed%s%s", *tail ? ":\n" : "", tail);

        fail(f, text);
        return;
    }
    f->fetched = true;
    look(f); /* opens and checks the set that it made */
}

static void write_job(const struct fetch *f, struct buf *job)
{
    autofree char *bytes = xasprintf("%llu", (unsigned long long)f->all->store_bytes);

    record_add(job, "store", store_dir(f->all->store));
    record_add(job, "store-bytes", bytes);
    record_add(job, "executable", f->executable);
    record_add(job, "version", f->version);
    record_add(job, "prefix", f->prefix);
    record_add(job, "base-prefix", f->base_prefix);
    record_add(job, "sites", f->sites);
    record_add(job, "key", f->key);
    record_add(job, "layer", f->layer);
    record_add(job, "uv", f->uv);
    if (f->all->offline)
        record_add(job, "offline", "1");
    if (f->of_file)
        record_add(job, "of-file", "1");
    if (f->all->builds != BUILDS_NONE)
        record_add(job, "builds", f->all->builds == BUILDS_NETWORK ? "2" : "1");
    for (size_t i = 0; i < f->specs.n; i++)
        record_add(job, "spec", f->specs.items[i]);
    for (size_t i = 0; i < f->hashes.n; i++)
        record_add(job, "hash", f->hashes.items[i]);
}

/* 0 or -1 with errno. ret_other: the end for the process. */
static int make_hold(struct fetch *f, int *ret_other)
{
    int ends[2];

    fd_close(&f->hold);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    f->hold = ends[0];
    *ret_other = ends[1];
    return 0;
}

static void start_process(struct fetch *f)
{
    static const struct child_ops ops = {on_line, on_child_done};
    char *argv[] = {(char[]){FETCH_ARGV0}, NULL};
    struct child_params params = {argv, "/proc/self/exe", environ, "/", -1, -1};
    autobuf struct buf job = BUF_INIT;
    struct err e = ERR_INIT;

    write_job(f, &job);
    fd_close(&f->file);
    f->file = fd_memfile("fetch", buf_begin(&job), job.len);
    params.extra_fd = f->file;
    if (f->file < 0)
        (void)err_set(&e, -f->file, "an anonymous file for the process that fetches packages");
    else if (make_hold(f, &params.lock_fd) < 0)
        (void)err_errno(&e, "a socket for the process that fetches packages");
    else
        (void)child_start(f->all->loop, &params, &ops, f, &f->child, &e);
    fd_close(&params.lock_fd);
    if (e.code) {
        fail(f, e.text);
        return;
    }
    f->state = FETCH_RUNS;
    f->all->n_processes++;
}

/* ---- in turn ---- */

static bool is_running(const struct fetcher *all, const char *key)
{
    for (const struct fetch *f = all->first; f; f = f->next)
        if (f->state == FETCH_RUNS && strcmp(f->key, key) == 0)
            return true;
    return false;
}

/* Whoever waited for one that has the same question finds its answer in the store, or asks itself. */
static void wake_others(struct fetcher *all)
{
    for (struct fetch *f = all->first; f; f = f->next)
        if (f->state == FETCH_WAITS && !is_running(all, f->key) && all->n_processes < PROCESSES_MAX)
            look(f);
}

static void on_looked(uv_work_t *work, int status)
{
    struct fetch *f = work->data;

    (void)status;
    f->all->n_looking--;
    f->state = FETCH_WAITS;
    if (f->cancelled || f->timed_out || f->answered || f->fetched)
        finish(f);
    else if (!is_running(f->all, f->key) && f->all->n_processes < PROCESSES_MAX)
        start_process(f);
}

static void work_look(uv_work_t *work)
{
    fetch_look(work->data);
}

static void look(struct fetch *f)
{
    f->state = FETCH_LOOKS;
    f->work.data = f;
    f->all->n_looking++;
    (void)uv_queue_work(f->all->loop, &f->work, work_look, on_looked);
}

/* ---- timers ---- */

static void stop(struct fetch *f)
{
    if (f->child)
        child_stop(f->child); /* on_child_done goes on */
    else if (f->state == FETCH_WAITS)
        look(f); /* so that done is never called from within; on_looked goes on */
}

static void on_deadline(uv_timer_t *timer)
{
    struct fetch *f = timer->data;

    if (f->timed_out || f->cancelled || f->state == FETCH_OVER)
        return;
    f->timed_out = true;
    stop(f);
}

void fetch_cancel(struct fetch *f)
{
    if (f->timed_out || f->cancelled || f->state == FETCH_OVER)
        return;
    f->cancelled = true;
    stop(f);
}

static void on_tick(uv_timer_t *timer)
{
    struct fetch *f = timer->data;
    autofree char *line = steal_ptr(f->line);
    int64_t now = clock_us();

    if (!f->progress || f->timed_out || f->cancelled || f->state == FETCH_OVER ||
        (!line && now - f->told_us < SIGN_OF_LIFE_US))
        return;
    f->told_us = now;
    f->progress(f->data, (double)(now - f->start_us) / 1e6, line);
}

/* ---- the interface ---- */

static int take_specs(struct fetch *f, const struct fetch_request *request, struct err *e)
{
    const size_t most = request->of_file ? WANTED_MAX : LIMIT_PACKAGES;

    if (request->n_specs == 0)
        return err_set(e, EINVAL, "no packages were named");
    if (request->n_specs > most)
        return err_set(e, E2BIG, "%zu packages in one call; at most %zu are accepted", request->n_specs, most);
    f->of_file = request->of_file;
    for (size_t i = 0; i < request->n_hashes; i++)
        words_add(&f->hashes, request->hashes[i]);
    for (size_t i = 0; i < request->n_specs; i++) {
        const char *start = request->specs[i] + strspn(request->specs[i], " \t");
        autofree char *spec = xstrdup(start);
        struct requirement parsed;

        if (requirement_parse(request->specs[i], &parsed, e) < 0)
            return -e->code;
        for (size_t size = strlen(spec); size && strchr(" \t", spec[size - 1]); size--)
            spec[size - 1] = '\0';
        words_add(&f->specs, spec);
    }
    return 0;
}

int fetch_start(struct fetcher *all, const struct fetch_request *request,
                void (*progress)(void *data, double seconds, const char *line),
                void (*done)(void *data, struct fetch_outcome *outcome), void *data, struct fetch **ret, struct err *e)
{
    struct fetch *f = xnew(struct fetch);
    uv_timer_t *const timers[] = {&f->deadline, &f->tick};

    f->all = all;
    f->file = f->hold = -1;
    if (take_specs(f, request, e) < 0) {
        free_fetch(f);
        return -e->code;
    }
    f->executable = xstrdup(request->base->executable);
    f->version = xstrdup(request->base->version);
    f->prefix = xstrdup(request->base->prefix);
    f->base_prefix = xstrdup(request->base->base_prefix);
    f->sites = xstrdup(request->base->sites ? request->base->sites : "");
    f->layer = xstrdup(request->layer);
    f->timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : LIMIT_INSTALL_MS;
    f->progress = progress;
    f->done = done;
    f->data = data;
    f->start_us = f->told_us = clock_us();
    for (; f->n_timers < 2; f->n_timers++) {
        (void)uv_timer_init(all->loop, timers[f->n_timers]);
        timers[f->n_timers]->data = f;
    }
    (void)uv_timer_start(&f->deadline, on_deadline, (uint64_t)f->timeout_ms, 0);
    (void)uv_timer_start(&f->tick, on_tick, TICK_MS, TICK_MS);
    f->next = all->first;
    all->first = f;
    look(f);
    *ret = f;
    return 0;
}

int fetcher_new(uv_loop_t *loop, const struct fetch_settings *settings, struct fetcher **ret, struct err *e)
{
    struct fetcher *all = xnew(struct fetcher);

    if (store_open(settings->store_dir, settings->store_bytes, &all->store, e) < 0) {
        free(all);
        return -e->code;
    }
    all->loop = loop;
    all->store_bytes = settings->store_bytes;
    all->resolve_ttl_ms = settings->resolve_ttl_ms;
    all->offline = settings->offline;
    all->builds = settings->builds;
    *ret = all;
    return 0;
}

void fetcher_free(struct fetcher *all)
{
    if (!all)
        return;
    store_close(all->store);
    free(all);
}

struct store *fetcher_store(const struct fetcher *all)
{
    return all->store;
}
