/*
 * Inside of src/store. The folder of a store:
 *
 *   format            "cellblock store 1"
 *   CACHEDIR.TAG      for backups: it can all be had again
 *   wheels/<id>/      about, manifest, lock, tree/
 *   sets/<id>/        about (gone once it was discarded), manifest, info, lock, tree/
 *   answers/<hash>    of the key
 *   tmp/<id>/         work directories, with lock and out/, and what is being removed
 *   cache/            of uv and pip
 *   works             the lock that works share and who empties cache/ has alone
 *
 * The time of a lock file is that of the last use of what it lies in.
 */
#ifndef CELLBLOCK_STORE_IMPL_H
#define CELLBLOCK_STORE_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/about.h"
#include "store/manifest.h"
#include "store/store.h"
#include "store/tree.h"

struct err;

#define STORE_LOCK "lock"
#define STORE_RANDOM 20       /* characters of a random id */
#define STORE_RECENT_MS 60000 /* what was used later than that ago is not collected */

struct store {
    char *path, *cache_path;
    uint64_t max_bytes;
    int root, wheels, sets, answers, tmp; /* directories */
};

struct store_set {
    struct store *store;
    char id[STORE_ID_MAX];
    char *tree_path, *info;
    struct about about;
    int dir, lock;
    bool looked_at; /* opened by LOCK_LOOK: that is no use */
};

struct store_work {
    struct store *store;
    char id[STORE_RANDOM + 1];
    char *path, *out_path;
    int dir, out, lock, works;
    struct work_wheel {
        char id[STORE_ID_MAX];
        int lock;
        bool verified; /* hashed by this process, when it published it */
    } * wheels;
    size_t n_wheels;
};

/* ---- lock.c ---- */

enum lock_how { LOCK_USE, LOCK_LOOK, LOCK_REMOVE };

/*
 * The lock of at/id: shared (USE notes the time of the use, LOOK does not), or alone to remove it. Never waits long.
 * -ENOENT: it is not there (any more), -EBUSY: others have it, -EUCLEAN: it is there and has no lock, or -errno.
 */
int lock_take(int at, const char *id, enum lock_how how, int *ret);

int64_t lock_used_ms(int at, const char *id); /* ms since 1970; 0: it has no lock file */
int64_t lock_now_ms(void);                    /* of the same clock */

/* ---- work.c ---- */

/* Keep at/id from everybody by moving it to tmp/, and remove it. The lock, if there is one, is held by the caller. */
int store_drop(struct store *s, int at, const char *id);
void store_sweep(struct store *s); /* tmp/: what the dead left */

/* ---- wheel.c ---- */

/* Locked for the work until its end, once; NULL: it is not there. The pointer is good until the next call. */
struct work_wheel *work_hold(struct store *s, struct store_work *w, const char *id);

/* about and manifest of a wheel or a set in the directory dir. -EUCLEAN: one is damaged. */
int store_read_about(int dir, struct about *ret, struct err *e);
int store_read_manifest(int dir, const struct about *about, bool is_set, struct manifest *ret, struct err *e);

/*
 * A wheel, opened. With how all of it is hashed. -EUCLEAN: damaged, or not there. *ret is filled on success only, and
 * wheel_fini frees it.
 */
struct wheel {
    const char *id;
    struct about about;
    struct manifest manifest;
    int tree;
};

int wheel_open(struct store *s, const char *id, struct tree_verify *how, struct wheel *ret, struct err *e);
void wheel_fini(struct wheel *wheel);

/* ---- set.c ---- */

int store_set_load(struct store *s, const char *id, enum lock_how how, struct store_set **ret, struct err *e);
void store_set_mark(const struct store_set *set); /* nobody opens it from now on, and who closes it last removes it */

/* ---- items.c ---- */

struct item {
    char id[STORE_ID_MAX];
    bool is_set, broken; /* broken: it cannot be read, or was discarded */
    bool gone, kept;     /* while collecting: removed, or found to be in use */
    int64_t used_ms;
    uint64_t bytes; /* its own */
    size_t refs;    /* of a wheel: the sets that have it */
    struct about about;
};

struct items {
    struct item *list; /* wheels, sorted by id, then sets */
    size_t n, n_wheels, room;
    uint64_t bytes; /* of all of them */
};

int items_read(struct store *s, struct items *ret, struct err *e);
void items_fini(struct items *items);
struct item *items_wheel(const struct items *items, const char *id); /* NULL: none */

#endif
