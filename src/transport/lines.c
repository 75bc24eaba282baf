#include "transport/lines.h"

#include <string.h>

#include "base/limits.h"

#define KEEP_MAX (256 * KIB) /* memory that is kept from one line to the next */

void lines_init(struct lines *lines, const struct lines_ops *ops, void *data)
{
    *lines = (struct lines){.ops = ops, .data = data};
    buf_init(&lines->partial, LIMIT_MESSAGE_IN);
}

void lines_fini(struct lines *lines)
{
    buf_fini(&lines->partial);
}

void lines_stop(struct lines *lines)
{
    lines->stopped = true;
}

/* A part of a line that is not whole in what was read. */
static void keep(struct lines *lines, const char *text, size_t size)
{
    if (lines->oversize) {
        lines->ops->oversize_part(lines->data, text, size);
    } else if (buf_append(&lines->partial, text, size) < 0) {
        lines->oversize = true;
        lines->ops->oversize_part(lines->data, buf_str(&lines->partial), lines->partial.len);
        lines->ops->oversize_part(lines->data, text, size);
        buf_fini(&lines->partial);
    }
}

/* The kept line is whole. */
static void end_kept(struct lines *lines)
{
    if (lines->oversize) {
        lines->oversize = false;
        lines->ops->oversize_end(lines->data);
        return;
    }
    lines->ops->line(lines->data, buf_str(&lines->partial), lines->partial.len);
    if (lines->partial.cap > KEEP_MAX)
        buf_fini(&lines->partial);
    else
        buf_clear(&lines->partial);
}

void lines_feed(struct lines *lines, const char *bytes, size_t size)
{
    while (size && !lines->stopped) {
        const char *end = memchr(bytes, '\n', size);
        size_t n = end ? (size_t)(end - bytes) : size;

        if (end && !lines->partial.len && !lines->oversize && n <= LIMIT_MESSAGE_IN) {
            lines->ops->line(lines->data, bytes, n); /* whole as it is: nearly all are */
        } else {
            keep(lines, bytes, n);
            if (end)
                end_kept(lines);
        }
        n += end ? 1 : 0;
        bytes += n;
        size -= n;
    }
}

void lines_end(struct lines *lines)
{
    if (!lines->stopped && (lines->partial.len || lines->oversize))
        end_kept(lines);
}
