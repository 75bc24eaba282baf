/*
 * Looking at JSON text before, or without, parsing it: what a parser would refuse but a client should be answered for.
 */
#ifndef CELLBLOCK_MCP_JSON_SCAN_H
#define CELLBLOCK_MCP_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Turn escapes of lone surrogates (\ud800 without its other half) into \ufffd, in place: a client may send them, and
 * they stand for nothing in UTF-8. Returns the deepest nesting of arrays and objects.
 */
size_t json_scan_prepare(char *json, size_t size);

/*
 * The id of the request in this text, which may be malformed or cut: its JSON text (a string or an integer), or ""
 * when there is none to be read.
 */
void json_scan_id(const char *json, size_t size, char *ret, size_t ret_size);

#endif
