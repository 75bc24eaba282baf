#include "transport/stdio.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "transport/end.h"
#include "transport/lines.h"

#define READ_SIZE (64 * KIB)
#define POLL_MS 5 /* how often the end looks whether calls have finished */

struct stdio {
    uv_loop_t *loop;
    struct end in, out;
    struct lines lines;
    struct mcp_conn *conn; /* NULL once it is closed */
    void (*on_end)(void *data);
    void *data;
    bool ended;      /* nothing is read any more */
    bool out_broken; /* nothing can be written any more */
    char *read_room;
    uv_fs_t read_file;
    bool reading_file; /* a thread uses read_room and the descriptor */
    size_t unsent;
    uv_timer_t timer; /* the grace at the end, then the flush */
    int64_t waited_ms;
    bool stopping;
    void (*stopped)(void *data); /* NULL: nobody is told */
    void *stopped_data;
    unsigned closing; /* what has to be over before the memory goes */
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

    io->unsent -= sizeof *u + u->size;
    free(u);
    if (status < 0)
        lost_client(io);
}

static void queue(struct stdio *io, const char *bytes, size_t size, const char *end, size_t end_size)
{
    struct unsent *u;
    uv_buf_t buf;

    if (io->unsent + sizeof *u + size > LIMIT_CLIENT_QUEUE) {
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
    io->unsent += sizeof *u + u->size; /* many small messages are mostly what surrounds them */
    if (uv_write(&u->write, &io->out.as.stream, &buf, 1, on_written) < 0) {
        io->unsent -= sizeof *u + u->size;
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

static void take_line(void *data, const char *text, size_t size)
{
    struct stdio *io = data;

    mcp_conn_feed(io->conn, text, size);
}

static void take_oversize_part(void *data, const char *part, size_t size)
{
    struct stdio *io = data;

    mcp_conn_feed_oversize(io->conn, part, size);
}

static void take_oversize_end(void *data)
{
    struct stdio *io = data;

    mcp_conn_end_oversize(io->conn);
}

static const struct lines_ops lines_ops = {take_line, take_oversize_part, take_oversize_end};

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
        lines_feed(&io->lines, buf->base, (size_t)n);
    else if (n < 0)
        end_of_input(io);
}

static void read_file(struct stdio *io);
static void closed_one(struct stdio *io);

static void on_file_read(uv_fs_t *req)
{
    struct stdio *io = req->data;
    ssize_t n = req->result;

    uv_fs_req_cleanup(req);
    io->reading_file = false;
    if (io->closing) {
        closed_one(io);
        return;
    }
    if (n > 0)
        lines_feed(&io->lines, io->read_room, (size_t)n);
    else
        end_of_input(io);
    read_file(io);
}

static void read_file(struct stdio *io)
{
    uv_buf_t buf = uv_buf_init(io->read_room, READ_SIZE);

    if (io->ended)
        return;
    io->read_file.data = io;
    io->reading_file = uv_fs_read(io->loop, &io->read_file, io->in.fd, &buf, 1, -1, on_file_read) == 0;
    if (!io->reading_file)
        end_of_input(io);
}

/* ---- the end ---- */

static void close_connection(struct stdio *io)
{
    struct mcp_conn *conn = io->conn;

    io->conn = NULL;
    if (conn)
        mcp_conn_close(conn);
}

static void on_grace(uv_timer_t *timer)
{
    struct stdio *io = timer->data;

    io->waited_ms += POLL_MS;
    if (!io->out_broken && io->waited_ms < LIMIT_STDIO_GRACE_MS && mcp_conn_inflight(io->conn) > 0)
        return;
    (void)uv_timer_stop(timer);
    close_connection(io);
    io->on_end(io->data);
}

static void stop_reading(struct stdio *io)
{
    io->ended = true;
    lines_stop(&io->lines);
    if (io->in.is_open)
        (void)uv_read_stop(&io->in.as.stream);
}

static void end_of_input(struct stdio *io)
{
    if (io->ended)
        return;
    if (!io->out_broken)
        lines_end(&io->lines); /* which may bring us here again */
    if (io->ended)
        return;
    stop_reading(io);
    /* Never from here: this may be deep inside mcp_conn_feed. */
    (void)uv_timer_start(&io->timer, on_grace, 0, POLL_MS);
}

static void closed_one(struct stdio *io)
{
    void (*stopped)(void *data) = io->stopped;
    void *data = io->stopped_data;

    if (--io->closing > 0)
        return;
    (void)end_close(&io->in, NULL); /* those that are no streams */
    (void)end_close(&io->out, NULL);
    lines_fini(&io->lines);
    free(io->read_room);
    free(io);
    if (stopped)
        stopped(data);
}

static void on_closed(uv_handle_t *handle)
{
    closed_one(handle->data);
}

static void close_all(struct stdio *io)
{
    io->closing = io->reading_file ? 2 : 1; /* the timer, and a read that has to come back first */
    if (io->reading_file)
        (void)uv_cancel((uv_req_t *)&io->read_file);
    if (io->in.is_open && end_close(&io->in, on_closed))
        io->closing++;
    if (io->out.is_open && end_close(&io->out, on_closed))
        io->closing++;
    uv_close((uv_handle_t *)&io->timer, on_closed);
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
    assert(!io->stopping);
    io->stopping = true;
    stop_reading(io);
    close_connection(io);
    io->stopped = done;
    io->stopped_data = data;
    io->waited_ms = 0;
    (void)uv_timer_start(&io->timer, on_flush, 0, POLL_MS);
}

/* ---- the start ---- */

/* Whatever prints in this process must not reach the client: 0 becomes /dev/null and 1 becomes stderr. */
static int take_descriptors(struct stdio *io, struct err *e)
{
    autofd int null = -1;
    int r;

    if ((r = end_take(&io->in, STDIN_FILENO)) < 0)
        return err_set(e, -r, "cannot use stdin: %s", strerror(-r));
    if ((r = end_take(&io->out, STDOUT_FILENO)) < 0)
        return err_set(e, -r, "cannot use stdout: %s", strerror(-r));
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        return err_errno(e, "cannot open /dev/null");
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && dup2(null, STDERR_FILENO) < 0)
        return err_errno(e, "cannot use stderr");
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return err_errno(e, "cannot use stderr");
    return 0;
}

static int open_ends(struct stdio *io, struct err *e)
{
    int r = take_descriptors(io, e);

    if (r < 0)
        return r;
    if ((r = end_open(&io->in, io->loop, true, io)) < 0)
        return err_set(e, -r, "cannot use stdin: %s", uv_strerror(r));
    if ((r = end_open(&io->out, io->loop, false, io)) < 0)
        return err_set(e, -r, "cannot use stdout: %s", uv_strerror(r));
    if (!io->in.is_file && (r = uv_read_start(&io->in.as.stream, on_alloc, on_read)) < 0)
        return err_set(e, -r, "cannot read stdin: %s", uv_strerror(r));
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
    end_init(&io->in);
    end_init(&io->out);
    io->read_room = xcalloc(1, READ_SIZE);
    lines_init(&io->lines, &lines_ops, io);
    (void)uv_timer_init(loop, &io->timer);
    io->timer.data = io;
    r = open_ends(io, e);
    if (r < 0) {
        close_all(io); /* the memory goes when the loop runs */
        return r;
    }
    io->conn = mcp_conn_new(server, send_line, io);
    if (io->in.is_file)
        read_file(io);
    *ret = io;
    return 0;
}
