/*
 * A server on stdin and stdout with toy tools, for test_stdio.c: now (answers at once), soon (after 100 ms), wait
 * (until it is cancelled), print (writes to the process's stdout), large (answers 600 KiB). SIGTERM stops it. Exit
 * code 0; 3 when it could not start.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "mcp/result.h"
#include "transport/stdio.h"

static uv_loop_t loop;
static struct stdio *stdio;
static struct mcp_server *server;
static uv_signal_t on_term;
static int stopping;

static void answer(struct mcp_request *req, const char *text, size_t size)
{
    struct mcp_result *result = mcp_result_new();

    mcp_result_text(result, text, size);
    mcp_request_finish(req, result);
}

static void call_now(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)arguments;
    (void)data;
    answer(req, "done", 4);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_soon(uv_timer_t *timer)
{
    answer(timer->data, "soon", 4);
    uv_close((uv_handle_t *)timer, on_closed);
}

static void call_soon(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    uv_timer_t *timer = xnew(uv_timer_t);

    (void)arguments;
    (void)data;
    (void)uv_timer_init(&loop, timer);
    timer->data = req;
    (void)uv_timer_start(timer, on_soon, 100, 0);
}

static void on_cancel(void *data)
{
    (void)fprintf(stderr, "cancelled\n");
    answer(data, "", 0);
}

static void call_wait(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)arguments;
    (void)data;
    mcp_request_on_cancel(req, on_cancel, req);
}

static void call_print(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    (void)arguments;
    (void)data;
    (void)printf("from printf\n");
    (void)fflush(stdout);
    answer(req, "printed", 7);
}

static void call_large(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    autofree char *text = xnew_n(char, 600 * KIB);

    (void)arguments;
    (void)data;
    memset(text, 'x', 600 * KIB);
    answer(req, text, 600 * KIB);
}

static void on_stopped(void *data)
{
    (void)data;
    uv_close((uv_handle_t *)&on_term, NULL);
}

static void end(void *data)
{
    (void)data;
    if (!stopping++)
        stdio_stop(stdio, on_stopped, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    end(handle);
}

int main(void)
{
    static const char schema[] = "{\"type\":\"object\"}";
    static const struct mcp_tool tools[] = {
        {.name = "now", .input_schema = schema, .call = call_now},
        {.name = "soon", .input_schema = schema, .call = call_soon},
        {.name = "wait", .input_schema = schema, .call = call_wait},
        {.name = "print", .input_schema = schema, .call = call_print},
        {.name = "large", .input_schema = schema, .call = call_large},
    };
    struct err e = ERR_INIT;
    int code = 0;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)uv_loop_init(&loop);
    (void)uv_signal_init(&loop, &on_term);
    server = mcp_server_new("toy", NULL, "1", NULL);
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
        mcp_server_add_tool(server, &tools[i]);
    if (stdio_start(&loop, server, end, NULL, &stdio, &e) < 0) {
        (void)fprintf(stderr, "%s\n", e.text);
        uv_close((uv_handle_t *)&on_term, NULL);
        code = 3;
    } else {
        (void)uv_signal_start(&on_term, on_signal, SIGTERM);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) < 0)
        code = 4; /* a handle was left */
    mcp_server_free(server);
    return code;
}
