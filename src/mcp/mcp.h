/*
 * The Model Context Protocol, free of transports and of what the tools do. A transport feeds whole JSON texts into a
 * connection and gets JSON texts to send; tools get a request, which they finish exactly once.
 * Eras are told apart per message (specification 2026-07-28, "Versioning"): modern requests carry their version in
 * _meta, legacy ones follow an `initialize`; both may come on one connection.
 * One thread. Nothing here blocks, logs or knows the event loop.
 */
#ifndef CELLBLOCK_MCP_MCP_H
#define CELLBLOCK_MCP_MCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

struct mcp_server;  /* name, instructions, tools, resources: shared by all connections */
struct mcp_conn;    /* one client */
struct mcp_request; /* one request that waits for its answer */
struct mcp_result;  /* a tool's result, the same for every era (result.h) */

/* JSON-RPC 2.0 and MCP error codes. */
#define MCP_PARSE_ERROR (-32700)
#define MCP_INVALID_REQUEST (-32600)
#define MCP_METHOD_NOT_FOUND (-32601)
#define MCP_INVALID_PARAMS (-32602)
#define MCP_INTERNAL_ERROR (-32603)

/* ---- catalogue ---- */

struct mcp_tool {
    const char *name, *title, *description;
    const char *input_schema; /* JSON text of an object */
    bool read_only, destructive, idempotent, open_world;
    /*
     * arguments: an object; it lives as long as the request. Answer now or later, once, by mcp_request_finish or
     * mcp_request_fail.
     */
    void (*call)(struct mcp_request *req, yyjson_val *arguments, void *data);
    void *data;
};

struct mcp_resource {
    const char *uri, *name, *mime; /* mime may be NULL */
    int64_t size;                  /* -1: unknown */
};

struct mcp_resource_ops {
    /* Answer by mcp_request_finish_read or mcp_request_fail (unknown uri: mcp_request_fail_not_found). */
    void (*read)(struct mcp_request *req, const char *uri, void *data);
    /* Call emit for each resource, in a stable order, before returning. */
    void (*list)(struct mcp_conn *conn, void (*emit)(void *to, const struct mcp_resource *r), void *to, void *data);
    const char *uri_template, *template_name, *template_description;
    void *data;
};

/* Strings and structs are borrowed and must outlive the server. instructions may be NULL. */
struct mcp_server *mcp_server_new(const char *name, const char *title, const char *version, const char *instructions);
void mcp_server_add_tool(struct mcp_server *server, const struct mcp_tool *tool);
void mcp_server_set_resources(struct mcp_server *server, const struct mcp_resource_ops *ops);
void mcp_server_free(struct mcp_server *server); /* after its connections */

/* ---- connections: for transports ---- */

/*
 * json: one line without line end, valid UTF-8, during the call only. At most LIMIT_MESSAGE_OUT bytes, except the
 * content of a resource (4/3 of LIMIT_RESOURCE_READ and what surrounds it). It may close the connection.
 */
typedef void (*mcp_send_cb)(void *peer, const char *json, size_t size);

struct mcp_conn *mcp_conn_new(struct mcp_server *server, mcp_send_cb send, void *peer);

/* One message of the client: any bytes; whatever is wrong with them is answered, never fatal. */
void mcp_conn_feed(struct mcp_conn *conn, const char *json, size_t size);

/*
 * A message longer than LIMIT_MESSAGE_IN, in parts as they come, and its end. Nothing is kept but its id, which may
 * stand anywhere (some clients write it last), for the answer.
 */
void mcp_conn_feed_oversize(struct mcp_conn *conn, const char *part, size_t size);
void mcp_conn_end_oversize(struct mcp_conn *conn);

/* Requests that are not answered yet. */
size_t mcp_conn_inflight(const struct mcp_conn *conn);

/*
 * The client is gone: every request in flight is cancelled and nothing is sent any more. The memory goes when the
 * last of those requests is finished; conn must not be used by the caller after this.
 */
void mcp_conn_close(struct mcp_conn *conn);

/* Called once, on the first message that shows a client which stays (any but server/discover and ping). */
void mcp_server_on_first_use(struct mcp_server *server, void (*cb)(void *data), void *data);

/* ---- requests: for tools ---- */

struct mcp_conn *mcp_request_conn(const struct mcp_request *req);

/* Did this request come in a connection opened by initialize (legacy era), so that the connection has state? */
bool mcp_request_has_connection_state(const struct mcp_request *req);

/* A value that the server keeps for a connection; free_data (may be NULL) gets it when the connection goes. */
void mcp_conn_set_data(struct mcp_conn *conn, void *data, void (*free_data)(void *data));
void *mcp_conn_data(const struct mcp_conn *conn);

/*
 * cb is called once when the client cancels the request or goes away. The request still has to be finished (nothing
 * is sent then). Called at once if it is cancelled already.
 */
void mcp_request_on_cancel(struct mcp_request *req, void (*cb)(void *data), void *data);
bool mcp_request_cancelled(const struct mcp_request *req);

/*
 * notifications/progress, when the client gave a token; else nothing. progress must grow from call to call (the
 * call is dropped otherwise). total < 0: unknown. message: may be NULL; cleaned and cut.
 */
bool mcp_request_wants_progress(const struct mcp_request *req);
void mcp_request_progress(struct mcp_request *req, double progress, double total, const char *message);

/* End a tools/call; takes result. req is gone afterwards. */
void mcp_request_finish(struct mcp_request *req, struct mcp_result *result_take);

/*
 * End a resources/read with one content of at most LIMIT_RESOURCE_READ bytes: text when text is true and it is valid
 * UTF-8 without NUL that JSON's escapes do not make too long, else base64.
 */
void mcp_request_finish_read(struct mcp_request *req, const char *uri, const char *mime, const void *data, size_t size,
                             bool text);

/* End with a JSON-RPC error. */
void mcp_request_fail(struct mcp_request *req, int code, const char *message);
void mcp_request_fail_not_found(struct mcp_request *req, const char *uri); /* -32002 legacy, -32602 modern, data.uri */

#endif
