/* Reading the store's own small files, which may have been damaged: a cursor that never leaves the text. */
#ifndef CELLBLOCK_STORE_TEXT_H
#define CELLBLOCK_STORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const char *at, *end;
};

/* Each moves over what it took; after false the cursor is where it was. */
bool text_take(struct cursor *c, const char *literal);
bool text_take_number(struct cursor *c, uint64_t *ret);                /* decimal, no sign, no leading zeros */
bool text_take_line(struct cursor *c, const char **ret, size_t *size); /* up to a newline, which is taken too */
bool text_take_bytes(struct cursor *c, size_t size, const char **ret);

/* An id of a wheel or a set, as a name in a directory: [A-Za-z0-9._-], no dot first, shorter than STORE_ID_MAX. */
bool text_is_id(const char *id, size_t size);

/* A path as manifests have it: see store_publish_wheel. */
bool text_is_path(const char *path, size_t size);

#define TEXT_SHOWN 120

/* For an error: cut, control characters replaced. Returns ret, which has TEXT_SHOWN bytes. */
const char *text_shown(const char *path, char *ret);

#endif
