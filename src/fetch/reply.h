/*
 * What came of a question, as a record: the fetch process's result for the server, and what the store keeps of it to be
 * given again.
 */
#ifndef CELLBLOCK_FETCH_REPLY_H
#define CELLBLOCK_FETCH_REPLY_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct install_item;

struct reply {
    char *set;   /* id; NULL: none */
    char *error; /* of the whole, or NULL */
    char *notes;
    bool ok;
    struct install_item *items; /* all owned */
    size_t n_items;
};

#define REPLY_ITEMS_MAX 3000

void reply_write(const struct reply *a, struct buf *out);

/* 0, or -EBADMSG: then ret is empty. What comes from a process is not trusted: every text is bounded and UTF-8. */
int reply_read(const char *text, size_t size, struct reply *ret);
void reply_fini(struct reply *a);

/*
 * An answer to the same question in another order and spelling: its items are put into the order of these specs, and
 * named by them. False when it is no answer to them.
 */
bool reply_fit(struct reply *a, const char *const *specs, size_t n);

#endif
