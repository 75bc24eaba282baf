/*
 * The package store: one unpacked copy of each wheel, and sets of wheels that sessions mount read-only.
 *
 * A wheel is wheels/<id>/, made in a sandbox by code that is not trusted, then sealed and checked here. A set is
 * sets/<id>/: the union of its wheels by hard links, so it costs directories and no copy, and a wheel may go while sets
 * of it stay. An answer leads from a question to a set. Everything appears by rename(2), when it is complete, and
 * disappears by rename into tmp/: whoever is killed leaves nothing that is half there. Several processes may use one
 * store at once; locks are flock(2), so those of the dead are gone. What the machine's own crash may tear is found by
 * the checks, as any damage, and fetched again.
 *
 * Functions return 0 or a negative errno and fill e where there is one. All of one struct store may be called from
 * several threads at once; one struct store_work or store_set belongs to one thread at a time, but for
 * store_set_check and the functions that only look.
 */
#ifndef CELLBLOCK_STORE_STORE_H
#define CELLBLOCK_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;
struct store;
struct store_set;
struct store_work;

#define STORE_ID_MAX 128               /* bytes of an id, its NUL included */
#define STORE_PATH_BYTES 1024          /* bytes of a path inside of a tree, its NUL included */
#define STORE_INFO_BYTES (1024 * 1024) /* of a set's info, and of an answer's text */

/*
 * dir NULL or "": $XDG_CACHE_HOME/cellblock/store, else ~/.cache/cellblock/store; root without XDG_CACHE_HOME:
 * /var/cache/cellblock/store, because a sandbox may have to reach it with a user id that cannot enter /root. Made when
 * missing, mode 0711, with CACHEDIR.TAG. max_bytes 0: LIMIT_STORE_BYTES. Refused with a text for the person who chose
 * it: somebody else's, writable by others, a symbolic link, other files in it (-EEXIST), of a later format (-EPROTO).
 */
int store_open(const char *dir, uint64_t max_bytes, struct store **ret, struct err *e);
void store_close(struct store *s);              /* NULL is fine; after its sets and works */
const char *store_dir(const struct store *s);   /* absolute */
const char *store_cache(const struct store *s); /* <dir>/cache, 0711: for the installers' own caches; who uses it makes
                                                 * what is below it, while a work is open */

/* ---- answers ---- */

/*
 * 1: *ret_text (the caller frees) and ret_set are filled; whether the set is still there store_set_open tells. 0: there
 * is none that is younger than max_age_ms (negative: of any age), or it cannot be read. The key itself is not kept,
 * only its hash: it may hold credentials.
 */
int store_answer_find(struct store *s, const char *key, int64_t max_age_ms, char **ret_text,
                      char ret_set[STORE_ID_MAX]);
int store_answer_put(struct store *s, const char *key, const char *set_id, const char *text, struct err *e);

/* ---- sets ---- */

/* Locked, so that nobody removes it until store_set_close, and noted as used. -ENOENT: no such set (any more), also one
 * that was discarded. Content is not checked. */
int store_set_open(struct store *s, const char *id, struct store_set **ret, struct err *e);
void store_set_close(struct store_set *set); /* NULL is fine; notes the use once more */
/* Through a socket (unix(7), SCM_RIGHTS): nobody removes it until that has been closed at both ends, whatever becomes
 * of this process. The message need not be read: a lock is its descriptor's, wherever that is. 0 or -errno. */
int store_set_hold(const struct store_set *set, int sock);
const char *store_set_id(const struct store_set *set);
const char *store_set_tree(const struct store_set *set); /* absolute path of its tree */
const char *store_set_info(const struct store_set *set);
size_t store_set_n_wheels(const struct store_set *set);
const char *store_set_wheel(const struct store_set *set, size_t i); /* id, in the order it was made of */

/* Is every file there, of the size and the time that it was published with, and nothing else? Reads no file: a few ms
 * for thousands of files. Thread-safe. -EUCLEAN: damaged, e says where. */
int store_set_check(const struct store_set *set, struct err *e);

/*
 * It was found damaged: nobody can open it from now on, and it goes when the last one who has it closes it (at the next
 * store_collect, if that is another process). So do those of its wheels whose content is not that of their manifests:
 * all of it is hashed, which may take seconds. Takes set.
 */
void store_set_discard(struct store *s, struct store_set *set_take);

/* ---- fetching ---- */

/* A work directory of this process, removed by store_work_end, or by whoever comes next when this process has died. */
int store_work_begin(struct store *s, struct store_work **ret, struct err *e);
const char *store_work_dir(const struct store_work *w); /* absolute; 0711, of this process: files for the sandbox */
/* <dir>/out, 0700, of this process: what the sandbox may write to. Where the sandbox has another user id
 * store_work_give hands it over; not by mode 0777, because others on this machine can see the path of a mount. */
const char *store_work_out(const struct store_work *w);
int store_work_give(struct store_work *w, uid_t user, gid_t group, struct err *e);
void store_work_end(struct store_work *w); /* with all that it holds, whatever modes it has; NULL is fine */

/* Is it in the store? With w it stays there until store_work_end (store_collect leaves it). Not checked. */
bool store_has_wheel(struct store *s, struct store_work *w, const char *id);

/* The absolute path of its tree, whether it is there or not. The caller frees. */
char *store_wheel_tree(const struct store *s, const char *id);

/*
 * Take <out>/<id>/, which has tree/ and manifest, into the store. No process that could write to it may be left. The
 * id: [A-Za-z0-9._-], not starting with a dot. The manifest: a line a file, "<sha256 in hex> <size> <x or -> <path>\n",
 * sorted by the bytes of the path; paths are relative to tree/, UTF-8 without control characters, without empty parts,
 * "." and "..". Regular files with one link and directories only, no set-user-id bits, within LIMIT_WHEEL_FILES and
 * LIMIT_WHEEL_UNPACKED, every file hashed; owner, modes (0444, 0555 with x) and times are set. -EUCLEAN: refused, e
 * says why. A wheel that is there already is fine, and stays as it is. It stays until store_work_end.
 */
int store_publish_wheel(struct store *s, struct store_work *w, const char *id, struct err *e);

/* A file of a set that no wheel brings. path is relative to the tree; a symbolic link to link, if that is not NULL. */
struct store_file {
    const char *path, *content, *link;
};

struct store_set_make {
    const char *const *wheels; /* ids */
    size_t n_wheels;
    const struct store_file *files;
    size_t n_files;
    const char *info; /* at most STORE_INFO_BYTES */
};

/*
 * A new set, opened. Files of make->files win over wheels, wheels over those later in the list: where two have a path
 * with different content, or one a file where another has a directory, one line each, at most 20, goes to overlaps:
 * "path\tid kept\tid dropped\n" ("-" for make->files). Wheels that this work did not publish are hashed. -EUCLEAN:
 * *ret_damaged (the caller frees) is the id of one that was damaged, or not there, and that is not there now: fetch it
 * again. *ret_damaged is NULL after all else. overlaps and ret_damaged may not be NULL.
 */
int store_make_set(struct store *s, struct store_work *w, const struct store_set_make *make, struct store_set **ret,
                   struct buf *overlaps, char **ret_damaged, struct err *e);

/*
 * Sets and wheels without a set, the least recently used first, until the store fits max_bytes; never what is open, or
 * was used less than a minute ago. The installers' caches too, when they take more than a quarter and no work is open.
 * Removes also what the dead left, answers without a set, and what was discarded. 0 even if it does not fit.
 */
int store_collect(struct store *s);

/* ---- for `cellblock store` ---- */

struct store_entry {
    char id[STORE_ID_MAX];
    size_t n_wheels;
    uint64_t bytes;  /* of the set with all its wheels, which it may share with others */
    int64_t used_ms; /* last use: ms since 1970 */
    bool in_use;
    char *info;     /* "" when it cannot be read */
    char *packages; /* "numpy 2.1.0, pandas 2.2.3": by the names of its .dist-info folders */
};

struct store_list {
    struct store_entry *sets; /* the most recently used first */
    size_t n_sets, n_wheels;
    uint64_t bytes, cache_bytes; /* all of the store, the caches included; the caches */
};

int store_list(struct store *s, struct store_list *ret, struct err *e);
void store_list_fini(struct store_list *list);

/* All that is not in use goes, caches included. *ret_bytes: what that freed, about. */
int store_empty(struct store *s, uint64_t *ret_bytes, struct err *e);

struct store_verified {
    size_t wheels, sets, damaged; /* damaged: of both; they are gone, or go when nobody uses them any more */
    uint64_t bytes;               /* that were read */
};

/* Hashes everything. tell (may be NULL) gets a line for each that is damaged. */
int store_verify(struct store *s, void (*tell)(void *data, const char *line), void *data, struct store_verified *ret,
                 struct err *e);

#endif
