/* cellblock stdio: serve MCP on stdin and stdout until stdin ends or a signal comes. */
#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "server/server.h"
#include "session/session.h"
#include "transport/stdio.h"

struct serving {
    uv_loop_t loop;
    struct sessions *sessions;
    struct server *server;
    struct stdio *stdio;
    uv_signal_t on_term, on_int, on_hup;
    int ending;
};

static void on_sessions_stopped(void *data)
{
    struct serving *serving = data;

    server_free(serving->server);
    uv_close((uv_handle_t *)&serving->on_term, NULL);
    uv_close((uv_handle_t *)&serving->on_int, NULL);
    uv_close((uv_handle_t *)&serving->on_hup, NULL);
}

static void on_stdio_stopped(void *data)
{
    struct serving *serving = data;

    sessions_stop(serving->sessions, on_sessions_stopped, serving);
}

static void end(void *data)
{
    struct serving *serving = data;

    if (serving->ending)
        return;
    serving->ending = 1;
    stdio_stop(serving->stdio, on_stdio_stopped, serving);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    end(handle->data);
}

static void watch_signal(struct serving *serving, uv_signal_t *handle, int number)
{
    (void)uv_signal_init(&serving->loop, handle);
    handle->data = serving;
    (void)uv_signal_start(handle, on_signal, number);
    uv_unref((uv_handle_t *)handle);
}

int command_stdio(const struct options *options)
{
    static struct serving serving;
    struct server_config config = {.timeout_ms = options->timeout_ms, .max_timeout_ms = options->max_timeout_ms};
    struct err e = ERR_INIT;

    if (uv_loop_init(&serving.loop) < 0)
        return EXIT_NOT_STARTED;
    if (command_sessions(options, &serving.loop, 0, &serving.sessions, &e) < 0) {
        (void)fprintf(stderr, "cellblock: %s\n", e.text);
        return EXIT_NOT_STARTED;
    }
    config.sessions = serving.sessions;
    config.loop = &serving.loop;
    serving.server = server_new(&config);
    watch_signal(&serving, &serving.on_term, SIGTERM);
    watch_signal(&serving, &serving.on_int, SIGINT);
    watch_signal(&serving, &serving.on_hup, SIGHUP);
    if (stdio_start(&serving.loop, server_mcp(serving.server), end, &serving, &serving.stdio, &e) < 0) {
        (void)fprintf(stderr, "cellblock: %s\n", e.text);
        return EXIT_NOT_STARTED;
    }
    (void)uv_run(&serving.loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&serving.loop);
    return 0;
}
