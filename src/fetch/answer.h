/*
 * What came of a question, as a record: the fetch process's result for the server, and what the store keeps of it to be
 * given again.
 */
#ifndef CELLBLOCK_FETCH_ANSWER_H
#define CELLBLOCK_FETCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct install_item;

struct answer {
    char *set;   /* id; NULL: none */
    char *error; /* of the whole, or NULL */
    char *notes;
    bool ok;
    struct install_item *items; /* all owned */
    size_t n_items;
};

#define ANSWER_ITEMS_MAX 3000

void answer_write(const struct answer *a, struct buf *out);

/* 0, or -EBADMSG: then ret is empty. What comes from a process is not trusted: every text is bounded and UTF-8. */
int answer_read(const char *text, size_t size, struct answer *ret);
void answer_fini(struct answer *a);

/*
 * An answer to the same question in another order and spelling: its items are put into the order of these specs, and
 * named by them. False when it is no answer to them.
 */
bool answer_fit(struct answer *a, const char *const *specs, size_t n);

#endif
