#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "server/impl.h"

void text_size(struct buf *out, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1000 && unit < 4) {
        value /= 1000;
        unit++;
    }
    if (unit == 0)
        (void)buf_printf(out, "%d B", (int)bytes);
    else
        (void)buf_printf(out, value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void text_duration(struct buf *out, int64_t us)
{
    if (us < 1000)
        (void)buf_puts(out, us < 100 ? "0 ms" : us < 500 ? "0.3 ms" : "0.7 ms");
    else if (us < 1000 * 1000)
        (void)buf_printf(out, "%d ms", (int)(us / 1000));
    else if (us < 60LL * 1000 * 1000)
        (void)buf_printf(out, "%.1f s", (double)us / 1e6);
    else
        (void)buf_printf(out, "%d min %d s", (int)(us / 60000000), (int)(us / 1000000 % 60));
}

void text_json_string(struct buf *out, const char *text)
{
    autobuf struct buf clean = BUF_INIT; /* names of files may be any bytes */

    (void)utf8_append_clean(&clean, text, strlen(text));
    (void)buf_puts(out, "\"");
    for (const unsigned char *c = (const unsigned char *)buf_str(&clean); *c; c++) {
        if (*c == '"' || *c == '\\')
            (void)buf_printf(out, "\\%c", *c);
        else if (*c < 0x20)
            (void)buf_printf(out, "\\u%04x", *c);
        else
            (void)buf_append(out, c, 1);
    }
    (void)buf_puts(out, "\"");
}

void text_uri(struct buf *out, const char *session, const char *path)
{
    (void)buf_printf(out, "cellblock://%s/", session);
    for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._~/", *c))
            (void)buf_append(out, c, 1);
        else
            (void)buf_printf(out, "%%%02X", *c);
    }
}

const char *text_mime(const char *path)
{
    static const char *const known[][2] = {
        {"txt", "text/plain"},        {"md", "text/markdown"},
        {"csv", "text/csv"},          {"tsv", "text/tab-separated-values"},
        {"json", "application/json"}, {"html", "text/html"},
        {"py", "text/x-python"},      {"xml", "application/xml"},
        {"svg", "image/svg+xml"},     {"png", "image/png"},
        {"jpg", "image/jpeg"},        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},         {"pdf", "application/pdf"},
        {"log", "text/plain"},        {"ipynb", "application/x-ipynb+json"},
        {"zip", "application/zip"},
    };
    const char *dot = strrchr(path, '.');

    if (!dot || strchr(dot, '/'))
        return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(dot + 1, known[i][0]) == 0)
            return known[i][1];
    return NULL;
}
