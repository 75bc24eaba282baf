/*
 * What the program in the fetch sandbox writes: which wheels, what became of each. It may be anything, because what
 * runs there reads what strangers wrote; so all of it is checked and bounded here.
 */
#ifndef CELLBLOCK_FETCH_LOCK_H
#define CELLBLOCK_FETCH_LOCK_H

#include <stddef.h>

struct err;

#define LOCK_WHEELS_MAX 1000
#define LOCK_FILE_MAX (2 * 1024 * 1024)

/* One package. */
struct wheel {
    char *key; /* its name, normalised */
    char *version;
    char *id;   /* in the store; NULL: not known before it was fetched */
    char *line; /* of the lock, without the newline; NULL: it is in the store */
};

struct wheels {
    struct wheel *items;
    size_t n;
};

#define autowheels __attribute__((cleanup(wheels_fini)))

void wheels_fini(struct wheels *w);
struct wheel *wheels_find(const struct wheels *w, const char *key); /* or NULL */

/* One of that name takes the place of an earlier one. All strings are copied, id and line may be NULL. */
void wheels_put(struct wheels *w, const char *key, const char *version, const char *id, const char *line);
void wheels_drop(struct wheels *w, const char *key);

/* Is it a file's name in the store? [0-9a-f]{64}-cache tag. */
int wheel_id_check(const char *id, const char *cache_tag);

struct lock_failure {
    char *key, *kind, *reason;
};

/* The last LOCK_FILE_MAX bytes of a file that may be a trap of any kind; NULL: there is none. The caller frees. */
char *lock_read_file(int at, const char *name);

/* `lock`: 0, or -EBADMSG and e. cache_tag: to tell ids. */
int lock_parse(const char *text, const char *cache_tag, struct wheels *ret, struct err *e);

/* `done`: the ids of wheels that were unpacked. Those that are not in wheels are left out. */
void lock_parse_done(const char *text, const char *cache_tag, struct wheels *wheels);

/* `failed`: up to max; the caller frees the strings. */
size_t lock_parse_failed(const char *text, struct lock_failure *ret, size_t max);

#endif
