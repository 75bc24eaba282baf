/*
 * The process, its pipe and the timer are three handles of the loop; the child is done when it has exited and its
 * output is at its end, and freed when the last handle is closed. Something that it left behind may hold the pipe
 * open: the group is killed when the leader exits, and the wait for the pipe is bounded.
 */
#include "packages/child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"

#define OUTPUT_KEPT (256 * KIB)
#define LINE_MAX_BYTES 400
#define KILL_AFTER_MS 1000
#define PIPE_WAIT_MS 300 /* from the exit to giving up on the end of the output */

struct child {
    uv_process_t process;
    uv_pipe_t pipe;
    uv_timer_t timer;
    int n_open; /* handles that are not closed */
    struct child_ops ops;
    void *data;
    struct child_result result;
    struct buf output;
    char chunk[16384];
    char line[LINE_MAX_BYTES + 1];
    size_t line_size;
    bool line_over; /* the line is complete: the next byte starts another */
    bool exited, stopping, failed;
};

static void on_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;

    if (--c->n_open)
        return;
    if (!c->failed) {
        c->result.output = &c->output;
        c->ops.done(c->data, &c->result);
    }
    buf_fini(&c->output);
    free(c);
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void close_all(struct child *c)
{
    close_handle(&c->pipe);
    close_handle(&c->timer);
    close_handle(&c->process);
}

static void signal_group(const struct child *c, int signal)
{
    /* It leads a process group of its own (setsid in uv_spawn), so this reaches what it started, too. */
    if (c->process.pid > 0)
        (void)kill(-c->process.pid, signal);
}

static void on_kill_time(uv_timer_t *timer)
{
    signal_group(timer->data, SIGKILL);
}

static void on_pipe_wait(uv_timer_t *timer)
{
    close_all(timer->data);
}

static void on_exited(uv_process_t *process, int64_t status, int signal)
{
    struct child *c = process->data;

    c->exited = true;
    c->result.exit_code = signal ? -1 : (int)status;
    c->result.signal = signal;
    signal_group(c, SIGKILL); /* a build's leftovers have no reason to live on */
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        close_all(c);
    else
        (void)uv_timer_start(&c->timer, on_pipe_wait, PIPE_WAIT_MS, 0);
}

/* Remember the last line that says something. */
static void watch_lines(struct child *c, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' || data[i] == '\r') {
            if (c->line_size && !c->line_over && c->ops.line) {
                c->line[c->line_size] = '\0';
                c->ops.line(c->data, c->line);
            }
            c->line_over = true;
            continue;
        }
        if (c->line_over)
            c->line_size = 0;
        c->line_over = false;
        if (c->line_size < LINE_MAX_BYTES)
            c->line[c->line_size++] = data[i];
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct child *c = handle->data;

    (void)suggested;
    *ret = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *chunk)
{
    struct child *c = stream->data;

    if (n < 0) {
        close_handle(&c->pipe);
        if (c->exited)
            close_all(c);
        return;
    }
    if (c->output.len + (size_t)n > OUTPUT_KEPT) /* the end is what explains a failure */
        buf_consume(&c->output, c->output.len / 2);
    (void)buf_append(&c->output, chunk->base, (size_t)n);
    watch_lines(c, chunk->base, (size_t)n);
}

static int spawn(struct child *c, const struct child_params *params, struct err *e)
{
    autofd int in = -1, out = -1;
    int ends[2], r = fd_pipe(ends);
    uv_stdio_container_t stdio[5] = {{.flags = UV_IGNORE}}; /* 0: libuv opens /dev/null; 3 and 4: nothing */
    uv_process_options_t options = {
        .exit_cb = on_exited,
        .file = params->file ? params->file : params->argv[0],
        .args = (char **)params->argv,
        .env = (char **)params->env,
        .cwd = params->cwd,
        .flags = UV_PROCESS_DETACHED, /* setsid */
        .stdio = stdio,
        .stdio_count = 5,
    };

    if (r < 0)
        return err_set(e, -r, "pipe for %s: %s", params->argv[0], strerror(-r));
    in = ends[0];
    out = ends[1];
    /* One pipe for both, so that their order stays. */
    stdio[1] = stdio[2] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = out};
    if (params->extra_fd >= 0)
        stdio[3] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = params->extra_fd};
    if (params->lock_fd >= 0)
        stdio[4] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = params->lock_fd};
    r = uv_pipe_open(&c->pipe, in);
    if (r < 0)
        return err_set(e, -r, "pipe for %s: %s", params->argv[0], uv_strerror(r));
    (void)steal_fd(&in);
    r = uv_spawn(c->process.loop, &c->process, &options);
    if (r < 0)
        return err_set(e, -r, "cannot run %s: %s", params->argv[0], uv_strerror(r));
    return uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
}

int child_start(uv_loop_t *loop, const struct child_params *params, const struct child_ops *ops, void *data,
                struct child **ret, struct err *e)
{
    struct child *c = xnew(struct child);
    int r;

    c->ops = *ops;
    c->data = data;
    c->n_open = 3;
    buf_init(&c->output, 0); /* bounded by on_read */
    (void)uv_timer_init(loop, &c->timer);
    (void)uv_pipe_init(loop, &c->pipe, 0);
    c->process.loop = loop; /* uv_spawn sets the rest, also when it fails */
    c->timer.data = c->pipe.data = c->process.data = c;
    r = spawn(c, params, e);
    if (r < 0) {
        c->failed = true;
        if (c->process.type != UV_PROCESS) /* it did not come to uv_spawn */
            c->n_open--;
        else
            close_handle(&c->process);
        close_handle(&c->pipe);
        close_handle(&c->timer);
        return r;
    }
    *ret = c;
    return 0;
}

void child_stop(struct child *c)
{
    if (c->stopping || c->exited)
        return;
    c->stopping = true;
    signal_group(c, SIGTERM);
    (void)uv_timer_start(&c->timer, on_kill_time, KILL_AFTER_MS, 0);
}
