#include "server/tool_call.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "mcp/mcp.h"
#include "server/impl.h"
#include "session/session.h"

#define PROGRESS_GAP_MS 20

static void on_cancel(void *data)
{
    struct tool_call *call = data;

    if (call->cancel)
        call->cancel(call);
}

void tool_call_begin(struct tool_call *call_take, struct server *server, struct mcp_request *req, yyjson_val *arguments,
                     int (*start)(struct tool_call *call, yyjson_val *arguments, struct err *e),
                     void (*cancel)(void *call))
{
    struct err e = ERR_INIT;

    call_take->server = server;
    call_take->req = req;
    call_take->cancel = cancel;
    call_take->starting = true; /* it may be over before it has been started: no Python is to be had, say */
    if (start(call_take, arguments, &e) < 0) {
        tool_refuse(req, e.text);
        call_take->finished = true;
    }
    call_take->starting = false;
    if (call_take->finished)
        free(call_take);
    else
        mcp_request_on_cancel(req, on_cancel, call_take);
}

void tool_call_progress(struct tool_call *call, double seconds, const char *line)
{
    call->progress_ms = clock_ms();
    mcp_request_progress(call->req, seconds, -1, line);
}

static void send_answer(void *data)
{
    struct tool_call *call = data;

    mcp_request_finish(call->req, call->result);
    call->finished = true;
    if (!call->starting)
        free(call);
}

void tool_call_end(struct tool_call *call, struct mcp_result *result)
{
    call->cancel = NULL;
    call->result = result;
    if (call->progress_ms && clock_ms() - call->progress_ms < PROGRESS_GAP_MS)
        sessions_later(call->server->sessions, PROGRESS_GAP_MS, send_answer, call);
    else
        send_answer(call);
}
