#include "session/prepared.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "packages/child.h"
#include "packages/installer.h"
#include "packages/packages.h"
#include "packages/python.h"
#include "packages/wanted.h"
#include "packages/words.h"
#include "store/store.h"

#define TIMEOUT_MS (10 * 60 * 1000) /* nobody waits for a call's answer: large environments take their time */

struct prepared {
    uv_loop_t *loop;
    struct fetcher *fetcher;
    char *python, *file, *preload;
    struct wanted wanted;
    struct python_info info;
    struct child *child;
    struct fetch *fetch;
    struct store_set *set; /* in use as long as the server runs */
    prepared_cb done;
    void *data;
    size_t *under_way;
    bool freed;
};

static void free_now(struct prepared *p)
{
    store_set_close(p->set);
    python_info_fini(&p->info);
    wanted_fini(&p->wanted);
    free(p->python);
    free(p->file);
    free(p->preload);
    free(p);
}

static void succeed(struct prepared *p, const char *python, const char *preload)
{
    (*p->under_way)--;
    p->done(p->data, python, preload, NULL);
}

static void fail(struct prepared *p, const char *text)
{
    autofree char *whole = xasprintf("the packages of %s cannot be had: %s", p->file, text);

    (*p->under_way)--;
    if (p->freed) {
        free_now(p);
        return;
    }
    log_error("%.*s", (int)strcspn(whole, "\n"), whole);
    p->done(p->data, NULL, NULL, whole);
}

/* ---- fetching ---- */

/* What the user wants, or the usual and all that the file names. */
static char *preload_of(const struct prepared *p)
{
    autobuf struct buf text = BUF_INIT;

    if (p->preload)
        return xstrdup(p->preload);
    (void)buf_puts(&text, "default");
    for (size_t i = 0; i < p->wanted.specs.n; i++) {
        char name[256];

        requirement_name(p->wanted.specs.items[i], name, sizeof name);
        (void)buf_printf(&text, ",dist:%s", name);
    }
    return xstrdup(buf_str(&text));
}

static void on_fetched(void *data, struct fetch_outcome *out)
{
    struct prepared *p = data;
    autobuf struct buf text = BUF_INIT;
    autofree char *python = NULL, *preload = NULL;
    char *save = NULL;

    p->fetch = NULL;
    p->set = out->set;
    install_describe(&out->install, &text);
    if (p->freed || !out->install.ok) {
        store_set_close(p->set);
        p->set = NULL;
        fail(p, buf_str(&text));
        return;
    }
    for (char *line = strtok_r(buf_begin(&text), "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        log_info("%s: %s", p->file, line);
    python = p->set ? xasprintf("%s/bin/python", store_set_tree(p->set))
                    : xstrdup(p->info.executable); /* all is there already */
    preload = preload_of(p);
    succeed(p, python, preload);
}

static void on_progress(void *data, double seconds, const char *line)
{
    (void)data;
    if (line)
        log_info("%.0f s: %s", seconds, line);
}

static void fetch(struct prepared *p)
{
    autobuf struct buf sites = BUF_INIT;
    struct fetch_base base = {p->info.executable, p->info.version, p->info.prefix, p->info.base_prefix, NULL};
    struct fetch_request request = {
        .base = &base,
        .specs = (const char *const *)p->wanted.specs.items,
        .n_specs = p->wanted.specs.n,
        .hashes = (const char *const *)p->wanted.hashes.items,
        .n_hashes = p->wanted.hashes.n,
        .of_file = true,
        .timeout_ms = TIMEOUT_MS,
    };
    struct err e = ERR_INIT;

    for (size_t i = 0; i < p->info.n_path; i++)
        if (strstr(p->info.path[i], "-packages"))
            (void)buf_printf(&sites, "%s%s", sites.len ? ":" : "", p->info.path[i]);
    base.sites = buf_str(&sites);
    if (p->wanted.specs.n == 0)
        succeed(p, p->info.executable, p->preload);
    else if (fetch_start(p->fetcher, &request, on_progress, on_fetched, p, &p->fetch, &e) < 0)
        fail(p, e.text);
}

/* ---- finding out ---- */

static void on_project(void *data, const struct child_result *result)
{
    struct prepared *p = data;
    struct err e = ERR_INIT;

    p->child = NULL;
    if (p->freed || wanted_take(p->file, buf_str(result->output), result->output->len, &p->wanted, &e) < 0)
        fail(p, e.text);
    else
        fetch(p);
}

static void run(struct prepared *p, const struct words *argv, void (*done)(void *, const struct child_result *))
{
    struct child_ops ops = {NULL, done};
    autowords struct words env = {NULL, 0};
    struct child_params params = {.argv = argv->items, .cwd = "/", .extra_fd = -1, .lock_fd = -1};
    struct err e = ERR_INIT;

    installer_env("/", "/", false, &env, NULL);
    params.env = env.items;
    if (child_start(p->loop, &params, &ops, p, &p->child, &e) < 0)
        fail(p, e.text);
}

static void read_file(struct prepared *p)
{
    autowords struct words argv = {NULL, 0};
    struct err e = ERR_INIT;

    if (wanted_is_project(p->file)) {
        words_add_all(&argv, (const char *const[]){p->info.executable, "-c", wanted_project_code, p->file, NULL});
        run(p, &argv, on_project);
    } else if (wanted_read(p->file, &p->wanted, &e) < 0) {
        fail(p, e.text);
    } else {
        fetch(p);
    }
}

static void on_probed(void *data, const struct child_result *result)
{
    struct prepared *p = data;
    struct err e = ERR_INIT;

    p->child = NULL;
    if (p->freed || python_read(p->python, buf_str(result->output), result->output->len, &p->info, &e) < 0)
        fail(p, e.text);
    else
        read_file(p);
}

/* ---- life ---- */

struct prepared *prepared_new(uv_loop_t *loop, struct fetcher *fetcher, const char *python, const char *file,
                              const char *preload, size_t *under_way)
{
    struct prepared *p = xnew(struct prepared);

    p->loop = loop;
    p->under_way = under_way;
    p->fetcher = fetcher;
    p->python = xstrdup(python);
    p->file = xstrdup(file);
    p->preload = xstrdup(preload);
    return p;
}

void prepared_start(struct prepared *p, prepared_cb done, void *data)
{
    autowords struct words argv = {NULL, 0};

    (*p->under_way)++;
    p->done = done;
    p->data = data;
    wanted_fini(&p->wanted);
    python_info_fini(&p->info);
    installer_probe(p->python, &argv);
    run(p, &argv, on_probed);
}

void prepared_free(struct prepared *p)
{
    if (!p)
        return;
    p->freed = true;
    if (p->child)
        child_stop(p->child);
    else if (p->fetch)
        fetch_cancel(p->fetch);
    else
        free_now(p);
}
