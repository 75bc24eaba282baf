#include "mcp/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mcp/impl.h"
#include "mcp/json_write.h"

#define META_MAX (32 * KIB) /* all entries of _meta */
#define TAIL (2 * KIB)      /* of a message, for what follows the content: the note, and the server's name */
#define CUT_MIN 1024        /* text is not cut to less than this */

static const char cut_note[] = "\n[... the middle was too large for one message ...]\n";
static const char image_note[] = "[an image is left out: it is too large for one message]";

enum kind { TEXT, IMAGE, LINK };

struct item {
    enum kind kind;
    char *data, *name, *mime; /* text, image bytes or uri */
    size_t size;
    size_t written; /* bound of its bytes in a message, without those of an image */
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
    if (!result)
        return;
    for (size_t i = 0; i < result->n_items; i++) {
        free(result->items[i].data);
        free(result->items[i].name);
        free(result->items[i].mime);
    }
    free(result->items);
    buf_fini(&result->meta);
    free(result);
}

/* Takes data. */
static struct item *add(struct mcp_result *result, enum kind kind, char *data_take, size_t size)
{
    struct item *item;

    if (result->n_items % 8 == 0)
        result->items = xrealloc(result->items, result->n_items + 8, sizeof *result->items);
    item = &result->items[result->n_items++];
    *item = (struct item){.kind = kind, .data = data_take, .size = size};
    return item;
}

/* A copy in valid UTF-8, so that its size in a message is known before it is written. */
static char *clean_copy(const char *text, size_t size, size_t *ret_size)
{
    struct buf clean = BUF_INIT;

    (void)utf8_append_clean(&clean, text, size);
    return buf_steal(&clean, ret_size);
}

void mcp_result_text(struct mcp_result *result, const char *text, size_t size)
{
    char *copy = clean_copy(text, size, &size);

    (void)add(result, TEXT, copy, size);
}

void mcp_result_image(struct mcp_result *result, const char *mime, const void *data, size_t size)
{
    add(result, IMAGE, xmemdup(data, size), size)->mime = xstrdup(mime);
}

void mcp_result_link(struct mcp_result *result, const char *uri, const char *name, const char *mime, int64_t size)
{
    size_t n;
    char *copy = clean_copy(uri, strlen(uri), &n);
    struct item *item = add(result, LINK, copy, n);

    name = name ? name : uri; /* clients refuse a link without one */
    item->name = clean_copy(name, strlen(name), &n);
    item->mime = xstrdup(mime);
    item->file_size = size;
}

void mcp_result_set_error(struct mcp_result *result)
{
    result->is_error = true;
}

void mcp_result_meta(struct mcp_result *result, const char *key, const char *json)
{
    if (result->meta.len + strlen(key) + strlen(json) + 4 > META_MAX)
        return;
    (void)buf_printf(&result->meta, "%s\"%s\":%s", result->meta.len ? "," : "", key, json);
}

/* ---- writing ---- */

/*
 * A message has a bound. Text and links come first: what the items that follow need of them is kept free as long as
 * that is not more than half of what is left; an image has to do with the rest, and a text that is too long loses its
 * middle, since its end tells how it went.
 */
struct writer {
    struct buf *out;
    size_t room;  /* out->len must not be more */
    size_t later; /* bytes that the text and the links after this item need */
    size_t n_left_out;
};

static size_t written_size(const struct item *item)
{
    size_t size = 128;

    if (item->kind == IMAGE)
        return 0;
    size += json_string_size(item->data, item->size);
    if (item->kind == LINK)
        size += json_string_size(item->name, strlen(item->name));
    if (item->mime)
        size += json_string_size(item->mime, strlen(item->mime));
    return size;
}

static size_t room_for_one(const struct writer *w)
{
    size_t left = w->room > w->out->len ? w->room - w->out->len : 0;

    return left - (w->later < left / 2 ? w->later : left / 2);
}

static void begin_item(struct writer *w)
{
    if (buf_begin(w->out)[w->out->len - 1] != '[')
        (void)buf_puts(w->out, ",");
}

static void write_text(struct writer *w, const char *text, size_t size)
{
    begin_item(w);
    (void)buf_puts(w->out, "{\"type\":\"text\",\"text\":");
    json_write_string(w->out, text, size);
    (void)buf_puts(w->out, "}");
}

static void write_text_item(struct writer *w, const struct item *item)
{
    autobuf struct buf text = BUF_INIT;
    size_t room = room_for_one(w), part;

    if (item->written <= room) {
        write_text(w, item->data, item->size);
        return;
    }
    if (room < CUT_MIN) {
        w->n_left_out++;
        return;
    }
    part = (room - 128 - sizeof cut_note) / 2;
    (void)buf_append(&text, item->data, json_fit_front(item->data, item->size, part));
    (void)buf_puts(&text, cut_note);
    part = json_fit_back(item->data, item->size, part);
    (void)buf_append(&text, item->data + item->size - part, part);
    write_text(w, buf_begin(&text), text.len);
}

static void write_image(struct writer *w, const struct item *item)
{
    size_t left = w->room > w->out->len ? w->room - w->out->len : 0;
    size_t wanted = item->size / 3 * 4 + 256 + w->later;

    if (wanted > left && room_for_one(w) >= sizeof image_note + 128) {
        write_text(w, image_note, sizeof image_note - 1);
    } else if (wanted > left) {
        w->n_left_out++;
    } else {
        begin_item(w);
        (void)buf_puts(w->out, "{\"type\":\"image\",\"data\":");
        json_write_base64(w->out, item->data, item->size);
        json_write_member(w->out, "mimeType", item->mime);
        (void)buf_puts(w->out, "}");
    }
}

static void write_link(struct writer *w, const struct item *item, enum version version)
{
    autobuf struct buf text = BUF_INIT;

    if (item->written > room_for_one(w)) {
        w->n_left_out++;
        return;
    }
    if (version < V2025_06_18) {
        (void)buf_printf(&text, "[file: %s, %s]", item->name, item->data);
        write_text(w, buf_begin(&text), text.len);
        return;
    }
    begin_item(w);
    (void)buf_puts(w->out, "{\"type\":\"resource_link\"");
    json_write_member(w->out, "uri", item->data);
    json_write_member(w->out, "name", item->name);
    json_write_member(w->out, "mimeType", item->mime);
    if (item->file_size >= 0)
        (void)buf_printf(w->out, ",\"size\":%lld", (long long)item->file_size);
    (void)buf_puts(w->out, "}");
}

static void write_items(struct writer *w, struct mcp_result *result, enum version version)
{
    char note[80];

    for (size_t i = 0; i < result->n_items; i++)
        w->later += result->items[i].written = written_size(&result->items[i]);
    for (size_t i = 0; i < result->n_items; i++) {
        const struct item *item = &result->items[i];

        w->later -= item->written;
        if (item->kind == TEXT)
            write_text_item(w, item);
        else if (item->kind == IMAGE)
            write_image(w, item);
        else
            write_link(w, item, version);
    }
    if (w->n_left_out) {
        (void)snprintf(note, sizeof note, "[%zu more: too large for one message]", w->n_left_out);
        write_text(w, note, strlen(note));
    }
}

void mcp_request_finish(struct mcp_request *req, struct mcp_result *result_take)
{
    autobuf struct buf out = BUF_INIT;
    struct writer w = {.out = &out, .room = LIMIT_MESSAGE_OUT - TAIL - result_take->meta.len};

    request_open(req, &out);
    (void)buf_puts(&out, "\"content\":[");
    if (!req->cancelled)
        write_items(&w, result_take, req->version);
    (void)buf_puts(&out, "]");
    if (result_take->is_error)
        (void)buf_puts(&out, ",\"isError\":true");
    request_close_result(req, &out, buf_str(&result_take->meta));
    mcp_result_free(result_take);
    request_send(req, &out);
}
