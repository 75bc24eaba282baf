#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
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
    if (req->cancelled)
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

    if (!req->progress_token || req->cancelled || !isfinite(progress) || (req->progressed && progress <= req->progress))
        return;
    req->progressed = true;
    req->progress = progress;
    (void)buf_printf(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,"
                           "\"progress\":%.10g",
                     req->progress_token, progress);
    if (total >= 0)
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

static void free_request(struct mcp_request *req)
{
    yyjson_doc_free(req->doc);
    free(req->id);
    free(req->progress_token);
    free(req);
}

void batch_release(struct mcp_conn *conn, struct batch *batch, const struct buf *out)
{
    if (out) {
        (void)buf_puts(&batch->answers, batch->answers.len ? "," : "[");
        (void)buf_append(&batch->answers, buf_begin(out), out->len);
    }
    if (--batch->pending > 0)
        return;
    if (batch->answers.len) {
        (void)buf_puts(&batch->answers, "]");
        conn_send(conn, buf_begin(&batch->answers), batch->answers.len);
    }
    buf_fini(&batch->answers);
    free(batch);
}

static void send_and_free(struct mcp_request *req, struct buf *out)
{
    struct mcp_conn *conn = req->conn;

    if (req->batch)
        batch_release(conn, req->batch, req->cancelled ? NULL : out);
    else if (!req->cancelled)
        conn_send(conn, buf_begin(out), out->len);
    conn->busy++;
    conn_drop_request(conn, req);
    free_request(req);
    conn->busy--;
    conn_drop_request(conn, NULL);
}

void request_send(struct mcp_request *req, struct buf *out)
{
    (void)buf_puts(out, "}}");
    send_and_free(req, out);
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
    send_and_free(req, &out);
}

void mcp_request_fail(struct mcp_request *req, int code, const char *message)
{
    request_fail(req, code, message, NULL);
}

void mcp_request_fail_not_found(struct mcp_request *req, const char *uri)
{
    autobuf struct buf data = BUF_INIT;

    (void)buf_puts(&data, "{\"uri\":");
    json_write_string(&data, uri, strlen(uri));
    (void)buf_puts(&data, "}");
    request_fail(req, req->version == MODERN ? MCP_INVALID_PARAMS : -32002,
                 "there is no such resource: its session has ended, or it has no such file", buf_str(&data));
}

void mcp_request_finish_read(struct mcp_request *req, const char *uri, const char *mime, const void *data, size_t size,
                             bool text)
{
    autobuf struct buf out = BUF_INIT;

    request_open(req, &out);
    (void)buf_puts(&out, "\"contents\":[{");
    json_write_member(&out, "uri", uri);
    json_write_member(&out, "mimeType", mime);
    if (text && utf8_valid(data, size)) {
        json_write_key(&out, "text");
        json_write_string(&out, data, size);
    } else {
        json_write_key(&out, "blob");
        json_write_base64(&out, data, size);
    }
    (void)buf_puts(&out, "}]");
    if (req->version == MODERN)
        (void)buf_puts(&out, ",\"ttlMs\":0,\"cacheScope\":\"private\"");
    request_close_result(req, &out, "");
    request_send(req, &out);
}
