/* One call of a tool that answers later: from its start, over its cancellation, to its end. */
#ifndef CELLBLOCK_SERVER_TOOL_CALL_H
#define CELLBLOCK_SERVER_TOOL_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

struct err;
struct mcp_request;
struct mcp_result;
struct server;

/* The first member of a tool's own struct, which is allocated with xnew. */
struct tool_call {
    struct server *server;
    struct mcp_request *req;
    char session[64]; /* its handle, once known */
    bool starting, finished;
    void (*cancel)(void *call); /* NULL once it has ended */
    int64_t progress_ms;        /* when progress was told last; 0: never */
    struct mcp_result *result;  /* while it waits: see tool_call_end */
};

/*
 * Call start; when it fails, answer with why. cancel is called when the client gives up. The call may have ended
 * when this returns: then it is freed.
 */
void tool_call_begin(struct tool_call *call_take, struct server *server, struct mcp_request *req, yyjson_val *arguments,
                     int (*start)(struct tool_call *call, yyjson_val *arguments, struct err *e),
                     void (*cancel)(void *call));

/* notifications/progress, in seconds since the start. */
void tool_call_progress(struct tool_call *call, double seconds, const char *line);

/*
 * Answer with result (taken) and free the call. When progress was told just before, the answer follows after a gap:
 * the TypeScript SDK takes both in one go and then does not know the token of the progress any more.
 */
void tool_call_end(struct tool_call *call, struct mcp_result *result);

#endif
