/*
 * A client that sends any lines: whatever comes back is what every client can read, nothing is sent for a cancelled
 * request or after the end, and nothing leaks. Each line of the input is one message, but for lines that begin with
 * an exclamation mark, which are what the server's side does in between:
 *   !f  the oldest call that is held ends          !e  it ends with an error
 *   !i  it ends with images, links and long text   !p  it tells its progress
 *   !o  the rest of the line is part of a message that is too large      !x  such a message ends
 *   !c  the client goes away
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mcp/mcp.h"
#include "mcp/result.h"

#define HELD_MAX (2 * LIMIT_INFLIGHT)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct peer {
    struct mcp_conn *conn; /* NULL: gone */
    struct mcp_request *held[HELD_MAX];
    size_t n_held;
    double progress;
    size_t n_sent;
    bool oversize;
    bool arrays; /* some were sent */
} peer;

/* ---- what is sent ---- */

static void check_one(yyjson_val *message)
{
    yyjson_val *id = yyjson_obj_get(message, "id"), *error = yyjson_obj_get(message, "error");
    bool has_result = yyjson_is_obj(yyjson_obj_get(message, "result"));
    bool has_method = yyjson_is_str(yyjson_obj_get(message, "method"));

    assert(yyjson_equals_str(yyjson_obj_get(message, "jsonrpc"), "2.0"));
    assert(has_result + has_method + (error != NULL) == 1);
    assert(!id || yyjson_is_str(id) || yyjson_is_int(id) || yyjson_is_raw(id));
    assert(!has_result || id);
    assert(!has_method || !id);
    assert(!error || (yyjson_is_int(yyjson_obj_get(error, "code")) && yyjson_is_str(yyjson_obj_get(error, "message"))));
}

static void check_sent(void *data, const char *json, size_t size)
{
    yyjson_doc *doc = yyjson_read(json, size, YYJSON_READ_BIGNUM_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc), *item;
    size_t i, n;

    assert(data == &peer && peer.conn);
    assert(doc && size <= LIMIT_MESSAGE_OUT && utf8_valid(json, size) && !memchr(json, '\n', size));
    assert(yyjson_is_obj(root) || yyjson_arr_size(root) > 0);
    peer.arrays |= yyjson_is_arr(root);
    if (yyjson_is_obj(root))
        check_one(root);
    yyjson_arr_foreach(root, i, n, item)
    {
        check_one(item);
    }
    yyjson_doc_free(doc);
    peer.n_sent++;
}

/* ---- tools and resources ---- */

static struct mcp_result *small_result(void)
{
    struct mcp_result *result = mcp_result_new();

    mcp_result_text(result, "done\xff", 5);
    mcp_result_meta(result, "cellblock/x", "{}");
    return result;
}

static struct mcp_result *large_result(void)
{
    static char bytes[LIMIT_IMAGE];
    struct mcp_result *result = mcp_result_new();

    mcp_result_text(result, bytes, 20000);
    mcp_result_image(result, "image/png", bytes, sizeof bytes);
    mcp_result_link(result, "cellblock://s/a%20b", "a b", NULL, 0);
    mcp_result_text(result, bytes, sizeof bytes);
    mcp_result_set_error(result);
    return result;
}

static void call_now(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)data;
    assert(yyjson_is_obj(arguments));
    mcp_request_finish(req, small_result());
}

static void call_later(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)data;
    assert(yyjson_is_obj(arguments) && peer.n_held < HELD_MAX);
    peer.held[peer.n_held++] = req;
}

/* Ends when it is cancelled, inside of the callback. */
static void on_cancel(void *data)
{
    assert(mcp_request_cancelled(data));
    mcp_request_finish(data, small_result());
}

static void call_never(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)arguments;
    (void)data;
    mcp_request_on_cancel(req, on_cancel, req);
}

static void read_it(struct mcp_request *req, const char *uri, void *data)
{
    (void)data;
    if (uri[0] == 'x')
        mcp_request_fail_not_found(req, uri);
    else
        mcp_request_finish_read(req, uri, "text/plain", uri, strlen(uri), uri[0] == 't');
}

static void list(struct mcp_conn *conn, void (*emit)(void *to, const struct mcp_resource *r), void *to, void *data)
{
    (void)conn;
    (void)data;
    for (int i = 0; i < 3; i++)
        emit(to, &(struct mcp_resource){"cellblock://s/a", i ? "a" : NULL, NULL, i - 1});
}

/* ---- what happens ---- */

static struct mcp_request *take_held(void)
{
    struct mcp_request *req = peer.held[0];

    if (peer.n_held == 0)
        return NULL;
    memmove(peer.held, peer.held + 1, --peer.n_held * sizeof *peer.held);
    return req;
}

static void end_held(char how)
{
    struct mcp_request *req = take_held();
    size_t sent = peer.n_sent;
    bool cancelled;

    if (!req)
        return;
    cancelled = mcp_request_cancelled(req);
    if (how == 'e')
        mcp_request_fail(req, MCP_INTERNAL_ERROR, "it\xff failed");
    else
        mcp_request_finish(req, how == 'i' ? large_result() : small_result());
    /* The end of a cancelled one may send the answers of its array. */
    assert(peer.n_sent <= sent + 2 && (!cancelled || peer.n_sent == sent || peer.arrays));
}

static void close_connection(void)
{
    struct mcp_conn *conn = peer.conn;

    peer.conn = NULL;
    mcp_conn_close(conn);
}

static void event(const char *line, size_t size)
{
    char what = size > 1 ? line[1] : 'f';

    if (what == 'p' && peer.n_held > 0) {
        mcp_request_progress(peer.held[0], peer.progress += 0.5, 10, "half\n way");
    } else if (what == 'o' && size > 2) {
        mcp_conn_feed_oversize(peer.conn, line + 2, size - 2);
        peer.oversize = true;
    } else if (what == 'x' && peer.oversize) {
        mcp_conn_end_oversize(peer.conn);
        peer.oversize = false;
    } else if (what == 'c') {
        close_connection();
    } else if (what == 'f' || what == 'e' || what == 'i') {
        end_held(what);
    }
}

static void take_line(const char *line, size_t size)
{
    /* In memory of its own, so that a step beyond its end is seen. */
    autofree char *copy = NULL;

    if (size && line[0] == '!') {
        event(line, size);
        return;
    }
    copy = malloc(size ? size : 1);
    if (!copy)
        return;
    memcpy(copy, line, size);
    mcp_conn_feed(peer.conn, copy, size);
    assert(!peer.conn || mcp_conn_inflight(peer.conn) <= LIMIT_INFLIGHT);
}

static struct mcp_server *make_server(void)
{
    static const char schema[] = "{\"type\":\"object\"}";
    static const struct mcp_tool tools[] = {
        {.name = "now", .title = "Now", .description = "n", .input_schema = schema, .call = call_now},
        {.name = "later", .description = "l", .input_schema = schema, .call = call_later},
        {.name = "never", .description = "v", .input_schema = schema, .call = call_never},
    };
    static const struct mcp_resource_ops resources = {read_it, list, "cellblock://{+path}", "file", NULL, NULL};
    struct mcp_server *server = mcp_server_new("fuzz", "Fuzz", "1", "Use it.");

    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        mcp_server_add_tool(server, &tools[i]);
    mcp_server_set_resources(server, &resources);
    return server;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct mcp_server *server = make_server();

    peer = (struct peer){0};
    peer.conn = mcp_conn_new(server, check_sent, &peer);
    while (size > 0 && peer.conn) {
        const char *end = memchr(text, '\n', size);
        size_t n = end ? (size_t)(end - text) : size;

        take_line(text, n);
        n += end ? 1 : 0;
        text += n;
        size -= n;
    }
    if (peer.conn)
        close_connection();
    while (peer.n_held > 0)
        end_held('f');
    mcp_server_free(server);
    return 0;
}
