#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mcp/result.h"

/* ' to " */
static char *quoted(const char *text)
{
    char *copy = xstrdup(text);

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    return copy;
}

static void check_one(yyjson_val *message)
{
    yyjson_val *result = yyjson_obj_get(message, "result"), *error = yyjson_obj_get(message, "error");
    yyjson_val *method = yyjson_obj_get(message, "method");

    assert_true(yyjson_is_obj(message));
    assert_true(yyjson_equals_str(yyjson_obj_get(message, "jsonrpc"), "2.0"));
    assert_int_equal((result != NULL) + (error != NULL) + (method != NULL), 1);
    assert_false(yyjson_is_null(yyjson_obj_get(message, "id")));
}

static void check(const struct client *c, const char *json, size_t size)
{
    yyjson_doc *doc = yyjson_read(json, size, YYJSON_READ_BIGNUM_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc), *item;
    size_t i, n;

    assert_non_null(doc);
    assert_true(size <= c->sent_max);
    assert_true(utf8_valid(json, size));
    assert_null(memchr(json, '\n', size));
    assert_null(memchr(json, '\0', size));
    if (!yyjson_is_arr(root))
        check_one(root);
    yyjson_arr_foreach(root, i, n, item)
    {
        check_one(item);
    }
    yyjson_doc_free(doc);
}

static void take_sent(void *peer, const char *json, size_t size)
{
    struct client *c = peer;

    check(c, json, size);
    assert_true(c->n_sent < SENT_MAX);
    c->sent[c->n_sent++] = xstrndup(json, size);
    if (c->close_in_send)
        client_close(c);
}

/* ---- tools ---- */

static void answer(struct mcp_request *req)
{
    struct mcp_result *result = mcp_result_new();

    mcp_result_text(result, "done", 4);
    mcp_request_finish(req, result);
}

static void call_now(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    struct client *c = data;

    assert_true(yyjson_is_obj(arguments));
    c->n_calls++;
    answer(req);
}

static void hold(struct client *c, struct mcp_request *req)
{
    assert_true(c->n_held < HELD_MAX);
    c->held[c->n_held++] = req;
    c->n_calls++;
}

static void on_cancel_count(void *data)
{
    struct client *c = data;

    c->n_cancelled++;
}

static void call_later(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)arguments;
    hold(data, req);
    mcp_request_on_cancel(req, on_cancel_count, data);
}

/* Ends each that is cancelled: it cannot know which, so it looks. */
static void on_cancel_end(void *data)
{
    struct client *c = data;

    c->n_cancelled++;
    for (size_t i = 0; i < c->n_held; i++)
        if (c->held[i] && mcp_request_cancelled(c->held[i]))
            finish(c, i);
}

static void call_never(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)arguments;
    hold(data, req);
    mcp_request_on_cancel(req, on_cancel_end, data);
}

static void call_close(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    struct client *c = data;

    (void)arguments;
    c->n_calls++;
    client_close(c);
    assert_true(mcp_request_cancelled(req));
    answer(req);
}

static void call_fail(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)arguments;
    (void)data;
    mcp_request_fail(req, MCP_INTERNAL_ERROR, "it \"failed\"\n");
}

static struct mcp_tool tools[] = {
    {.name = "now",
     .title = "Now",
     .description = "At once",
     .input_schema = "{\"type\":\"object\"}",
     .read_only = true,
     .idempotent = true,
     .call = call_now},
    {.name = "later",
     .description = "L",
     .input_schema = "{\"type\":\"object\"}",
     .destructive = true,
     .open_world = true,
     .call = call_later},
    {.name = "never", .description = "N", .input_schema = "{\"type\":\"object\"}", .call = call_never},
    {.name = "close", .description = "C", .input_schema = "{\"type\":\"object\"}", .call = call_close},
    {.name = "fail", .description = "F", .input_schema = "{\"type\":\"object\"}", .call = call_fail},
};

/* ---- the client ---- */

struct client *client_new(void)
{
    struct client *c = xnew(struct client);

    c->server = mcp_server_new("toy", "Toy", "1", "Use it.");
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        tools[i].data = c;
        mcp_server_add_tool(c->server, &tools[i]);
    }
    c->conn = mcp_conn_new(c->server, take_sent, c);
    c->sent_max = LIMIT_MESSAGE_OUT;
    return c;
}

void client_close(struct client *c)
{
    struct mcp_conn *conn = c->conn;

    c->conn = NULL;
    if (conn)
        mcp_conn_close(conn);
}

void finish(struct client *c, size_t n)
{
    struct mcp_request *req = c->held[n];

    assert_non_null(req);
    c->held[n] = NULL;
    answer(req);
}

void client_free(struct client *c)
{
    client_close(c);
    for (size_t i = 0; i < c->n_held; i++)
        if (c->held[i])
            finish(c, i);
    for (size_t i = 0; i < c->n_sent; i++)
        free(c->sent[i]);
    mcp_server_free(c->server);
    free(c);
}

void say(struct client *c, const char *format, ...)
{
    autofree char *text = NULL, *line = NULL;
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(&text, format, args);
    va_end(args);
    assert_true(n >= 0);
    line = quoted(text);
    mcp_conn_feed(c->conn, line, strlen(line));
}

void say_bytes(struct client *c, const char *bytes, size_t size)
{
    /* In memory of its own, so that a sanitizer sees a step beyond it. */
    char *copy = malloc(size);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    mcp_conn_feed(c->conn, copy, size);
    free(copy);
}

const char *heard(struct client *c)
{
    assert_true(c->n_seen < c->n_sent);
    return c->sent[c->n_seen++];
}

void expect(struct client *c, const char *text)
{
    autofree char *want = quoted(text);

    assert_string_equal(heard(c), want);
}

void expect_part(struct client *c, const char *part)
{
    autofree char *want = quoted(part);
    const char *text = heard(c);

    if (!strstr(text, want))
        fail_msg("%s is not in %s", want, text);
}

void expect_error(struct client *c, const char *id, int code)
{
    autofree char *want = id ? xasprintf("{'jsonrpc':'2.0','id':%s,'error':{'code':%d,", id, code)
                             : xasprintf("{'jsonrpc':'2.0','error':{'code':%d,", code);
    autofree char *head = quoted(want);
    const char *text = heard(c);

    if (strncmp(text, head, strlen(head)) != 0)
        fail_msg("%s does not begin with %s", text, head);
}

void expect_nothing(struct client *c)
{
    if (c->n_seen != c->n_sent)
        fail_msg("sent: %s", c->sent[c->n_seen]);
}

void say_hello(struct client *c, const char *version)
{
    say(c,
        "{'jsonrpc':'2.0','id':'hello','method':'initialize','params':{'protocolVersion':'%s','capabilities':{},"
        "'clientInfo':{'name':'c','version':'1'}}}",
        version);
    (void)heard(c);
}
