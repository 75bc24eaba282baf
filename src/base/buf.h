/*
 * A growing byte buffer with an upper bound. The bytes start at data + off: consuming from the front costs nothing
 * until room is needed.
 */
#ifndef CELLBLOCK_BASE_BUF_H
#define CELLBLOCK_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data; /* owned; NULL while empty */
    size_t off; /* first byte that is not consumed */
    size_t len; /* bytes from off */
    size_t cap;
    size_t max; /* never more than this many bytes; 0: no bound */
};

#define autobuf __attribute__((cleanup(buf_fini)))
#define BUF_INIT {NULL, 0, 0, 0, 0}

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* frees; b is empty and usable again */

/* 0, or -ENOBUFS when that would exceed max: then nothing is appended. */
int buf_append(struct buf *b, const void *data, size_t size);
int buf_puts(struct buf *b, const char *text);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for size more bytes: a pointer to it, valid until the next call, or NULL when over max. buf_commit adds. */
char *buf_reserve(struct buf *b, size_t size);
void buf_commit(struct buf *b, size_t size);

void buf_consume(struct buf *b, size_t size); /* drop size bytes from the front */
void buf_clear(struct buf *b);                /* keep the memory, drop the bytes */

/* The bytes, followed by a NUL that does not count in len. "" while empty. */
const char *buf_str(struct buf *b);

/* Take the bytes out, NUL-terminated; the caller frees; the buffer is empty. Never NULL. */
char *buf_steal(struct buf *b, size_t *ret_size);

static inline char *buf_begin(const struct buf *b)
{
    return b->data + b->off;
}

#endif
