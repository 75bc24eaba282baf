/* One message of the client: from bytes to a request, a notification, or an answer that says what is wrong. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "mcp/impl.h"
#include "mcp/json_scan.h"
#include "mcp/json_write.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: integers up to here are exact in a double */

const char *json_text(yyjson_val *value)
{
    const char *text = yyjson_get_str(value);

    return text && strlen(text) == yyjson_get_len(value) ? text : NULL;
}

/* An integer that is too long for C comes as its raw text, and so does any other number of that size. */
static bool is_raw_integer(yyjson_val *value)
{
    const char *text = yyjson_get_raw(value);

    for (size_t i = 0; text && i < yyjson_get_len(value); i++)
        if (text[i] != '-' && (text[i] < '0' || text[i] > '9'))
            return false;
    return text != NULL;
}

/*
 * The JSON text of an id or a token, a string or an integer, to be sent back as it came; NULL for anything else and
 * for what is too long. 1.0 is the integer 1: JSON knows no difference, and neither do JavaScript and Python when they
 * look up whose answer it is.
 */
static char *scalar_text(yyjson_val *value)
{
    double number = yyjson_get_real(value);
    char *text = NULL;
    size_t size = 0;

    if (yyjson_is_real(value)) {
        if (fabs(number) > EXACT_MAX || floor(number) != number)
            return NULL;
        return xasprintf("%.0f", number + 0.0); /* -0.0 becomes 0 */
    }
    if (yyjson_is_int(value) || (yyjson_is_str(value) && yyjson_get_len(value) <= JSON_ID_MAX) || is_raw_integer(value))
        text = yyjson_val_write(value, 0, &size);
    if (size > JSON_ID_MAX) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- errors that belong to no request ---- */

static void send_error(struct mcp_conn *conn, struct batch *batch, const char *id, int code, const char *message)
{
    autobuf struct buf out = BUF_INIT;

    (void)buf_puts(&out, "{\"jsonrpc\":\"2.0\"");
    if (id)
        (void)buf_printf(&out, ",\"id\":%s", id);
    (void)buf_printf(&out, ",\"error\":{\"code\":%d", code);
    json_write_member(&out, "message", message);
    (void)buf_puts(&out, "}}");
    if (batch)
        batch_answer(batch, buf_begin(&out), out.len);
    else
        conn_send(conn, buf_begin(&out), out.len);
}

/* What cannot be parsed is answered under its id where that can be read: else some clients wait for ever. */
static void refuse_text(struct mcp_conn *conn, struct json_id *scan, int code, const char *message)
{
    char *token = json_id_end(scan);
    yyjson_doc *doc = NULL;
    autofree char *id = NULL;

    if (token) {
        (void)json_scan_prepare(token, strlen(token));
        doc = yyjson_read(token, strlen(token), YYJSON_READ_BIGNUM_AS_RAW);
    }
    id = scalar_text(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    send_error(conn, NULL, id, code, message);
}

void mcp_conn_feed_oversize(struct mcp_conn *conn, const char *part, size_t size)
{
    if (!conn->oversize)
        conn->oversize = xnew(struct json_id);
    json_id_feed(conn->oversize, part, size);
}

void mcp_conn_end_oversize(struct mcp_conn *conn)
{
    autofree struct json_id *scan = steal_ptr(conn->oversize);

    assert(scan);
    conn_enter(conn);
    refuse_text(conn, scan, MCP_INVALID_REQUEST, "the message is larger than 4 MiB: send less at a time");
    conn_leave(conn);
}

/* ---- one message ---- */

struct message {
    char *text; /* in which doc was parsed, or NULL */
    yyjson_doc *doc;
};

static void free_message(struct message *m)
{
    yyjson_doc_free(m->doc);
    free(m->text);
}

static void take_notification(struct mcp_conn *conn, yyjson_val *root)
{
    const char *method = json_text(yyjson_obj_get(root, "method"));
    autofree char *id = NULL;

    if (!method || strcmp(method, "notifications/cancelled") != 0)
        return;
    id = scalar_text(yyjson_obj_get(yyjson_obj_get(root, "params"), "requestId"));
    if (id)
        request_cancel(conn, id);
}

static bool is_in_flight(const struct mcp_conn *conn, const char *id)
{
    for (const struct mcp_request *req = conn->requests; req; req = req->next)
        if (strcmp(req->id, id) == 0)
            return true;
    return false;
}

static void take_request(struct mcp_conn *conn, struct message m_take, struct batch *batch, char *id_take)
{
    struct mcp_request *req = xnew(struct mcp_request);
    yyjson_val *root = yyjson_doc_get_root(m_take.doc), *params = yyjson_obj_get(root, "params");
    const char *method = json_text(yyjson_obj_get(root, "method"));

    req->conn = conn;
    req->text = m_take.text;
    req->doc = m_take.doc;
    req->id = id_take;
    req->method = method ? method : "";
    req->params = yyjson_is_obj(params) ? params : NULL;
    req->batch = batch;
    if (batch)
        batch_get(batch);
    req->progress_token = scalar_text(yyjson_obj_get(yyjson_obj_get(req->params, "_meta"), "progressToken"));
    conn_add_request(conn, req);
    if (params && !req->params && !yyjson_is_null(params))
        request_fail(req, MCP_INVALID_PARAMS, "params has to be an object", NULL);
    else if (conn->n_requests > LIMIT_INFLIGHT)
        request_fail(req, MCP_INVALID_REQUEST, "too many requests wait for their answer: send this one again later",
                     NULL);
    else if (batch && strcmp(req->method, "initialize") == 0)
        request_fail(req, MCP_INVALID_REQUEST, "initialize cannot be part of an array", NULL);
    else if (era_of(req))
        methods_call(req);
}

/* An answer of the client. Nothing was asked; and to answer an answer with an error could go on for ever. */
static bool is_response(yyjson_val *root)
{
    return !yyjson_obj_get(root, "method") && (yyjson_obj_get(root, "result") || yyjson_obj_get(root, "error"));
}

/* What is wrong with an object that is to be a request or a notification, or NULL. */
static const char *envelope_fault(const struct mcp_conn *conn, yyjson_val *root, const char *id)
{
    if (!yyjson_equals_str(yyjson_obj_get(root, "jsonrpc"), "2.0"))
        return "jsonrpc has to be \"2.0\"";
    if (yyjson_obj_get(root, "id") && !id)
        return "id has to be a string or an integer, and not too long";
    if (!yyjson_is_str(yyjson_obj_get(root, "method")))
        return "this is neither a request nor a notification nor a response";
    if (id && is_in_flight(conn, id))
        return "a request with this id is under way";
    return NULL;
}

static void take_object(struct mcp_conn *conn, struct message m_take, struct batch *batch)
{
    yyjson_val *root = yyjson_doc_get_root(m_take.doc);
    autofree char *id = scalar_text(yyjson_obj_get(root, "id"));
    const char *fault;

    if (!is_response(root)) {
        fault = envelope_fault(conn, root, id);
        if (!fault && id) {
            take_request(conn, m_take, batch, steal_ptr(id));
            return;
        }
        if (fault)
            send_error(conn, batch, id, MCP_INVALID_REQUEST, fault);
        else
            take_notification(conn, root);
    }
    free_message(&m_take);
}

/* ---- arrays of messages: 2025-03-26 only ---- */

static const char *array_fault(const struct mcp_conn *conn, yyjson_val *array)
{
    size_t i, n;
    yyjson_val *item;

    if (!conn->initialized || conn->version != V2025_03_26)
        return "arrays of messages are part of protocol version 2025-03-26 only";
    if (yyjson_arr_size(array) == 0)
        return "the array is empty";
    if (yyjson_arr_size(array) > LIMIT_INFLIGHT)
        return "too many messages in one array";
    yyjson_arr_foreach(array, i, n, item)
    {
        yyjson_val *meta = yyjson_obj_get(yyjson_obj_get(item, "params"), "_meta");

        if (yyjson_obj_get(meta, META_PREFIX "protocolVersion"))
            return "a message of protocol version 2026-07-28 cannot be part of an array";
    }
    return NULL;
}

static void take_array(struct mcp_conn *conn, yyjson_val *array)
{
    const char *fault = array_fault(conn, array);
    struct batch *batch;
    size_t i, n;
    yyjson_val *item;

    if (fault) {
        send_error(conn, NULL, NULL, MCP_INVALID_REQUEST, fault);
        return;
    }
    batch = batch_new(conn);
    yyjson_arr_foreach(array, i, n, item)
    {
        size_t size;
        /* Each gets a document of its own, since each lives as long as its call. */
        autofree char *text = yyjson_is_obj(item) ? yyjson_val_write(item, 0, &size) : NULL;
        struct message m = {NULL, text ? yyjson_read(text, size, YYJSON_READ_BIGNUM_AS_RAW) : NULL};

        if (conn->closed)
            free_message(&m);
        else if (m.doc)
            take_object(conn, m, batch);
        else
            send_error(conn, batch, NULL, MCP_INVALID_REQUEST, "a message has to be an object");
    }
    batch_put(batch);
}

/* ---- text ---- */

static void refuse_whole_text(struct mcp_conn *conn, const char *json, size_t size, int code, const char *message)
{
    autofree struct json_id *scan = xnew(struct json_id);

    json_id_feed(scan, json, size);
    refuse_text(conn, scan, code, message);
}

static void take_text(struct mcp_conn *conn, const char *json, size_t size)
{
    struct message m = {.text = xnew_n(char, size + YYJSON_PADDING_SIZE)};
    yyjson_read_err error;
    yyjson_val *root;

    memcpy(m.text, json, size);
    if (json_scan_prepare(m.text, size) > LIMIT_JSON_DEPTH) {
        refuse_whole_text(conn, json, size, MCP_INVALID_REQUEST, "the message is nested too deep");
        free_message(&m);
        return;
    }
    m.doc = yyjson_read_opts(m.text, size, YYJSON_READ_INSITU | YYJSON_READ_BIGNUM_AS_RAW, NULL, &error);
    root = yyjson_doc_get_root(m.doc);
    if (yyjson_is_obj(root)) {
        take_object(conn, m, NULL);
        return;
    }
    if (!m.doc)
        refuse_whole_text(conn, json, size, MCP_PARSE_ERROR, error.msg); /* m.text is spoilt by the attempt */
    else if (yyjson_is_arr(root))
        take_array(conn, root);
    else
        send_error(conn, NULL, NULL, MCP_INVALID_REQUEST, "a message has to be an object");
    free_message(&m);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void mcp_conn_feed(struct mcp_conn *conn, const char *json, size_t size)
{
    assert(!conn->closed);
    if (size >= 3 && memcmp(json, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        json += 3;
        size -= 3;
    }
    while (size && is_space(*json)) {
        json++;
        size--;
    }
    if (size == 0) /* an empty line */
        return;
    conn_enter(conn);
    take_text(conn, json, size);
    conn_leave(conn);
}
