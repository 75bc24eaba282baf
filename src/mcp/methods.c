/* The methods of the protocol: a table. */
#include <string.h>

#include "mcp/impl.h"
#include "mcp/json_write.h"

#define CATALOGUE_TTL_MS 3600000 /* tools do not change while the server runs */

/* ---- lifecycle ---- */

static void write_server_info(const struct mcp_server *server, enum version version, struct buf *out)
{
    (void)buf_puts(out, "{");
    json_write_member(out, "name", server->name);
    if (version >= V2025_06_18)
        json_write_member(out, "title", server->title);
    json_write_member(out, "version", server->version);
    (void)buf_puts(out, "}");
}

static void write_capabilities(const struct mcp_server *server, struct buf *out)
{
    json_write_key(out, "capabilities");
    (void)buf_puts(out, server->resources ? "{\"tools\":{},\"resources\":{}}" : "{\"tools\":{}}");
}

static void initialize(struct mcp_request *req)
{
    struct mcp_conn *conn = req->conn;
    yyjson_val *asked = yyjson_obj_get(req->params, "protocolVersion");
    autobuf struct buf out = BUF_INIT;

    if (!yyjson_is_str(asked)) {
        request_fail(req, MCP_INVALID_PARAMS, "initialize needs a protocolVersion", NULL);
        return;
    }
    if (!version_find(json_text(asked), &conn->version) || conn->version > NEWEST_LEGACY)
        conn->version = NEWEST_LEGACY;
    conn->initialized = true;
    req->version = conn->version;
    request_open(req, &out);
    json_write_member(&out, "protocolVersion", version_name(conn->version));
    write_capabilities(conn->server, &out);
    json_write_key(&out, "serverInfo");
    write_server_info(conn->server, conn->version, &out);
    json_write_member(&out, "instructions", conn->server->instructions);
    request_close_result(req, &out, "");
    request_send(req, &out);
}

static void discover(struct mcp_request *req)
{
    autobuf struct buf out = BUF_INIT;

    if (req->version != MODERN) {
        request_fail(req, MCP_INVALID_PARAMS, "server/discover needs _meta with a protocol version", NULL);
        return;
    }
    request_open(req, &out);
    (void)buf_printf(&out, "\"supportedVersions\":[\"%s\"]", version_name(MODERN));
    write_capabilities(req->conn->server, &out);
    json_write_member(&out, "instructions", req->conn->server->instructions);
    request_close_cacheable(req, &out, "public", CATALOGUE_TTL_MS);
    request_send(req, &out);
}

static void empty_result(struct mcp_request *req)
{
    autobuf struct buf out = BUF_INIT;

    request_open(req, &out);
    request_close_result(req, &out, "");
    request_send(req, &out);
}

/* Taken for the sake of clients that send it unasked; there are no log messages to filter. */
static void set_level(struct mcp_request *req)
{
    if (era_knows_log_level(yyjson_obj_get(req->params, "level")))
        empty_result(req);
    else
        request_fail(req, MCP_INVALID_PARAMS, "logging/setLevel needs a level", NULL);
}

/* Nothing here ever changes by itself: acknowledge with an empty subset, and end. */
static void listen(struct mcp_request *req)
{
    autobuf struct buf out = BUF_INIT, extra = BUF_INIT;

    if (!yyjson_is_obj(yyjson_obj_get(req->params, "notifications"))) {
        request_fail(req, MCP_INVALID_PARAMS, "subscriptions/listen needs notifications, an object", NULL);
        return;
    }
    (void)buf_printf(&extra, "\"" META_PREFIX "subscriptionId\":%s", req->id);
    (void)buf_printf(&out,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{"
                     "\"notifications\":{},\"_meta\":{%s}}}",
                     buf_str(&extra));
    conn_send(req->conn, buf_begin(&out), out.len);
    buf_clear(&out);
    request_open(req, &out);
    request_close_result(req, &out, buf_str(&extra));
    request_send(req, &out);
}

/* ---- tools ---- */

/* No list here has a second page, so no cursor was ever given out. */
static bool refuse_cursor(struct mcp_request *req)
{
    yyjson_val *cursor = yyjson_obj_get(req->params, "cursor");

    if (!cursor || yyjson_is_null(cursor) || yyjson_equals_str(cursor, ""))
        return false;
    request_fail(req, MCP_INVALID_PARAMS, "the cursor is not one of this server", NULL);
    return true;
}

static void write_hint(struct buf *out, const char *key, bool value)
{
    json_write_key(out, key);
    (void)buf_puts(out, value ? "true" : "false");
}

static void write_tool(const struct mcp_tool *tool, enum version version, struct buf *out)
{
    (void)buf_puts(out, "{");
    json_write_member(out, "name", tool->name);
    if (version >= V2025_06_18)
        json_write_member(out, "title", tool->title);
    json_write_member(out, "description", tool->description);
    json_write_key(out, "inputSchema");
    (void)buf_puts(out, tool->input_schema);
    if (version >= V2025_03_26) {
        json_write_key(out, "annotations");
        (void)buf_puts(out, "{");
        json_write_member(out, "title", tool->title);
        write_hint(out, "readOnlyHint", tool->read_only);
        write_hint(out, "destructiveHint", tool->destructive);
        write_hint(out, "idempotentHint", tool->idempotent);
        write_hint(out, "openWorldHint", tool->open_world);
        (void)buf_puts(out, "}");
    }
    (void)buf_puts(out, "}");
}

static void tools_list(struct mcp_request *req)
{
    const struct mcp_server *server = req->conn->server;
    autobuf struct buf out = BUF_INIT;

    if (refuse_cursor(req))
        return;
    request_open(req, &out);
    (void)buf_puts(&out, "\"tools\":[");
    for (size_t i = 0; i < server->n_tools; i++) {
        (void)buf_puts(&out, i ? "," : "");
        write_tool(server->tools[i], req->version, &out);
    }
    (void)buf_puts(&out, "]");
    request_close_cacheable(req, &out, "public", CATALOGUE_TTL_MS);
    request_send(req, &out);
}

static const struct mcp_tool *find_tool(const struct mcp_server *server, const char *name)
{
    for (size_t i = 0; name && i < server->n_tools; i++)
        if (strcmp(server->tools[i]->name, name) == 0)
            return server->tools[i];
    return NULL;
}

static void tools_call(struct mcp_request *req)
{
    const char *name = json_text(yyjson_obj_get(req->params, "name"));
    const struct mcp_tool *tool = find_tool(req->conn->server, name);
    yyjson_val *arguments = yyjson_obj_get(req->params, "arguments");
    autobuf struct buf text = BUF_INIT;

    if (!name)
        (void)buf_puts(&text, "tools/call needs the name of a tool");
    else if (!tool)
        (void)buf_printf(&text, "there is no tool %.100s", name);
    else if (arguments && !yyjson_is_null(arguments) && !yyjson_is_obj(arguments))
        (void)buf_puts(&text, "arguments has to be an object");
    if (text.len)
        request_fail(req, MCP_INVALID_PARAMS, buf_str(&text), NULL);
    else
        tool->call(req, yyjson_is_obj(arguments) ? arguments : yyjson_doc_get_root(req->conn->server->no_arguments),
                   tool->data);
}

/* ---- the table ---- */

enum era { LEGACY = 1, NEW = 2, BOTH = 3 };

static const struct method {
    const char *name;
    void (*call)(struct mcp_request *req);
    enum era era;
    bool needs_resources, probe; /* a probe does not show a client that stays */
} methods[] = {
    {"tools/call", tools_call, BOTH, false, false},
    {"tools/list", tools_list, BOTH, false, false},
    {"initialize", initialize, LEGACY, false, false},
    {"ping", empty_result, LEGACY, false, true},
    {"server/discover", discover, BOTH, false, true},
    {"logging/setLevel", set_level, LEGACY, false, false},
    {"resources/list", resources_list, BOTH, true, false},
    {"resources/templates/list", resources_templates, BOTH, true, false},
    {"resources/read", resources_read, BOTH, true, false},
    {"subscriptions/listen", listen, NEW, false, false},
};

void methods_call(struct mcp_request *req)
{
    struct mcp_server *server = req->conn->server;
    enum era era = req->version == MODERN ? NEW : LEGACY;

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const struct method *m = &methods[i];

        if (strcmp(m->name, req->method) != 0 || !(m->era & era) || (m->needs_resources && !server->resources))
            continue;
        m->call(req);
        if (!m->probe && server->first_use) {
            void (*first_use)(void *data) = server->first_use;

            server->first_use = NULL;
            first_use(server->first_use_data);
        }
        return;
    }
    request_fail(req, MCP_METHOD_NOT_FOUND, "there is no such method", NULL);
}
