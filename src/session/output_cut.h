/* Cutting the items of an execution to what a model should read; the whole goes to files. */
#ifndef CELLBLOCK_SESSION_OUTPUT_CUT_H
#define CELLBLOCK_SESSION_OUTPUT_CUT_H

#include <stddef.h>

struct exec_item;

/*
 * Cut text to LIMIT_TEXT_CHARS, its head and tail; turn images over the limits into files. Items that become empty
 * are removed. Files are made in dir (-1: nowhere), which code knows as dir_path. Returns the path of the file with the
 * whole text, or NULL when nothing was cut; the caller frees it.
 */
char *output_cut(struct exec_item *items, size_t *n_items, int dir, const char *dir_path, unsigned number);

#endif
