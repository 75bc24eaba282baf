/* A growing byte buffer: see buf.h. Invariant: off + len <= cap, and data is NULL only while cap is 0. */
#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CAP_MIN 256

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

/* Room for size more bytes and a NUL after them. -ENOBUFS when that is over max. */
static int make_room(struct buf *b, size_t size)
{
    size_t needed;
    size_t cap;

    if (size > PTRDIFF_MAX - b->len - 1)
        return -ENOBUFS;
    if (b->max && size + b->len > b->max)
        return -ENOBUFS;
    if (b->data && b->off + b->len + size + 1 <= b->cap)
        return 0;

    needed = b->len + size + 1;
    if (b->data && needed <= b->cap && b->off >= b->len) { /* as much was consumed as is left: moving is cheap */
        memcpy(b->data, b->data + b->off, b->len);
        b->off = 0;
        return 0;
    }
    cap = b->cap > SIZE_MAX / 4 ? needed : b->cap * 2;
    if (cap < needed)
        cap = needed;
    if (cap < CAP_MIN)
        cap = CAP_MIN;
    if (b->off > 0) {
        memmove(b->data, b->data + b->off, b->len);
        b->off = 0;
    }
    b->data = xrealloc(b->data, cap, 1);
    b->cap = cap;
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t size)
{
    int r = make_room(b, size);

    if (r < 0)
        return r;
    if (size > 0)
        memcpy(b->data + b->off + b->len, data, size);
    b->len += size;
    return 0;
}

int buf_puts(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_list again;
    size_t room;
    int wanted;
    int r;

    va_start(args, format);
    va_copy(again, args);
    r = make_room(b, 0);
    if (r == 0) {
        room = b->cap - b->off - b->len; /* at least 1, for the NUL */
        wanted = vsnprintf(b->data + b->off + b->len, room, format, args);
        if (wanted < 0)
            r = -EINVAL;
        else
            r = make_room(b, (size_t)wanted);
        if (r == 0 && (size_t)wanted >= room)
            (void)vsnprintf(b->data + b->off + b->len, (size_t)wanted + 1, format, again);
        if (r == 0)
            b->len += (size_t)wanted;
    }
    va_end(again);
    va_end(args);
    return r;
}

char *buf_reserve(struct buf *b, size_t size)
{
    return make_room(b, size) < 0 ? NULL : b->data + b->off + b->len;
}

void buf_commit(struct buf *b, size_t size)
{
    b->len += size;
}

void buf_consume(struct buf *b, size_t size)
{
    b->off += size;
    b->len -= size;
    if (b->len == 0)
        b->off = 0;
}

void buf_clear(struct buf *b)
{
    b->off = 0;
    b->len = 0;
}

const char *buf_str(struct buf *b)
{
    if (!b->data)
        return "";
    b->data[b->off + b->len] = '\0'; /* make_room keeps a byte for it */
    return b->data + b->off;
}

char *buf_steal(struct buf *b, size_t *ret_size)
{
    size_t size = b->len;
    char *data;

    if (!b->data) {
        data = xnew_n(char, 1);
    } else {
        data = b->data;
        if (b->off > 0)
            memmove(data, data + b->off, size);
        data[size] = '\0';
    }
    *b = (struct buf){.max = b->max};
    if (ret_size)
        *ret_size = size;
    return data;
}
