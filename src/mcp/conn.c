/*
 * Life of a connection. Whatever it calls (send, a tool, a callback of one) may close it or end any of its requests:
 * so each entry counts itself in `busy`, and the last one to leave frees what is closed and has no requests.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mcp/impl.h"

struct mcp_conn *mcp_conn_new(struct mcp_server *server, mcp_send_cb send, void *peer)
{
    struct mcp_conn *conn = xnew(struct mcp_conn);

    conn->server = server;
    conn->send = send;
    conn->peer = peer;
    return conn;
}

void mcp_conn_set_data(struct mcp_conn *conn, void *data, void (*free_data)(void *data))
{
    if (conn->data && conn->free_data)
        conn->free_data(conn->data);
    conn->data = data;
    conn->free_data = free_data;
}

void *mcp_conn_data(const struct mcp_conn *conn)
{
    return conn->data;
}

size_t mcp_conn_inflight(const struct mcp_conn *conn)
{
    return conn->n_requests;
}

void conn_send(struct mcp_conn *conn, const char *json, size_t size)
{
    if (!conn->closed)
        conn->send(conn->peer, json, size);
}

void conn_enter(struct mcp_conn *conn)
{
    conn->busy++;
}

void conn_leave(struct mcp_conn *conn)
{
    assert(conn->busy > 0);
    if (--conn->busy > 0 || !conn->closed || conn->requests)
        return;
    mcp_conn_set_data(conn, NULL, NULL);
    free(conn->oversize);
    free(conn);
}

void conn_add_request(struct mcp_conn *conn, struct mcp_request *req)
{
    req->next = conn->requests;
    conn->requests = req;
    conn->n_requests++;
}

void conn_remove_request(struct mcp_conn *conn, struct mcp_request *req)
{
    struct mcp_request **at = &conn->requests;

    while (*at != req)
        at = &(*at)->next;
    *at = req->next;
    conn->n_requests--;
}

void mcp_conn_close(struct mcp_conn *conn)
{
    struct mcp_request *req;

    assert(!conn->closed);
    conn_enter(conn);
    conn->closed = true;
    /* Each callback may finish any request: start again after each. */
    for (req = conn->requests; req;) {
        if (req->cancelled) {
            req = req->next;
            continue;
        }
        request_set_cancelled(req);
        req = conn->requests;
    }
    conn_leave(conn);
}
