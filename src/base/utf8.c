/* UTF-8: see utf8.h. One decoder serves all: how many bytes from here are one character, or none. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ASCII_BLOCK 8

/* Bytes at the front that are ASCII, looked at eight at a time: nearly all text is. */
static size_t ascii_run(const char *text, size_t size)
{
    size_t n = 0;

    while (size - n >= ASCII_BLOCK) {
        uint64_t block;

        memcpy(&block, text + n, sizeof(block));
        if (block & UINT64_C(0x8080808080808080))
            break;
        n += ASCII_BLOCK;
    }
    while (n < size && (unsigned char)text[n] < 0x80)
        n++;
    return n;
}

/* How many bytes a character has that begins with this byte, 0 when none does. Table 3-7 of the Unicode standard. */
static size_t lead_size(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2) /* a continuation, or an overlong form of ASCII */
        return 0;
    if (lead < 0xe0)
        return 2;
    if (lead < 0xf0)
        return 3;
    return lead < 0xf5 ? 4 : 0;
}

/* May this second byte follow this lead? The rest of the overlong forms, surrogates and the end of Unicode. */
static bool second_fits(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return second >= 0x80 && second <= 0xbf;
    }
}

/*
 * The bytes at text that belong together (size > 0). *ret_good: they are one valid character; else they are the
 * longest part that could have begun one, at least one byte: what U+FFFD stands for in every decoder of note.
 */
static size_t next(const char *text, size_t size, bool *ret_good)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t want = lead_size(s[0]);

    *ret_good = want == 1;
    if (want <= 1)
        return 1;
    if (size < 2 || !second_fits(s[0], s[1]))
        return 1;
    for (size_t n = 2; n < want; n++)
        if (n >= size || (s[n] & 0xc0) != 0x80)
            return n;
    *ret_good = true;
    return want;
}

/* The bytes at the front that are valid. */
static size_t valid_run(const char *text, size_t size)
{
    size_t at = 0;
    bool good = true;

    for (;;) {
        size_t n;

        at += ascii_run(text + at, size - at);
        if (at >= size)
            return at;
        n = next(text + at, size - at, &good);
        if (!good)
            return at;
        at += n;
    }
}

bool utf8_valid(const char *text, size_t size)
{
    return valid_run(text, size) == size;
}

int utf8_append_clean(struct buf *out, const char *text, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t good_size = valid_run(text + at, size - at);
        bool good;
        int r = buf_append(out, text + at, good_size);

        if (r < 0)
            return r;
        at += good_size;
        if (at >= size)
            break;
        at += next(text + at, size - at, &good);
        r = buf_append(out, REPLACEMENT, sizeof(REPLACEMENT) - 1);
        if (r < 0)
            return r;
    }
    return 0;
}

size_t utf8_length(const char *text, size_t size)
{
    size_t at = 0;
    size_t count = 0;

    while (at < size) {
        size_t n = ascii_run(text + at, size - at);
        bool good;

        at += n;
        count += n;
        if (at < size) {
            n = next(text + at, size - at, &good);
            at += good ? n : 1;
            count++;
        }
    }
    return count;
}

/* Where the character begins that ends before at (at > 0): up to three bytes further back, if they are one. */
static size_t before(const char *text, size_t at)
{
    for (size_t n = 2; n <= 4 && n <= at; n++) {
        unsigned char byte = (unsigned char)text[at - n];
        bool good;

        if ((byte & 0xc0) == 0x80)
            continue;
        if (next(text + at - n, n, &good) == n && good)
            return at - n;
        break;
    }
    return at - 1;
}

size_t utf8_cut(const char *text, size_t size)
{
    for (size_t n = 1; n <= 3 && n <= size; n++) {
        unsigned char byte = (unsigned char)text[size - n];

        if ((byte & 0xc0) == 0x80)
            continue;
        /* The last character begins here. Is it whole? One that is broken anyway is not made worse. */
        if (lead_size(byte) > n && (n < 2 || second_fits(byte, (unsigned char)text[size - n + 1])))
            return size - n;
        break;
    }
    return size;
}

size_t utf8_offset(const char *text, size_t size, size_t n)
{
    size_t at = 0;

    while (at < size && n > 0) {
        size_t run = ascii_run(text + at, size - at < n ? size - at : n);
        bool good;

        at += run;
        n -= run;
        if (at < size && n > 0) {
            run = next(text + at, size - at, &good);
            at += good ? run : 1;
            n--;
        }
    }
    return at;
}

size_t utf8_offset_back(const char *text, size_t size, size_t n)
{
    while (size > 0 && n > 0) {
        size = before(text, size);
        n--;
    }
    return size;
}
