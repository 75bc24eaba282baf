#include "store/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/text.h"

#define BLOCK_BYTES 4096

static bool parse_line(char *line, size_t size, bool links, struct manifest_file *ret)
{
    struct cursor c = {line, line + size};
    const char *kind, *hash;

    if (!text_take_bytes(&c, SHA256_HEX - 1, &hash) || !sha256_parse(hash, SHA256_HEX - 1, ret->hash) ||
        !text_take(&c, " ") || !text_take_number(&c, &ret->size) || ret->size > INT64_MAX || !text_take(&c, " ") ||
        !text_take_bytes(&c, 1, &kind) || !text_take(&c, " ") || !text_is_path(c.at, (size_t)(c.end - c.at)))
        return false;
    ret->kind = *kind;
    ret->path = c.at;
    line[size] = '\0';
    return *kind == 'x' || *kind == '-' || (links && *kind == 'l');
}

static size_t count_lines(const char *text, size_t size)
{
    size_t n = 0;

    for (const char *at = text; (at = memchr(at, '\n', size - (size_t)(at - text))) != NULL; at++)
        n++;
    return n;
}

int manifest_parse(char *text_take, size_t size, bool links, size_t most, struct manifest *ret, struct err *e)
{
    struct cursor c = {text_take, text_take + size};
    struct manifest m = {.text = text_take};
    size_t lines = count_lines(text_take, size), length;
    const char *line;
    int r = 0;

    *ret = (struct manifest)MANIFEST_INIT;
    if (lines > most)
        r = err_set(e, EUCLEAN, "%zu files, at most %zu are taken", lines, most);
    else
        m.files = xnew_n(struct manifest_file, lines + 1);
    while (r == 0 && c.at < c.end) {
        struct manifest_file *file = &m.files[m.n];

        if (!text_take_line(&c, &line, &length) || !parse_line(text_take + (line - text_take), length, links, file))
            r = err_set(e, EUCLEAN, "line %zu of its manifest is not one", m.n + 1);
        else if (m.n && strcmp(file[-1].path, file->path) >= 0)
            r = err_set(e, EUCLEAN, "line %zu of its manifest is not in order", m.n + 1);
        m.n++;
    }
    if (r < 0) {
        free(m.files);
        free(m.text);
        return r;
    }
    *ret = m;
    return 0;
}

void manifest_fini(struct manifest *m)
{
    free(m->files);
    free(m->text);
    *m = (struct manifest)MANIFEST_INIT;
}

static int compare(const void *key, const void *file)
{
    return strcmp(key, ((const struct manifest_file *)file)->path);
}

struct manifest_file *manifest_find(const struct manifest *m, const char *path)
{
    return m->n ? bsearch(path, m->files, m->n, sizeof *m->files, compare) : NULL;
}

void manifest_add_line(struct buf *out, const struct manifest_file *file)
{
    char hex[SHA256_HEX];

    sha256_hex(file->hash, hex);
    (void)buf_printf(out, "%s %" PRIu64 " %c %s\n", hex, file->size, file->kind, file->path);
}

size_t manifest_shared(const char *before, const char *path)
{
    size_t shared = 0;

    for (size_t i = 0; before && before[i] && before[i] == path[i]; i++)
        if (path[i] == '/')
            shared = i + 1;
    return shared;
}

size_t manifest_directories(const struct manifest *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        const char *path = m->files[i].path;

        for (path += manifest_shared(i ? m->files[i - 1].path : NULL, path); (path = strchr(path, '/')); path++)
            n++;
    }
    return n;
}

uint64_t manifest_disk_bytes(const struct manifest *m)
{
    uint64_t blocks = manifest_directories(m);

    for (size_t i = 0; i < m->n; i++)
        blocks += (m->files[i].size + BLOCK_BYTES - 1) / BLOCK_BYTES;
    return blocks * BLOCK_BYTES;
}
