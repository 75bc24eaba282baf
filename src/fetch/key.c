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

char *key_make(const struct fetch_base *base, const char *const *specs, size_t n_specs, const char *const *wheels,
               size_t n_wheels, const char *uv, enum fetch_builds builds)
{
    autobuf struct buf out = BUF_INIT;
    autowords struct words asked = {NULL, 0}, has = {NULL, 0};

    (void)buf_printf(&out, "cellblock 1\npython %s %s %s\n", base->version, base->prefix, base->base_prefix);
    add_file(&out, "executable", base->executable);
    for (const char *p = base->sites; p && *p; p += strcspn(p, ":"), p += *p == ':') {
        autofree char *site = xstrndup(p, strcspn(p, ":"));

        add_file(&out, "site", site); /* its time changes when something is installed into it */
    }
    if (uv)
        add_file(&out, "uv", uv);
    else
        (void)buf_puts(&out, "pip\n");
    if (builds != BUILDS_NONE)
        (void)buf_printf(&out, "builds %d\n", (int)builds);
    for (size_t i = 0; i < n_specs; i++) {
        autofree char *spec = key_of_spec(specs[i]);

        words_add(&asked, spec);
    }
    for (size_t i = 0; i < n_wheels; i++)
        words_add(&has, wheels[i]);
    add_sorted(&out, "spec", &asked);
    add_sorted(&out, "has", &has);
    settings_describe(base->prefix, uv != NULL, &out);
    return buf_steal(&out, NULL);
}
