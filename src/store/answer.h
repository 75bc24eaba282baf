/* An answer as text: which key it is of (a hash), when it was given, the set it leads to, and text of the asker's. */
#ifndef CELLBLOCK_STORE_ANSWER_H
#define CELLBLOCK_STORE_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"
#include "store/store.h"

struct buf;

#define ANSWER_BYTES (STORE_INFO_BYTES + 1024)

struct answer {
    unsigned char key[SHA256_BYTES];
    int64_t time_ms;
    char set[STORE_ID_MAX];
    const char *text; /* not owned; in what was parsed without a NUL at its end */
    size_t text_size;
};

/* Points into text. -EUCLEAN: cut off, changed, or of a later format. */
int answer_parse(const char *text, size_t size, struct answer *ret);
void answer_write(struct buf *out, const struct answer *answer);

#endif
