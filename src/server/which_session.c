/* Which session a call means. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "mcp/mcp.h"
#include "server/impl.h"
#include "session/session.h"

/* The handle of a connection's own session is kept, not a pointer: the session may end before the connection. */
static int connection_session(struct server *server, struct mcp_conn *conn, struct session **ret, struct err *e)
{
    const char *id = mcp_conn_data(conn);
    int r;

    *ret = id ? session_find(server->sessions, id) : NULL;
    if (*ret)
        return 0;
    r = session_new(server->sessions, ret, e);
    if (r == 0)
        mcp_conn_set_data(conn, xstrdup(session_id(*ret)), free);
    return r;
}

static int choose(struct server *server, struct mcp_request *req, const char *handle, struct session **ret,
                  struct err *e)
{
    if (handle && strcmp(handle, "new") == 0)
        return session_new(server->sessions, ret, e);
    if (handle) {
        *ret = session_find(server->sessions, handle);
        if (*ret)
            return 0;
        if (session_ended(server->sessions, handle))
            return err_set(
                e, ENOENT,
                "Session %.40s has ended (it was idle too long, or room was needed): its variables are gone, "
                "its files are %s. Leave out `session` or pass \"new\" to start again.",
                handle, sessions_isolation(server->sessions) ? "too" : "still there");
        return err_set(e, ENOENT,
                       "There is no session %.40s. Use a handle from an earlier result of this server, or leave out "
                       "`session`, or pass \"new\" for a fresh one.",
                       handle);
    }
    if (mcp_request_has_connection_state(req))
        return connection_session(server, mcp_request_conn(req), ret, e);
    return session_new(server->sessions, ret, e);
}

int server_session(struct server *server, struct mcp_request *req, const char *handle, struct session **ret,
                   struct err *e)
{
    int r = choose(server, req, handle, ret, e);

    if (r == 0)
        server_open_control(server);
    return r;
}
