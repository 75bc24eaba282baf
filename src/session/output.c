#include "session/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "session/clean.h"
#include "session/output_cut.h"

#define TAIL (256 * KIB) /* of text over the limit, this much of its end is kept */

/* A display item that came on the channel, until its mark is met in the bytes, or the other way round. */
struct display {
    uint32_t index;
    bool have_item, have_mark, is_clear, placed;
    struct exec_item item;
    size_t at; /* with a mark only: the number of items before it */
};

struct output {
    struct clean clean;
    struct buf text; /* since the last item */
    struct buf tail; /* once the limit is reached */
    struct exec_item *items;
    size_t n_items, n_displays, kept;
    struct display *displays;
    char held[WIRE_MARK_SIZE]; /* the beginning of what may be a mark */
    size_t n_held;
    int64_t total;
    size_t lost;                   /* bytes of text that were given up */
    size_t display_bytes, dropped; /* of items that are held; displays that were given up */
    char last_line[200];
    void (*watch)(void *data, const char *text, size_t size);
    void *watch_data;
};

struct output *output_new(void (*watch)(void *data, const char *text, size_t size), void *data)
{
    struct output *o = xnew(struct output);

    clean_init(&o->clean);
    o->watch = watch;
    o->watch_data = data;
    return o;
}

static void item_free(struct exec_item *item)
{
    free(item->data);
    item->data = NULL;
}

void output_free(struct output *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->n_items; i++)
        item_free(&o->items[i]);
    for (size_t i = 0; i < o->n_displays; i++)
        if (!o->displays[i].placed)
            item_free(&o->displays[i].item);
    free(o->items);
    free(o->displays);
    clean_fini(&o->clean);
    buf_fini(&o->text);
    buf_fini(&o->tail);
    free(o);
}

int64_t output_total(const struct output *o)
{
    return o->total;
}

/* ---- text ---- */

/* Past the limit the front of the tail is given up; it is cut when it has grown to twice its size. */
static struct buf *sink(struct output *o)
{
    if (o->kept + o->text.len < LIMIT_OUTPUT_KEPT - 2 * TAIL)
        return &o->text;
    if (o->tail.len > 2 * TAIL) {
        o->lost += o->tail.len - TAIL;
        buf_consume(&o->tail, o->tail.len - TAIL);
    }
    return &o->tail;
}

static void add_text(struct output *o, const char *text, size_t size)
{
    if (o->watch)
        o->watch(o->watch_data, text, size);
    while (size) {
        size_t part = size < 16 * KIB ? size : 16 * KIB;

        (void)clean_feed(&o->clean, text, part, sink(o));
        text += part;
        size -= part;
    }
}

static void add_item(struct output *o, const struct exec_item *item)
{
    o->items = xrealloc(o->items, o->n_items + 1, sizeof *o->items);
    o->items[o->n_items++] = *item;
}

/* The text so far becomes an item. */
static void end_text(struct output *o)
{
    struct exec_item item = {.kind = EXEC_TEXT};

    (void)clean_flush(&o->clean, sink(o));
    if (!o->text.len)
        return;
    o->kept += o->text.len;
    item.data = buf_steal(&o->text, &item.size);
    add_item(o, &item);
}

static bool at_line_start(const struct output *o)
{
    const struct buf *b = o->clean.line.len ? &o->clean.line : o->tail.len ? &o->tail : &o->text;
    const struct exec_item *last = o->n_items ? &o->items[o->n_items - 1] : NULL;

    if (b->len)
        return buf_begin(b)[b->len - 1] == '\n';
    return !last || last->kind != EXEC_TEXT || last->size == 0 || last->data[last->size - 1] == '\n';
}

/* ---- display items ---- */

/* NULL: there are too many. */
static struct display *find_display(struct output *o, uint32_t index)
{
    for (size_t i = o->n_displays; i-- > 0;)
        if (o->displays[i].index == index)
            return &o->displays[i];
    if (o->n_displays == LIMIT_DISPLAYS)
        return NULL;
    o->displays = xrealloc(o->displays, o->n_displays + 1, sizeof *o->displays);
    o->displays[o->n_displays] = (struct display){.index = index};
    return &o->displays[o->n_displays++];
}

static void drop_before(struct output *o, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (o->items[i].kind != EXEC_TEXT)
            o->display_bytes -= o->items[i].size;
        item_free(&o->items[i]);
    }
    if (o->n_items > at)
        memmove(o->items, o->items + at, (o->n_items - at) * sizeof *o->items);
    o->n_items -= at;
    for (size_t i = 0; i < o->n_displays; i++)
        o->displays[i].at = o->displays[i].at > at ? o->displays[i].at - at : 0;
}

/* Text goes into the stream of text, so that it is read, counted and cut with the rest. */
static void show(struct output *o, struct display *d)
{
    if (d->item.kind == EXEC_TEXT) {
        if (!at_line_start(o))
            add_text(o, "\n", 1);
        add_text(o, d->item.data, d->item.size);
        if (d->item.size && d->item.data[d->item.size - 1] != '\n')
            add_text(o, "\n", 1);
        o->display_bytes -= d->item.size;
        item_free(&d->item);
    } else {
        end_text(o);
        add_item(o, &d->item);
    }
    d->placed = true;
}

/* A text item that is put between others: on lines of its own, as show would do it. */
static void own_lines(struct output *o, struct exec_item *item, const struct exec_item *before)
{
    autobuf struct buf text = BUF_INIT;

    if (before && before->kind == EXEC_TEXT && before->size && before->data[before->size - 1] != '\n')
        (void)buf_puts(&text, "\n");
    (void)buf_append(&text, item->data, item->size);
    if (item->size && item->data[item->size - 1] != '\n')
        (void)buf_puts(&text, "\n");
    free(item->data);
    item->data = buf_steal(&text, &item->size);
    if (o->watch)
        o->watch(o->watch_data, item->data, item->size);
}

static void clear(struct output *o)
{
    end_text(o);
    buf_clear(&o->tail);
    drop_before(o, o->n_items);
    o->kept = 0;
}

static void meet_mark(struct output *o, uint32_t index)
{
    struct display *d = find_display(o, index);

    if (!d || d->have_mark || d->placed)
        return;
    d->have_mark = true;
    if (d->have_item && d->is_clear)
        clear(o);
    else if (d->have_item)
        show(o, d);
    else
        end_text(o);
    d->at = o->n_items;
}

/* The item comes after its mark was met: put it in its place. */
static void place(struct output *o, struct display *d)
{
    size_t at = d->at < o->n_items ? d->at : o->n_items;
    struct exec_item none = {.kind = EXEC_TEXT};

    d->placed = true;
    if (d->is_clear) {
        drop_before(o, at);
        return;
    }
    if (d->item.kind == EXEC_TEXT)
        own_lines(o, &d->item, at ? &o->items[at - 1] : NULL);
    add_item(o, &none);
    memmove(o->items + at + 1, o->items + at, (o->n_items - 1 - at) * sizeof *o->items);
    o->items[at] = d->item;
    for (size_t i = 0; i < o->n_displays; i++)
        if (&o->displays[i] != d && o->displays[i].at >= at)
            o->displays[i].at++;
}

void output_display(struct output *o, uint32_t index, const char *mime, size_t mime_size, const char *data, size_t size)
{
    struct display *d = find_display(o, index);
    char kind[64];

    if (d && d->have_item)
        return;
    if (!d || size > LIMIT_DISPLAY_BYTES - o->display_bytes) {
        o->dropped++;
        return;
    }
    o->display_bytes += size;
    (void)snprintf(kind, sizeof kind, "%.*s", (int)(mime_size < 63 ? mime_size : 63), mime);
    d->have_item = true;
    d->item.data = xmemdup(data, size);
    d->item.size = size;
    d->item.kind = EXEC_TEXT;
    if (strcmp(kind, "image/png") == 0 || strcmp(kind, "image/jpeg") == 0) {
        d->item.kind = EXEC_IMAGE;
        d->item.mime = kind[6] == 'p' ? "image/png" : "image/jpeg";
    } else if (strcmp(kind, WIRE_MIME_FILE) == 0 && size > 0) {
        d->item.kind = EXEC_FILE;
    }
    if (d->have_mark)
        place(o, d);
}

void output_clear(struct output *o, uint32_t index)
{
    struct display *d = find_display(o, index);

    if (!d || d->have_item)
        return;
    d->have_item = d->is_clear = true;
    if (d->have_mark)
        place(o, d);
}

/* ---- bytes ---- */

/* Is text (shorter than a mark) the beginning of one? */
static bool may_be_mark(const char *text, size_t size, const char *nonce)
{
    char want[WIRE_MARK_PREFIX_SIZE + WIRE_NONCE_SIZE];
    size_t n = size < sizeof want ? size : sizeof want;

    memcpy(want, WIRE_MARK_PREFIX, WIRE_MARK_PREFIX_SIZE);
    memcpy(want + WIRE_MARK_PREFIX_SIZE, nonce, WIRE_NONCE_SIZE);
    return memcmp(text, want, n) == 0;
}

/* The index of a whole mark, or 0. */
static uint32_t mark_index(const char *text)
{
    char hex[9];
    char *end;
    unsigned long index;

    memcpy(hex, text + WIRE_MARK_PREFIX_SIZE + WIRE_NONCE_SIZE, 8);
    hex[8] = '\0';
    index = strtoul(hex, &end, 16);
    return text[WIRE_MARK_SIZE - 1] == '\0' && *end == '\0' ? (uint32_t)index : 0;
}

static void remember_line(struct output *o, const char *text, size_t size)
{
    const char *end = text + size, *start;

    while (end > text && (end[-1] == '\n' || end[-1] == '\r' || end[-1] == ' '))
        end--;
    start = end;
    while (start > text && start[-1] != '\n' && start[-1] != '\r')
        start--;
    if (end > start)
        (void)snprintf(o->last_line, sizeof o->last_line, "%.*s", (int)(end - start < 160 ? end - start : 160), start);
}

void output_bytes(struct output *o, const char *nonce, const char *bytes, size_t size)
{
    autobuf struct buf joined = BUF_INIT;

    o->total += (int64_t)size;
    if (o->n_held) { /* rare: look at it together with what follows */
        (void)buf_append(&joined, o->held, o->n_held);
        (void)buf_append(&joined, bytes, size);
        bytes = buf_begin(&joined);
        size = joined.len;
        o->n_held = 0;
    }
    while (size) {
        const char *zero = memchr(bytes, '\0', size);
        size_t before = zero ? (size_t)(zero - bytes) : size, left = size - before;
        uint32_t index = 0;

        if (zero && may_be_mark(zero, left, nonce)) {
            if (left < WIRE_MARK_SIZE) {
                memcpy(o->held, zero, left);
                o->n_held = left;
                size = before;
            } else {
                index = mark_index(zero);
            }
        }
        if (zero && !index && !o->n_held)
            before++; /* just a NUL */
        if (before) {
            add_text(o, bytes, before);
            remember_line(o, bytes, before);
        }
        if (index)
            meet_mark(o, index);
        o->total -= index ? WIRE_MARK_SIZE : 0;
        before += index ? WIRE_MARK_SIZE : 0;
        bytes += before;
        size -= before;
    }
}

const char *output_last_line(struct output *o)
{
    return o->last_line[0] ? o->last_line : NULL;
}

bool output_needs_files(const struct output *o)
{
    return o->n_displays || o->total > LIMIT_TEXT_CHARS; /* characters are not more than bytes */
}

void output_finish(struct output *o, int dir, const char *dir_path, unsigned number, const struct exec_item **ret_items,
                   size_t *ret_n, char **ret_path)
{
    if (o->n_held) /* no mark after all */
        add_text(o, o->held, o->n_held);
    o->n_held = 0;
    for (size_t i = 0; i < o->n_displays; i++) /* whose mark never came: stdout was closed or sent elsewhere */
        if (o->displays[i].have_item && !o->displays[i].placed && !o->displays[i].is_clear)
            show(o, &o->displays[i]);
    if (o->dropped) {
        char note[80];
        int n = snprintf(note, sizeof note, "%s[... %zu things to show were too many or too large ...]\n",
                         at_line_start(o) ? "" : "\n", o->dropped);

        add_text(o, note, (size_t)n);
    }
    end_text(o);
    if (o->tail.len) {
        struct exec_item item = {.kind = EXEC_TEXT};

        if (o->lost)
            (void)buf_printf(&o->text, "\n[... %zu bytes were not kept ...]\n", o->lost);
        (void)buf_append(&o->text, buf_begin(&o->tail), o->tail.len);
        item.data = buf_steal(&o->text, &item.size);
        add_item(o, &item);
    }
    *ret_path = output_cut(o->items, &o->n_items, dir, dir_path, number);
    *ret_items = o->items;
    *ret_n = o->n_items;
}
