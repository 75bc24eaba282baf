/* What the store has: read anew each time, because other processes add and remove. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"

/* False: it went away meanwhile. */
static bool read_item(int at, const char *id, bool is_set, struct item *ret)
{
    autofd int dir = file_open_dir(at, id);

    if (dir == -ENOENT)
        return false;
    *ret = (struct item){.is_set = is_set, .about = ABOUT_INIT};
    (void)snprintf(ret->id, sizeof ret->id, "%s", id);
    ret->used_ms = lock_used_ms(at, id);
    ret->broken = dir < 0 || store_read_about(dir, &ret->about, NULL) < 0;
    ret->bytes = ret->about.bytes;
    return true;
}

static int read_all(struct items *items, int at, bool is_set)
{
    DIR *list = file_list(at);

    if (!list)
        return -errno;
    for (struct dirent *entry; (entry = file_next(list)) != NULL;) {
        if (!text_is_id(entry->d_name, strlen(entry->d_name)))
            continue;
        if (items->n == items->room) {
            items->room = items->room ? items->room * 2 : 64;
            items->list = xrealloc(items->list, items->room, sizeof *items->list);
        }
        items->n += read_item(at, entry->d_name, is_set, &items->list[items->n]);
    }
    (void)closedir(list);
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->id, ((const struct item *)b)->id);
}

struct item *items_wheel(const struct items *items, const char *id)
{
    struct item key;

    (void)snprintf(key.id, sizeof key.id, "%s", id);
    return items->n_wheels ? bsearch(&key, items->list, items->n_wheels, sizeof key, compare_ids) : NULL;
}

/* A wheel counts once, however many sets have it: they share its files. One that is gone counts for each of them. */
static void count(struct items *items)
{
    for (size_t i = 0; i < items->n; i++)
        for (size_t j = 0; j < items->list[i].about.n_wheels; j++) {
            const struct about_wheel *about = &items->list[i].about.wheels[j];
            struct item *wheel = items_wheel(items, about->id);

            if (wheel)
                wheel->refs++;
            else
                items->list[i].bytes += about->bytes;
        }
    for (size_t i = 0; i < items->n; i++)
        items->bytes += items->list[i].bytes;
}

int items_read(struct store *s, struct items *ret, struct err *e)
{
    struct items items = {NULL, 0, 0, 0, 0};
    int r = read_all(&items, s->wheels, false);

    if (items.n)
        qsort(items.list, items.n, sizeof *items.list, compare_ids);
    items.n_wheels = items.n;
    if (r == 0)
        r = read_all(&items, s->sets, true);
    if (r < 0) {
        items_fini(&items);
        return err_set(e, -r, "package store %.300s: %s", s->path, strerrordesc_np(-r));
    }
    count(&items);
    *ret = items;
    return 0;
}

void items_fini(struct items *items)
{
    for (size_t i = 0; i < items->n; i++)
        about_fini(&items->list[i].about);
    free(items->list);
    *items = (struct items){NULL, 0, 0, 0, 0};
}
