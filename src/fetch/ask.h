/* One question in the server while it is worked on: what ask.c and look.c share. */
#ifndef CELLBLOCK_FETCH_ASK_H
#define CELLBLOCK_FETCH_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "fetch/reply.h"
#include "fetch/fetch.h"
#include "packages/words.h"
#include "store/store.h"

struct child;

struct fetcher {
    uv_loop_t *loop;
    struct store *store;
    uint64_t store_bytes;
    int64_t resolve_ttl_ms;
    bool offline;
    enum fetch_builds builds;
    struct fetch *first; /* the newest */
    size_t n_processes, n_looking;
};

enum fetch_state {
    FETCH_LOOKS, /* a thread has it */
    FETCH_WAITS, /* for one that asks the same, or for its turn */
    FETCH_RUNS,  /* its process runs */
    FETCH_OVER
};

struct fetch {
    struct fetcher *all;
    struct fetch *next;
    void (*progress)(void *data, double seconds, const char *line);
    void (*done)(void *data, struct fetch_outcome *outcome);
    void *data;
    struct words specs, hashes;
    bool of_file;
    char *executable, *version, *prefix, *base_prefix, *sites, *layer;
    int64_t timeout_ms, start_us, told_us;

    enum fetch_state state;
    uv_work_t work;
    uv_timer_t deadline, tick;
    int n_timers;
    struct child *child;
    int file; /* the job, then the result; -1: none */
    int hold; /* holds the set of the result, as long as it is open; -1: none */
    char *line, *last_line;
    bool timed_out, cancelled;

    /* Written by the thread, while it has it. */
    char *key;
    char *uv; /* or NULL: pip */
    bool answered;
    bool fetched;  /* the process has ended well: the set of its answer is to be opened */
    bool cleaning; /* the process was stopped: what it left is to be removed */
    struct reply reply;
    struct store_set *set;
};

/* In a thread, for a fetch in state FETCH_LOOKS: the key, an answer if there is one, its set. */
void fetch_look(struct fetch *f);

#endif
