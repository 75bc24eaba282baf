/* For `cellblock store`: what there is, and whether it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/file.h"
#include "store/impl.h"

/* ---- list ---- */

static bool is_in_use(int at, const char *id)
{
    autofd int lock = -1;

    return lock_take(at, id, LOCK_REMOVE, &lock) == -EBUSY;
}

static char *read_info(struct store *s, const char *id)
{
    autofd int dir = file_open_dir(s->sets, id);
    char *info;
    size_t size;

    return dir >= 0 && file_read(dir, "info", STORE_INFO_BYTES, &info, &size) == 0 ? info : xstrdup("");
}

/* A wheel as a file: it was built here, and is kept to be installed (fetch/built.c). */
static bool add_file(struct buf *out, const char *path)
{
    const char *dash = strchr(path, '-'), *version = dash ? dash + 1 : NULL;
    size_t size = strlen(path);

    if (!version || strchr(path, '/') || size < 4 || strcmp(path + size - 4, ".whl") != 0)
        return false;
    (void)buf_printf(out, "%s%.*s %.*s (built)", out->len ? ", " : "", (int)(dash - path), path,
                     (int)strcspn(version, "-"), version);
    return true;
}

/* "pandas-2.2.3" of lib/python3.11/site-packages/pandas-2.2.3.dist-info/METADATA, as "pandas 2.2.3". */
static void add_package(struct buf *out, const char *path)
{
    static const char ending[] = ".dist-info/METADATA";
    size_t size = strlen(path), tail = sizeof ending - 1;
    const char *name, *dash;

    if (add_file(out, path) || size <= tail || strcmp(path + size - tail, ending) != 0)
        return;
    size -= tail;
    for (name = path + size; name > path && name[-1] != '/'; name--)
        ;
    size -= (size_t)(name - path);
    dash = memchr(name, '-', size);
    if (dash)
        (void)buf_printf(out, "%s%.*s %.*s", out->len ? ", " : "", (int)(dash - name), name,
                         (int)(size - (size_t)(dash - name) - 1), dash + 1);
}

static char *read_packages(struct store *s, const struct item *item)
{
    autofd int dir = file_open_dir(s->sets, item->id);
    struct manifest m = MANIFEST_INIT;
    autobuf struct buf out = BUF_INIT;

    if (dir >= 0 && store_read_manifest(dir, &item->about, true, &m, NULL) == 0)
        for (size_t i = 0; i < m.n; i++)
            add_package(&out, m.files[i].path);
    manifest_fini(&m);
    return buf_steal(&out, NULL);
}

static void describe(struct store *s, const struct items *items, const struct item *item, struct store_entry *ret)
{
    memcpy(ret->id, item->id, sizeof ret->id);
    ret->n_wheels = item->about.n_wheels;
    ret->bytes = item->bytes; /* with the wheels that are gone */
    for (size_t i = 0; i < item->about.n_wheels; i++)
        if (items_wheel(items, item->about.wheels[i].id))
            ret->bytes += item->about.wheels[i].bytes;
    ret->used_ms = item->used_ms;
    ret->in_use = is_in_use(s->sets, item->id);
    ret->info = read_info(s, item->id);
    ret->packages = read_packages(s, item);
}

static int compare_use(const void *a, const void *b)
{
    int64_t x = ((const struct store_entry *)a)->used_ms, y = ((const struct store_entry *)b)->used_ms;

    return x > y ? -1 : x < y;
}

int store_list(struct store *s, struct store_list *ret, struct err *e)
{
    struct store_list list = {.sets = NULL};
    struct items items;
    int r = items_read(s, &items, e);

    if (r < 0)
        return r;
    list.sets = xnew_n(struct store_entry, items.n + 1);
    for (size_t i = 0; i < items.n; i++) {
        if (items.list[i].is_set && !items.list[i].broken)
            describe(s, &items, &items.list[i], &list.sets[list.n_sets++]);
        else if (!items.list[i].is_set)
            list.n_wheels++;
    }
    qsort(list.sets, list.n_sets, sizeof *list.sets, compare_use);
    (void)tree_measure(s->root, "cache", &list.cache_bytes);
    list.bytes = items.bytes + list.cache_bytes;
    items_fini(&items);
    *ret = list;
    return 0;
}

void store_list_fini(struct store_list *list)
{
    for (size_t i = 0; i < list->n_sets; i++) {
        free(list->sets[i].info);
        free(list->sets[i].packages);
    }
    free(list->sets);
    *list = (struct store_list){.sets = NULL};
}

/* ---- verify ---- */

struct verifying {
    struct store *store;
    void (*tell)(void *data, const char *line);
    void *data;
    struct store_verified sum;
    struct tree_known known;
};

static void tell(struct verifying *v, const struct item *item, const char *why)
{
    autofree char *line = xasprintf("%s %s: %s", item->is_set ? "set" : "wheel", item->id, why);

    v->sum.damaged++;
    if (v->tell)
        v->tell(v->data, line);
}

static int verify_wheel(struct verifying *v, const struct item *item, struct err *e)
{
    struct tree_verify how = {.learn = &v->known};
    struct wheel wheel;
    struct err why = ERR_INIT;
    autofd int lock = -1;
    int r = lock_take(v->store->wheels, item->id, LOCK_LOOK, &lock);

    if (r == -ENOENT || r == -EBUSY)
        return 0; /* somebody removes it, or has */
    r = wheel_open(v->store, item->id, &how, &wheel, &why);
    v->sum.bytes += how.bytes;
    v->sum.wheels++;
    if (r == 0)
        wheel_fini(&wheel);
    else if (r == -EUCLEAN)
        (void)store_drop(v->store, v->store->wheels, item->id);
    else
        return err_set(e, -r, "%s", why.text);
    if (r < 0)
        tell(v, item, why.text);
    return 0;
}

static int verify_tree(struct verifying *v, const struct store_set *set, struct err *e)
{
    struct tree_verify how = {.known = &v->known};
    struct manifest m = MANIFEST_INIT;
    autofd int tree = -1;
    int r = store_set_check(set, e);

    if (r == 0)
        r = store_read_manifest(set->dir, &set->about, true, &m, e);
    if (r < 0)
        return r;
    tree = file_open_dir(set->dir, "tree");
    r = tree < 0 ? err_set(e, EUCLEAN, "its tree cannot be opened") : tree_verify(tree, &m, &how, e);
    v->sum.bytes += how.bytes;
    manifest_fini(&m);
    return r;
}

static int verify_set(struct verifying *v, const struct item *item, struct err *e)
{
    struct store_set *set;
    struct err why = ERR_INIT;
    int r = store_set_load(v->store, item->id, LOCK_LOOK, &set, &why);

    if (r < 0 && faccessat(v->store->sets, item->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    v->sum.sets++;
    if (r < 0) {
        tell(v, item, "it cannot be read, or was found damaged before");
        return 0;
    }
    r = verify_tree(v, set, &why);
    if (r == -EUCLEAN || r == -ENOENT) {
        tell(v, item, why.text);
        store_set_mark(set);
    }
    store_set_close(set);
    return r < 0 && r != -EUCLEAN && r != -ENOENT ? err_set(e, -r, "%s", why.text) : 0;
}

int store_verify(struct store *s, void (*tell_line)(void *data, const char *line), void *data,
                 struct store_verified *ret, struct err *e)
{
    struct verifying v = {.store = s, .tell = tell_line, .data = data};
    struct items items = {.list = NULL};
    int r = items_read(s, &items, e);

    for (size_t i = 0; r == 0 && i < items.n; i++) {
        if (i == items.n_wheels)
            tree_known_sort(&v.known);
        if (!items.list[i].is_set)
            r = verify_wheel(&v, &items.list[i], e);
        else
            r = verify_set(&v, &items.list[i], e);
    }
    items_fini(&items);
    tree_known_fini(&v.known);
    if (v.sum.damaged)
        (void)store_collect(s); /* which removes what cannot be read */
    if (r == 0)
        *ret = v.sum;
    return r;
}
