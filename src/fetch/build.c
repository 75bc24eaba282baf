#include "fetch/build.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "fetch/process.h"
#include "packages/blame.h"
#include "packages/explain.h"
#include "packages/requirement.h"
#include "packages/suspects.h"
#include "packages/words.h"
#include "store/store.h"

static void free_built(struct built *b)
{
    free(b->name);
    free(b->version);
    free(b->filename);
    free(b->reason);
    free(b->source);
    store_set_close(b->set);
}

void builds_close(struct builds *b)
{
    for (size_t i = 0; i < b->n; i++)
        free_built(&b->items[i]);
    b->n = 0;
}

/* ---- whether ---- */

static size_t count(const struct builds *b, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        n += strcmp(b->items[i].name, name) == 0;
    return n;
}

static bool has(const struct builds *b, const struct built *one)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].set && strcmp(b->items[i].name, one->name) == 0 &&
            strcmp(b->items[i].version, one->version) == 0)
            return true;
    return false;
}

static int refuse(const char *name, const char *reason, struct explain *why)
{
    explain_of_kind(EXPLAIN_NOT_BUILT, name, reason, why);
    return -EBADMSG;
}

static int check_bounds(struct process *p, const char *name, struct explain *why)
{
    const struct builds *b = p->builds;

    for (size_t i = 0; i < b->depth; i++)
        if (strcmp(b->under_way[i], name) == 0)
            return refuse(name, "it is needed to build itself", why);
    if (b->depth == BUILDS_DEPTH)
        return refuse(name, "too much has to be built to build it", why);
    if (b->n == BUILDS_MAX)
        return refuse(name, "too many packages have to be built", why);
    return 0;
}

/* ---- one ---- */

/* Why the same source was not built a moment ago; NULL: nothing like that is known. */
static const char *failed_before(const struct builds *b, const char *sha256)
{
    for (size_t i = 0; i < b->n; i++)
        if (!b->items[i].set && strcmp(b->items[i].source, sha256) == 0)
            return b->items[i].reason;
    return NULL;
}

static void note_failure(struct builds *b, const struct source *s, const struct explain *why)
{
    if (b->n < BUILDS_MAX)
        b->items[b->n++] = (struct built){
            .name = xstrdup(s->name),
            .version = xstrdup(s->version),
            .reason = xstrdup(why->reason),
            .source = xstrdup(s->sha256),
        };
}

static int build_new(struct process *p, const struct source *s, struct built *ret, struct explain *why)
{
    struct builds *b = p->builds;
    autofree char *wheel = NULL;
    struct err e = ERR_INIT;
    int r;

    b->under_way[b->depth++] = s->name;
    r = backend_build(p, s, &wheel, why);
    b->depth--;
    if (r == 0 && built_keep(p, s, wheel, ret, &e) < 0) {
        process_fail(p, "cannot put what was built of %s into the package store: %s", s->name, e.text);
        r = -EIO;
    }
    if (r < 0 && !p->error)
        note_failure(b, s, why);
    return r;
}

static int add_built(struct process *p, const struct source *s, struct explain *why)
{
    struct builds *b = p->builds;
    const char *reason = failed_before(b, s->sha256);
    struct built made;
    int r;

    if (reason) {
        memset(why, 0, sizeof *why);
        why->kind = EXPLAIN_BUILD;
        (void)snprintf(why->package, sizeof why->package, "%s", s->name);
        why->reason = xstrdup(reason);
        why->section = xstrdup("");
        return -EBADMSG;
    }
    if (!built_find(p, s->sha256, &made)) {
        r = build_new(p, s, &made, why);
        if (r < 0)
            return r;
    }
    if (has(b, &made) || b->n == BUILDS_MAX) {
        free_built(&made);
        return refuse(s->name, "what was built of it is of no use to what asks for it", why);
    }
    b->items[b->n++] = made;
    return 0;
}

/* Which of the specs, by itself, asks for the package; NULL: none. */
static const char *spec_of(const char *const *specs, size_t n, const char *name)
{
    struct requirement parsed;

    for (size_t i = 0; i < n; i++)
        if (requirement_parse(specs[i], &parsed, NULL) == 0 && strcmp(parsed.name, name) == 0)
            return specs[i];
    return NULL;
}

/* ---- without an index ---- */

static bool recall(struct process *p, const char *name, const char *spec)
{
    struct builds *b = p->builds;
    struct built found;

    if (!*name || b->n == BUILDS_MAX || !built_recall(p, name, spec, &found))
        return false;
    if (has(b, &found)) {
        free_built(&found);
        return false;
    }
    b->items[b->n++] = found;
    return true;
}

static bool recall_all(struct process *p, const char *const *specs, size_t n, const struct explain *why)
{
    struct requirement parsed;
    bool any = recall(p, why->package, spec_of(specs, n, why->package));

    for (size_t i = 0; i < n; i++)
        if (requirement_parse(specs[i], &parsed, NULL) == 0 && !parsed.has_url)
            any = recall(p, parsed.name, specs[i]) || any;
    return any;
}

/* ---- the interface ---- */

static bool may_be_source(enum explain_kind kind)
{
    return kind == EXPLAIN_NO_WHEEL || kind == EXPLAIN_NO_VERSION || kind == EXPLAIN_PLATFORM ||
           kind == EXPLAIN_CONFLICT;
}

/* 0: built. -ENOENT: there is nothing to build of that name, or building it is of no use; ret_why says which. */
static int build_one(struct process *p, const char *name, const char *const *specs, size_t n,
                     const struct explain *said, struct explain *ret_why)
{
    autosource struct source source = {NULL};
    int r = check_bounds(p, name, ret_why);

    if (r == 0)
        r = source_find(p, name, NULL, specs, n, said, &source, ret_why);
    if (r == 0)
        r = add_built(p, &source, ret_why);
    if (r == 0)
        built_remember(p, name, spec_of(specs, n, name), &p->builds->items[p->builds->n - 1]);
    return r;
}

bool build_missing(struct process *p, const char *const *specs, size_t n, struct explain *why)
{
    autowords struct words suspects = {NULL, 0};

    if (p->builds_allowed == BUILDS_NONE)
        return false;
    if (p->offline)
        return recall_all(p, specs, n, why);
    if (!may_be_source(why->kind))
        return false;
    suspects_of(why, &suspects);
    for (size_t i = 0; i < suspects.n && !p->error; i++) {
        struct explain other = {0};
        int r;

        if (count(p->builds, suspects.items[i]) >= BUILDS_PER_NAME)
            continue;
        r = build_one(p, suspects.items[i], specs, n, why, &other);
        if (r == 0)
            return true;
        /* Nothing to build: what the resolver said counts, unless that is that nothing is built. */
        if (!p->error && (r != -ENOENT || (why->kind == EXPLAIN_NO_WHEEL && i + 1 == suspects.n))) {
            explain_fini(why);
            *why = other;
            return false;
        }
        explain_fini(&other);
    }
    return false;
}

const char *build_spec(const struct request *q)
{
    return q->instead ? q->instead : q->spec;
}

/* ---- name @ https://... ---- */

static bool has_ending(const char *path, size_t size)
{
    static const char *const endings[] = {".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz"};

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t tail = strlen(endings[i]);

        if (size > tail && strncasecmp(path + size - tail, endings[i], tail) == 0)
            return true;
    }
    return false;
}

/* The address, if it is one of source code. The caller frees. */
static char *address_of(const char *spec, bool *ret_git)
{
    const char *at = strchr(spec, '@'), *start = at ? at + 1 + strspn(at + 1, " \t") : NULL;
    size_t size = start ? strcspn(start, " \t") : 0;

    if (!start)
        return NULL;
    *ret_git = strncmp(start, "git+", 4) == 0;
    return *ret_git || has_ending(start, strcspn(start, "?# \t")) ? xstrndup(start, size) : NULL;
}

/* Of a path what may stand in a URL (RFC 3986, section 3.3). */
static void add_path(struct buf *out, const char *path)
{
    for (const char *c = path; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("/-._~", *c))
            (void)buf_append(out, c, 1);
        else
            (void)buf_printf(out, "%%%02X", (unsigned char)*c);
}

/* name[extras] @ file:..., with its condition: exactly what was built, whatever else the index has of that version. */
static char *instead_of(const char *spec, const struct built *b)
{
    const char *at = strchr(spec, '@'), *extras = memchr(spec, '[', (size_t)(at - spec));
    const char *end = extras ? memchr(extras, ']', (size_t)(at - extras)) : NULL, *marker = strstr(at, " ;");
    autobuf struct buf out = BUF_INIT;

    (void)buf_printf(&out, "%s%.*s @ file://", b->name, end ? (int)(end + 1 - extras) : 0, end ? extras : "");
    add_path(&out, store_set_tree(b->set));
    (void)buf_puts(&out, "/");
    add_path(&out, b->filename);
    (void)buf_puts(&out, marker ? marker : "");
    return buf_steal(&out, NULL);
}

int build_parse_spec(const char *spec, struct requirement *ret)
{
    const char *at = strstr(spec, " @ file:");
    autofree char *name = at ? xstrndup(spec, (size_t)(at - spec)) : NULL;
    int r = requirement_parse(name ? name : spec, ret, NULL);

    ret->has_url = ret->has_url || at;
    return r;
}

static void build_one_addressed(struct process *p, struct request *q, const char *url, bool git)
{
    autosource struct source source = {NULL};
    struct explain why = {0};
    int r;

    if (p->builds_allowed == BUILDS_NONE)
        r = -EPERM, explain_of_kind(EXPLAIN_NO_WHEEL, q->key, NULL, &why);
    else if (git)
        r = refuse(q->key, "what is in a repository of git is not built in isolated sessions; name a .tar.gz", &why);
    else
        r = check_bounds(p, q->key, &why);
    if (r == 0 && !p->offline)
        r = source_find(p, q->key, url, NULL, 0, &why, &source, &why);
    else if (r == 0 && !recall(p, q->key, q->spec))
        r = process_fail_offline(p, q->key);
    if (r == 0 && source.path) {
        r = add_built(p, &source, &why);
        if (r == 0)
            built_remember(p, q->key, q->spec, &p->builds->items[p->builds->n - 1]);
    }
    if (r == 0)
        q->instead = instead_of(q->spec, &p->builds->items[p->builds->n - 1]);
    else if (!p->error)
        blame_request(q, &why);
    explain_fini(&why);
}

void build_addressed(struct process *p)
{
    for (size_t i = 0; i < p->n && !p->error; i++) {
        struct request *q = &p->requests[i];
        bool git = false;
        autofree char *url = q->state == REQUEST_WAITING && !q->instead ? address_of(q->spec, &git) : NULL;

        if (url)
            build_one_addressed(p, q, url, git);
    }
}
