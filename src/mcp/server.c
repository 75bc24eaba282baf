/* What all connections share: names, tools, resources. */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mcp/impl.h"

struct mcp_server *mcp_server_new(const char *name, const char *title, const char *version, const char *instructions)
{
    struct mcp_server *server = xnew(struct mcp_server);

    server->name = name;
    server->title = title;
    server->version = version;
    server->instructions = instructions;
    server->no_arguments = yyjson_read("{}", 2, 0);
    assert(server->no_arguments);
    return server;
}

void mcp_server_add_tool(struct mcp_server *server, const struct mcp_tool *tool)
{
    assert(server->n_tools < TOOLS_MAX);
    server->tools[server->n_tools++] = tool;
}

void mcp_server_set_resources(struct mcp_server *server, const struct mcp_resource_ops *ops)
{
    server->resources = ops;
}

void mcp_server_on_first_use(struct mcp_server *server, void (*cb)(void *data), void *data)
{
    server->first_use = cb;
    server->first_use_data = data;
}

void mcp_server_free(struct mcp_server *server)
{
    if (!server)
        return;
    yyjson_doc_free(server->no_arguments);
    free(server);
}
