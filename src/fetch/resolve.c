/*
 * Which wheels are needed. All requirements go to one call, because only so their dependencies are resolved together.
 * What is there is kept at its version as long as that is possible: two versions of numpy, one of them loaded already,
 * do harm. When it fails because of one requirement, the rest is tried again without it; when nobody can tell which
 * one, one at a time. (As packages/attempt.c does it for local sessions.)
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "fetch/key.h"
#include "fetch/process.h"
#include "packages/blame.h"
#include "packages/explain.h"
#include "packages/requirement.h"
#include "packages/version.h"
#include "store/store.h"

/* ---- what is there ---- */

static const char *version_there(const struct process *p, const char *key)
{
    const struct wheel *own = wheels_find(&p->has, key);
    const struct site_package *base = own ? NULL : site_find(&p->site, key);

    return own ? own->version : base ? base->version : NULL;
}

/* Is it there in a version that needs no resolver to see that it is wanted: any, or exactly this? */
static bool is_there(const struct process *p, const struct request *q)
{
    const char *version = version_there(p, q->key);
    autofree char *spec = NULL, *exact = NULL;

    if (!version || q->bare)
        return version != NULL;
    spec = key_of_spec(q->spec);
    exact = xasprintf("%s==%s", q->key, version);
    return strcmp(spec, exact) == 0;
}

/* ---- one call ---- */

enum asking { NOT_ASKED, ASKED, ASKED_EXACTLY };

static enum asking how_asked(const char *const *specs, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        struct requirement parsed;

        if (build_parse_spec(specs[i], &parsed) == 0 && strcmp(parsed.name, key) == 0)
            return parsed.has_url || strstr(specs[i], "==") ? ASKED_EXACTLY : ASKED;
    }
    return NOT_ASKED;
}

static bool can_be_pinned(const char *version)
{
    return version_check(version, strlen(version), NULL) && !strchr(version, '*');
}

/*
 * What the session has is asked for again, so that it fits what is new: numpy 1 below a pandas that needs numpy 2 would
 * be of no use. What the base environment has is preferred, not demanded: an old release of what was asked for, only
 * because that goes with what happens to be there, is not what anybody wants.
 */
static void add_pins(const struct process *p, const char *const *specs, size_t n, int pins, struct buf *job)
{
    for (size_t i = 0; i < p->found.n; i++)
        if (how_asked(specs, n, p->found.items[i].key) == NOT_ASKED)
            (void)buf_printf(job, "constraint %s==%s\n", p->found.items[i].key, p->found.items[i].version);
    for (size_t i = 0; i < p->has.n && pins < PINS_NONE; i++) {
        const struct wheel *w = &p->has.items[i];
        enum asking asked = how_asked(specs, n, w->key);

        if (asked == ASKED && pins == PINS_ALL)
            (void)buf_printf(job, "constraint %s==%s\n", w->key, w->version);
        if (asked != NOT_ASKED || wheels_find(&p->found, w->key))
            continue;
        if (pins == PINS_NAMES)
            (void)buf_printf(job, "spec %s\n", w->key);
        else
            (void)buf_printf(job, "spec %s==%s\n", w->key, w->version);
    }
    for (size_t i = 0; i < p->site.n; i++) {
        const struct site_package *s = &p->site.items[i];

        if (can_be_pinned(s->version))
            (void)buf_printf(job, "base %s==%s\n", s->key, s->version);
    }
}

/* An uv from before it could write what is read here. */
static bool is_too_old(const char *output)
{
    return strstr(output, "unexpected argument '--format'") || strstr(output, "invalid value 'pylock.toml'");
}

/* Messages name files by where they are: nobody can go there afterwards. */
static void hide_place(const struct process *p, char *text)
{
    autofree char *place = xasprintf("%s/", store_work_out(p->work));

    for (char *at = text; (at = strstr(at, place));)
        memmove(at, at + strlen(place), strlen(at + strlen(place)) + 1);
}

static void explain_failure(struct process *p, struct buf *output, struct explain *why)
{
    autofree char *text = buf_steal(output, NULL), *log = tool_file(p, "pip.log");

    hide_place(p, text);
    explain(text, strlen(text), log, log ? strlen(log) : 0, why);
}

int resolve_specs(struct process *p, const char *const *specs, size_t n, int pins, struct wheels *ret,
                  struct explain *why)
{
    autobuf struct buf job = BUF_INIT, output = BUF_INIT;
    autofree char *text = NULL;
    struct err e = ERR_INIT;
    int status = 0;

    memset(why, 0, sizeof *why);
    for (size_t i = 0; i < n; i++)
        (void)buf_printf(&job, "spec %s\n", specs[i]);
    add_pins(p, specs, n, pins, &job);
    process_add_hashes(p, &job);
    if (p->alone)
        (void)buf_puts(&job, "alone 1\n");
    if (tool_run(p, "resolve", buf_str(&job), &output, &status, &e) < 0 || status < 0) {
        process_fail(p, "%s", e.text);
        return -EIO;
    }
    if (status != 0 && p->uv && is_too_old(buf_str(&output))) {
        p->uv = NULL;
        return resolve_specs(p, specs, n, pins, ret, why);
    }
    if (status != 0) {
        explain_failure(p, &output, why);
        return -ENOENT;
    }
    text = tool_file(p, "lock");
    if (lock_parse(text ? text : "", p->cache_tag, ret, &e) < 0) {
        process_fail(p, "%s", e.text);
        return -EBADMSG;
    }
    return 0;
}

/* ---- all ---- */

/* What of an answer is not there yet. */
static void take(struct process *p, const struct wheels *got)
{
    for (size_t i = 0; i < got->n; i++) {
        const struct wheel *w = &got->items[i];
        const char *version = version_there(p, w->key);

        if (version && strcmp(version, w->version) == 0)
            wheels_drop(&p->found, w->key);
        else
            wheels_put(&p->found, w->key, w->version, w->id, w->line);
    }
}

struct attempt {
    int pins;
    bool singles;
    size_t n_refused; /* answers 401 or 403, one after the other */
};

/* Where pins do not help, they need not be loosened: a name that does not exist, and what the session cannot do
 * without. */
static bool pins_may_matter(const struct process *p, const struct attempt *a, const struct explain *why)
{
    if (a->pins == PINS_NONE || why->kind > EXPLAIN_BUILD || p->has.n == 0)
        return false;
    if (why->kind == EXPLAIN_NO_SUCH && *why->package)
        return wheels_find(&p->has, why->package) != NULL;
    return a->pins != PINS_NAMES || why->kind != EXPLAIN_CONFLICT;
}

static void judge(struct process *p, struct attempt *a, const char *const *specs, struct explain *why)
{
    if (!pins_may_matter(p, a, why) && build_missing(p, specs, p->n_attempted, why)) {
        *a = (struct attempt){PINS_ALL, a->singles, 0};
        return;
    }
    if (p->error)
        return;
    if (p->offline && why->kind != EXPLAIN_CONFLICT) {
        (void)process_fail_offline(p, why->package);
        return;
    }
    a->n_refused = why->kind == EXPLAIN_REFUSED ? a->n_refused + 1 : 0;
    if (explain_is_global(why->kind) || a->n_refused > 1) { /* 403 for one package is a policy, for two the index */
        process_fail(p, "%s", why->reason);
    } else if (pins_may_matter(p, a, why)) {
        a->pins++;
    } else {
        if (!blame_requests(p->requests, p->attempted, p->n, why))
            a->singles = true;
        a->pins = PINS_ALL;
    }
}

static void attempt(struct process *p, struct attempt *a, const char **specs)
{
    autowheels struct wheels got = {NULL, 0};
    struct explain why;
    int r = resolve_specs(p, specs, p->n_attempted, a->pins, &got, &why);

    if (r == 0) {
        take(p, &got);
        for (size_t i = 0; i < p->n; i++)
            if (p->attempted[i])
                p->requests[i].state = REQUEST_DONE;
        a->pins = PINS_ALL;
        a->n_refused = 0;
    } else if (!p->error) {
        judge(p, a, specs, &why);
    }
    explain_fini(&why);
}

void resolve_all(struct process *p)
{
    autofree const char **specs = xnew_n(const char *, p->n + 1);
    struct attempt a = {PINS_ALL, false, 0};

    for (size_t i = 0; i < p->n; i++)
        if (p->requests[i].state == REQUEST_WAITING && is_there(p, &p->requests[i])) {
            p->requests[i].state = REQUEST_DONE;
            p->there[i] = true;
        }
    build_addressed(p);
    while (!p->error) {
        p->n_attempted = 0;
        for (size_t i = 0; i < p->n; i++) {
            p->attempted[i] = p->requests[i].state == REQUEST_WAITING && !(a.singles && p->n_attempted);
            if (p->attempted[i])
                specs[p->n_attempted++] = build_spec(&p->requests[i]);
        }
        if (p->n_attempted == 0)
            return;
        attempt(p, &a, specs);
    }
}
