#include "mcp/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mcp/impl.h"
#include "mcp/json_write.h"

#define RESERVE (64 * KIB) /* of a message, for what follows an image: text goes first */

enum kind { TEXT, IMAGE, LINK };

struct item {
    enum kind kind;
    char *data, *name, *mime; /* text, image bytes or uri */
    size_t size;
    int64_t file_size;
};

struct mcp_result {
    struct item *items;
    size_t n_items;
    bool is_error;
    struct buf meta; /* members of _meta */
};

struct mcp_result *mcp_result_new(void)
{
    return xnew(struct mcp_result);
}

void mcp_result_free(struct mcp_result *result)
{
    for (size_t i = 0; result && i < result->n_items; i++) {
        free(result->items[i].data);
        free(result->items[i].name);
        free(result->items[i].mime);
    }
    if (!result)
        return;
    free(result->items);
    buf_fini(&result->meta);
    free(result);
}

static struct item *add(struct mcp_result *result, enum kind kind, const void *data, size_t size)
{
    struct item *item;

    if (result->n_items % 8 == 0)
        result->items = xrealloc(result->items, result->n_items + 8, sizeof *result->items);
    item = &result->items[result->n_items++];
    *item = (struct item){.kind = kind, .size = size};
    item->data = xcalloc(1, size + 1);
    memcpy(item->data, data, size);
    return item;
}

void mcp_result_text(struct mcp_result *result, const char *text, size_t size)
{
    (void)add(result, TEXT, text, size);
}

void mcp_result_image(struct mcp_result *result, const char *mime, const void *data, size_t size)
{
    add(result, IMAGE, data, size)->mime = xstrdup(mime);
}

void mcp_result_link(struct mcp_result *result, const char *uri, const char *name, const char *mime, int64_t size)
{
    struct item *item = add(result, LINK, uri, strlen(uri));

    item->name = xstrdup(name);
    item->mime = xstrdup(mime);
    item->file_size = size;
}

void mcp_result_set_error(struct mcp_result *result)
{
    result->is_error = true;
}

void mcp_result_meta(struct mcp_result *result, const char *key, const char *json)
{
    (void)buf_printf(&result->meta, "%s\"%s\":%s", result->meta.len ? "," : "", key, json);
}

/* ---- writing ---- */

static void write_text(struct buf *out, const char *text, size_t size)
{
    (void)buf_puts(out, "{\"type\":\"text\",\"text\":");
    json_write_string(out, text, size);
    (void)buf_puts(out, "}");
}

/* Escapes make text longer, six times at the worst. */
static void write_text_item(struct buf *out, const struct item *item)
{
    static const char note[] = "\n[the rest was too large for one message]";
    size_t before = out->len, size = item->size;

    write_text(out, item->data, size);
    while (out->len > LIMIT_MESSAGE_OUT - RESERVE / 2 && size > 0) {
        autobuf struct buf text = BUF_INIT;

        out->len = before;
        size = utf8_cut(item->data, size / 2);
        (void)buf_append(&text, item->data, size);
        (void)buf_puts(&text, note);
        write_text(out, buf_begin(&text), text.len);
    }
}

static void write_image(struct buf *out, const struct item *item)
{
    if (out->len + item->size / 3 * 4 + RESERVE > LIMIT_MESSAGE_OUT) {
        static const char note[] = "[an image is left out: it is too large for one message]";

        write_text(out, note, sizeof note - 1);
        return;
    }
    (void)buf_puts(out, "{\"type\":\"image\",\"data\":");
    json_write_base64(out, item->data, item->size);
    json_write_member(out, "mimeType", item->mime);
    (void)buf_puts(out, "}");
}

static void write_link(struct buf *out, const struct item *item, enum version version)
{
    if (version < V2025_06_18) {
        autobuf struct buf text = BUF_INIT;

        (void)buf_printf(&text, "[file: %s, %s]", item->name, item->data);
        write_text(out, buf_begin(&text), text.len);
        return;
    }
    (void)buf_puts(out, "{\"type\":\"resource_link\"");
    json_write_member(out, "uri", item->data);
    json_write_member(out, "name", item->name);
    json_write_member(out, "mimeType", item->mime);
    if (item->file_size >= 0)
        (void)buf_printf(out, ",\"size\":%lld", (long long)item->file_size);
    (void)buf_puts(out, "}");
}

void mcp_request_finish(struct mcp_request *req, struct mcp_result *result_take)
{
    autobuf struct buf out = BUF_INIT;

    request_open(req, &out);
    (void)buf_puts(&out, "\"content\":[");
    for (size_t i = 0; !req->cancelled && i < result_take->n_items; i++) {
        const struct item *item = &result_take->items[i];

        (void)buf_puts(&out, i ? "," : "");
        if (item->kind == TEXT)
            write_text_item(&out, item);
        else if (item->kind == IMAGE)
            write_image(&out, item);
        else
            write_link(&out, item, req->version);
    }
    (void)buf_puts(&out, "]");
    if (result_take->is_error)
        (void)buf_puts(&out, ",\"isError\":true");
    request_close_result(req, &out, buf_str(&result_take->meta));
    mcp_result_free(result_take);
    request_send(req, &out);
}
