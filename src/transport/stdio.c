#include "transport/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "mcp/mcp.h"

#define READ_SIZE (64 * KIB)
#define HEAD_KEPT (64 * KIB) /* of an oversized line: enough to find its id */
#define POLL_MS 5            /* how often the end looks whether calls have finished */

/* A descriptor of the client: a stream that libuv polls, or a file, which no kernel interface polls. */
struct end {
    int fd; /* ours, -1 once a stream owns it */
    bool is_file;
    int flags; /* as they were, to be put back: a terminal is shared with the shell */
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
        uv_tty_t tty;
    } as;
};

struct stdio {
    uv_loop_t *loop;
    struct end in, out;
    struct mcp_conn *conn;
    void (*on_end)(void *data);
    void *data;
    struct buf line; /* what came of the next line */
    bool oversize, ended, told, out_broken;
    char *read_room;
    uv_fs_t read_file;
    size_t unsent;
    uv_timer_t timer; /* the grace at the end, then the flush */
    int64_t waited_ms;
    void (*stopped)(void *data);
    void *stopped_data;
    unsigned closing;
};

static void end_of_input(struct stdio *io);

/* ---- to the client ---- */

struct unsent {
    uv_write_t write;
    struct stdio *io;
    size_t size;
    char bytes[];
};

static void lost_client(struct stdio *io)
{
    io->out_broken = true;
    end_of_input(io);
}

static void on_written(uv_write_t *write, int status)
{
    struct unsent *u = write->data;
    struct stdio *io = u->io;

    io->unsent -= u->size;
    free(u);
    if (status < 0 && !io->stopped)
        lost_client(io);
}

static void queue(struct stdio *io, const char *bytes, size_t size, const char *end, size_t end_size)
{
    struct unsent *u;
    uv_buf_t buf;

    if (io->unsent + size > LIMIT_CLIENT_QUEUE) {
        log_warn("the client does not read its answers: ending");
        lost_client(io);
        return;
    }
    u = xcalloc(1, sizeof *u + size + end_size);
    u->io = io;
    u->size = size + end_size;
    u->write.data = u;
    memcpy(u->bytes, bytes, size);
    memcpy(u->bytes + size, end, end_size);
    buf = uv_buf_init(u->bytes, (unsigned)u->size);
    io->unsent += u->size;
    if (uv_write(&u->write, &io->out.as.stream, &buf, 1, on_written) < 0) {
        io->unsent -= u->size;
        free(u);
        lost_client(io);
    }
}

static void send_line(void *peer, const char *json, size_t size)
{
    struct stdio *io = peer;
    uv_buf_t bufs[2] = {uv_buf_init((char *)json, (unsigned)size), uv_buf_init((char *)"\n", 1)};
    int n = 0;

    if (io->out_broken)
        return;
    if (io->out.is_file) {
        if (fd_write_all(io->out.fd, json, size) < 0 || fd_write_all(io->out.fd, "\n", 1) < 0)
            lost_client(io);
        return;
    }
    if (!io->unsent)
        n = uv_try_write(&io->out.as.stream, bufs, 2);
    if (n == UV_EAGAIN)
        n = 0;
    if (n < 0)
        lost_client(io);
    else if ((size_t)n < size)
        queue(io, json + n, size - (size_t)n, "\n", 1);
    else if ((size_t)n == size)
        queue(io, "", 0, "\n", 1);
}

/* ---- from the client ---- */

static void take_line(struct stdio *io, const char *text, size_t size)
{
    if (io->oversize)
        mcp_conn_feed_oversize(io->conn, buf_begin(&io->line), io->line.len);
    else if (io->line.len) {
        (void)buf_append(&io->line, text, size);
        mcp_conn_feed(io->conn, buf_begin(&io->line), io->line.len);
    } else {
        mcp_conn_feed(io->conn, text, size);
    }
    io->oversize = false;
    buf_clear(&io->line);
}

/* The beginning of a line whose end has not come. */
static void keep(struct stdio *io, const char *text, size_t size)
{
    if (io->oversize)
        return;
    if (io->line.len + size > LIMIT_MESSAGE_IN) {
        io->oversize = true;
        if (io->line.len < HEAD_KEPT) {
            size_t room = HEAD_KEPT - io->line.len;

            (void)buf_append(&io->line, text, size < room ? size : room);
        }
        return;
    }
    (void)buf_append(&io->line, text, size);
}

static void take_bytes(struct stdio *io, const char *bytes, size_t size)
{
    while (size && !io->ended) {
        const char *end = memchr(bytes, '\n', size);
        size_t n = end ? (size_t)(end - bytes) : size;

        if (!end || io->line.len + n > LIMIT_MESSAGE_IN)
            keep(io, bytes, n);
        if (end)
            take_line(io, bytes, n);
        n += end ? 1 : 0;
        bytes += n;
        size -= n;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct stdio *io = handle->data;

    (void)suggested;
    *buf = uv_buf_init(io->read_room, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct stdio *io = stream->data;

    if (n > 0)
        take_bytes(io, buf->base, (size_t)n);
    else if (n < 0)
        end_of_input(io);
}

static void read_file(struct stdio *io);

static void on_file_read(uv_fs_t *req)
{
    struct stdio *io = req->data;
    ssize_t n = req->result;

    uv_fs_req_cleanup(req);
    io->read_file.data = NULL;
    if (io->ended)
        return;
    if (n <= 0) {
        end_of_input(io);
        return;
    }
    take_bytes(io, io->read_room, (size_t)n);
    if (!io->ended)
        read_file(io);
}

static void read_file(struct stdio *io)
{
    uv_buf_t buf = uv_buf_init(io->read_room, READ_SIZE);

    io->read_file.data = io;
    if (uv_fs_read(io->loop, &io->read_file, io->in.fd, &buf, 1, -1, on_file_read) < 0) {
        io->read_file.data = NULL;
        end_of_input(io);
    }
}

/* ---- the end ---- */

static void tell_end(struct stdio *io)
{
    if (io->told)
        return;
    io->told = true;
    (void)uv_timer_stop(&io->timer);
    mcp_conn_close(io->conn);
    io->conn = NULL;
    io->on_end(io->data);
}

static void on_grace(uv_timer_t *timer)
{
    struct stdio *io = timer->data;

    io->waited_ms += POLL_MS;
    if (io->out_broken || io->waited_ms >= LIMIT_STDIO_GRACE_MS || mcp_conn_inflight(io->conn) == 0)
        tell_end(io);
}

static void end_of_input(struct stdio *io)
{
    if (io->ended)
        return;
    if (!io->out_broken && (io->line.len || io->oversize)) /* a last line without its end */
        take_line(io, "", 0);
    if (io->ended)
        return;
    io->ended = true;
    if (!io->in.is_file)
        (void)uv_read_stop(&io->in.as.stream);
    /* Never from here: this may be deep inside mcp_conn_feed. */
    (void)uv_timer_start(&io->timer, on_grace, 0, POLL_MS);
}

static void on_closed(uv_handle_t *handle)
{
    struct stdio *io = handle->data;
    void (*stopped)(void *data);
    void *data;

    if (--io->closing > 0)
        return;
    stopped = io->stopped;
    data = io->stopped_data;
    fd_close(&io->in.fd);
    fd_close(&io->out.fd);
    buf_fini(&io->line);
    free(io->read_room);
    free(io);
    stopped(data);
}

static void close_all(struct stdio *io)
{
    uv_handle_t *handles[3] = {(uv_handle_t *)&io->timer};
    size_t n = 1;

    if (!io->in.is_file)
        handles[n++] = (uv_handle_t *)&io->in.as.stream;
    if (!io->out.is_file)
        handles[n++] = (uv_handle_t *)&io->out.as.stream;
    io->closing = (unsigned)n;
    (void)uv_tty_reset_mode();
    for (size_t i = 0; i < n; i++)
        uv_close(handles[i], on_closed);
}

static void on_flush(uv_timer_t *timer)
{
    struct stdio *io = timer->data;

    io->waited_ms += POLL_MS;
    if (io->unsent && !io->out_broken && io->waited_ms < LIMIT_STDIO_FLUSH_MS)
        return;
    (void)uv_timer_stop(timer);
    close_all(io);
}

void stdio_stop(struct stdio *io, void (*done)(void *data), void *data)
{
    io->ended = io->told = true;
    if (!io->in.is_file)
        (void)uv_read_stop(&io->in.as.stream);
    if (io->conn)
        mcp_conn_close(io->conn);
    io->conn = NULL;
    io->stopped = done;
    io->stopped_data = data;
    io->waited_ms = 0;
    (void)uv_timer_start(&io->timer, on_flush, 0, POLL_MS);
}

/* ---- the start ---- */

static int open_end(struct stdio *io, struct end *end, bool readable)
{
    int r = 0;

    switch (uv_guess_handle(end->fd)) {
    case UV_NAMED_PIPE:
        r = uv_pipe_init(io->loop, &end->as.pipe, 0);
        if (r == 0)
            r = uv_pipe_open(&end->as.pipe, end->fd);
        break;
    case UV_TCP:
        r = uv_tcp_init(io->loop, &end->as.tcp);
        if (r == 0)
            r = uv_tcp_open(&end->as.tcp, end->fd);
        break;
    case UV_TTY:
        r = uv_tty_init(io->loop, &end->as.tty, end->fd, readable);
        break;
    default: /* a file, /dev/null, and whatever else can just be read or written */
        end->is_file = true;
        return 0;
    }
    if (r == 0) {
        end->fd = -1;
        end->as.stream.data = io;
    }
    return r;
}

/* Whatever prints in this process must not reach the client: 0 becomes /dev/null and 1 becomes stderr. */
static int take_descriptors(struct stdio *io, struct err *e)
{
    autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    io->in.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    io->out.fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    if (io->in.fd < 0 || io->out.fd < 0)
        return err_errno(e, "cannot use stdin and stdout");
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return err_errno(e, "cannot open /dev/null");
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(null, STDERR_FILENO) < 0)
        return err_errno(e, "cannot use stderr");
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return err_errno(e, "cannot use stderr");
    return 0;
}

int stdio_start(uv_loop_t *loop, struct mcp_server *server, void (*on_end)(void *data), void *data, struct stdio **ret,
                struct err *e)
{
    struct stdio *io = xnew(struct stdio);
    int r;

    io->loop = loop;
    io->on_end = on_end;
    io->data = data;
    io->in.fd = io->out.fd = -1;
    io->read_room = xcalloc(1, READ_SIZE);
    buf_init(&io->line, LIMIT_MESSAGE_IN + READ_SIZE);
    (void)uv_timer_init(loop, &io->timer);
    io->timer.data = io;
    r = take_descriptors(io, e);
    if (r < 0)
        return r;
    if ((r = open_end(io, &io->in, true)) < 0 || (r = open_end(io, &io->out, false)) < 0)
        return err_set(e, -r, "cannot use stdin and stdout: %s", uv_strerror(r));
    io->conn = mcp_conn_new(server, send_line, io);
    if (io->in.is_file)
        read_file(io);
    else if ((r = uv_read_start(&io->in.as.stream, on_alloc, on_read)) < 0)
        return err_set(e, -r, "cannot read stdin: %s", uv_strerror(r));
    *ret = io;
    return 0;
}
