/* Writing JSON into a buffer: always valid, on one line, in UTF-8. */
#ifndef CELLBLOCK_MCP_JSON_WRITE_H
#define CELLBLOCK_MCP_JSON_WRITE_H

#include <stddef.h>

struct buf;

/* A string with its quotes; bad bytes become U+FFFD, NUL becomes U+2400 (a picture of it). */
void json_write_string(struct buf *out, const char *text, size_t size);

/* How long this text, valid UTF-8, is as a JSON string without its quotes: escapes make it longer. */
size_t json_string_size(const char *text, size_t size);

/* The longest part at the front, or at the end, of valid UTF-8 that is at most room bytes long as a JSON string. */
size_t json_fit_front(const char *text, size_t size, size_t room);
size_t json_fit_back(const char *text, size_t size, size_t room);

/* ,"key": or "key": with the comma when something stands before it in the object. */
void json_write_key(struct buf *out, const char *key);

/* ,"key":"text"; nothing when text is NULL. */
void json_write_member(struct buf *out, const char *key, const char *text);

/* Base64 (RFC 4648, section 4) with its quotes. */
void json_write_base64(struct buf *out, const void *data, size_t size);

#endif
