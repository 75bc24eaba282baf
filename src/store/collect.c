/* Removing what is not used, least recently used first. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/answer.h"
#include "store/file.h"
#include "store/impl.h"

#define CACHE_SHARE 4 /* the caches may take a quarter */

struct collection {
    struct store *store;
    struct items items;
    uint64_t freed;
    int64_t now_ms;
    bool spare_recent; /* what was used a moment ago */
};

/* ---- sets and wheels ---- */

/* A time far ahead is of a clock that was set back since. */
static bool is_recent(const struct collection *c, int64_t used_ms)
{
    return used_ms > c->now_ms - STORE_RECENT_MS && used_ms < c->now_ms + STORE_RECENT_MS;
}

static void forget(struct collection *c, struct item *item)
{
    item->gone = true;
    c->items.bytes -= item->bytes;
    c->freed += item->bytes;
    for (size_t i = 0; i < item->about.n_wheels; i++) {
        struct item *wheel = items_wheel(&c->items, item->about.wheels[i].id);

        if (wheel && wheel->refs)
            wheel->refs--;
    }
}

static void evict(struct collection *c, struct item *item)
{
    int at = item->is_set ? c->store->sets : c->store->wheels;
    autofd int lock = -1;
    int r = lock_take(at, item->id, LOCK_REMOVE, &lock);

    if (r == 0 && c->spare_recent && !item->broken && is_recent(c, lock_used_ms(at, item->id)))
        r = -EBUSY; /* it was used meanwhile */
    if (r == 0 || r == -EUCLEAN)
        r = store_drop(c->store, at, item->id);
    if (r == 0 || r == -ENOENT)
        forget(c, item);
    else
        item->kept = true;
}

static struct item *find_oldest(const struct collection *c)
{
    struct item *oldest = NULL;

    for (size_t i = 0; i < c->items.n; i++) {
        struct item *item = &c->items.list[i];

        if (item->gone || item->kept || item->refs || (c->spare_recent && is_recent(c, item->used_ms)))
            continue;
        if (!oldest || item->used_ms < oldest->used_ms)
            oldest = item;
    }
    return oldest;
}

static void evict_broken(struct collection *c)
{
    for (size_t i = 0; i < c->items.n; i++)
        if (c->items.list[i].broken)
            evict(c, &c->items.list[i]);
}

/* ---- answers ---- */

static bool is_useless(struct store *s, const char *name)
{
    autofree char *text = NULL;
    struct answer answer;
    size_t size;

    if (file_read(s->answers, name, ANSWER_BYTES, &text, &size) < 0 || answer_parse(text, size, &answer) < 0)
        return true;
    return faccessat(s->sets, answer.set, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

static void clean_answers(struct collection *c)
{
    struct store *s = c->store;
    DIR *list = file_list(s->answers);
    struct stat st;

    for (struct dirent *entry; list && (entry = file_next(list)) != NULL;) {
        const char *name = entry->d_name;

        if (fstatat(s->answers, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        /* A young one with a dot is just being written. */
        if (is_recent(c, (int64_t)st.st_mtim.tv_sec * 1000) && (c->spare_recent || name[0] == '.'))
            continue;
        if (name[0] == '.' || is_useless(s, name))
            (void)unlinkat(s->answers, name, 0);
    }
    if (list)
        (void)closedir(list);
}

/* ---- caches ---- */

static bool cache_empty(struct store *s)
{
    autofd int works = openat(s->root, "works", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    char gone[STORE_RANDOM + 1];
    int r;

    if (works < 0 || flock(works, LOCK_EX | LOCK_NB) < 0)
        return false;
    random_id(gone, STORE_RANDOM);
    r = renameat(s->root, "cache", s->tmp, gone);
    (void)file_mkdir(s->root, "cache", 0711);
    fd_close(&works); /* works may begin again while the old one is removed */
    if (r == 0)
        (void)tree_remove(s->tmp, gone);
    return r == 0;
}

/* What it takes afterwards. One that cannot be measured goes. */
static uint64_t care_for_cache(struct collection *c, uint64_t most)
{
    uint64_t bytes = 0;
    int r = tree_measure(c->store->root, "cache", &bytes);

    if ((r < 0 || bytes > most) && cache_empty(c->store)) {
        c->freed += bytes;
        return 0;
    }
    return bytes;
}

/* ---- all ---- */

static int collect(struct collection *c, uint64_t most, uint64_t most_cache, struct err *e)
{
    uint64_t cache;
    int r = items_read(c->store, &c->items, e);

    if (r < 0)
        return r;
    c->now_ms = lock_now_ms();
    evict_broken(c);
    cache = care_for_cache(c, most_cache);
    while (c->items.bytes + cache > most) {
        struct item *oldest = find_oldest(c);

        if (!oldest)
            break;
        evict(c, oldest);
    }
    clean_answers(c);
    items_fini(&c->items);
    return 0;
}

int store_collect(struct store *s)
{
    struct collection c = {.store = s, .spare_recent = true};

    store_sweep(s);
    return collect(&c, s->max_bytes, s->max_bytes / CACHE_SHARE, NULL);
}

int store_empty(struct store *s, uint64_t *ret_bytes, struct err *e)
{
    struct collection c = {.store = s};
    int r;

    store_sweep(s);
    r = collect(&c, 0, 0, e);
    if (r == 0)
        *ret_bytes = c.freed;
    return r;
}
