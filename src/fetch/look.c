/*
 * What a thread of the server does for a question: it looks at what is there, and in the store. Files are read, nothing
 * of a package is run.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/ask.h"
#include "fetch/key.h"
#include "fetch/record.h"
#include "packages/explain.h"
#include "packages/installer.h"
#include "packages/report.h"
#include "packages/requirement.h"
#include "packages/site.h"

/* ---- what the session has ---- */

struct there {
    struct site base;
    struct words ids;    /* of wheels */
    struct record names; /* of them: compose.c wrote it */
};

static void find_there(struct fetch *f, struct there *t)
{
    struct store_set *layer = NULL;

    for (const char *at = f->sites; *at; at += strcspn(at, ":"), at += *at == ':') {
        autofree char *site = xstrndup(at, strcspn(at, ":"));

        site_add(&t->base, site, false);
    }
    site_seal(&t->base);
    if (!f->layer || store_set_open(f->all->store, f->layer, &layer, NULL) < 0)
        return;
    for (size_t i = 0; i < store_set_n_wheels(layer); i++)
        words_add(&t->ids, store_set_wheel(layer, i));
    (void)record_parse(store_set_info(layer), strlen(store_set_info(layer)), &t->names);
    store_set_close(layer);
}

static void free_there(struct there *t)
{
    site_fini(&t->base);
    words_fini(&t->ids);
    record_fini(&t->names);
}

static const char *version_there(const struct there *t, const char *key)
{
    const struct site_package *base = site_find(&t->base, key);

    for (size_t i = 0; i + 2 < t->names.n; i += 3)
        if (strcmp(t->names.entries[i + 1].value, key) == 0)
            return t->names.entries[i + 2].value;
    return base ? base->version : NULL;
}

/* A question that needs nobody: everything is there, in any version or in the one that is named. */
static bool answer_from_there(struct fetch *f, const struct there *t)
{
    struct reply a = {.ok = true, .items = xnew_n(struct install_item, f->specs.n + 1)};

    for (size_t i = 0; i < f->specs.n; i++) {
        const char *spec = f->specs.items[i], *version;
        struct requirement q;
        autofree char *written = key_of_spec(spec), *exact = NULL;

        if (requirement_parse(spec, &q, NULL) < 0 || !(version = version_there(t, q.name)))
            break;
        exact = xasprintf("%s==%s", q.name, version);
        if (strcmp(written, q.name) != 0 && strcmp(written, exact) != 0)
            break;
        a.items[a.n_items++] = (struct install_item){
            .spec = xstrdup(spec), .state = INSTALL_PRESENT, .version = xstrdup(version), .asked = true};
    }
    if (a.n_items < f->specs.n) {
        reply_fini(&a);
        return false;
    }
    f->reply = a;
    return true;
}

/* ---- the store ---- */

/* The set of an answer, opened and checked; -ENOENT: it is gone, or was damaged. */
static int take_set(struct fetch *f, const char *id)
{
    struct err e = ERR_INIT;
    int r;

    if (f->layer && strcmp(id, f->layer) == 0)
        return 0; /* the session has it */
    r = store_set_open(f->all->store, id, &f->set, &e);
    if (r == 0)
        r = store_set_check(f->set, &e);
    if (r == 0)
        return 0;
    if (f->set) {
        log_warn("package store: %s; it is fetched again", e.text);
        store_set_discard(f->all->store, f->set);
        f->set = NULL;
    }
    return -ENOENT;
}

static bool answer_from_store(struct fetch *f)
{
    int64_t max_age = f->all->offline ? -1 : f->all->resolve_ttl_ms;
    autofree char *text = NULL;
    char id[STORE_ID_MAX];

    if (max_age == 0 || store_answer_find(f->all->store, f->key, max_age, &text, id) != 1)
        return false;
    reply_fini(&f->reply);
    if (reply_read(text, strlen(text), &f->reply) < 0)
        return false;
    if (reply_fit(&f->reply, (const char *const *)f->specs.items, f->specs.n) && take_set(f, id) == 0)
        return true;
    reply_fini(&f->reply);
    return false;
}

/* What the process made. */
static void take_fetched(struct fetch *f)
{
    if (!f->reply.set || take_set(f, f->reply.set) == 0)
        return;
    reply_fini(&f->reply);
    f->reply.error =
        xstrdup("what was fetched is gone from the package store already: is it too small (--store-size)?");
}

void fetch_look(struct fetch *f)
{
    struct fetch_base base = {f->executable, f->version, f->prefix, f->base_prefix, f->sites};
    struct there t = {{NULL, 0, 0}, {NULL, 0}, RECORD_INIT};
    struct key_parts parts = {.base = &base,
                              .specs = &f->specs,
                              .hashes = &f->hashes,
                              .wheels = &t.ids,
                              .of_file = f->of_file,
                              .builds = f->all->builds};

    if (f->cleaning)
        (void)store_collect(f->all->store);
    else if (f->fetched)
        take_fetched(f);
    if (f->cleaning || f->fetched)
        return;
    find_there(f, &t);
    if (!f->key) {
        f->uv = installer_find_uv(f->prefix);
        parts.uv = f->uv;
        f->key = key_make(&parts);
    }
    f->answered = answer_from_there(f, &t) || answer_from_store(f);
    free_there(&t);
}
