/* Inside of the server module. */
#ifndef CELLBLOCK_SERVER_IMPL_H
#define CELLBLOCK_SERVER_IMPL_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "mcp/mcp.h"
#include "server/server.h"

struct buf;
struct control;
struct err;
struct session;

struct server {
    struct sessions *sessions;
    struct mcp_server *mcp;
    struct mcp_tool execute, install, list; /* mcp keeps pointers to these */
    struct mcp_resource_ops resources;
    int64_t timeout_ms, max_timeout_ms;
    uv_loop_t *loop;
    struct control *control; /* NULL before the first session */
};

/* Make it reachable for `cellblock sessions` and `cellblock cp`, once the sessions have a directory. */
void server_open_control(struct server *server);

/* ---- arguments.c: what strict hosts send as null or "" counts as absent ---- */

/* Every name in arguments must be in known (ends with NULL); e names the one that is not, and those that are. */
int arguments_check(yyjson_val *arguments, const char *const *known, struct err *e);

/* A string; 0 and NULL when absent. It lives as long as arguments. */
int arguments_string(yyjson_val *arguments, const char *name, const char **ret, size_t *ret_size, struct err *e);

/* Seconds as milliseconds, at least 1; absent: fallback; over max: max. A number, or a text that is one. */
int arguments_seconds(yyjson_val *arguments, const char *name, int64_t fallback, int64_t max, int64_t *ret,
                      struct err *e);

/* ---- which session.c ---- */

/*
 * The session that a call means: by its handle; "new"; or without one, the connection's own where connections have
 * state, else a new one.
 */
int server_session(struct server *server, struct mcp_request *req, const char *handle, struct session **ret,
                   struct err *e);

/* ---- tools: each adds itself ---- */

void tool_execute_add(struct server *server);
void tool_install_add(struct server *server);
void tool_list_add(struct server *server);
void resources_add(struct server *server);

/* Answer with an error that the model can act upon (a result with isError, not a protocol error). */
void tool_refuse(struct mcp_request *req, const char *text);

/* ---- text.c ---- */

/* "1.2 kB" */
void text_size(struct buf *out, int64_t bytes);

/* "12 ms", "3.4 s", "2 min 5 s" */
void text_duration(struct buf *out, int64_t us);

/* One JSON string, quoted. */
void text_json_string(struct buf *out, const char *text);

/* cellblock://<session>/<path>, percent-encoded (RFC 3986). */
void text_uri(struct buf *out, const char *session, const char *path);

/* A media type by the file's ending, or NULL. */
const char *text_mime(const char *path);

#endif
