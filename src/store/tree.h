/*
 * A tree against its manifest. A wheel's tree was made by code that is not trusted: every step goes by descriptor, no
 * symbolic link is followed, nothing but regular files is opened, and depth, number and bytes are bounded.
 */
#ifndef CELLBLOCK_STORE_TREE_H
#define CELLBLOCK_STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"

struct err;
struct manifest;

#define TREE_DEPTH 64 /* a descriptor each */

/* Files of which the content was looked at already: hard links of one file are hashed once. */
struct tree_known {
    struct tree_known_file {
        uint64_t inode;
        unsigned char hash[SHA256_BYTES];
    } * files; /* sorted by inode once tree_known_sort was called */
    size_t n, room;
};

void tree_known_sort(struct tree_known *known);
void tree_known_fini(struct tree_known *known);

/*
 * What a sandbox left: owner, modes and times become the store's, all is hashed. -EUCLEAN: refused, e says why; the
 * tree may have been sealed in part. Nobody may be left who could write to it.
 */
int tree_seal(int tree, struct manifest *manifest, struct err *e);

struct tree_verify {
    const struct tree_known *known; /* NULL: all is hashed */
    struct tree_known *learn;       /* NULL, or what was hashed and right is added to it */
    uint64_t bytes;                 /* out: that were hashed */
};

/* Is the tree what it was when it was published? Every file is hashed. -EUCLEAN: no, e says where. */
int tree_verify(int tree, struct manifest *manifest, struct tree_verify *how, struct err *e);

/* Removes what at/name is, a tree of whatever depth and modes; the file `lock` in it goes last. 0 or -errno. */
int tree_remove(int at, const char *name);

/* Bytes on disk of all that is below; -E2BIG: it is nested deeper than anything sensible, or -errno. */
int tree_measure(int at, const char *name, uint64_t *ret_bytes);

#endif
