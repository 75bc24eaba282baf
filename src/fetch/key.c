#include "fetch/key.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "fetch/settings.h"
#include "packages/requirement.h"
#include "packages/words.h"

char *key_of_spec(const char *spec)
{
    autobuf struct buf out = BUF_INIT;
    struct requirement parsed;
    const char *rest = spec + strspn(spec, " \t");
    bool as_it_is;

    if (requirement_parse(spec, &parsed, NULL) < 0)
        return xstrdup(spec);
    while (isalnum((unsigned char)*rest) || (*rest && strchr("-_.", *rest)))
        rest++;
    as_it_is = parsed.has_url || parsed.has_marker; /* spaces end a URL, and divide the words of a condition */
    (void)buf_puts(&out, parsed.name);
    for (; *rest; rest++)
        if (as_it_is || !isspace((unsigned char)*rest))
            (void)buf_append(&out, rest, 1);
    return buf_steal(&out, NULL);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void add_sorted(struct buf *out, const char *word, struct words *list)
{
    if (list->n)
        qsort(list->items, list->n, sizeof *list->items, by_text);
    for (size_t i = 0; i < list->n; i++)
        (void)buf_printf(out, "%s %s\n", word, list->items[i]);
}

static void add_file(struct buf *out, const char *word, const char *path)
{
    struct stat st = {0};

    (void)stat(path, &st);
    (void)buf_printf(out, "%s %s %jd.%09ld %jd\n", word, path, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     S_ISREG(st.st_mode) ? (intmax_t)st.st_size : (intmax_t)0);
}

static void add_all(struct words *to, const struct words *from)
{
    for (size_t i = 0; from && i < from->n; i++)
        words_add(to, from->items[i]);
}

char *key_make(const struct key_parts *parts)
{
    const struct fetch_base *base = parts->base;
    autobuf struct buf out = BUF_INIT;
    autowords struct words asked = {NULL, 0}, has = {NULL, 0}, hashes = {NULL, 0};

    (void)buf_printf(&out, "cellblock 1\npython %s %s %s\n", base->version, base->prefix, base->base_prefix);
    add_file(&out, "executable", base->executable);
    for (const char *p = base->sites; p && *p; p += strcspn(p, ":"), p += *p == ':') {
        autofree char *site = xstrndup(p, strcspn(p, ":"));

        add_file(&out, "site", site); /* its time changes when something is installed into it */
    }
    if (parts->uv)
        add_file(&out, "uv", parts->uv);
    else
        (void)buf_puts(&out, "pip\n");
    if (parts->builds != BUILDS_NONE)
        (void)buf_printf(&out, "builds %d\n", (int)parts->builds);
    for (size_t i = 0; i < parts->specs->n; i++) {
        autofree char *spec = key_of_spec(parts->specs->items[i]);

        words_add(&asked, spec);
    }
    add_all(&has, parts->wheels);
    add_all(&hashes, parts->hashes);
    if (parts->of_file)
        (void)buf_puts(&out, "of a file\n");
    add_sorted(&out, "spec", &asked);
    add_sorted(&out, "has", &has);
    add_sorted(&out, "hash", &hashes);
    settings_describe(base->prefix, parts->uv != NULL, &out);
    return buf_steal(&out, NULL);
}
