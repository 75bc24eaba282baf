#include "packages/modules.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define MODULES_MAX 100000

void modules_fini(struct modules *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->items[i]);
    free(m->items);
    *m = (struct modules){NULL, 0, 0};
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

/* The length of the module's name in that of its entry: a.py, a.abi3.so, a.cpython-311-x86_64-linux-gnu.so, a/. 0: it
 * is none. */
static size_t name_length(int dir, const char *entry)
{
    char inside[sizeof(((struct dirent *)NULL)->d_name) + sizeof "/__init__.py"];

    if (ends_with(entry, ".py") || ends_with(entry, ".so"))
        return strcspn(entry, ".");
    if (strchr(entry, '.'))
        return 0;
    (void)snprintf(inside, sizeof inside, "%s/__init__.py", entry);
    return faccessat(dir, inside, F_OK, 0) == 0 ? strlen(entry) : 0;
}

void modules_add(struct modules *m, const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *d;

    if (!dir)
        return;
    while ((d = readdir(dir)) && m->n < MODULES_MAX) {
        size_t length = name_length(dirfd(dir), d->d_name);

        if (!length)
            continue;
        if (m->n == m->cap) {
            m->cap = m->cap ? m->cap * 2 : 64;
            m->items = xrealloc(m->items, m->cap, sizeof *m->items);
        }
        m->items[m->n++] = xasprintf("%.*s", (int)length, d->d_name);
    }
    (void)closedir(dir);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void modules_seal(struct modules *m)
{
    if (m->n)
        qsort(m->items, m->n, sizeof *m->items, by_name);
}

bool modules_meet(const struct modules *a, const struct modules *b)
{
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        int order = strcmp(a->items[i], b->items[j]);

        if (order == 0)
            return true;
        if (order < 0)
            i++;
        else
            j++;
    }
    return false;
}
