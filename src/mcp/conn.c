#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mcp/impl.h"
#include "mcp/json_scan.h"
#include "mcp/json_write.h"

/* ---- server ---- */

struct mcp_server *mcp_server_new(const char *name, const char *title, const char *version, const char *instructions)
{
    struct mcp_server *server = xnew(struct mcp_server);

    server->name = name;
    server->title = title;
    server->version = version;
    server->instructions = instructions;
    return server;
}

void mcp_server_add_tool(struct mcp_server *server, const struct mcp_tool *tool)
{
    assert(server->n_tools < TOOLS_MAX);
    server->tools[server->n_tools++] = tool;
}

void mcp_server_set_resources(struct mcp_server *server, const struct mcp_resource_ops *ops)
{
    server->resources = ops;
}

void mcp_server_on_first_use(struct mcp_server *server, void (*cb)(void *data), void *data)
{
    server->first_use = cb;
    server->first_use_data = data;
}

void mcp_server_free(struct mcp_server *server)
{
    free(server);
}

/* ---- life of a connection ---- */

struct mcp_conn *mcp_conn_new(struct mcp_server *server, mcp_send_cb send, void *peer)
{
    struct mcp_conn *conn = xnew(struct mcp_conn);

    conn->server = server;
    conn->send = send;
    conn->peer = peer;
    return conn;
}

void mcp_conn_set_data(struct mcp_conn *conn, void *data, void (*free_data)(void *data))
{
    if (conn->data && conn->free_data)
        conn->free_data(conn->data);
    conn->data = data;
    conn->free_data = free_data;
}

void *mcp_conn_data(const struct mcp_conn *conn)
{
    return conn->data;
}

size_t mcp_conn_inflight(const struct mcp_conn *conn)
{
    return conn->n_requests;
}

void conn_send(struct mcp_conn *conn, const char *json, size_t size)
{
    if (!conn->closed)
        conn->send(conn->peer, json, size);
}

static void free_if_over(struct mcp_conn *conn)
{
    if (!conn->closed || conn->busy || conn->requests)
        return;
    mcp_conn_set_data(conn, NULL, NULL);
    free(conn);
}

void conn_drop_request(struct mcp_conn *conn, struct mcp_request *req)
{
    for (struct mcp_request **at = &conn->requests; req && *at; at = &(*at)->next)
        if (*at == req) {
            *at = req->next;
            conn->n_requests--;
            break;
        }
    free_if_over(conn);
}

void mcp_conn_close(struct mcp_conn *conn)
{
    conn->closed = true;
    conn->busy++;
    /* Each callback may finish any request: start again after each. */
    for (struct mcp_request *req = conn->requests; req;) {
        if (req->cancelled) {
            req = req->next;
            continue;
        }
        request_set_cancelled(req);
        req = conn->requests;
    }
    conn->busy--;
    free_if_over(conn);
}

/* ---- errors that belong to no request ---- */

static void send_error(struct mcp_conn *conn, const char *id, int code, const char *message)
{
    autobuf struct buf out = BUF_INIT;

    (void)buf_puts(&out, "{\"jsonrpc\":\"2.0\"");
    if (id && *id)
        (void)buf_printf(&out, ",\"id\":%s", id);
    (void)buf_printf(&out, ",\"error\":{\"code\":%d", code);
    json_write_member(&out, "message", message);
    (void)buf_puts(&out, "}}");
    conn_send(conn, buf_begin(&out), out.len);
}

/* What cannot be parsed is answered under its id where that can be read: else some clients wait for ever. */
static void refuse_text(struct mcp_conn *conn, const char *json, size_t size, int code, const char *message)
{
    char id[ID_MAX];

    json_scan_id(json, size, id, sizeof id);
    send_error(conn, id, code, message);
}

void mcp_conn_feed_oversize(struct mcp_conn *conn, const char *head, size_t size)
{
    refuse_text(conn, head, size, MCP_INVALID_REQUEST, "the message is larger than 4 MiB: send less at a time");
}

/* ---- one message ---- */

/* The JSON text of a string or an integer, or NULL for anything else. */
static char *scalar_text(yyjson_val *value)
{
    struct buf text = BUF_INIT;
    size_t size;

    if (yyjson_is_str(value) && yyjson_get_len(value) < ID_MAX / 2)
        json_write_string(&text, yyjson_get_str(value), yyjson_get_len(value));
    else if (yyjson_is_uint(value))
        (void)buf_printf(&text, "%llu", (unsigned long long)yyjson_get_uint(value));
    else if (yyjson_is_sint(value))
        (void)buf_printf(&text, "%lld", (long long)yyjson_get_sint(value));
    else if (yyjson_is_raw(value))
        (void)buf_append(&text, yyjson_get_raw(value), yyjson_get_len(value));
    else
        return NULL;
    return buf_steal(&text, &size);
}

static void take_notification(struct mcp_conn *conn, yyjson_val *root, const char *method)
{
    yyjson_val *id = yyjson_obj_get(yyjson_obj_get(root, "params"), "requestId");
    autofree char *text = NULL;

    if (strcmp(method, "notifications/cancelled") != 0)
        return;
    text = scalar_text(id);
    if (text)
        request_cancel(conn, text);
}

static bool is_in_flight(const struct mcp_conn *conn, const char *id)
{
    for (const struct mcp_request *req = conn->requests; req; req = req->next)
        if (strcmp(req->id, id) == 0)
            return true;
    return false;
}

static void take_request(struct mcp_conn *conn, yyjson_doc *doc_take, const char *method, char *id_take)
{
    struct mcp_request *req = xnew(struct mcp_request);
    yyjson_val *params = yyjson_obj_get(yyjson_doc_get_root(doc_take), "params");

    req->conn = conn;
    req->doc = doc_take;
    req->id = id_take;
    req->method = method;
    req->params = yyjson_is_obj(params) ? params : NULL;
    req->batch = conn->batch;
    if (req->batch)
        req->batch->pending++;
    req->progress_token = scalar_text(yyjson_obj_get(yyjson_obj_get(req->params, "_meta"), "progressToken"));
    req->version = conn->initialized ? conn->version : NEWEST_LEGACY;
    req->next = conn->requests;
    conn->requests = req;
    conn->n_requests++;
    if (params && !req->params && !yyjson_is_null(params))
        request_fail(req, MCP_INVALID_PARAMS, "params has to be an object", NULL);
    else if (conn->n_requests > LIMIT_INFLIGHT)
        request_fail(req, MCP_INVALID_REQUEST, "too many requests wait for their answer", NULL);
    else if (era_of(req))
        methods_call(req);
}

static void take_object(struct mcp_conn *conn, yyjson_doc *doc_take)
{
    yyjson_val *root = yyjson_doc_get_root(doc_take);
    yyjson_val *method = yyjson_obj_get(root, "method"), *id = yyjson_obj_get(root, "id");
    autofree char *id_text = scalar_text(id);
    const char *wrong = NULL;

    if (!yyjson_equals_str(yyjson_obj_get(root, "jsonrpc"), "2.0"))
        wrong = "jsonrpc has to be \"2.0\"";
    else if (id && !id_text)
        wrong = "id has to be a string or an integer";
    else if (!method && (yyjson_obj_get(root, "result") || yyjson_obj_get(root, "error")))
        wrong = ""; /* an answer; nothing was asked, so it is ignored */
    else if (!yyjson_is_str(method))
        wrong = "this is neither a request nor a notification nor a response";
    else if (id_text && is_in_flight(conn, id_text))
        wrong = "a request with this id is under way";
    if (!wrong && id_text) {
        take_request(conn, doc_take, yyjson_get_str(method), steal_ptr(id_text));
        return;
    }
    if (!wrong)
        take_notification(conn, root, yyjson_get_str(method));
    else if (*wrong)
        send_error(conn, id_text, MCP_INVALID_REQUEST, wrong);
    yyjson_doc_free(doc_take);
}

static void take_batch(struct mcp_conn *conn, yyjson_val *array)
{
    struct batch *batch;
    size_t i, n;
    yyjson_val *item;

    if (!conn->initialized || conn->version != V2025_03_26 || yyjson_arr_size(array) == 0) {
        send_error(conn, NULL, MCP_INVALID_REQUEST, "arrays of messages are part of protocol version 2025-03-26 only");
        return;
    }
    batch = conn->batch = xnew(struct batch);
    batch->pending = 1; /* until all are taken */
    yyjson_arr_foreach(array, i, n, item)
    {
        size_t size;
        autofree char *text = yyjson_val_write(item, 0, &size);
        yyjson_doc *doc = text && yyjson_is_obj(item) ? yyjson_read(text, size, YYJSON_READ_BIGNUM_AS_RAW) : NULL;

        if (doc)
            take_object(conn, doc);
        else
            send_error(conn, NULL, MCP_INVALID_REQUEST, "a message has to be an object");
    }
    conn->batch = NULL;
    batch_release(conn, batch, NULL);
}

static void take_text(struct mcp_conn *conn, char *json, size_t size)
{
    yyjson_read_err error;
    yyjson_doc *doc;

    if (json_scan_prepare(json, size) > LIMIT_JSON_DEPTH) {
        refuse_text(conn, json, size, MCP_INVALID_REQUEST, "the message is nested too deep");
        return;
    }
    doc = yyjson_read_opts(json, size, YYJSON_READ_BIGNUM_AS_RAW, NULL, &error);
    if (!doc) {
        refuse_text(conn, json, size, MCP_PARSE_ERROR, error.msg);
        return;
    }
    if (yyjson_is_obj(yyjson_doc_get_root(doc))) {
        take_object(conn, doc);
        return;
    }
    if (yyjson_is_arr(yyjson_doc_get_root(doc)))
        take_batch(conn, yyjson_doc_get_root(doc));
    else
        send_error(conn, NULL, MCP_INVALID_REQUEST, "a message has to be an object");
    yyjson_doc_free(doc);
}

void mcp_conn_feed(struct mcp_conn *conn, const char *json, size_t size)
{
    autofree char *copy = NULL;
    size_t start = 0;

    if (size >= 3 && memcmp(json, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
        start = 3;
    while (start < size && strchr(" \t\r\n", json[start]) && json[start])
        start++;
    if (start == size) /* an empty line */
        return;
    copy = xcalloc(1, size - start + 1);
    memcpy(copy, json + start, size - start);
    conn->busy++;
    take_text(conn, copy, size - start);
    conn->busy--;
    free_if_over(conn);
}
