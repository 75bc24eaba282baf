/* The file `about` of a wheel and of a set: what is needed of it often, so that nobody has to read its manifest. */
#ifndef CELLBLOCK_STORE_ABOUT_H
#define CELLBLOCK_STORE_ABOUT_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct buf;
struct err;

#define ABOUT_BYTES ((size_t)1024 * 1024)
#define ABOUT_WHEELS 4096

struct about_wheel {
    char id[STORE_ID_MAX];
    uint64_t bytes;
};

struct about {
    uint64_t files;  /* lines of the manifest */
    uint64_t bytes;  /* on disk, about; of a set: what it has besides its wheels */
    int64_t seconds; /* the time of all of a set's directories; of a wheel 0 */
    uint64_t nanoseconds;
    struct about_wheel *wheels; /* of a set, in the order it was made of */
    size_t n_wheels;
};

#define ABOUT_INIT                                                                                                     \
    {                                                                                                                  \
        0, 0, 0, 0, NULL, 0                                                                                            \
    }

/* -EUCLEAN: cut off, or not one, or of a format of later. */
int about_parse(const char *text, size_t size, struct about *ret);
void about_write(struct buf *out, const struct about *about);
void about_fini(struct about *about);

#endif
