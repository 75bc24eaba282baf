/*
 * Packages for isolated sessions: what is asked for is looked up in the package store; what is not there is resolved
 * and downloaded by a process of its own, in a sandbox that has the network and nothing of a session or of the
 * workspace. The server itself never unpacks, imports or runs anything of a package.
 *
 *     server (ask.c)         the question as a key; an answer of the store, if it has a fresh one; else the process
 *     process (process.c)    this program again: sandbox, uv or pip in it, then publishing into the store
 *     sandbox (py/)          resolving; another sandbox: downloading, checking, unpacking; others: building
 */
#ifndef CELLBLOCK_FETCH_FETCH_H
#define CELLBLOCK_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "packages/outcome.h"

struct err;
struct fetch;
struct fetcher;
struct store;
struct store_set;

#define FETCH_ARGV0 "cellblock-fetch"

/* In main, after builder_hook: in the process that fetches it does not return. */
void fetch_hook(int argc, char **argv);

/* May packages be built that have no wheel? Their code runs in a sandbox of its own, without network or with it. */
enum fetch_builds { BUILDS_NONE, BUILDS_OFFLINE, BUILDS_NETWORK };

struct fetch_settings {
    const char *store_dir;  /* as store_open takes it */
    uint64_t store_bytes;   /* likewise */
    int64_t resolve_ttl_ms; /* how long an answer is given again without asking the index; 0: never */
    bool offline;           /* answers of any age, and no network otherwise */
    enum fetch_builds builds;
};

/* The interpreter that sessions run on. Strings outlive fetch_start only where it says so: they are copied. */
struct fetch_base {
    const char *executable;
    const char *version; /* 3.11.2 */
    const char *prefix, *base_prefix;
    const char *sites; /* its directories with packages, in the order of sys.path, with ':' between; may be empty */
};

struct fetch_request {
    const struct fetch_base *base;
    const char *const *specs;
    size_t n_specs;
    const char *const *hashes; /* "name sha256": none but these files for that name, and no name without. None: any */
    size_t n_hashes;
    bool of_file;       /* up to WANTED_MAX specs; those whose condition does not hold are left out */
    const char *layer;  /* id of the set that the session has; NULL: none */
    int64_t timeout_ms; /* 0: LIMIT_INSTALL_MS */
};

struct fetch_outcome {
    struct install_outcome install; /* valid during done; no notes but those of packages that overlap */
    /* What the session has to have from now on: all of its old layer that still counts, and the new. Opened and
     * checked; taken over by done. NULL: nothing is different. */
    struct store_set *set;
};

/* Opens the store. -errno and e, for the person who set it up. The loop's threads do what takes long. */
int fetcher_new(uv_loop_t *loop, const struct fetch_settings *settings, struct fetcher **ret, struct err *e);

/* When no fetch is running any more (every done was called). NULL is fine. */
void fetcher_free(struct fetcher *f);

/* Its store: to open and to close sets. */
struct store *fetcher_store(const struct fetcher *f);

/*
 * Refused specifiers: a negative errno and e, and nothing runs. Else done follows, once, never from within; ret is gone
 * after it. progress as in struct install_ops, may be NULL. Several that ask the same thing are one fetch.
 */
int fetch_start(struct fetcher *f, const struct fetch_request *request,
                void (*progress)(void *data, double seconds, const char *line),
                void (*done)(void *data, struct fetch_outcome *outcome), void *data, struct fetch **ret, struct err *e);

/* done follows soon, with cancelled set. Safe to call again. */
void fetch_cancel(struct fetch *fetch);

#endif
