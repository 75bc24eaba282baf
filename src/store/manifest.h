/*
 * What a tree holds, as text: a line a file, "<sha256 in hex> <size> <kind> <path>\n", sorted by the bytes of the path.
 * The kind is x for an executable file, - for another, and, in sets only, l for a symbolic link, whose content is its
 * target. The text may come from a sandbox: nothing in it is believed.
 */
#ifndef CELLBLOCK_STORE_MANIFEST_H
#define CELLBLOCK_STORE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sha256.h"

struct buf;
struct err;

#define MANIFEST_BYTES ((size_t)64 * 1024 * 1024)

struct manifest_file {
    const char *path; /* in text of the manifest */
    uint64_t size;
    unsigned char hash[SHA256_BYTES];
    char kind;
    bool seen;    /* by a walk of the tree */
    bool dropped; /* not taken into a set */
};

struct manifest {
    char *text;
    struct manifest_file *files;
    size_t n;
};

#define MANIFEST_INIT                                                                                                  \
    {                                                                                                                  \
        NULL, NULL, 0                                                                                                  \
    }

/* text: NUL-terminated, owned by ret from now on, also when it fails: then ret is empty. -EUCLEAN: not a manifest. */
int manifest_parse(char *text_take, size_t size, bool links, size_t most, struct manifest *ret, struct err *e);
void manifest_fini(struct manifest *m);

struct manifest_file *manifest_find(const struct manifest *m, const char *path); /* NULL: none */

void manifest_add_line(struct buf *out, const struct manifest_file *file);

size_t manifest_directories(const struct manifest *m); /* that hold its files */

/* What the tree takes on a disk, about: whole blocks, and a block for each directory. */
uint64_t manifest_disk_bytes(const struct manifest *m);

/*
 * In a sorted manifest each directory comes up once: where path has one that the path before it (NULL: none) does not
 * have. Returns the length of the shared directories, their last slash included: what follows is new.
 */
size_t manifest_shared(const char *before, const char *path);

#endif
