#include "session/changes.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "session/session.h"

#define ENTRIES_MAX 20000
#define DEPTH_MAX 32
#define FOUND_MAX 4096

struct found {
    struct exec_file file;
    struct timespec changed;
    uint64_t key; /* of path and time of change */
};

struct search {
    const struct changes *changes;
    struct found *found;
    size_t n, cap, more, entries;
};

/* The clock of file systems. */
void changes_begin(struct changes *c)
{
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &c->since);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static bool is_skipped(const char *name)
{
    return name[0] == '.' || strcmp(name, "__pycache__") == 0 || strcmp(name, "node_modules") == 0;
}

/* FNV-1a. Two that collide within one tick cost a line of text. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t key_of(const char *prefix, const char *name, const struct timespec *changed)
{
    uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), prefix, strlen(prefix));

    return mix(mix(hash, name, strlen(name)), changed, sizeof *changed);
}

static bool was_told(const struct changes *c, uint64_t key)
{
    for (size_t i = 0; i < c->n_told && i < CHANGES_TOLD_MAX; i++)
        if (c->told[i] == key)
            return true;
    return false;
}

static void add(struct search *search, const char *prefix, const char *name, const struct statx *st)
{
    struct timespec changed = {st->stx_ctime.tv_sec, st->stx_ctime.tv_nsec};
    uint64_t key = key_of(prefix, name, &changed);
    struct found *f;

    if (was_told(search->changes, key))
        return;
    if (search->n == FOUND_MAX) {
        search->more++;
        return;
    }
    if (search->n == search->cap) {
        search->cap = search->cap ? 2 * search->cap : 16;
        search->found = xrealloc(search->found, search->cap, sizeof *search->found);
    }
    f = &search->found[search->n++];
    *f = (struct found){
        .file = {.path = xasprintf("%s%s", prefix, name), .size = (int64_t)st->stx_size},
        .changed = changed,
        .key = key,
    };
    if (st->stx_mask & STATX_BTIME) {
        struct timespec born = {st->stx_btime.tv_sec, st->stx_btime.tv_nsec};

        f->file.is_new = !is_before(&born, &search->changes->since);
    }
}

static void look_into(struct search *search, int dir_take, const char *prefix, unsigned depth);

static void look_at(struct search *search, int dir, const char *prefix, const struct dirent *entry, unsigned depth)
{
    struct timespec changed;
    struct statx st;

    if (entry->d_type == DT_DIR && !is_skipped(entry->d_name) && depth < DEPTH_MAX) {
        autofree char *deeper = xasprintf("%s%s/", prefix, entry->d_name);
        int fd = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0)
            look_into(search, fd, deeper, depth + 1);
        return;
    }
    if (entry->d_type != DT_REG ||
        statx(dir, entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
        return;
    changed = (struct timespec){st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec};
    if (S_ISREG(st.stx_mode) && !is_before(&changed, &search->changes->since))
        add(search, prefix, entry->d_name, &st);
}

static void look_into(struct search *search, int dir_take, const char *prefix, unsigned depth)
{
    DIR *dir = fdopendir(dir_take);
    struct dirent *entry;

    if (!dir) {
        fd_close(&dir_take);
        return;
    }
    while (search->entries < ENTRIES_MAX && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        search->entries++;
        look_at(search, dirfd(dir), prefix, entry, depth);
    }
    (void)closedir(dir);
}

static int by_change(const void *left, const void *right)
{
    const struct found *a = left, *b = right;

    return is_before(&a->changed, &b->changed)   ? -1
           : is_before(&b->changed, &a->changed) ? 1
                                                 : strcmp(a->file.path, b->file.path);
}

void changes_end(struct changes *c, int dir, size_t max, struct exec_file **ret, size_t *ret_n, size_t *ret_more)
{
    struct search search = {.changes = c};
    int fd = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *ret = NULL;
    *ret_n = *ret_more = 0;
    if (fd < 0)
        return;
    look_into(&search, fd, "", 0);
    if (search.n)
        qsort(search.found, search.n, sizeof *search.found, by_change);
    for (size_t i = 0; i < search.n; i++)
        c->told[c->n_told++ % CHANGES_TOLD_MAX] = search.found[i].key;
    for (size_t i = 0; i < search.n; i++) {
        if (i < max) {
            if (!*ret)
                *ret = xnew_n(struct exec_file, search.n < max ? search.n : max);
            (*ret)[(*ret_n)++] = search.found[i].file;
        } else {
            free(search.found[i].file.path);
            search.more++;
        }
    }
    *ret_more = search.more;
    free(search.found);
}
