/* The tool install_dependencies. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "mcp/result.h"
#include "server/impl.h"
#include "server/tool_call.h"
#include "session/session.h"

static const char schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"packages\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"Requirements (PEP 508), one "
    "each: numpy, pandas>=2, requests[socks]\"},"
    "\"session\":{\"type\":\"string\",\"description\":\"Handle from an earlier result, or \\\"new\\\"\"},"
    "\"timeout\":{\"type\":\"number\",\"description\":\"Seconds, default 60\"}},"
    "\"required\":[\"packages\"]}";

static const char description[] =
    "Install Python packages from the configured index into this environment. They can be imported in the session at "
    "once, without a restart, and stay installed. Reports each package.";

static const char isolated_description[] =
    "Install Python packages from the configured index into one session. They can be imported there at once, without a "
    "restart, and are gone with the session; other sessions do not see them. Wheels only, unless "
    "the server has --allow-source-builds. Reports each package.";

struct call {
    struct tool_call base; /* first */
    struct install *install;
};

static void on_progress(void *data, double seconds, const char *line)
{
    struct call *call = data;

    tool_call_progress(&call->base, seconds, line);
}

static void on_done(void *data, const struct install_outcome *outcome)
{
    struct call *call = data;
    struct mcp_result *result = mcp_result_new();
    autobuf struct buf text = BUF_INIT;
    const char *status = outcome->ok          ? "ok"
                         : outcome->timed_out ? "timeout"
                         : outcome->cancelled ? "cancelled"
                                              : "failed";

    install_describe(outcome, &text);
    (void)buf_printf(&text, "[session %s · %s · ", call->base.session, status);
    text_duration(&text, outcome->duration_us);
    (void)buf_puts(&text, "]");
    mcp_result_text(result, buf_begin(&text), text.len);
    if (!outcome->ok)
        mcp_result_set_error(result);
    tool_call_end(&call->base, result);
}

static void on_cancel(void *data)
{
    struct call *call = data;

    install_cancel(call->install);
}

/* Models also pass one string: then it is one requirement. */
static int take_packages(yyjson_val *arguments, const char **specs, size_t *n, struct err *e)
{
    yyjson_val *value = yyjson_obj_get(arguments, "packages"), *item;
    size_t i, max;

    *n = 0;
    if (yyjson_is_str(value) && yyjson_get_len(value)) {
        specs[(*n)++] = yyjson_get_str(value);
        return 0;
    }
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) == 0)
        return err_set(e, EINVAL,
                       "`packages` is missing: pass a list of requirements, e.g. [\"numpy\", \"pandas>=2\"].");
    if (yyjson_arr_size(value) > LIMIT_PACKAGES)
        return err_set(e, E2BIG, "`packages` has %zu items, at most %d are taken in one call.", yyjson_arr_size(value),
                       LIMIT_PACKAGES);
    yyjson_arr_foreach(value, i, max, item)
    {
        const char *text = yyjson_get_str(item);

        if (!text || strlen(text) != yyjson_get_len(item))
            return err_set(e, EINVAL, "Item %zu of `packages` is not a string that names a package.", i + 1);
        specs[(*n)++] = text;
    }
    return 0;
}

static int start(struct tool_call *base, yyjson_val *arguments, struct err *e)
{
    static const char *const known[] = {"packages", "session", "timeout", NULL};
    static const struct install_ops with_progress = {on_progress, on_done}, quiet = {NULL, on_done};
    struct call *call = (struct call *)base;
    struct server *server = base->server;
    const char *specs[LIMIT_PACKAGES], *handle;
    int64_t timeout_ms;
    struct session *s;
    size_t n, size;
    int r;

    if ((r = arguments_check(arguments, known, e)) < 0 || (r = take_packages(arguments, specs, &n, e)) < 0 ||
        (r = arguments_string(arguments, "session", &handle, &size, e)) < 0 ||
        (r = arguments_seconds(arguments, "timeout", LIMIT_INSTALL_MS, server->max_timeout_ms, &timeout_ms, e)) < 0)
        return r;
    for (size_t i = 0; i < n; i++) /* before a session is made for it */
        if ((r = install_check(specs[i], e)) < 0)
            return r;
    if ((r = server_session(server, base->req, handle, &s, e)) < 0)
        return r;
    (void)strncpy(call->base.session, session_id(s), sizeof call->base.session - 1);
    return session_install(s, specs, n, timeout_ms, mcp_request_wants_progress(base->req) ? &with_progress : &quiet,
                           call, &call->install, e);
}

static void install_dependencies(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    tool_call_begin(&xnew(struct call)->base, data, req, arguments, start, on_cancel);
}

void tool_install_add(struct server *server)
{
    server->install = (struct mcp_tool){
        .name = "install_dependencies",
        .title = "Install Python packages",
        .description = sessions_isolation(server->sessions) ? isolated_description : description,
        .input_schema = schema,
        .idempotent = true,
        .open_world = true,
        .call = install_dependencies,
        .data = server,
    };
    mcp_server_add_tool(server->mcp, &server->install);
}
