#include "session/clean.h"

#include <string.h>

#include "base/limits.h"

#define LINE_MAX_BYTES (64 * KIB) /* a longer line is passed on in parts; only the last can be rewritten */
#define ESCAPE_MAX 4096           /* an escape sequence that does not end is none */

enum { IN_TEXT, IN_ESC, IN_CSI, IN_STRING, IN_STRING_ESC, IN_CHARSET };

void clean_init(struct clean *c)
{
    memset(c, 0, sizeof *c);
}

void clean_fini(struct clean *c)
{
    buf_fini(&c->line);
    buf_fini(&c->escape);
}

/* What byte b of an escape sequence leads to, or -1: it cannot be part of one (ECMA-48: CSI, OSC/DCS/APC/PM strings,
 * two-byte ones). A control character is none of a string either, though ECMA-48 allows some: a string that was
 * forgotten to be ended would hide the lines after it. */
static int escape_next(unsigned char in, unsigned char b)
{
    switch (in) {
    case IN_ESC:
        if (b == '[')
            return IN_CSI;
        if (b == ']' || b == 'P' || b == '_' || b == '^' || b == 'X')
            return IN_STRING;
        if (b >= 0x20 && b <= 0x2f)
            return IN_CHARSET;
        return b >= 0x30 && b <= 0x7e ? IN_TEXT : -1;
    case IN_CSI:
        return b >= 0x40 && b <= 0x7e ? IN_TEXT : b >= 0x20 && b <= 0x3f ? IN_CSI : -1;
    case IN_STRING:
        return b == 0x07 ? IN_TEXT : b == 0x1b ? IN_STRING_ESC : b >= 0x20 ? IN_STRING : -1;
    case IN_STRING_ESC:
        return b == '\\' ? IN_TEXT : -1;
    default: /* IN_CHARSET */
        return b >= 0x30 && b <= 0x7e ? IN_TEXT : b >= 0x20 && b <= 0x2f ? IN_CHARSET : -1;
    }
}

static int add_text(struct clean *c, const char *text, size_t size)
{
    if (size && c->returned)
        buf_clear(&c->line);
    if (size)
        c->returned = false;
    return buf_append(&c->line, text, size);
}

/* It was no escape sequence: its bytes are text after all, less the ESC itself. */
static int escape_abort(struct clean *c)
{
    int r = add_text(c, buf_begin(&c->escape), c->escape.len);

    buf_clear(&c->escape);
    c->in = c->in == IN_STRING_ESC ? IN_ESC : IN_TEXT; /* the second ESC may begin one */
    return r;
}

/* Take byte b of an escape sequence. false: it was none, and b is still to be taken as text. */
static bool take_escape(struct clean *c, unsigned char b, int *r)
{
    int next = c->escape.len >= ESCAPE_MAX ? -1 : escape_next(c->in, b);

    if (next < 0) {
        *r = escape_abort(c);
        return false;
    }
    c->in = (unsigned char)next;
    if (next == IN_TEXT)
        buf_clear(&c->escape);
    else if (next != IN_STRING_ESC)
        *r = buf_append(&c->escape, (const char *)&b, 1);
    return true;
}

static void backspace(struct clean *c)
{
    const char *text = buf_begin(&c->line);

    while (c->line.len && ((unsigned char)text[c->line.len - 1] & 0xc0) == 0x80)
        c->line.len--;
    if (c->line.len)
        c->line.len--;
}

/* Bytes that are neither control characters nor part of an escape sequence. */
static size_t plain_run(const char *text, size_t size)
{
    size_t n = 0;

    while (n < size && ((unsigned char)text[n] >= 0x20 || text[n] == '\t'))
        n++;
    return n;
}

static int take_control(struct clean *c, unsigned char b, struct buf *out)
{
    switch (b) {
    case '\n':
        c->returned = false;
        if (clean_flush(c, out) < 0)
            return -1;
        return buf_append(out, "\n", 1);
    case '\r':
        c->returned = true;
        return 0;
    case '\b':
        backspace(c);
        return 0;
    case 0x1b:
        c->in = IN_ESC;
        return 0;
    default:
        return buf_append(&c->line, (const char *)&b, 1);
    }
}

int clean_feed(struct clean *c, const char *text, size_t size, struct buf *out)
{
    int r = 0;

    while (size && r == 0) {
        size_t n;

        if (c->in != IN_TEXT) {
            n = take_escape(c, (unsigned char)*text, &r) ? 1 : 0;
        } else if ((n = plain_run(text, size)) > 0) {
            if (c->returned)
                buf_clear(&c->line);
            c->returned = false;
            if (c->line.len + n > LINE_MAX_BYTES || (n < size && text[n] == '\n' && c->line.len == 0)) {
                r = clean_flush(c, out);
                if (r == 0)
                    r = buf_append(out, text, n);
            } else {
                r = buf_append(&c->line, text, n);
            }
        } else {
            r = take_control(c, (unsigned char)*text, out);
            n = 1;
        }
        text += n;
        size -= n;
    }
    return r;
}

int clean_flush(struct clean *c, struct buf *out)
{
    int r = c->in != IN_TEXT ? escape_abort(c) : 0;

    if (r == 0 && c->line.len)
        r = buf_append(out, buf_begin(&c->line), c->line.len);
    c->in = IN_TEXT;
    buf_clear(&c->line);
    return r;
}
