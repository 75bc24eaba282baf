/*
 * Getting the wheels that were chosen into the store. What is there already is not fetched. One that cannot be had
 * takes those requirements with it that need it; the others get theirs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fetch/process.h"
#include "packages/blame.h"
#include "packages/explain.h"
#include "store/store.h"

#define ROUNDS_MAX 5

static const struct {
    const char *name;
    enum explain_kind kind;
} kinds[] = {
    {"hash", EXPLAIN_HASH},       {"bad-file", EXPLAIN_BAD_FILE}, {"too-large", EXPLAIN_TOO_LARGE},
    {"network", EXPLAIN_NETWORK}, {"refused", EXPLAIN_REFUSED},   {"index", EXPLAIN_INDEX},
    {"tls", EXPLAIN_TLS},         {"disk", EXPLAIN_DISK},         {"timeout", EXPLAIN_NETWORK},
};

void gather_understand(const struct lock_failure *f, struct explain *ret)
{
    enum explain_kind kind = EXPLAIN_UNKNOWN;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(f->kind, kinds[i].name) == 0)
            kind = kinds[i].kind;
    if (kind == EXPLAIN_HASH && strstr(f->reason, "RECORD")) /* it is what the index announces, and wrong in itself */
        kind = EXPLAIN_BAD_FILE;
    explain_of_kind(kind, f->key, f->reason, ret);
}

/* ---- who is to blame ---- */

/* Does what it needs, resolved by itself, contain the package? */
static bool needs(struct process *p, const struct request *q, const char *key)
{
    autowheels struct wheels got = {NULL, 0};
    const char *spec = build_spec(q);
    struct explain why;
    int r = resolve_specs(p, &spec, 1, PINS_ALL, &got, &why);

    if (r == -ENOENT) {
        explain_fini(&why);
        r = resolve_specs(p, &spec, 1, PINS_NONE, &got, &why);
    }
    explain_fini(&why);
    return r == 0 && wheels_find(&got, key);
}

static size_t count_open(const struct process *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += !p->there[i] && p->requests[i].state == REQUEST_DONE;
    return n;
}

/* A wheel of this name cannot be had. Requirements are in state DONE here, as far as resolving goes. */
static void lose(struct process *p, const char *key, const struct explain *why)
{
    size_t n_open = count_open(p);

    for (size_t i = 0; i < p->n && !p->error; i++) {
        struct request *q = &p->requests[i];

        if (p->there[i] || q->state != REQUEST_DONE)
            continue;
        if (strcmp(q->key, key) == 0 || n_open == 1 || needs(p, q, key))
            blame_request(q, why);
    }
}

/* What is left for those that have not failed: resolved again, which the caches make quick. */
static void choose_again(struct process *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (!p->there[i] && p->requests[i].state == REQUEST_DONE)
            p->requests[i].state = REQUEST_WAITING;
    wheels_fini(&p->found);
    resolve_all(p);
}

/* ---- fetching ---- */

/* Has the file one of the hashes that were given for its name? ret_named: there are some. */
static bool may_be_used(const struct process *p, const struct wheel *w, bool *ret_named)
{
    size_t size = strlen(w->key);

    *ret_named = false;
    for (size_t i = 0; i < p->hashes.n; i++) {
        const char *hash = p->hashes.items[i];

        if (strncmp(hash, w->key, size) != 0 || hash[size] != ' ')
            continue;
        *ret_named = true;
        if (!w->id || strncmp(w->id, hash + size + 1, strlen(hash + size + 1)) == 0)
            return true; /* one that the index has no hash of is looked at when it is there */
    }
    return false;
}

/* Where files are named by their hashes, nothing else is fetched: p->error, with all that is wrong. */
static void check_hashes(struct process *p)
{
    autobuf struct buf others = BUF_INIT, unnamed = BUF_INIT;
    bool named;

    for (size_t i = 0; p->hashes.n && i < p->found.n; i++) {
        const struct wheel *w = &p->found.items[i];
        bool good = may_be_used(p, w, &named);
        struct buf *list = named ? &others : &unnamed;

        if (!good)
            (void)buf_printf(list, "%s%s %s", list->len ? ", " : "", w->key, w->version);
    }
    if (unnamed.len)
        process_fail(p, "where one requirement has a --hash, all need one; these are needed and have none: %s",
                     buf_str(&unnamed));
    else if (others.len)
        process_fail(p, "no file that fits here has a --hash that was given for %s", buf_str(&others));
}

static size_t list_missing(struct process *p, struct buf *job)
{
    size_t n = 0;

    for (size_t i = 0; i < p->found.n; i++) {
        const struct wheel *w = &p->found.items[i];

        if (!w->line || (w->id && store_has_wheel(p->store, p->work, w->id)))
            continue;
        (void)buf_printf(job, "wheel %s\n", w->line);
        n++;
    }
    return n;
}

/* Into the store with what is complete, as long as nothing else runs that could write there. */
static void publish(struct process *p, struct explain *failed)
{
    for (size_t i = 0; i < p->found.n && !p->error; i++) {
        struct wheel *w = &p->found.items[i];
        struct err e = ERR_INIT;
        int r;

        if (failed[i].reason || (w->id && store_has_wheel(p->store, p->work, w->id)))
            continue;
        r = w->id ? store_publish_wheel(p->store, p->work, w->id, &e)
                  : err_set(&e, EUCLEAN, "it was not unpacked, and nothing says why");
        if (r == -EUCLEAN)
            explain_of_kind(EXPLAIN_BAD_FILE, w->key, e.text, &failed[i]);
        else if (r < 0)
            process_fail(p, "cannot put %s into the package store: %s", w->key, e.text);
    }
}

/* What the sandbox says of wheels that it could not get. */
static void read_failures(struct process *p, const char *said, struct explain *failed)
{
    autofree struct lock_failure *failures = xnew_n(struct lock_failure, LOCK_WHEELS_MAX);
    size_t n = lock_parse_failed(said, failures, LOCK_WHEELS_MAX);

    for (size_t i = 0; i < n; i++) {
        struct wheel *w = wheels_find(&p->found, failures[i].key);

        if (w && !failed[w - p->found.items].reason)
            gather_understand(&failures[i], &failed[w - p->found.items]);
        free(failures[i].key);
        free(failures[i].kind);
        free(failures[i].reason);
    }
}

/* failed: by the index in found. True: there are some. */
static bool blame_failed(struct process *p, struct explain *failed, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n && !p->error; i++) {
        if (!failed[i].reason)
            continue;
        any = true;
        if (explain_is_global(failed[i].kind))
            process_fail(p, "%s: %s", failed[i].package, failed[i].reason);
        else
            lose(p, failed[i].package, &failed[i]);
    }
    for (size_t i = 0; i < n; i++)
        explain_fini(&failed[i]);
    return any;
}

/* Wheels may be in directories of this machine: those that settings name, and no other. */
void gather_add_folders(const struct process *p, struct buf *job)
{
    struct stat st;

    for (size_t i = 0; i < p->settings.shown.n; i++)
        if (stat(p->settings.shown.items[i], &st) == 0 && S_ISDIR(st.st_mode))
            (void)buf_printf(job, "wheel-dir %s\n", p->settings.shown.items[i]);
}

/* One call for all of it. True: something could not be had. */
static bool fetch_missing(struct process *p, const char *wheels)
{
    autobuf struct buf job = BUF_INIT, output = BUF_INIT;
    autofree struct explain *failed = xnew_n(struct explain, p->found.n + 1);
    autofree char *done = NULL, *said = NULL;
    struct err e = ERR_INIT;
    int status = 0;

    (void)buf_printf(&job, "cache-tag %s\nlib %s\nmax-wheel-bytes %llu\nmax-unpacked-bytes %llu\nmax-files %llu\n%s",
                     p->cache_tag, p->lib, (unsigned long long)LIMIT_WHEEL_BYTES,
                     (unsigned long long)LIMIT_WHEEL_UNPACKED, (unsigned long long)LIMIT_WHEEL_FILES, wheels);
    gather_add_folders(p, &job);
    process_add_hashes(p, &job);
    if (tool_run(p, "unpack", buf_str(&job), &output, &status, &e) < 0 || status < 0) {
        process_fail(p, "%s", e.text);
        return true;
    }
    done = tool_file(p, "done");
    said = tool_file(p, "failed");
    if (!done && !said) {
        autofree char *tail = explain_tail(buf_str(&output), output.len, 5);

        process_fail(p, "fetching packages failed%s%s", *tail ? ":\n" : "", tail);
        return true;
    }
    lock_parse_done(done ? done : "", p->cache_tag, &p->found);
    read_failures(p, said ? said : "", failed);
    publish(p, failed);
    return blame_failed(p, failed, p->found.n);
}

void gather_all(struct process *p)
{
    for (int round = 0; !p->error; round++) {
        autobuf struct buf wheels = BUF_INIT;

        check_hashes(p);
        if (p->error || list_missing(p, &wheels) == 0)
            return;
        if (round == ROUNDS_MAX)
            process_fail(p, "packages fail again and again, in other ways each time");
        else if (fetch_missing(p, buf_str(&wheels)) && !p->error)
            choose_again(p);
    }
}
