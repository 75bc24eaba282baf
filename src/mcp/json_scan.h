/*
 * Looking at JSON text before, or without, parsing it: what a parser would refuse but a client should be answered for.
 */
#ifndef CELLBLOCK_MCP_JSON_SCAN_H
#define CELLBLOCK_MCP_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_ID_MAX 4096 /* bytes of the JSON text of an id or a progress token */

/*
 * Turn escapes of lone surrogates (\ud800 without its other half) into \ufffd, in place: a client may send them, and
 * they stand for nothing in UTF-8. Returns the deepest nesting of arrays and objects.
 */
size_t json_scan_prepare(char *json, size_t size);

/* Looks for the id of a request in text that is malformed, cut or too large to keep. Zeroed: ready to be fed. */
struct json_id {
    enum { ID_BETWEEN, ID_STRING, ID_STRING_ESCAPE, ID_VALUE, ID_VALUE_ESCAPE, ID_NUMBER, ID_FOUND } at;
    bool after_key, after_colon; /* the last thing seen was "id", was the colon behind it */
    size_t depth;
    size_t size; /* of token */
    char token[JSON_ID_MAX + 1];
};

void json_id_feed(struct json_id *scan, const char *json, size_t size);

/*
 * The id as it stands in the text, a string or a number, NUL-terminated inside of scan; NULL when there is none or it
 * is cut. It may still be malformed.
 */
char *json_id_end(struct json_id *scan);

#endif
