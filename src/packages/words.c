#include "packages/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void words_fini(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->items[i]);
    free(w->items);
    w->items = NULL;
    w->n = 0;
}

static void add_take(struct words *w, char *text_take)
{
    w->items = xrealloc(w->items, w->n + 2, sizeof(*w->items));
    w->items[w->n++] = text_take;
    w->items[w->n] = NULL;
}

void words_add(struct words *w, const char *text)
{
    add_take(w, xstrdup(text));
}

void words_add_all(struct words *w, const char *const *texts)
{
    for (; *texts; texts++)
        words_add(w, *texts);
}

void words_addf(struct words *w, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    add_take(w, text);
}

const char *words_value(const struct words *w, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < w->n; i++)
        if (strncmp(w->items[i], name, size) == 0 && w->items[i][size] == '=')
            return w->items[i] + size + 1;
    return NULL;
}
