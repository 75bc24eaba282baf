#include "server/server.h"

#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "mcp/result.h"
#include "server/control.h"
#include "server/impl.h"
#include "session/isolation.h"
#include "session/session.h"

#define INSTRUCTIONS                                                                                                   \
    "Python in a session that keeps its state: variables, imports and files stay between calls that name the same "    \
    "session (each result ends with its handle). Figures, tables and the value of the last expression are shown "      \
    "without being printed. "

static const char local_instructions[] = INSTRUCTIONS "Install what is missing with install_dependencies.";
static const char isolated_instructions[] = INSTRUCTIONS
    "Code runs in a sandbox without network; its files, in the working directory, go with the session, and "
    "can be read as resources until then. install_dependencies brings packages into a session, without network "
    "for the code.";
static const char network_instructions[] =
    INSTRUCTIONS "Code runs in a sandbox; its files, in the working directory, go with the session, and can be read as "
                 "resources until then. install_dependencies brings packages into a session.";

static const char *instructions(const struct isolation *isolation)
{
    if (!isolation)
        return local_instructions;
    return isolation->network == NETWORK_NONE ? isolated_instructions : network_instructions;
}

void server_open_control(struct server *server)
{
    struct err e = ERR_INIT;

    if (server->control || !server->loop || !sessions_runtime_dir(server->sessions))
        return;
    if (control_start(server->loop, server->sessions, &server->control, &e) < 0) {
        log_warn("%s; `cellblock cp` will not find this server", e.text);
        server->loop = NULL; /* once is enough */
    }
}

static void on_first_use(void *data)
{
    struct server *server = data;

    sessions_warm(server->sessions);
    server_open_control(server);
}

struct server *server_new(const struct server_config *config)
{
    struct server *server = xnew(struct server);

    server->sessions = config->sessions;
    server->loop = config->loop;
    server->max_timeout_ms = config->max_timeout_ms ? config->max_timeout_ms : LIMIT_TIMEOUT_MAX_MS;
    server->timeout_ms = config->timeout_ms ? config->timeout_ms : LIMIT_TIMEOUT_DEFAULT_MS;
    server->mcp = mcp_server_new("cellblock", "Cellblock Python", CELLBLOCK_VERSION,
                                 instructions(sessions_isolation(config->sessions)));
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
    control_stop(server->control);
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
