/*
 * From what a terminal would be sent to what a person would then read: a line that is rewritten after a carriage
 * return or backspace (progress bars) keeps its last state; colours and other escape sequences (ECMA-48) are dropped,
 * but what only began like one and does not end stays as text.
 */
#ifndef CELLBLOCK_SESSION_CLEAN_H
#define CELLBLOCK_SESSION_CLEAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct clean {
    struct buf line;   /* the last line, while it may still change */
    bool returned;     /* a carriage return came: the next character starts the line again */
    unsigned char in;  /* inside an escape sequence: see clean.c */
    struct buf escape; /* its bytes so far */
};

void clean_init(struct clean *c);
void clean_fini(struct clean *c);

/* Append what is final to out. 0, or -ENOBUFS once out is full: the rest of this text is lost. */
int clean_feed(struct clean *c, const char *text, size_t size, struct buf *out);

/* The last line will not change any more. */
int clean_flush(struct clean *c, struct buf *out);

#endif
