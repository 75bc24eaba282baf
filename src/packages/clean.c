/* Installer output made fit to be shown: see explain.h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "packages/explain.h"

#define TAIL_MAX_BYTES 3000

/* Behind an escape sequence of a terminal (ECMA-48: CSI and OSC) that starts at p. */
static const char *skip_escape(const char *p, const char *end)
{
    if (++p == end)
        return p;
    if (*p == '[') {
        for (p++; p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x40; p++)
            ;
        return p < end ? p + 1 : p;
    }
    if (*p == ']') {
        while (p < end && *p != '\a' && *p != '\033')
            p++;
        return p < end && *p == '\a' ? p + 1 : p;
    }
    return p + 1;
}

static bool url_char(char c)
{
    return (unsigned char)c > ' ' && !strchr("\"'`<>)]}|", c);
}

/* p is behind the "://" of a URL: append the rest of it without credentials and query. Returns the end of it. */
static const char *append_url(struct buf *out, const char *p, const char *end)
{
    const char *host = p, *stop;

    for (stop = p; stop < end && url_char(*stop) && !strchr("/?#", *stop); stop++)
        if (*stop == '@')
            host = stop + 1;
    if (host != p)
        (void)buf_puts(out, "****@");
    for (stop = host; stop < end && url_char(*stop) && *stop != '?'; stop++)
        ;
    (void)buf_append(out, host, (size_t)(stop - host));
    if (stop == end || *stop != '?')
        return stop;
    (void)buf_puts(out, "?****"); /* signed links carry their key here */
    while (stop < end && url_char(*stop) && *stop != '#')
        stop++;
    return stop;
}

char *explain_clean(const char *text, size_t size)
{
    autobuf struct buf plain = BUF_INIT, out = BUF_INIT;
    const char *p = text, *end = text + size;

    while (p < end) {
        if (*p == '\033') {
            p = skip_escape(p, end);
        } else if (end - p > 3 && memcmp(p, "://", 3) == 0) {
            (void)buf_puts(&plain, "://");
            p = append_url(&plain, p + 3, end);
        } else {
            char c = *p++;

            if (c == '\r')
                c = '\n';
            if ((unsigned char)c >= 0x20 || c == '\n')
                (void)buf_append(&plain, &c, 1);
            else if (c == '\t')
                (void)buf_puts(&plain, "    ");
        }
    }
    if (plain.len)
        (void)utf8_append_clean(&out, buf_begin(&plain), plain.len);
    return buf_steal(&out, NULL);
}

char *explain_tail(const char *text, size_t size, size_t n)
{
    autofree char *clean = explain_clean(text, size);
    char *start = clean + strlen(clean), *ret, *to;

    for (size_t lines = 0; start > clean && lines < n; lines++) { /* backwards, over n lines that say something */
        while (start > clean && start[-1] == '\n')
            start--;
        while (start > clean && start[-1] != '\n')
            start--;
    }
    if (strlen(start) > TAIL_MAX_BYTES) {
        start += strlen(start) - TAIL_MAX_BYTES;
        while (((unsigned char)*start & 0xc0) == 0x80) /* not within a character */
            start++;
    }
    ret = to = xstrdup(start);
    for (const char *p = ret; *p; p++)
        if (*p != '\n' || (to > ret && to[-1] != '\n'))
            *to++ = *p;
    while (to > ret && isspace((unsigned char)to[-1]))
        to--;
    *to = '\0';
    return ret;
}
