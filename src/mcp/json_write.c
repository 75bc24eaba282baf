#include "mcp/json_write.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static void write_special(struct buf *out, unsigned char c)
{
    static const char names[] = "btn\0fr"; /* from 0x08 */

    if (c == '"' || c == '\\')
        (void)buf_append(out, (char[]){'\\', (char)c}, 2);
    else if (c == 0)
        (void)buf_append(out, "\xe2\x90\x80", 3);
    else if (c >= 0x08 && c <= 0x0d && names[c - 0x08])
        (void)buf_append(out, (char[]){'\\', names[c - 0x08]}, 2);
    else
        (void)buf_printf(out, "\\u%04x", c);
}

void json_write_string(struct buf *out, const char *text, size_t size)
{
    autobuf struct buf clean = BUF_INIT;

    if (!utf8_valid(text, size)) {
        (void)utf8_append_clean(&clean, text, size);
        text = buf_str(&clean);
        size = clean.len;
    }
    (void)buf_append(out, "\"", 1);
    for (size_t i = 0; i < size;) {
        size_t run = i;

        while (run < size && is_plain((unsigned char)text[run]))
            run++;
        if (run > i)
            (void)buf_append(out, text + i, run - i);
        if (run < size)
            write_special(out, (unsigned char)text[run++]);
        i = run;
    }
    (void)buf_append(out, "\"", 1);
}

/* Bytes of one byte of text in a string: what write_special and its caller make of it. */
static size_t width(unsigned char c)
{
    if (c >= 0x20)
        return c == '"' || c == '\\' ? 2 : 1;
    if (c == 0)
        return 3;
    return c >= 0x08 && c <= 0x0d && c != 0x0b ? 2 : 6;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t json_string_size(const char *text, size_t size)
{
    size_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum += width((unsigned char)text[i]);
    return sum;
}

size_t json_fit_front(const char *text, size_t size, size_t room)
{
    size_t n = 0, sum = 0;

    while (n < size && sum + width((unsigned char)text[n]) <= room)
        sum += width((unsigned char)text[n++]);
    while (n < size && n > 0 && is_continuation(text[n]))
        n--;
    return n;
}

size_t json_fit_back(const char *text, size_t size, size_t room)
{
    size_t n = 0, sum = 0;

    while (n < size && sum + width((unsigned char)text[size - n - 1]) <= room)
        sum += width((unsigned char)text[size - ++n]);
    while (n > 0 && is_continuation(text[size - n]))
        n--;
    return n;
}

void json_write_key(struct buf *out, const char *key)
{
    if (out->len && !strchr("{[,:", buf_begin(out)[out->len - 1]))
        (void)buf_puts(out, ",");
    (void)buf_printf(out, "\"%s\":", key);
}

void json_write_member(struct buf *out, const char *key, const char *text)
{
    if (!text)
        return;
    json_write_key(out, key);
    json_write_string(out, text, strlen(text));
}

void json_write_base64(struct buf *out, const void *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;
    char *to = buf_reserve(out, size / 3 * 4 + 8), *start = to;

    if (!to)
        return;
    *to++ = '"';
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);

        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *to++ = left > 2 ? digits[v & 63] : '=';
    }
    *to++ = '"';
    buf_commit(out, (size_t)(to - start));
}
