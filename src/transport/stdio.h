/*
 * MCP on stdin and stdout: one JSON text a line. Takes over descriptors 0 and 1 (pipe, socket, terminal or file, as
 * the host gives them); descriptor 1 is replaced by stderr for everybody else, so that nothing but the protocol can
 * reach the client.
 */
#ifndef CELLBLOCK_TRANSPORT_STDIO_H
#define CELLBLOCK_TRANSPORT_STDIO_H

#include <uv.h>

struct err;
struct mcp_conn;
struct mcp_server;
struct stdio;

/*
 * Start to read. on_end is called once: at the end of stdin (or when the client can no longer be written to), after
 * requests that were under way had up to LIMIT_STDIO_GRACE_MS to finish; the connection is closed by then.
 */
int stdio_start(uv_loop_t *loop, struct mcp_server *server, void (*on_end)(void *data), void *data, struct stdio **ret,
                struct err *e);

/* Stop and free; what is queued for the client is written first, as far as it takes it within LIMIT_STDIO_FLUSH_MS. */
void stdio_stop(struct stdio *stdio, void (*done)(void *data), void *data);

#endif
