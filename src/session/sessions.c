#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "fetch/fetch.h"
#include "packages/shown.h"
#include "session/boxes.h"
#include "session/impl.h"
#include "session/pool.h"
#include "session/prepared.h"
#include "session/processes.h"
#include "session/watch.h"
#include "store/store.h"

#define REAP_EVERY_MS 5000
#define END_AFTER_MS 2 /* of a session that makes room */
#define STOP_WITHIN_MS 1500
#define STOP_INSTALLS_MS 3000 /* more, for installs to end */
#define STOP_LOOK_MS 5

static void on_reap(uv_timer_t *timer)
{
    struct sessions *all = timer->data;
    int64_t now = clock_ms();

    for (struct session *s = all->first, *next; s; s = next) {
        next = s->next;
        if (!s->first && now - s->last_used_ms > all->idle_ms)
            session_close(s);
    }
}

int sessions_new(const struct sessions_config *config, struct sessions **ret, struct err *e)
{
    struct sessions *all;
    int fd = open(config->workdir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(e, "cannot use %s as the working directory", config->workdir);
    all = xnew(struct sessions);
    all->loop = config->loop;
    all->workdir = xstrdup(config->workdir);
    all->workdir_fd = fd;
    all->isolated = config->isolation;
    all->max_sessions = config->max_sessions ? config->max_sessions : LIMIT_SESSIONS;
    all->idle_ms = config->idle_ms ? config->idle_ms : LIMIT_SESSION_IDLE_MS;
    all->max_running = (size_t)uv_available_parallelism() * LIMIT_RUNNING_PER_CORE;
    all->keeper = (struct keeper)KEEPER_INIT;
    all->pool_config = xnew(struct pool_config);
    *all->pool_config = (struct pool_config){
        .loop = config->loop,
        .workdir = all->workdir,
        .python = xstrdup(config->python),
        .isolation = config->isolation,
        .preload = config->no_warm ? xstrdup("") : xstrdup(config->preload),
        .spare = config->no_warm ? 0 : config->spare_kernels,
    };
    if (config->isolation && config->fetching) {
        all->fetching = xnew(struct fetch_settings);
        *all->fetching = *config->fetching;
        all->fetching->store_dir = xstrdup(config->fetching->store_dir);
        all->packages = xstrdup(config->packages);
    }
    (void)uv_timer_init(config->loop, &all->reaper);
    all->reaper.data = all;
    (void)uv_timer_start(&all->reaper, on_reap, REAP_EVERY_MS, REAP_EVERY_MS);
    uv_unref((uv_handle_t *)&all->reaper);
    *ret = all;
    return 0;
}

static void free_pool_config(struct sessions *all)
{
    if (!all->pool_config)
        return;
    free((char *)all->pool_config->python);
    free((char *)all->pool_config->preload);
    free(all->pool_config);
    all->pool_config = NULL;
}

/*
 * Each isolated session has half a dozen descriptors here. And those that processes of a user have sent and nobody has
 * received yet are counted together, against the limit of who sends (unix(7), ETOOMANYREFS): sessions, which have
 * limits of their own, could else use up what the server needs.
 */
static void raise_open_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void free_fetching(struct sessions *all)
{
    if (all->fetching)
        free((char *)all->fetching->store_dir);
    free(all->fetching);
    all->fetching = NULL;
}

/* Where nothing can be mounted later, the store has to be shown from the start. */
static void show_packages(struct sessions *all)
{
    struct err e = ERR_INIT;
    struct fetcher *fetcher;
    autofree char *sets = NULL;

    if (!all->fetching || boxes_level(pool_boxes(all->pool))->tier != TIER_LANDLOCK)
        return;
    fetcher = sessions_fetcher(all, &e);
    if (!fetcher) {
        log_warn("nothing can be installed into sessions: %s", e.text);
        return;
    }
    sets = xasprintf("%s/sets", store_dir(fetcher_store(fetcher)));
    if (shown_to_all(sets)) {
        pool_show_packages(all->pool, sets);
        return;
    }
    log_warn("nothing can be installed into sessions: they have user ids of their own here, with which %s cannot be "
             "reached; name another place with --store DIR",
             sets);
    free_fetching(all);
}

static void on_prepared(void *data, const char *python, const char *preload, const char *error)
{
    struct sessions *all = data;

    pool_prepared(all->pool, python, preload, error);
}

static void prepare_environment(void *data)
{
    struct sessions *all = data;

    prepared_start(all->prepared, on_prepared, all);
}

/* The environment of --packages is made when the first interpreter is to start. */
static int plan_environment(struct sessions *all, struct err *e)
{
    struct pool_config *c = all->pool_config;

    if (!all->packages || all->prepared)
        return 0;
    if (!sessions_fetcher(all, e))
        return -e->code;
    all->prepared = prepared_new(all->loop, all->fetcher, c->python ? c->python : "python3", all->packages, c->preload,
                                 &all->n_providing);
    c->prepare = prepare_environment;
    c->data = all;
    return 0;
}

int sessions_prepare(struct sessions *all, struct err *e)
{
    int r;

    if (all->pool)
        return 0;
    if (all->isolated)
        raise_open_files();
    if (!all->keeper_running) {
        r = keeper_start(&all->keeper, e);
        if (r < 0)
            return r;
        all->keeper_running = true;
        all->oom_kills = processes_oom_kills();
    }
    all->pool_config->server = all->keeper.server;
    r = plan_environment(all, e);
    if (r < 0)
        return r;
    r = pool_new(all->pool_config, &all->pool, e);
    if (r < 0)
        return r;
    show_packages(all);
    all->watch = all->isolated ? NULL : watch_new(all->loop, all->workdir);
    free_pool_config(all);
    return 0;
}

struct fetcher *sessions_fetcher(struct sessions *all, struct err *e)
{
    if (!all->fetching)
        (void)err_set(e, ENOTSUP,
                      "nothing can be installed here: the package store is at a place that isolated code cannot reach. "
                      "Whoever starts the server can name another with --store DIR");
    else if (!all->fetcher)
        (void)fetcher_new(all->loop, all->fetching, &all->fetcher, e);
    return all->fetcher;
}

void sessions_warm(struct sessions *all)
{
    struct err e = ERR_INIT;

    if (sessions_prepare(all, &e) < 0)
        log_warn("%s; trying again at the first call", e.text);
    else
        pool_start(all->pool);
}

int sessions_check(struct sessions *all, struct err *e)
{
    return sessions_prepare(all, e);
}

const struct isolation *sessions_isolation(const struct sessions *all)
{
    return all->isolated;
}

const struct isolation_level *sessions_level(const struct sessions *all)
{
    const struct boxes *boxes = all->pool ? pool_boxes(all->pool) : NULL;

    return boxes ? boxes_level(boxes) : NULL;
}

void sessions_wake(struct sessions *all)
{
    for (struct session *s = all->first, *next; s && all->n_running < all->max_running; s = next) {
        next = s->next;
        if (s->stalled)
            session_next(s);
    }
}

/* ---- which sessions there are ---- */

struct session *session_find(struct sessions *all, const char *id)
{
    struct session *s = all->first;

    while (s && strcmp(s->id, id) != 0)
        s = s->next;
    return s;
}

bool session_ended(const struct sessions *all, const char *id)
{
    for (size_t i = 0; i < sizeof all->ended / sizeof *all->ended; i++)
        if (all->ended[i][0] && strcmp(all->ended[i], id) == 0)
            return true;
    return false;
}

void sessions_remember_ended(struct sessions *all, const char *id)
{
    memcpy(all->ended[all->n_ended++ % (sizeof all->ended / sizeof *all->ended)], id, SESSION_ID_CHARS + 1);
}

bool sessions_unlink(struct sessions *all, struct session *s)
{
    struct session **at = &all->first;

    while (*at && *at != s)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = s->next;
    all->n_sessions--;
    return true;
}

static void on_end_later(void *data)
{
    session_close(data);
}

/*
 * Make room: the session that has been idle longest goes. It is out of reach at once, but ended a moment later: what
 * the kernel does to end processes would hold up the call that needs the room.
 */
static bool end_idlest(struct sessions *all)
{
    struct session *oldest = NULL;

    for (struct session *s = all->first; s; s = s->next)
        if (!s->first && (!oldest || s->last_used_ms < oldest->last_used_ms))
            oldest = s;
    if (!oldest)
        return false;
    sessions_unlink(all, oldest);
    sessions_remember_ended(all, oldest->id);
    sessions_later(all, END_AFTER_MS, on_end_later, oldest);
    return true;
}

int session_new(struct sessions *all, struct session **ret, struct err *e)
{
    struct session *s;
    int r = sessions_prepare(all, e);

    if (r < 0)
        return r;
    if (all->n_sessions >= all->max_sessions && !end_idlest(all))
        return err_set(e, EAGAIN,
                       "all %zu sessions are busy. Wait for one to finish, or continue a session by its handle",
                       all->max_sessions);
    s = xnew(struct session);
    s->all = all;
    s->last = &s->first;
    s->scratch_fd = -1;
    s->last_used_ms = clock_ms();
    do
        random_id(s->id, SESSION_ID_CHARS);
    while (session_find(all, s->id) || session_ended(all, s->id));
    buf_init(&s->idle_text, LIMIT_OUTPUT_KEPT / 10);
    (void)uv_timer_init(all->loop, &s->ladder);
    (void)uv_timer_init(all->loop, &s->tick);
    s->ladder.data = s->tick.data = s;
    s->next = all->first;
    all->first = s;
    all->n_sessions++;
    *ret = s;
    return 0;
}

/* ---- the end ---- */

static void on_reaper_closed(uv_handle_t *handle)
{
    struct sessions *all = handle->data;
    void (*stopped)(void *data) = all->stopped;
    void *data = all->stopped_data;

    keeper_stop(&all->keeper);
    if (all->n_providing) { /* one does not end: what it refers to has to stay */
        if (stopped)
            stopped(data);
        return;
    }
    fetcher_free(all->fetcher);
    free(all->packages);
    watch_free(all->watch);
    fd_close(&all->workdir_fd);
    free_pool_config(all);
    free_fetching(all);
    free(all->workdir);
    free(all);
    if (stopped)
        stopped(data);
}

static void on_stop_look(uv_timer_t *timer)
{
    struct sessions *all = timer->data;

    if (all->n_providing && clock_ms() < all->stop_by_ms + STOP_INSTALLS_MS)
        return;
    if (all->keeper_running && clock_ms() < all->stop_by_ms &&
        processes_kill(processes_mark(all->keeper.server, 0), true, getpid()) > 0)
        return;
    uv_close((uv_handle_t *)&all->reaper, on_reaper_closed);
}

void sessions_stop(struct sessions *all, void (*done)(void *data), void *data)
{
    all->stopped = done;
    all->stopped_data = data;
    while (all->first)
        session_close(all->first);
    sessions_flush_later(all);
    prepared_free(all->prepared);
    all->prepared = NULL;
    pool_free(all->pool);
    all->pool = NULL;
    all->stop_by_ms = clock_ms() + STOP_WITHIN_MS;
    uv_ref((uv_handle_t *)&all->reaper);
    (void)uv_timer_start(&all->reaper, on_stop_look, 0, STOP_LOOK_MS);
}
