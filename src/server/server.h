/*
 * What joins the protocol and the sessions: the tools, the resources, and which session a client means.
 */
#ifndef CELLBLOCK_SERVER_SERVER_H
#define CELLBLOCK_SERVER_SERVER_H

#include <stdint.h>
#include <uv.h>

struct mcp_server;
struct server;
struct sessions;

struct server_config {
    struct sessions *sessions;          /* outlives the server */
    uv_loop_t *loop;                    /* for control.h; NULL: `cellblock cp` does not find this server */
    int64_t timeout_ms, max_timeout_ms; /* 0: the defaults of limits.h */
};

struct server *server_new(const struct server_config *config);
struct mcp_server *server_mcp(const struct server *server);
void server_free(struct server *server); /* from within the loop */

#endif
