/* Files of sessions as resources: cellblock://<session>/<path>. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mcp/mcp.h"
#include "server/impl.h"
#include "session/session.h"

#define SCHEME "cellblock://"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Undo percent-encoding; some clients encode anew what they were given. false: a NUL or a broken escape. */
static bool decode(const char *text, struct buf *out)
{
    for (; *text; text++) {
        int c = (unsigned char)*text;

        if (c == '%') {
            int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);

            c = low < 0 ? 0 : high * 16 + low;
            if (c == 0)
                return false;
            text += 2;
        }
        (void)buf_append(out, &(char){(char)c}, 1);
    }
    return true;
}

static int read_whole(int fd, int64_t size, char **ret, size_t *ret_size)
{
    size_t n = 0, want = (size_t)size;
    char *data = xcalloc(1, want + 1);

    while (n < want) {
        ssize_t r = pread(fd, data + n, want - n, (off_t)n);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            free(data);
            return -errno;
        }
        if (r == 0) /* it shrank meanwhile */
            break;
        n += (size_t)r;
    }
    *ret = data;
    *ret_size = n;
    return 0;
}

static void send_file(struct mcp_request *req, const char *uri, const char *path, int fd, int64_t size)
{
    autofree char *data = NULL;
    const char *mime = text_mime(path);
    size_t n = 0;
    bool text;

    if (size > (int64_t)LIMIT_RESOURCE_READ) {
        autobuf struct buf message = BUF_INIT;

        (void)buf_printf(&message, "%s has ", path);
        text_size(&message, size);
        (void)buf_printf(&message,
                         ", more than the %d MB that can be read this way: read it in parts with "
                         "execute_python",
                         (int)(LIMIT_RESOURCE_READ / 1000000));
        mcp_request_fail(req, MCP_INVALID_PARAMS, buf_str(&message));
        return;
    }
    if (read_whole(fd, size, &data, &n) < 0) {
        mcp_request_fail(req, MCP_INTERNAL_ERROR, "the file cannot be read");
        return;
    }
    text = utf8_valid(data, n) && !memchr(data, '\0', n);
    mcp_request_finish_read(req, uri, mime ? mime : text ? "text/plain" : "application/octet-stream", data, n, text);
}

static void read_resource(struct mcp_request *req, const char *uri, void *data)
{
    struct server *server = data;
    autobuf struct buf path = BUF_INIT;
    autofree char *handle = NULL;
    const char *rest, *slash;
    struct session *s;
    struct err e = ERR_INIT;
    autofd int fd = -1;
    int64_t size;

    rest = strncmp(uri, SCHEME, strlen(SCHEME)) == 0 ? uri + strlen(SCHEME) : "";
    slash = strchr(rest, '/');
    if (!slash || !decode(slash + 1, &path)) {
        mcp_request_fail_not_found(req, uri);
        return;
    }
    handle = xstrndup(rest, (size_t)(slash - rest));
    s = session_find(server->sessions, handle);
    if (!s || session_open_file(s, buf_str(&path), &fd, &size, &e) < 0) {
        mcp_request_fail_not_found(req, uri);
        return;
    }
    send_file(req, uri, buf_str(&path), fd, size);
}

struct emit {
    void (*emit)(void *to, const struct mcp_resource *r);
    void *to;
};

static void emit_file(void *data, const char *session, const char *path, int64_t size)
{
    struct emit *emit = data;
    autobuf struct buf uri = BUF_INIT, name = BUF_INIT;
    struct mcp_resource r = {.mime = text_mime(path), .size = size};

    text_uri(&uri, session, path);
    (void)utf8_append_clean(&name, path, strlen(path));
    r.uri = buf_str(&uri);
    r.name = buf_str(&name);
    emit->emit(emit->to, &r);
}

static void list_resources(struct mcp_conn *conn, void (*emit)(void *to, const struct mcp_resource *r), void *to,
                           void *data)
{
    struct server *server = data;
    struct emit wrapped = {emit, to};

    (void)conn;
    sessions_each_file(server->sessions, emit_file, &wrapped);
}

void resources_add(struct server *server)
{
    static const char uri_template[] = SCHEME "{session}/{+path}";

    server->resources = (struct mcp_resource_ops){
        .read = read_resource,
        .list = list_resources,
        .uri_template = uri_template,
        .template_name = "session file",
        .template_description = "A file of a session's working directory",
        .data = server,
    };
    mcp_server_set_resources(server->mcp, &server->resources);
}
