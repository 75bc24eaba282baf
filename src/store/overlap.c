#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "store/make.h"

#define CACHE "__pycache__/"
#define OWN "-"

/* ---- bytecode ---- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static size_t cache_folder(const char *path)
{
    const char *name = file_name(path);
    size_t size = strlen(CACHE), before = (size_t)(name - path);

    if (before < size || strncmp(name - size, CACHE, size) != 0 || (before > size && name[-(long)size - 1] != '/'))
        return 0;
    return before;
}

bool overlap_is_bytecode(const char *path)
{
    return cache_folder(path) != 0;
}

/* pkg/__pycache__/a.cpython-311.opt-1.pyc is that of pkg/a.py: PEP 3147 and PEP 488. */
bool overlap_has_source(const struct wheel *wheel, const char *path)
{
    size_t folder = cache_folder(path) - strlen(CACHE), size = strlen(file_name(path));
    char source[STORE_PATH_BYTES + 8], *name = source + folder, *dot;
    const struct manifest_file *found;

    memcpy(source, path, folder);
    memcpy(name, file_name(path), size + 1);
    for (int i = 0; i < 3; i++) { /* .pyc, .opt-1, .cpython-311 */
        dot = strrchr(name, '.');
        if (i == 1 && dot && strncmp(dot, ".opt-", 5) != 0)
            continue;
        if (!dot)
            return false;
        *dot = '\0';
    }
    (void)strcat(name, ".py");
    found = manifest_find(&wheel->manifest, source);
    return found && !found->dropped;
}

/* ---- whose it is ---- */

static bool is_below(const char *path, const char *dir)
{
    size_t size = strlen(dir);

    return strncmp(path, dir, size) == 0 && path[size] == '/';
}

static bool clashes(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || is_below(a, b) || is_below(b, a);
}

static const struct manifest_file *find_same(const struct making *m, size_t i, const char *path, const char **ret_id)
{
    for (size_t j = 0; j < i; j++) {
        const struct manifest_file *file = manifest_find(&m->wheels[j].manifest, path);

        if (file && !file->dropped) {
            *ret_id = m->wheels[j].id;
            return file;
        }
    }
    return NULL;
}

/* Not the path itself, but one where this one needs a directory, or below it. Slow, and only for the few told. */
static const char *find_clash(const struct making *m, size_t i, const char *path)
{
    for (size_t j = 0; j < m->make->n_files; j++)
        if (clashes(m->make->files[j].path, path))
            return OWN;
    for (size_t j = 0; j < i; j++)
        for (size_t k = 0; k < m->wheels[j].manifest.n; k++) {
            const struct manifest_file *file = &m->wheels[j].manifest.files[k];

            if (!file->dropped && clashes(file->path, path))
                return m->wheels[j].id;
        }
    return OWN;
}

void overlap_note(struct making *m, size_t i, struct manifest_file *file)
{
    const char *id = NULL;
    const struct manifest_file *kept = find_same(m, i, file->path, &id);

    if (kept && kept->kind == file->kind && memcmp(kept->hash, file->hash, sizeof kept->hash) == 0)
        return;
    if (m->n_overlaps++ < OVERLAPS_TOLD)
        (void)buf_printf(m->overlaps, "%s\t%s\t%s\n", file->path, kept ? id : find_clash(m, i, file->path),
                         m->wheels[i].id);
    file->dropped = true;
}
