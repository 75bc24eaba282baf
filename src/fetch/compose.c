/*
 * The set that a session gets: the wheels that were chosen, those that it has already, and what makes of their union a
 * virtual environment on top of the base interpreter.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "fetch/reply.h"
#include "fetch/process.h"
#include "packages/explain.h"
#include "packages/outcome.h"
#include "store/store.h"

#define DAMAGED_MAX 20
#define FILES_MAX 6
#define OVERRIDES "overrides" /* session/layer.c looks whether it is there */

/* ---- the environment's own files ---- */

struct own {
    struct store_file files[FILES_MAX];
    size_t n;
    char *config, *paths, *paths_name, *python, *overrides, *names[3];
};

static void add_file(struct own *own, const char *path, const char *content, const char *link)
{
    own->files[own->n++] = (struct store_file){path, content, link};
}

/* The interpreter that a virtual environment of ours stands on: never another virtual environment. */
static char *real_python(const struct process *p)
{
    autofree char *numbered = NULL;
    int minor = 0;

    if (strcmp(p->base.prefix, p->base.base_prefix) == 0)
        return xstrdup(p->base.executable);
    (void)sscanf(p->base.version, "%*d.%d", &minor);
    numbered = xasprintf("%s/bin/python3.%d", p->base.base_prefix, minor);
    if (access(numbered, X_OK) == 0)
        return steal_ptr(numbered);
    return xasprintf("%s/bin/python3", p->base.base_prefix);
}

/* pyvenv.cfg: https://docs.python.org/3/library/venv.html, "home" is where the base interpreter is. */
static void make_own(const struct process *p, const struct wheels *all, struct own *own)
{
    const char *slash;
    int minor = 0;

    (void)sscanf(p->base.version, "%*d.%d", &minor);
    own->python = real_python(p);
    slash = strrchr(own->python, '/');
    own->config =
        xasprintf("home = %.*s\ninclude-system-site-packages = %s\nversion = %s\n",
                  slash ? (int)(slash - own->python) : 0, own->python, p->alone ? "false" : "true", p->base.version);
    own->names[0] = xstrdup("bin/python");
    own->names[1] = xstrdup("bin/python3");
    own->names[2] = xasprintf("bin/python3.%d", minor);
    own->overrides = p->alone ? xstrdup("") : name_overrides(p, all);
    if (*own->overrides)
        add_file(own, OVERRIDES, own->overrides, NULL);
    add_file(own, "pyvenv.cfg", own->config, NULL);
    for (size_t i = 0; i < 3; i++)
        add_file(own, own->names[i], NULL, own->python);
    if (p->alone || strcmp(p->base.prefix, p->base.base_prefix) == 0 || !p->base.sites)
        return;
    /* The base is a virtual environment itself, of which pyvenv.cfg cannot tell: its packages by a path file. */
    own->paths = xstrdup(p->base.sites);
    for (char *colon = own->paths; (colon = strchr(colon, ':'));)
        *colon = '\n';
    own->paths_name = xasprintf("%s/_cellblock_base.pth", p->lib);
    add_file(own, own->paths_name, own->paths, NULL);
}

static void free_own(struct own *own)
{
    free(own->config);
    free(own->paths);
    free(own->paths_name);
    free(own->python);
    free(own->overrides);
    for (size_t i = 0; i < 3; i++)
        free(own->names[i]);
}

/* ---- the set ---- */

/* What is new comes first: it was asked for later. */
static void list_wheels(const struct process *p, struct wheels *ret)
{
    for (size_t i = 0; i < p->found.n; i++)
        wheels_put(ret, p->found.items[i].key, p->found.items[i].version, p->found.items[i].id, NULL);
    for (size_t i = 0; i < p->has.n; i++)
        if (!wheels_find(&p->found, p->has.items[i].key))
            wheels_put(ret, p->has.items[i].key, p->has.items[i].version, p->has.items[i].id, NULL);
}

/* For who opens the set later (process.c, read_layer). */
static void describe(const struct wheels *all, struct buf *out)
{
    for (size_t i = 0; i < all->n; i++) {
        record_add(out, "wheel", all->items[i].id);
        record_add(out, "name", all->items[i].key);
        record_add(out, "version", all->items[i].version);
    }
}

/* "path\tid kept\tid dropped" as a line for a person. */
static void tell_overlaps(const struct wheels *all, struct buf *overlaps, struct buf *notes)
{
    autofree char *text = buf_steal(overlaps, NULL);

    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *kept = strchr(line, '\t'), *dropped = kept ? strchr(kept + 1, '\t') : NULL;
        const char *winner = "the environment", *loser = "?";

        if (!dropped)
            continue;
        *kept++ = '\0';
        *dropped++ = '\0';
        for (size_t i = 0; i < all->n; i++) {
            if (strcmp(all->items[i].id, kept) == 0)
                winner = all->items[i].key;
            if (strcmp(all->items[i].id, dropped) == 0)
                loser = all->items[i].key;
        }
        (void)buf_printf(notes, "%s%s is in two packages: that of %s counts, that of %s is left out",
                         notes->len ? "\n" : "", line, winner, loser);
    }
}

/* What a set is made of, as a question that the store remembers the answer to. */
static char *question_of(const struct store_set_make *make)
{
    autobuf struct buf key = BUF_INIT;

    (void)buf_puts(&key, "the set of\n");
    for (size_t i = 0; i < make->n_wheels; i++)
        (void)buf_printf(&key, "%s\n", make->wheels[i]);
    for (size_t i = 0; i < make->n_files; i++) {
        const struct store_file *file = &make->files[i];

        (void)buf_printf(&key, "%s\n%s\n", file->path, file->link ? file->link : file->content);
    }
    return xstrdup(buf_str(&key));
}

/* The same wheels may be the answer to many questions: one set of them is enough. NULL: there is none that is whole. */
static struct store_set *find_same(const struct process *p, const char *question, struct buf *notes)
{
    autofree char *said = NULL;
    struct store_set *set = NULL;
    char id[STORE_ID_MAX];

    if (store_answer_find(p->store, question, -1, &said, id) != 1 || store_set_open(p->store, id, &set, NULL) < 0)
        return NULL;
    if (store_set_check(set, NULL) < 0) {
        store_set_discard(p->store, set);
        return NULL;
    }
    (void)buf_puts(notes, said);
    return set;
}

static int make_or_find(struct process *p, const struct wheels *all, const struct store_set_make *make,
                        struct store_set **ret, char **ret_damaged, struct err *e)
{
    autofree char *question = question_of(make);
    autobuf struct buf overlaps = BUF_INIT, notes = BUF_INIT;
    int r = 0;

    *ret = find_same(p, question, &notes);
    if (!*ret) {
        r = store_make_set(p->store, p->work, make, ret, &overlaps, ret_damaged, e);
        if (r < 0)
            return r;
        tell_overlaps(all, &overlaps, &notes);
        (void)store_answer_put(p->store, question, store_set_id(*ret), buf_str(&notes), NULL);
    }
    if (notes.len)
        (void)buf_printf(&p->notes, "%s%s", p->notes.len ? "\n" : "", buf_str(&notes));
    return r;
}

/* -EUCLEAN: a wheel was damaged; its name is in ret_damaged. */
static int make_set(struct process *p, struct store_set **ret, char **ret_damaged, struct err *e)
{
    autowheels struct wheels all = {NULL, 0};
    autobuf struct buf info = BUF_INIT;
    autofree const char **ids = NULL;
    autofree char *damaged = NULL;
    struct own own = {.n = 0};
    struct store_set_make make = {.n_wheels = 0};
    int r;

    list_wheels(p, &all);
    ids = xnew_n(const char *, all.n + 1);
    for (size_t i = 0; i < all.n; i++)
        ids[make.n_wheels++] = all.items[i].id;
    describe(&all, &info);
    make_own(p, &all, &own);
    make.wheels = ids;
    make.files = own.files;
    make.n_files = own.n;
    make.info = buf_str(&info);
    r = make_or_find(p, &all, &make, ret, &damaged, e);
    free_own(&own);
    for (size_t i = 0; r == -EUCLEAN && damaged && i < all.n; i++)
        if (strcmp(all.items[i].id, damaged) == 0)
            *ret_damaged = xstrdup(all.items[i].key);
    return r;
}

/* The line of the lock for a wheel that the session has, and that is gone from the store: asked for again. */
static void find_again(struct process *p, const char *key)
{
    const struct wheel *old = wheels_find(&p->has, key);
    autofree char *spec = old ? xasprintf("%s==%s", key, old->version) : NULL;
    const char *specs = spec;
    autowheels struct wheels got = {NULL, 0};
    struct explain why;
    struct wheel *w;

    if (!old || wheels_find(&p->found, key))
        return; /* its line is there */
    if (resolve_specs(p, &specs, 1, PINS_NONE, &got, &why) == -ENOENT)
        process_fail(p, "%s %s was damaged in the package store, and cannot be had again: %s", key, old->version,
                     why.reason);
    explain_fini(&why);
    w = wheels_find(&got, key);
    if (w)
        wheels_put(&p->found, w->key, w->version, w->id, w->line);
    else if (!p->error)
        process_fail(p, "%s %s was damaged in the package store, and cannot be found again", key, old->version);
}

struct store_set *compose_set(struct process *p)
{
    struct store_set *set = NULL;

    for (int i = 0; i < DAMAGED_MAX && !p->error; i++) {
        autofree char *damaged = NULL;
        struct err e = ERR_INIT;
        int r = make_set(p, &set, &damaged, &e);

        if (r == 0)
            return set;
        if (r != -EUCLEAN || !damaged)
            process_fail(p, "cannot put the packages together: %s", e.text);
        if (!p->error)
            find_again(p, damaged);
        gather_all(p);
    }
    if (!p->error)
        process_fail(p, "the package store is damaged again and again: is its disk healthy?");
    return NULL;
}

/* ---- the answer ---- */

static void add_package(struct site *s, const char *name, const char *version, bool own, size_t order)
{
    autofree char *key = xstrdup(name);

    s->items = xrealloc(s->items, s->n + 1, sizeof *s->items);
    s->items[s->n++] = (struct site_package){xstrdup(name), steal_ptr(key), xstrdup(version), own, order};
}

/* What the session has with these wheels on top of the base, as what is installed in directories. */
static void list_packages(const struct process *p, const struct wheels *wheels, struct site *ret)
{
    for (size_t i = 0; i < p->site.n; i++) {
        const struct site_package *s = &p->site.items[i];

        if (wheels_find(wheels, s->key))
            continue;
        add_package(ret, s->name, s->version, false, 1);
        free(ret->items[ret->n - 1].key);
        ret->items[ret->n - 1].key = xstrdup(s->key);
    }
    for (size_t i = 0; i < wheels->n; i++)
        add_package(ret, wheels->items[i].key, wheels->items[i].version, true, 0);
    site_seal(ret);
}

static void report(const struct process *p, bool changed, struct reply *ret)
{
    autowheels struct wheels all = {NULL, 0};
    struct site before = {NULL, 0, 0}, after = {NULL, 0, 0};

    if (changed)
        list_wheels(p, &all);
    list_packages(p, &p->has, &before);
    list_packages(p, changed ? &all : &p->has, &after);
    ret->n_items = report_make(p->requests, p->n, &before, &after, "not installed", &ret->items, &ret->ok);
    site_fini(&before);
    site_fini(&after);
}

void compose(struct process *p, struct reply *ret)
{
    struct store_set *set = NULL;

    *ret = (struct reply){0};
    if (!p->error && p->found.n)
        set = compose_set(p);
    for (size_t i = 0; p->error && i < p->n; i++) /* as far as that came, which is nothing */
        if (p->requests[i].state == REQUEST_DONE && !p->there[i])
            p->requests[i].state = REQUEST_WAITING;
    report(p, set != NULL, ret);
    ret->error = xstrdup(p->error);
    ret->ok = ret->ok && !ret->error;
    if (p->notes.len)
        ret->notes = explain_clean(buf_begin(&p->notes), p->notes.len);
    if (set) {
        ret->set = xstrdup(store_set_id(set));
        (void)store_set_hold(set, FETCH_HOLD_FD); /* else the server may come too late, and says so */
    } else if (p->layer && ret->ok)
        ret->set = xstrdup(store_set_id(p->layer)); /* nothing new: a good answer just the same */
    store_set_close(set);
}
