#include "server/tool_call.h"

#include <stdlib.h>

#include "base/err.h"
#include "mcp/mcp.h"
#include "server/impl.h"

void tool_call_begin(struct tool_call *call_take, struct server *server, struct mcp_request *req, yyjson_val *arguments,
                     int (*start)(struct tool_call *call, yyjson_val *arguments, struct err *e),
                     void (*cancel)(void *call))
{
    struct err e = ERR_INIT;

    call_take->server = server;
    call_take->req = req;
    call_take->starting = true; /* it may be over before it has been started: no Python is to be had, say */
    if (start(call_take, arguments, &e) < 0) {
        tool_refuse(req, e.text);
        call_take->finished = true;
    }
    call_take->starting = false;
    if (call_take->finished)
        free(call_take);
    else
        mcp_request_on_cancel(req, cancel, call_take);
}

void tool_call_end(struct tool_call *call, struct mcp_result *result)
{
    mcp_request_finish(call->req, result);
    call->finished = true;
    if (!call->starting)
        free(call);
}
