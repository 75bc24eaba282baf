/* Inside of the protocol module: what its files share. */
#ifndef CELLBLOCK_MCP_IMPL_H
#define CELLBLOCK_MCP_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "base/buf.h"
#include "mcp/mcp.h"

struct json_id;

#define TOOLS_MAX 16
#define META_PREFIX "io.modelcontextprotocol/"

enum version { V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28, VERSION_MAX };

#define NEWEST_LEGACY V2025_11_25
#define MODERN V2026_07_28

struct mcp_server {
    const char *name, *title, *version, *instructions;
    const struct mcp_tool *tools[TOOLS_MAX];
    size_t n_tools;
    const struct mcp_resource_ops *resources;
    yyjson_doc *no_arguments;      /* {}: for calls that come without */
    void (*first_use)(void *data); /* NULL once called */
    void *first_use_data;
};

struct mcp_conn {
    struct mcp_server *server;
    mcp_send_cb send;
    void *peer;
    bool initialized, closed;
    enum version version; /* of the legacy era, from initialize */
    struct mcp_request *requests;
    size_t n_requests;
    unsigned busy;            /* calls of ours that are on the stack: it is not freed below them */
    struct json_id *oversize; /* what is read of a message that is too large; NULL: none is coming */
    void *data;
    void (*free_data)(void *data);
};

struct mcp_request {
    struct mcp_conn *conn;
    struct mcp_request *next;
    char *text; /* in which doc was parsed, or NULL */
    yyjson_doc *doc;
    bool cancelled, progressed;
    enum version version;
    char *id, *progress_token; /* JSON text */
    double progress;
    const char *method;
    yyjson_val *params; /* an object or NULL */
    struct batch *batch;
    void (*on_cancel)(void *data);
    void *cancel_data;
};

/* ---- version.c ---- */

const char *version_name(enum version version);
bool version_find(const char *name, enum version *ret); /* false too for NULL */

/* ---- era.c ---- */

/* Set the version of req, and check what is checked of _meta; answers and returns false when it is wrong. */
bool era_of(struct mcp_request *req);

bool era_knows_log_level(yyjson_val *level);

/* ---- methods.c ---- */

void methods_call(struct mcp_request *req);

/* ---- resources.c ---- */

void resources_list(struct mcp_request *req);
void resources_templates(struct mcp_request *req);
void resources_read(struct mcp_request *req);

/* ---- request.c ---- */

/* Start an answer in out: {"jsonrpc":"2.0","id":…,"result":{ */
void request_open(struct mcp_request *req, struct buf *out);

/* ,"resultType":"complete" and _meta for a modern result; extra: members of _meta, JSON text without braces, or "". */
void request_close_result(struct mcp_request *req, struct buf *out, const char *extra);

/* The same, and before it what a modern client is told about keeping the result. */
void request_close_cacheable(struct mcp_request *req, struct buf *out, const char *scope, int ttl_ms);

/* The braces that request_open left open, and send. req is gone after that. */
void request_send(struct mcp_request *req, struct buf *out);

/* An error whose data is JSON text, or NULL. req is gone after that. */
void request_fail(struct mcp_request *req, int code, const char *message, const char *data);

/* Cancel what waits under this id (JSON text). */
void request_cancel(struct mcp_conn *conn, const char *id);
void request_set_cancelled(struct mcp_request *req);

/* ---- batch.c ---- */

struct batch {
    struct mcp_conn *conn;
    struct buf answers;
    size_t users; /* its requests, and the one who takes them from the array */
};

struct batch *batch_new(struct mcp_conn *conn);
void batch_get(struct batch *batch);
void batch_answer(struct batch *batch, const char *json, size_t size);
void batch_put(struct batch *batch); /* the last one sends what has gathered, and frees */

/* ---- conn.c ---- */

void conn_send(struct mcp_conn *conn, const char *json, size_t size);
void conn_enter(struct mcp_conn *conn); /* not freed until conn_leave */
void conn_leave(struct mcp_conn *conn);
void conn_add_request(struct mcp_conn *conn, struct mcp_request *req);
void conn_remove_request(struct mcp_conn *conn, struct mcp_request *req);

/* ---- feed.c ---- */

/* The text of a string, or NULL for anything else and for a string with a NUL, which no name here has. */
const char *json_text(yyjson_val *value);

#endif
