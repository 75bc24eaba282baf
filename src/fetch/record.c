#include "fetch/record.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

void record_add(struct buf *out, const char *key, const char *value)
{
    if (!value)
        return;
    (void)buf_printf(out, "%s=", key);
    for (const char *p = value; *p;) {
        size_t plain = strcspn(p, "\\\n");

        (void)buf_append(out, p, plain);
        p += plain;
        if (*p)
            (void)buf_puts(out, *p++ == '\n' ? "\\n" : "\\\\");
    }
    (void)buf_puts(out, "\n");
}

/* In place. False: a backslash with something else behind it. */
static bool unescape(char *value)
{
    char *to = value;

    for (const char *p = value; *p; p++) {
        if (*p == '\\') {
            p++;
            if (*p != 'n' && *p != '\\')
                return false;
            *to++ = *p == 'n' ? '\n' : '\\';
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
    return true;
}

static bool take_line(struct record *r, char *line)
{
    char *equals = strchr(line, '=');

    if (!equals || equals == line || r->n == RECORD_ENTRIES_MAX || !unescape(equals + 1))
        return false;
    *equals = '\0';
    r->entries[r->n++] = (struct record_entry){line, equals + 1};
    return true;
}

int record_parse(const char *text, size_t size, struct record *ret)
{
    struct record r = RECORD_INIT;
    size_t lines = 0;
    bool good;

    if (memchr(text, '\0', size) || !utf8_valid(text, size) || (size && text[size - 1] != '\n'))
        return -EBADMSG;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    if (lines > RECORD_ENTRIES_MAX)
        return -EBADMSG;
    r.text = xmemdup(text, size);
    r.entries = xnew_n(struct record_entry, lines + 1);
    good = true;
    for (char *line = r.text, *end; good && *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        good = take_line(&r, line);
    }
    if (!good) {
        record_fini(&r);
        return -EBADMSG;
    }
    *ret = r;
    return 0;
}

void record_fini(struct record *r)
{
    free(r->entries);
    free(r->text);
    *r = (struct record)RECORD_INIT;
}

const char *record_value(const struct record *r, const char *key)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->entries[i].key, key) == 0)
            return r->entries[i].value;
    return NULL;
}
