/* resources/list, resources/templates/list, resources/read. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "mcp/impl.h"
#include "mcp/json_write.h"

#define TEMPLATES_TTL_MS 3600000 /* they do not change while the server runs */
#define NOT_FOUND_LEGACY (-32002)
#define URI_MAX (16 * KIB)  /* a longer one names no file of ours, and would be sent back in the error */
#define PAGE_TAIL (8 * KIB) /* what follows the list in a message */

/* Where the message with the content of a resource becomes too large: base64 of LIMIT_RESOURCE_READ still fits. */
#define CONTENT_MAX (LIMIT_RESOURCE_READ / 3 * 4 + 8 * KIB)

/* ---- the list, in pages ---- */

struct page {
    struct buf *out;
    size_t skip, seen; /* resources of earlier pages; all so far */
    size_t next;       /* the first that did not fit, or 0 */
};

static void emit_resource(void *to, const struct mcp_resource *r)
{
    struct page *page = to;
    struct buf *out = page->out;
    size_t before = out->len;

    if (page->next || page->seen++ < page->skip)
        return;
    (void)buf_puts(out, buf_begin(out)[out->len - 1] == '[' ? "{" : ",{");
    json_write_member(out, "uri", r->uri);
    json_write_member(out, "name", r->name ? r->name : r->uri);
    json_write_member(out, "mimeType", r->mime);
    if (r->size >= 0)
        (void)buf_printf(out, ",\"size\":%lld", (long long)r->size);
    (void)buf_puts(out, "}");
    if (out->len <= LIMIT_MESSAGE_OUT - PAGE_TAIL)
        return;
    out->len = before;
    if (page->seen > page->skip + 1) /* one that fits no page is left out */
        page->next = page->seen - 1;
}

/* A cursor is how many resources came before: a positive number. */
static bool read_cursor(yyjson_val *cursor, size_t *ret)
{
    const char *text = json_text(cursor);

    *ret = 0;
    if (!cursor || yyjson_is_null(cursor) || yyjson_equals_str(cursor, ""))
        return true;
    if (!text || strlen(text) > 9 || text[0] == '0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    *ret = (size_t)strtoul(text, NULL, 10);
    return true;
}

void resources_list(struct mcp_request *req)
{
    const struct mcp_resource_ops *ops = req->conn->server->resources;
    autobuf struct buf out = BUF_INIT;
    struct page page = {.out = &out};

    if (!read_cursor(yyjson_obj_get(req->params, "cursor"), &page.skip)) {
        request_fail(req, MCP_INVALID_PARAMS, "the cursor is not one of this server", NULL);
        return;
    }
    request_open(req, &out);
    (void)buf_puts(&out, "\"resources\":[");
    ops->list(req->conn, emit_resource, &page, ops->data);
    (void)buf_puts(&out, "]");
    if (page.next)
        (void)buf_printf(&out, ",\"nextCursor\":\"%zu\"", page.next);
    request_close_cacheable(req, &out, "private", 0);
    request_send(req, &out);
}

/* ---- templates ---- */

void resources_templates(struct mcp_request *req)
{
    const struct mcp_resource_ops *ops = req->conn->server->resources;
    yyjson_val *cursor = yyjson_obj_get(req->params, "cursor");
    autobuf struct buf out = BUF_INIT;

    if (cursor && !yyjson_is_null(cursor) && !yyjson_equals_str(cursor, "")) { /* there is no second page */
        request_fail(req, MCP_INVALID_PARAMS, "the cursor is not one of this server", NULL);
        return;
    }
    request_open(req, &out);
    (void)buf_puts(&out, "\"resourceTemplates\":[");
    if (ops->uri_template) {
        (void)buf_puts(&out, "{");
        json_write_member(&out, "uriTemplate", ops->uri_template);
        json_write_member(&out, "name", ops->template_name);
        json_write_member(&out, "description", ops->template_description);
        (void)buf_puts(&out, "}");
    }
    (void)buf_puts(&out, "]");
    request_close_cacheable(req, &out, "public", TEMPLATES_TTL_MS);
    request_send(req, &out);
}

/* ---- reading ---- */

void resources_read(struct mcp_request *req)
{
    const struct mcp_resource_ops *ops = req->conn->server->resources;
    const char *uri = json_text(yyjson_obj_get(req->params, "uri"));

    if (!uri)
        request_fail(req, MCP_INVALID_PARAMS, "resources/read needs a uri", NULL);
    else if (strlen(uri) > URI_MAX)
        request_fail(req, MCP_INVALID_PARAMS, "the uri is too long", NULL);
    else
        ops->read(req, uri, ops->data);
}

void mcp_request_fail_not_found(struct mcp_request *req, const char *uri)
{
    autobuf struct buf data = BUF_INIT;

    (void)buf_puts(&data, "{\"uri\":");
    json_write_string(&data, uri, strlen(uri));
    (void)buf_puts(&data, "}");
    request_fail(req, req->version == MODERN ? MCP_INVALID_PARAMS : NOT_FOUND_LEGACY,
                 "there is no such resource: its session has ended, or it has no such file", buf_str(&data));
}

static void write_content(struct buf *out, const void *data, size_t size, bool text)
{
    size_t before = out->len;

    if (text && utf8_valid(data, size) && !(size && memchr(data, '\0', size))) {
        json_write_key(out, "text");
        json_write_string(out, data, size);
        if (out->len <= CONTENT_MAX)
            return;
        out->len = before;
    }
    json_write_key(out, "blob");
    json_write_base64(out, data, size);
}

void mcp_request_finish_read(struct mcp_request *req, const char *uri, const char *mime, const void *data, size_t size,
                             bool text)
{
    autobuf struct buf out = BUF_INIT;

    request_open(req, &out);
    (void)buf_puts(&out, "\"contents\":[{");
    json_write_member(&out, "uri", uri);
    json_write_member(&out, "mimeType", mime);
    if (!req->cancelled)
        write_content(&out, data, size, text);
    (void)buf_puts(&out, "}]");
    request_close_cacheable(req, &out, "private", 0);
    request_send(req, &out);
}
