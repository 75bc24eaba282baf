#include "packages/site.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define PACKAGES_MAX 50000 /* a bound for broken directories; the largest known environments have some thousands */

void site_fini(struct site *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->items[i].name);
        free(s->items[i].key);
        free(s->items[i].version);
    }
    free(s->items);
    memset(s, 0, sizeof(*s));
}

/* Lower case, runs of -_. become one '-' (PEP 503). */
static char *key_of(const char *name)
{
    char *key = xstrdup(name);
    size_t n = 0;

    for (const char *p = name; *p; p++) {
        if (!strchr("-_.", *p))
            key[n++] = (char)tolower((unsigned char)*p);
        else if (n && key[n - 1] != '-')
            key[n++] = '-';
    }
    key[n] = '\0';
    return key;
}

static bool cut_suffix(char *text, const char *suffix)
{
    size_t length = strlen(text), size = strlen(suffix);

    if (length <= size || strcmp(text + length - size, suffix) != 0)
        return false;
    text[length - size] = '\0';
    return true;
}

/* name-version.dist-info, name-version.egg-info or name-version-py3.11.egg-info, cut in place. */
static bool split(char *entry, char **ret_version)
{
    char *dash;

    if (!cut_suffix(entry, ".dist-info")) {
        if (!cut_suffix(entry, ".egg-info"))
            return false;
        dash = strrchr(entry, '-');
        if (dash && strncmp(dash, "-py", 3) == 0 && isdigit((unsigned char)dash[3]))
            *dash = '\0';
    }
    dash = strrchr(entry, '-');
    if (!dash || dash == entry || !isalnum((unsigned char)dash[1]))
        return false;
    *dash = '\0';
    *ret_version = dash + 1;
    for (char *p = *ret_version; *p; p++)
        if (*p == '_') /* an escaped '-' */
            *p = '-';
    return true;
}

/* A killed installation can leave a directory without its metadata: pip and uv do not count it either. */
static bool has_metadata(int dir_fd, const char *entry)
{
    char path[sizeof(((struct dirent *)NULL)->d_name) + 16];
    size_t length = strlen(entry);

    if (length < 10 || strcmp(entry + length - 10, ".dist-info") != 0)
        return true;
    (void)snprintf(path, sizeof(path), "%s/METADATA", entry);
    return faccessat(dir_fd, path, F_OK, 0) == 0;
}

void site_add(struct site *s, const char *path, bool own)
{
    DIR *dir = opendir(path);
    const struct dirent *d;

    if (!dir)
        return;
    while ((d = readdir(dir)) && s->n < PACKAGES_MAX) {
        autofree char *entry = xstrdup(d->d_name);
        char *version;

        if (!split(entry, &version) || !has_metadata(dirfd(dir), d->d_name))
            continue;
        if (s->n == s->cap) {
            s->cap = s->cap ? s->cap * 2 : 64;
            s->items = xrealloc(s->items, s->cap, sizeof(*s->items));
        }
        s->items[s->n] =
            (struct site_package){.key = key_of(entry), .version = xstrdup(version), .own = own, .order = s->n};
        for (char *p = entry; *p; p++)
            if (*p == '_')
                *p = '-';
        s->items[s->n++].name = xstrdup(entry);
    }
    (void)closedir(dir);
}

static int by_key(const void *a, const void *b)
{
    const struct site_package *x = a, *y = b;
    int r = strcmp(x->key, y->key);

    return r ? r : (x->order > y->order) - (x->order < y->order);
}

void site_seal(struct site *s)
{
    size_t n = 0;

    if (!s->n)
        return;
    qsort(s->items, s->n, sizeof(*s->items), by_key);
    for (size_t i = 0; i < s->n; i++) {
        if (n && strcmp(s->items[n - 1].key, s->items[i].key) == 0) {
            free(s->items[i].name);
            free(s->items[i].key);
            free(s->items[i].version);
        } else {
            s->items[n++] = s->items[i];
        }
    }
    s->n = n;
}

static int against_key(const void *key, const void *item)
{
    return strcmp(key, ((const struct site_package *)item)->key);
}

const struct site_package *site_find(const struct site *s, const char *key)
{
    return s->n ? bsearch(key, s->items, s->n, sizeof(*s->items), against_key) : NULL;
}
