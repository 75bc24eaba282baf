/*
 * UTF-8 (RFC 3629). Text from code, files and subprocesses may hold anything; what leaves the server is valid UTF-8
 * without lone surrogates, because one bad byte ends the connection of some clients.
 */
#ifndef CELLBLOCK_BASE_UTF8_H
#define CELLBLOCK_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Is it valid: no overlong form, no surrogate, nothing above U+10FFFF? */
bool utf8_valid(const char *text, size_t size);

/* Append text to out, each bad byte sequence replaced by U+FFFD. 0 or -ENOBUFS. */
int utf8_append_clean(struct buf *out, const char *text, size_t size);

/* Characters (code points) in valid or invalid text; a bad byte counts as one. */
size_t utf8_length(const char *text, size_t size);

/* The largest n <= size at which text can be cut without splitting a character. */
size_t utf8_cut(const char *text, size_t size);

/* Byte offset of character number n (from the front, or back from the end), at most size. */
size_t utf8_offset(const char *text, size_t size, size_t n);
size_t utf8_offset_back(const char *text, size_t size, size_t n);

#endif
