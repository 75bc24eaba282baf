/* One request: cancelled, in progress, answered. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "mcp/impl.h"
#include "mcp/json_write.h"

#define PROGRESS_TEXT 200

struct mcp_conn *mcp_request_conn(const struct mcp_request *req)
{
    return req->conn;
}

bool mcp_request_has_connection_state(const struct mcp_request *req)
{
    return req->version != MODERN && req->conn->initialized;
}

/* ---- cancelling ---- */

void mcp_request_on_cancel(struct mcp_request *req, void (*cb)(void *data), void *data)
{
    req->on_cancel = cb;
    req->cancel_data = data;
    if (req->cancelled && cb)
        cb(data);
}

bool mcp_request_cancelled(const struct mcp_request *req)
{
    return req->cancelled;
}

void request_set_cancelled(struct mcp_request *req)
{
    if (req->cancelled)
        return;
    req->cancelled = true;
    if (req->on_cancel)
        req->on_cancel(req->cancel_data); /* may finish, and so free, it */
}

void request_cancel(struct mcp_conn *conn, const char *id)
{
    for (struct mcp_request *req = conn->requests; req; req = req->next)
        if (strcmp(req->id, id) == 0 && strcmp(req->method, "initialize") != 0) {
            request_set_cancelled(req);
            return;
        }
}

/* ---- progress ---- */

bool mcp_request_wants_progress(const struct mcp_request *req)
{
    return req->progress_token != NULL;
}

void mcp_request_progress(struct mcp_request *req, double progress, double total, const char *message)
{
    autobuf struct buf out = BUF_INIT;
    char number[32];

    if (!req->progress_token || req->cancelled || !isfinite(progress))
        return;
    (void)snprintf(number, sizeof number, "%.10g", progress);
    progress = strtod(number, NULL); /* what the client sees has to grow */
    if (req->progressed && progress <= req->progress)
        return;
    req->progressed = true;
    req->progress = progress;
    (void)buf_printf(&out,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,"
                     "\"progress\":%s",
                     req->progress_token, number);
    if (total >= 0 && isfinite(total))
        (void)buf_printf(&out, ",\"total\":%.10g", total);
    if (message && req->version >= V2025_03_26) {
        json_write_key(&out, "message");
        json_write_string(&out, message, utf8_cut(message, strnlen(message, PROGRESS_TEXT)));
    }
    (void)buf_puts(&out, "}}");
    conn_send(req->conn, buf_begin(&out), out.len);
}

/* ---- answering ---- */

void request_open(struct mcp_request *req, struct buf *out)
{
    (void)buf_printf(out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{", req->id);
}

void request_close_result(struct mcp_request *req, struct buf *out, const char *extra)
{
    const struct mcp_server *server = req->conn->server;

    if (req->version != MODERN) {
        if (*extra) {
            json_write_key(out, "_meta");
            (void)buf_printf(out, "{%s}", extra);
        }
        return;
    }
    json_write_member(out, "resultType", "complete");
    json_write_key(out, "_meta");
    (void)buf_printf(out, "{%s%s\"" META_PREFIX "serverInfo\":{", extra, *extra ? "," : "");
    json_write_member(out, "name", server->name);
    json_write_member(out, "title", server->title);
    json_write_member(out, "version", server->version);
    (void)buf_puts(out, "}}");
}

void request_close_cacheable(struct mcp_request *req, struct buf *out, const char *scope, int ttl_ms)
{
    if (req->version == MODERN)
        (void)buf_printf(out, ",\"ttlMs\":%d,\"cacheScope\":\"%s\"", ttl_ms, scope);
    request_close_result(req, out, "");
}

static void free_request(struct mcp_request *req)
{
    yyjson_doc_free(req->doc);
    free(req->text);
    free(req->id);
    free(req->progress_token);
    free(req);
}

/* out: the whole answer. */
static void end_request(struct mcp_request *req, struct buf *out)
{
    struct mcp_conn *conn = req->conn;

    conn_enter(conn);
    conn_remove_request(conn, req); /* first: what follows may close the connection, and must not cancel this again */
    if (!req->cancelled && req->batch)
        batch_answer(req->batch, buf_begin(out), out->len);
    else if (!req->cancelled)
        conn_send(conn, buf_begin(out), out->len);
    if (req->batch)
        batch_put(req->batch);
    free_request(req);
    conn_leave(conn);
}

void request_send(struct mcp_request *req, struct buf *out)
{
    (void)buf_puts(out, "}}");
    end_request(req, out);
}

void request_fail(struct mcp_request *req, int code, const char *message, const char *data)
{
    autobuf struct buf out = BUF_INIT;

    (void)buf_printf(&out, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d", req->id, code);
    json_write_member(&out, "message", message);
    if (data) {
        json_write_key(&out, "data");
        (void)buf_puts(&out, data);
    }
    (void)buf_puts(&out, "}}");
    end_request(req, &out);
}

void mcp_request_fail(struct mcp_request *req, int code, const char *message)
{
    request_fail(req, code, message, NULL);
}
