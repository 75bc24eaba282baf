/*
 * What one execution wrote and displayed, in order: bytes of stdout and stderr with the marks of display items in
 * them (src/kernel/wire.h), bounded in memory, and at the end cut to what a model should read.
 */
#ifndef CELLBLOCK_SESSION_OUTPUT_H
#define CELLBLOCK_SESSION_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "session/session.h"

struct output;

/* watch (may be NULL) is called with all that is text, as it comes. */
struct output *output_new(void (*watch)(void *data, const char *text, size_t size), void *data);
void output_free(struct output *o);

/* Bytes with the marks of this nonce. */
void output_bytes(struct output *o, const char *nonce, const char *bytes, size_t size);

/* An item to show at mark index; mime as in wire.h. */
void output_display(struct output *o, uint32_t index, const char *mime, size_t mime_size, const char *data,
                    size_t size);

/* Everything before mark index goes. */
void output_clear(struct output *o, uint32_t index);

int64_t output_total(const struct output *o);

/* The last line that is not empty, for progress; NULL when there is none. Valid until the next call. */
const char *output_last_line(struct output *o);

/* May output_finish have to write files? It has none to write when this is false. */
bool output_needs_files(const struct output *o);

/*
 * The items, which belong to o. When the text is longer than LIMIT_TEXT_CHARS its middle is left out and the whole is
 * written to a file in the directory dir (-1: nowhere), which the code knows as
 * dir_path, *ret_path (freed by the caller; NULL when all is there). Images over the limits are
 * written there too, and become files. number makes the names of the files unique.
 */
void output_finish(struct output *o, int dir, const char *dir_path, unsigned number, const struct exec_item **ret_items,
                   size_t *ret_n, char **ret_path);

#endif
