/*
 * A connection with a client that keeps what it is sent, and a server with toy tools:
 *   now    answers at once with the text "done"
 *   later  is held until finish() or the end
 *   never  ends itself when it is cancelled
 *   close  closes the connection, then answers
 *   fail   answers with a JSON-RPC error
 * Every text sent is held to what every client expects: one line, valid UTF-8, JSON-RPC 2.0, not too large.
 * In texts ' stands for ", so that JSON can be read.
 */
#ifndef CELLBLOCK_TESTS_MCP_CLIENT_H
#define CELLBLOCK_TESTS_MCP_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mcp/mcp.h"

#define SENT_MAX 1024
#define HELD_MAX 512

#define K "io.modelcontextprotocol/"
#define META "'_meta':{'" K "protocolVersion':'2026-07-28','" K "clientCapabilities':{}}"
#define INFO "'" K "serverInfo':{'name':'toy','title':'Toy','version':'1'}"
#define DONE "'content':[{'type':'text','text':'done'}]"

struct client {
    struct mcp_server *server;
    struct mcp_conn *conn; /* NULL once closed */
    char *sent[SENT_MAX];
    size_t n_sent, n_seen;
    struct mcp_request *held[HELD_MAX]; /* NULL: finished */
    size_t n_held, n_cancelled, n_calls;
    size_t sent_max; /* bytes a text may have */
    bool close_in_send;
};

struct client *client_new(void);
void client_free(struct client *c); /* closes, and ends what is held */
void client_close(struct client *c);

/* One line to the server, formatted. */
void say(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_bytes(struct client *c, const char *bytes, size_t size); /* as they are */

/* The next text that was sent; fails when there is none. It lives as long as c. */
const char *heard(struct client *c);

void expect(struct client *c, const char *text);               /* that it is this */
void expect_part(struct client *c, const char *part);          /* that this is in it */
void expect_error(struct client *c, const char *id, int code); /* NULL: without id */
void expect_nothing(struct client *c);

/* initialize with this version, and forget the answer. */
void say_hello(struct client *c, const char *version);

/* Answer what tool `later` holds as number n. */
void finish(struct client *c, size_t n);

#endif
