/* cellblock run: one piece of code, as the server would run it, for a person at a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "session/session.h"

#define CODE_MAX (64 * MIB)

struct running {
    uv_loop_t loop;
    const struct options *options;
    struct sessions *sessions;
    struct execution *execution;
    uv_signal_t on_int, on_term;
    int status;
    bool ended;
    unsigned n_figures;
};

static int read_all(int fd, const char *name, struct buf *out, struct err *e)
{
    for (;;) {
        char *room = buf_reserve(out, 64 * KIB);
        ssize_t n;

        if (!room)
            return err_set(e, E2BIG, "%s is larger than %zu MiB", name, CODE_MAX / MIB);
        n = read(fd, room, 64 * KIB);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot read %s", name);
        if (n == 0)
            return 0;
        buf_commit(out, (size_t)n);
    }
}

static int read_code(const struct options *options, struct buf *out, struct err *e)
{
    autofd int fd = -1;

    if (options->code)
        return buf_puts(out, options->code);
    if (strcmp(options->file, "-") == 0)
        return read_all(STDIN_FILENO, "stdin", out, e);
    fd = open(options->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot open %s", options->file);
    return read_all(fd, options->file, out, e);
}

/* ---- what comes back ---- */

static void on_output(void *data, const char *text, size_t size)
{
    (void)data;
    (void)fd_write_all(STDOUT_FILENO, text, size);
}

static void keep_figure(struct running *r, const struct exec_item *item)
{
    const char *ending = strcmp(item->mime, "image/png") == 0 ? "png" : "jpg";
    autofree char *path = NULL;
    autofd int fd = -1;

    r->n_figures++;
    if (!r->options->figures) {
        (void)printf("[figure %u: keep it with --figures DIR]\n", r->n_figures);
        return;
    }
    path = xasprintf("%s/figure-%u.%s", r->options->figures, r->n_figures, ending);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || fd_write_all(fd, item->data, item->size) < 0)
        (void)fprintf(stderr, "cellblock: cannot write %s: %s\n", path, strerror(errno));
    else
        (void)printf("[figure: %s]\n", path);
}

static void tell_end(const struct exec_outcome *o)
{
    if (o->error_text)
        (void)fprintf(stderr, "%s%s", o->error_text,
                      *o->error_text && o->error_text[strlen(o->error_text) - 1] == '\n' ? "" : "\n");
    if (o->status == EXEC_TIMEOUT)
        (void)fprintf(stderr, "cellblock: timed out\n");
    else if (o->status == EXEC_DIED && o->signal)
        (void)fprintf(stderr, "cellblock: Python was ended by signal %d (%s)\n", o->signal, strsignal(o->signal));
}

static int exit_status(const struct exec_outcome *o)
{
    switch (o->status) {
    case EXEC_OK:
        return 0;
    case EXEC_EXIT:
        return o->exit_code & 0xff;
    case EXEC_DIED:
        return o->signal ? 128 + o->signal : o->exit_code;
    case EXEC_CANCELLED:
        return 130;
    case EXEC_TIMEOUT:
        return 124;
    case EXEC_UNAVAILABLE:
        return EXIT_NOT_STARTED;
    default:
        return EXIT_CODE_FAILED;
    }
}

static void on_stopped(void *data)
{
    struct running *r = data;

    uv_close((uv_handle_t *)&r->on_int, NULL);
    uv_close((uv_handle_t *)&r->on_term, NULL);
}

static void stop(void *data)
{
    struct running *r = data;

    sessions_stop(r->sessions, on_stopped, r);
}

static void on_done(void *data, const struct exec_outcome *o)
{
    struct running *r = data;

    r->ended = true;
    for (size_t i = 0; i < o->n_items; i++) {
        if (o->items[i].kind == EXEC_IMAGE)
            keep_figure(r, &o->items[i]);
        else if (o->items[i].kind == EXEC_FILE)
            (void)printf("[file: %s]\n", o->items[i].data);
    }
    (void)fflush(stdout);
    tell_end(o);
    r->status = exit_status(o);
    sessions_later(r->sessions, 0, stop, r); /* not from within: what calls this still works with them */
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct running *r = handle->data;

    (void)number;
    if (!r->ended && r->execution)
        execution_cancel(r->execution);
}

static void watch_signal(struct running *r, uv_signal_t *handle, int number)
{
    (void)uv_signal_init(&r->loop, handle);
    handle->data = r;
    (void)uv_signal_start(handle, on_signal, number);
    uv_unref((uv_handle_t *)handle);
}

static int start(struct running *r, struct buf *code, struct buf *input, struct err *e)
{
    static const struct exec_ops ops = {NULL, on_output, on_done};
    struct exec_params params = {.timeout_ms = r->options->timeout_ms};
    struct session *s;
    int status;

    status = read_code(r->options, code, e);
    /* A terminal's input is not taken: the code would seem to hang. What is piped in is handed on. */
    if (status == 0 && !isatty(STDIN_FILENO) && !(r->options->file && strcmp(r->options->file, "-") == 0)) {
        status = read_all(STDIN_FILENO, "stdin", input, e);
        params.stdin_text = buf_str(input);
        params.stdin_size = input->len;
    }
    if (status < 0)
        return status;
    params.code = buf_str(code);
    params.code_size = code->len;
    if ((status = command_sessions(r->options, &r->loop, 1, &r->sessions, e)) < 0 ||
        (status = session_new(r->sessions, &s, e)) < 0)
        return status;
    return session_execute(s, &params, &ops, r, &r->execution, e);
}

int command_run(const struct options *options)
{
    static struct running running;
    struct buf code = BUF_INIT, input = BUF_INIT;
    struct err e = ERR_INIT;

    buf_init(&code, CODE_MAX);
    buf_init(&input, CODE_MAX);
    running.options = options;
    if (uv_loop_init(&running.loop) < 0)
        return EXIT_NOT_STARTED;
    watch_signal(&running, &running.on_int, SIGINT);
    watch_signal(&running, &running.on_term, SIGTERM);
    if (start(&running, &code, &input, &e) < 0) {
        (void)fprintf(stderr, "cellblock: %s\n", e.text);
        return EXIT_NOT_STARTED;
    }
    (void)uv_run(&running.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&running.loop);
    buf_fini(&code);
    buf_fini(&input);
    return running.status;
}
