/* The tool list_installed_packages: its answer is a requirements.txt. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "mcp/result.h"
#include "server/impl.h"
#include "session/session.h"

static const char schema[] = "{\"type\":\"object\",\"properties\":{"
                             "\"session\":{\"type\":\"string\",\"description\":\"Handle from an earlier result\"}}}";

static void on_done(void *data, const char *text, const char *error_text)
{
    struct mcp_request *req = data;
    struct mcp_result *result;

    if (!text) {
        tool_refuse(req, error_text);
        return;
    }
    result = mcp_result_new();
    if (!*text)
        text = "# no packages are installed\n";
    mcp_result_text(result, text, strlen(text));
    mcp_request_finish(req, result);
}

static void list_installed_packages(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    static const char *const known[] = {"session", NULL};
    struct server *server = data;
    struct err e = ERR_INIT;
    const char *handle;
    struct session *s;
    size_t size;

    if (arguments_check(arguments, known, &e) < 0 || arguments_string(arguments, "session", &handle, &size, &e) < 0 ||
        server_session(server, req, handle, &s, &e) < 0 || session_list_packages(s, on_done, req, &e) < 0)
        tool_refuse(req, e.text);
}

void tool_list_add(struct server *server)
{
    server->list = (struct mcp_tool){
        .name = "list_installed_packages",
        .title = "List Python packages",
        .description = "The packages that can be imported, one a line as name==version (a requirements.txt).",
        .input_schema = schema,
        .read_only = true,
        .idempotent = true,
        .call = list_installed_packages,
        .data = server,
    };
    mcp_server_add_tool(server->mcp, &server->list);
}
