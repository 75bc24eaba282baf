#include "session/layer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "sandbox/plan.h"
#include "session/boxes.h"
#include "session/impl.h"
#include "session/kernel.h"
#include "session/zygote.h"
#include "store/store.h"

#define OVERRIDES "overrides" /* in a set: names of packages of the base environment that it has in another version */
#define FAILED_MAX 3

static void free_paths(struct layer *l)
{
    free(l->site);
    free(l->executable);
    free(l->prefix);
    l->site = l->executable = l->prefix = NULL;
}

void layer_fini(struct layer *l)
{
    store_set_close(l->set);
    store_set_close(l->coming);
    for (size_t i = 0; i < l->n_earlier; i++)
        store_set_close(l->earlier[i]);
    free(l->earlier);
    free_paths(l);
    *l = (struct layer){0};
}

/* As the code names them. Without namespaces it sees the set where it lies. */
static void set_paths(struct layer *l, const struct box *box, const struct interpreter *python)
{
    const char *root = box_plain(box) ? store_set_tree(l->set) : SANDBOX_PACKAGES;
    unsigned major = 3, minor = 0;

    (void)sscanf(python->version, "%u.%u", &major, &minor);
    free_paths(l);
    l->prefix = xstrdup(root);
    l->executable = xasprintf("%s/bin/python", root);
    l->site = xasprintf("%s/lib/python%u.%u/site-packages", root, major, minor);
}

size_t layer_parts(const struct layer *l, struct wire_part parts[LAYER_PARTS])
{
    if (!l->site)
        return 0;
    parts[0] = (struct wire_part){WIRE_SITE, l->site, strlen(l->site)};
    parts[1] = (struct wire_part){WIRE_EXECUTABLE, l->executable, strlen(l->executable)};
    parts[2] = (struct wire_part){WIRE_PREFIX, l->prefix, strlen(l->prefix)};
    return LAYER_PARTS;
}

bool layer_overrides(const struct layer *l)
{
    autofree char *path = l->set ? xasprintf("%s/" OVERRIDES, store_set_tree(l->set)) : NULL;

    return path && access(path, F_OK) == 0;
}

/* ---- showing ---- */

static void take_coming(struct session *s)
{
    struct layer *l = &s->layer;

    if (l->set && s->box && box_plain(s->box)) {
        l->earlier = xrealloc(l->earlier, l->n_earlier + 1, sizeof(struct store_set *));
        l->earlier[l->n_earlier++] = l->set;
    } else {
        store_set_close(l->set);
    }
    l->set = l->coming;
    l->coming = NULL;
    l->n_failed = 0;
    l->shown_in = s->box;
    if (s->kernel)
        set_paths(l, s->box, zygote_interpreter(s->kernel->zygote));
    l->told = s->kernel ? s->kernel->mark : 0;
}

static void on_shown_again(void *data, const struct err *e);

/* They could not be shown again, mostly because that sandbox was about to end: tried again, mostly in the next one. */
static bool try_again(struct session *s)
{
    struct layer *l = &s->layer;

    if (l->set || (s->box && box_alive(s->box) && ++l->n_failed > FAILED_MAX))
        return false;
    l->set = l->coming;
    l->coming = NULL;
    return true;
}

static void on_shown(void *data, const struct err *e)
{
    struct session *s = data;
    struct layer *l = &s->layer;
    layer_cb done = l->done;

    l->done = NULL;
    if (!e) {
        take_coming(s);
    } else if (done != on_shown_again || !try_again(s)) {
        store_set_close(l->coming);
        l->coming = NULL;
    }
    done(l->data, e);
}

int layer_change(struct session *s, struct store_set *set_take, layer_cb done, void *data, struct err *e)
{
    struct layer *l = &s->layer;
    int r;

    l->coming = set_take;
    l->done = done;
    l->data = data;
    if (!s->box || !box_alive(s->box)) {
        take_coming(s);
        l->shown_in = NULL;
        l->told = 0;
        return 0;
    }
    if (box_plain(s->box)) {
        take_coming(s);
        return 0;
    }
    r = box_mount(s->box, store_set_tree(l->coming), on_shown, s, e);
    if (r < 0) {
        store_set_close(l->coming);
        l->coming = NULL;
        return r;
    }
    return 1;
}

/* ---- new kernels, new sandboxes ---- */

static void lose(struct session *s, const char *text)
{
    log_warn("session %s: its packages cannot be shown again: %s", s->id, text);
    (void)buf_printf(&s->idle_text, "What was installed into this session is gone (%s): install it again.\n", text);
    layer_fini(&s->layer);
}

static void on_shown_again(void *data, const struct err *e)
{
    struct session *s = data;

    if (e && !s->layer.set)
        lose(s, e->text);
    else
        s->layer.told = 0; /* by this it is only mounted */
    session_next(s);
}

bool layer_ready(struct session *s)
{
    struct layer *l = &s->layer;
    struct wire_part parts[LAYER_PARTS];
    struct err e = ERR_INIT;

    if (l->coming)
        return false;
    if (!l->set)
        return true;
    if (l->shown_in != s->box && !box_plain(s->box)) {
        l->coming = l->set;
        l->set = NULL;
        l->done = on_shown_again;
        l->data = s;
        if (box_mount(s->box, store_set_tree(l->coming), on_shown, s, &e) == 0)
            return false;
        if (!try_again(s))
            lose(s, e.text);
        return true;
    }
    if (l->told != s->kernel->mark) {
        set_paths(l, s->box, zygote_interpreter(s->kernel->zygote));
        kernel_send(s->kernel, WIRE_REFRESH, 0, parts, layer_parts(l, parts));
        l->told = s->kernel->mark;
    }
    return true;
}

void layer_box_gone(struct session *s)
{
    struct layer *l = &s->layer;

    l->shown_in = NULL;
    l->told = 0;
    if (l->coming && !l->set) { /* it was to be shown again */
        l->set = l->coming;
        l->coming = NULL;
    }
}
