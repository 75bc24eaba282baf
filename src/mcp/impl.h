/* Inside of the protocol module: what its files share. */
#ifndef CELLBLOCK_MCP_IMPL_H
#define CELLBLOCK_MCP_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "base/buf.h"
#include "mcp/mcp.h"

#define TOOLS_MAX 16
#define ID_MAX 512   /* JSON text of an id or progress token */
#define META_PREFIX "io.modelcontextprotocol/"

enum version { V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28, VERSION_MAX };

#define NEWEST_LEGACY V2025_11_25
#define MODERN V2026_07_28

struct mcp_server {
    const char *name, *title, *version, *instructions;
    const struct mcp_tool *tools[TOOLS_MAX];
    size_t n_tools;
    const struct mcp_resource_ops *resources;
    void (*first_use)(void *data); /* NULL once called */
    void *first_use_data;
};

/* Answers to one array of requests, which go out together (2025-03-26). */
struct batch {
    struct buf answers;
    size_t pending;
};

struct mcp_conn {
    struct mcp_server *server;
    mcp_send_cb send;
    void *peer;
    bool initialized, closed;
    enum version version; /* of the legacy era, from initialize */
    struct mcp_request *requests;
    struct batch *batch; /* while one is being taken */
    size_t n_requests;
    unsigned busy; /* calls of ours that are on the stack */
    void *data;
    void (*free_data)(void *data);
};

struct mcp_request {
    struct mcp_conn *conn;
    struct mcp_request *next;
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
bool version_find(const char *name, enum version *ret);

/* ---- era.c: what is checked of _meta; answers and returns false when it is wrong ---- */

bool era_of(struct mcp_request *req);

/* ---- methods.c ---- */

void methods_call(struct mcp_request *req);

/* ---- request.c ---- */

/* ,"resultType":"complete" and _meta for a modern result; extra: members of _meta, JSON text without braces, or "". */
void request_close_result(struct mcp_request *req, struct buf *out, const char *extra);

/* Start an answer in out: {"jsonrpc":"2.0","id":…,"result":{ and end it: }} and send. req is gone after that. */
void request_open(struct mcp_request *req, struct buf *out);
void request_send(struct mcp_request *req, struct buf *out);

/* An error whose data is JSON text, or NULL. */
void request_fail(struct mcp_request *req, int code, const char *message, const char *data);

/* One of the batch is done: its answer joins the others (NULL: none); the last one sends them and frees batch. */
void batch_release(struct mcp_conn *conn, struct batch *batch, const struct buf *out);

/* Cancel what waits under this id (JSON text). */
void request_cancel(struct mcp_conn *conn, const char *id);
void request_set_cancelled(struct mcp_request *req);

/* ---- conn.c ---- */

void conn_send(struct mcp_conn *conn, const char *json, size_t size);
void conn_drop_request(struct mcp_conn *conn, struct mcp_request *req);

#endif
