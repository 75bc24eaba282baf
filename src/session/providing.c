#include "session/providing.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "kernel/wire.h"
#include "packages/packages.h"
#include "session/impl.h"
#include "session/kernel.h"
#include "session/pool.h"
#include "session/zygote.h"
#include "store/store.h"

#define PARTS_MAX (LAYER_PARTS + LIMIT_FRAME_FIELDS / 2)

struct providing {
    struct session *session; /* NULL: it is being closed, nobody is told */
    struct sessions *all;
    struct providing_ops ops;
    void *data;
    struct packages_run *run;        /* local */
    struct fetch *fetch;             /* isolated */
    struct install_outcome *fetched; /* a copy, while its set is being shown */
};

static bool changed_something(const struct install_outcome *out)
{
    for (size_t i = 0; i < out->n_items; i++)
        if (out->items[i].state == INSTALL_NEW)
            return true;
    return false;
}

/* After the first n parts: the names of what is new. */
static size_t add_names(const struct install_outcome *out, struct wire_part *parts, size_t n)
{
    for (size_t i = 0; i < out->n_items && n < PARTS_MAX; i++) {
        const char *spec = out->items[i].spec;

        if (out->items[i].state == INSTALL_NEW)
            parts[n++] = (struct wire_part){WIRE_NAME, spec, strcspn(spec, "=<>!~[;@ ")};
    }
    return n;
}

static void finish(struct providing *p, const struct install_outcome *out, const struct wire_part *parts, size_t n)
{
    struct providing_ops ops = p->ops;
    bool told = p->session != NULL;
    void *data = p->data;

    p->all->n_providing--;
    free(p);
    if (told)
        ops.done(data, out, parts, n);
}

static void on_progress(void *data, double seconds, const char *line)
{
    struct providing *p = data;

    if (p->session && p->ops.progress)
        p->ops.progress(p->data, seconds, line);
}

/* ---- local ---- */

static void on_installed(void *data, const struct install_outcome *out)
{
    struct providing *p = data;
    const struct packages_target *target = p->run ? packages_run_target(p->run) : NULL;
    struct wire_part parts[PARTS_MAX];
    bool changed = target && (target->created || changed_something(out));
    size_t n = 0;

    if (changed && p->session) {
        parts[n++] = (struct wire_part){WIRE_SITE, target->site_packages, strlen(target->site_packages)};
        parts[n++] = (struct wire_part){WIRE_EXECUTABLE, target->executable, strlen(target->executable)};
        parts[n++] = (struct wire_part){WIRE_PREFIX, target->prefix, strlen(target->prefix)};
        n = add_names(out, parts, n);
        if (p->all->pool)
            pool_renew(p->all->pool);
    }
    finish(p, out, parts, n);
}

static int start_local(struct providing *p, const struct interpreter *python, char *const *specs, size_t n,
                       int64_t timeout_ms, struct err *e)
{
    static const struct install_ops ops = {on_progress, on_installed};
    struct packages_env env = {
        .workdir = p->all->workdir,
        .python = python->executable,
        .prefix = python->prefix,
        .base_prefix = python->base_prefix,
    };

    return packages_install(p->all->loop, &env, (const char *const *)specs, n, timeout_ms, &ops, p, &p->run, e);
}

/* ---- isolated ---- */

static void finish_fetched(struct providing *p, const struct err *e)
{
    struct install_outcome *out = p->fetched;
    struct session *s = p->session;
    struct wire_part parts[PARTS_MAX];
    size_t n = 0;

    p->fetched = NULL;
    if (e) {
        out->ok = false;
        free((char *)out->error_text);
        out->error_text = xasprintf("the packages are ready, but cannot be shown to this session: %s", e->text);
    } else if (s && s->kernel) {
        n = add_names(out, parts, layer_parts(&s->layer, parts));
    }
    finish(p, out, parts, n);
    install_outcome_free(out);
}

static void on_shown(void *data, const struct err *e)
{
    finish_fetched(data, e);
}

static void on_fetched(void *data, struct fetch_outcome *out)
{
    struct providing *p = data;
    struct err e = ERR_INIT;
    int r;

    p->fetch = NULL;
    if (!p->session || !out->set) {
        store_set_close(out->set);
        finish(p, &out->install, NULL, 0);
        return;
    }
    p->fetched = install_outcome_copy(&out->install);
    r = layer_change(p->session, out->set, on_shown, p, &e);
    if (r <= 0)
        finish_fetched(p, r < 0 ? &e : NULL);
}

static int start_isolated(struct providing *p, const struct interpreter *python, char *const *specs, size_t n,
                          int64_t timeout_ms, struct err *e)
{
    struct fetch_base base = {
        .executable = python->executable,
        .version = python->version,
        .prefix = python->prefix,
        .base_prefix = python->base_prefix,
        .sites = python->sites,
    };
    struct fetch_request request = {
        .base = &base,
        .specs = (const char *const *)specs,
        .n_specs = n,
        .layer = p->session->layer.set ? store_set_id(p->session->layer.set) : NULL,
        .timeout_ms = timeout_ms,
    };
    struct fetcher *fetcher = sessions_fetcher(p->all, e);

    return fetcher ? fetch_start(fetcher, &request, on_progress, on_fetched, p, &p->fetch, e) : -e->code;
}

/* ---- either ---- */

int providing_start(struct session *s, char *const *specs, size_t n, int64_t timeout_ms,
                    const struct providing_ops *ops, void *data, struct providing **ret, struct err *e)
{
    const struct interpreter *python = s->kernel ? zygote_interpreter(s->kernel->zygote) : NULL;
    struct providing *p;
    int r;

    if (!python)
        return err_set(e, EAGAIN, "Python is still starting: try again");
    p = xnew(struct providing);
    p->session = s;
    p->all = s->all;
    p->ops = *ops;
    p->data = data;
    r = (s->all->isolated ? start_isolated : start_local)(p, python, specs, n, timeout_ms, e);
    if (r < 0) {
        free(p);
        return r;
    }
    s->all->n_providing++;
    *ret = p;
    return 0;
}

void providing_cancel(struct providing *p)
{
    if (p->run)
        packages_cancel(p->run);
    else if (p->fetch)
        fetch_cancel(p->fetch);
}

void providing_forget(struct providing *p)
{
    p->session = NULL;
    if (p->fetched) { /* what it waits for ends with the session */
        install_outcome_free(p->fetched);
        finish(p, NULL, NULL, 0);
        return;
    }
    providing_cancel(p);
}
