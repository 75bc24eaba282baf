/* A set that is being made; and what happens where two wheels have the same path. */
#ifndef CELLBLOCK_STORE_MAKE_H
#define CELLBLOCK_STORE_MAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/impl.h"

#define OVERLAPS_TOLD 20

struct making {
    struct store *store;
    struct store_work *work;
    const struct store_set_make *make;
    struct wheel *wheels;
    size_t n_wheels;
    struct about about; /* of the set */
    int stage, tree;
    char **dirs; /* that were made, in that order */
    size_t n_dirs, room_dirs;
    struct manifest_file *kept; /* the set's manifest; their paths belong to the wheels */
    size_t n_kept, room_kept;
    struct buf *overlaps;
    size_t n_overlaps;
    const char *damaged; /* id of a wheel */
    struct err *e;
};

/* Is it something in __pycache__? Python takes such a file for its source whatever that is (PEP 552, unchecked). */
bool overlap_is_bytecode(const char *path);

/* Is the source of that bytecode in this wheel, and in the set? Else the bytecode would speak for another's source. */
bool overlap_has_source(const struct wheel *wheel, const char *path);

/* Something was there already where the file of wheel number i should go: tell it, unless it is the same file. */
void overlap_note(struct making *m, size_t i, struct manifest_file *file);

#endif
