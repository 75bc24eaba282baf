/* A store in a temporary directory, and wheels as a sandbox would leave them. */
#ifndef CELLBLOCK_TESTS_STORE_SCRATCH_H
#define CELLBLOCK_TESTS_STORE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"
#include "../unit.h"

/* Of 64 characters as a hash has, and a tag: ID("a"), ID("b"). */
#define ID(letter) letter "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde-cpython-311"

extern char scratch[]; /* the directory; the store is scratch/store */

int scratch_set_up(void **state);
int scratch_tear_down(void **state);

/* A path below scratch. Good for the next seven calls. */
const char *in(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct store *open_store(uint64_t max_bytes);

void write_file(const char *path, const char *text); /* with the directories above it */
void make_dirs(const char *path, bool of_a_file);

struct file {
    const char *path, *text;
    bool executable;
};

/* <out>/<id>/ with tree and manifest. Files in the order of their paths, ended by one without. */
void unpack(const struct store_work *w, const char *id, const struct file *files);
void unpack_manifest(const struct store_work *w, const char *id, const char *text);

/* Unpacked and taken into the store. */
void publish(struct store *s, struct store_work *w, const char *id, const struct file *files);

/* One wheel ID("a") with pkg/__init__.py, pkg/data/x.txt, bin/tool: what most tests need. */
extern const struct file simple[];

/* A set of these wheels (ended by NULL), made in a work of its own. */
struct store_set *make_set(struct store *s, const char *const *wheels);

/* A name of a store's folder becomes old: its last use lies that many seconds back. */
void make_old(const char *what, const char *id, int seconds);

size_t count_entries(const char *path);
void check_text(const char *path, const char *want);
void check_verified(struct store *s, size_t wheels, size_t sets, size_t damaged);

#endif
