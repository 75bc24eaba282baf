/*
 * Bytes of a stream cut into lines. A line longer than LIMIT_MESSAGE_IN is not kept: its parts are passed on as they
 * come, and then its end. Lines are without their "\n".
 */
#ifndef CELLBLOCK_TRANSPORT_LINES_H
#define CELLBLOCK_TRANSPORT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct lines_ops {
    void (*line)(void *data, const char *text, size_t size);
    void (*oversize_part)(void *data, const char *part, size_t size);
    void (*oversize_end)(void *data);
};

struct lines {
    const struct lines_ops *ops;
    void *data;
    struct buf partial; /* what came of the next line */
    bool oversize;      /* the next line is too long */
    bool stopped;
};

void lines_init(struct lines *lines, const struct lines_ops *ops, void *data);
void lines_fini(struct lines *lines);

void lines_feed(struct lines *lines, const char *bytes, size_t size);

/* The stream has ended: what came of a line without its end is a line too. */
void lines_end(struct lines *lines);

/* No more calls, not even for the rest of what is being fed. */
void lines_stop(struct lines *lines);

#endif
