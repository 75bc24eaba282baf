/*
 * Lists of keys with values as text, a line each: what server and fetch process hand to each other, and what an answer
 * in the store says. A key may come more than once, and the order counts. What is read may be damaged or hostile.
 */
#ifndef CELLBLOCK_FETCH_RECORD_H
#define CELLBLOCK_FETCH_RECORD_H

#include <stddef.h>

struct buf;

#define RECORD_ENTRIES_MAX 40000

struct record_entry {
    const char *key, *value;
};

struct record {
    char *text; /* what the entries point into; owned */
    struct record_entry *entries;
    size_t n;
};

#define autorecord __attribute__((cleanup(record_fini)))
#define RECORD_INIT                                                                                                    \
    {                                                                                                                  \
        NULL, NULL, 0                                                                                                  \
    }

/* Any value but NULL, which is left out; key has no '=', backslash and newline. */
void record_add(struct buf *out, const char *key, const char *value);

/* 0, or -EBADMSG when it is no such list, not in UTF-8, or too long: then ret is empty. */
int record_parse(const char *text, size_t size, struct record *ret);
void record_fini(struct record *r);

/* The value of the first entry with the key, or NULL. */
const char *record_value(const struct record *r, const char *key);

#endif
