#include "server/server.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "mcp/result.h"
#include "server/impl.h"
#include "session/session.h"

static const char instructions[] =
    "Python in a session that keeps its state: variables, imports and files stay between calls that name the same "
    "session (each result ends with its handle). Figures, tables and the value of the last expression are shown "
    "without being printed. Install what is missing with install_dependencies.";

static void on_first_use(void *data)
{
    struct server *server = data;

    sessions_warm(server->sessions);
}

struct server *server_new(const struct server_config *config)
{
    struct server *server = xnew(struct server);

    server->sessions = config->sessions;
    server->max_timeout_ms = config->max_timeout_ms ? config->max_timeout_ms : LIMIT_TIMEOUT_MAX_MS;
    server->timeout_ms = config->timeout_ms ? config->timeout_ms : LIMIT_TIMEOUT_DEFAULT_MS;
    server->mcp = mcp_server_new("cellblock", "Cellblock Python", CELLBLOCK_VERSION, instructions);
    tool_execute_add(server);
    tool_install_add(server);
    tool_list_add(server);
    resources_add(server);
    mcp_server_on_first_use(server->mcp, on_first_use, server);
    return server;
}

struct mcp_server *server_mcp(const struct server *server)
{
    return server->mcp;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    mcp_server_free(server->mcp);
    free(server);
}

void tool_refuse(struct mcp_request *req, const char *text)
{
    struct mcp_result *result = mcp_result_new();

    mcp_result_text(result, text, strlen(text));
    mcp_result_set_error(result);
    mcp_request_finish(req, result);
}
