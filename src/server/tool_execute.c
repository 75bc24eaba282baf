/* The tool execute_python: arguments to an execution, its outcome to a result. */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "mcp/result.h"
#include "server/impl.h"
#include "server/outcome_text.h"
#include "server/tool_call.h"
#include "session/session.h"

static const char schema[] = "{\"type\":\"object\",\"properties\":{"
                             "\"code\":{\"type\":\"string\",\"description\":\"Python source; notebook syntax (%magic, "
                             "!command, top-level await) "
                             "works too\"},"
                             "\"session\":{\"type\":\"string\",\"description\":\"Handle from an earlier result to go "
                             "on there, or \\\"new\\\"\"},"
                             "\"timeout\":{\"type\":\"number\",\"description\":\"Seconds, default 30\"},"
                             "\"stdin\":{\"type\":\"string\",\"description\":\"Lines for input()\"}},"
                             "\"required\":[\"code\"]}";

static const char description[] =
    "Run Python. State is kept in the session. Returns what was printed, the value of the last expression, figures, "
    "and the names of new files. On a timeout the code is interrupted and variables are kept if possible.";

struct call {
    struct tool_call base; /* first */
    struct execution *execution;
    int64_t timeout_ms;
};

/* ---- the result ---- */

static void add_files(struct mcp_result *result, const struct exec_outcome *o, const char *session)
{
    for (size_t i = 0; i < o->n_files; i++) {
        autobuf struct buf uri = BUF_INIT;
        const char *path = o->files[i].path;

        text_uri(&uri, session, path);
        mcp_result_link(result, buf_str(&uri), path, text_mime(path), o->files[i].size);
    }
}

/* A file of the session's scratch directory: by its name there. */
static void add_scratch_link(struct mcp_result *result, const char *session, const char *path)
{
    autobuf struct buf uri = BUF_INIT, name = BUF_INIT;
    const char *base = strrchr(path, '/');

    base = base ? base + 1 : path;
    (void)buf_printf(&name, ".cellblock/%s", base);
    text_uri(&uri, session, buf_str(&name));
    mcp_result_link(result, buf_str(&uri), base, text_mime(base), -1);
}

/* Text gathers until an image comes: clients show one block of text best. */
static void end_text(struct mcp_result *result, struct buf *text)
{
    if (text->len)
        mcp_result_text(result, buf_begin(text), text->len);
    buf_clear(text);
}

static void end_line(struct buf *text)
{
    if (text->len && buf_begin(text)[text->len - 1] != '\n')
        (void)buf_puts(text, "\n");
}

static bool is_error(const struct exec_outcome *o)
{
    return o->status != EXEC_OK && !(o->status == EXEC_EXIT && o->exit_code == 0);
}

/*
 * Some hosts show only the first block of an error: then all text goes into one block before the images. Otherwise
 * text and images keep their order.
 */
static void add_items(struct mcp_result *result, const struct exec_outcome *o, struct buf *text, bool images)
{
    for (size_t i = 0; i < o->n_items; i++) {
        const struct exec_item *item = &o->items[i];

        if (item->kind == EXEC_TEXT) {
            (void)buf_append(text, item->data, item->size);
        } else if (item->kind == EXEC_FILE) {
            end_line(text);
            (void)buf_printf(text, "[file: %s]\n", item->data);
        } else if (images) {
            end_text(result, text);
            mcp_result_image(result, item->mime, item->data, item->size);
        }
    }
}

static struct mcp_result *make_result(const struct call *call, const struct exec_outcome *o)
{
    struct mcp_result *result = mcp_result_new();
    autobuf struct buf text = BUF_INIT, meta = BUF_INIT;
    bool error = is_error(o);

    add_items(result, o, &text, !error);
    end_line(&text);
    if (o->error_text && o->status != EXEC_UNAVAILABLE && o->status != EXEC_PROTOCOL) {
        (void)buf_puts(&text, o->error_text);
        end_line(&text);
    }
    outcome_explain(&text, o, call->timeout_ms);
    outcome_status_line(&text, o, call->base.session);
    end_text(result, &text);
    for (size_t i = 0; error && i < o->n_items; i++)
        if (o->items[i].kind == EXEC_IMAGE)
            mcp_result_image(result, o->items[i].mime, o->items[i].data, o->items[i].size);
    for (size_t i = 0; i < o->n_items; i++)
        if (o->items[i].kind == EXEC_FILE)
            add_scratch_link(result, call->base.session, o->items[i].data);
    if (o->output_path)
        add_scratch_link(result, call->base.session, o->output_path);
    add_files(result, o, call->base.session);
    if (error)
        mcp_result_set_error(result);
    outcome_meta(&meta, o, call->base.session);
    mcp_result_meta(result, "cellblock/execution", buf_str(&meta));
    return result;
}

/* ---- the call ---- */

static void on_progress(void *data, double seconds, const char *line)
{
    struct call *call = data;

    tool_call_progress(&call->base, seconds, line);
}

static void on_done(void *data, const struct exec_outcome *outcome)
{
    struct call *call = data;

    tool_call_end(&call->base, make_result(call, outcome));
}

static void on_cancel(void *data)
{
    struct call *call = data;

    execution_cancel(call->execution);
}

static int start(struct tool_call *base, yyjson_val *arguments, struct err *e)
{
    static const char *const known[] = {"code", "session", "timeout", "stdin", NULL};
    static const struct exec_ops with_progress = {on_progress, NULL, on_done}, quiet = {NULL, NULL, on_done};
    struct call *call = (struct call *)base;
    struct server *server = base->server;
    struct exec_params params = {0};
    const char *handle;
    size_t size;
    struct session *s;
    yyjson_val *code = yyjson_obj_get(arguments, "code");
    int r;

    if ((r = arguments_check(arguments, known, e)) < 0)
        return r;
    if (!yyjson_is_str(code))
        return err_set(e, 22, "`code` is missing: pass the Python source as a string.");
    params.code = yyjson_get_str(code);
    params.code_size = yyjson_get_len(code);
    if ((r = arguments_string(arguments, "session", &handle, &size, e)) < 0 ||
        (r = arguments_string(arguments, "stdin", &params.stdin_text, &params.stdin_size, e)) < 0 ||
        (r = arguments_seconds(arguments, "timeout", server->timeout_ms, server->max_timeout_ms, &params.timeout_ms,
                               e)) < 0 ||
        (r = server_session(server, base->req, handle, &s, e)) < 0)
        return r;
    call->timeout_ms = params.timeout_ms;
    (void)strncpy(call->base.session, session_id(s), sizeof call->base.session - 1);
    return session_execute(s, &params, mcp_request_wants_progress(base->req) ? &with_progress : &quiet, call,
                           &call->execution, e);
}

static void execute_python(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    tool_call_begin(&xnew(struct call)->base, data, req, arguments, start, on_cancel);
}

void tool_execute_add(struct server *server)
{
    server->execute = (struct mcp_tool){
        .name = "execute_python",
        .title = "Run Python",
        .description = description,
        .input_schema = schema,
        .destructive = true,
        .open_world = true,
        .call = execute_python,
        .data = server,
    };
    mcp_server_add_tool(server->mcp, &server->execute);
}
