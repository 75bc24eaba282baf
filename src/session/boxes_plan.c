/* What isolated code gets: the interpreter that it is shown, its limits, its environment. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kernel/wire.h"
#include "packages/shown.h"
#include "sandbox/filter.h"
#include "sandbox/syscalls.h"
#include "session/boxes_impl.h"
#include "session/zygote.h"

#define SPARE_PROCESSES 8 /* the limit of single users is to be met first: its error is an exception in the code */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

/* Code that may write to its interpreter could change what other sessions, and the zygote, run. */
static int check_writable(const struct isolation *isolation, const struct shown *shown, struct err *e)
{
    for (size_t i = 0; i < isolation->n_mounts; i++)
        for (size_t j = 0; isolation->mounts[i].writable && j < shown->n; j++) {
            const char *mine = isolation->mounts[i].source, *python = shown->all[j].source;

            if (plan_is_below(mine, python) || plan_is_below(python, mine))
                return err_set(e, EPERM, "--mount %.200s:...:rw would let code change its own Python (%.200s)", mine,
                               python);
        }
    return 0;
}

int boxes_make_plan(const struct isolation *isolation, enum sandbox_tier tier, const struct interpreter *python,
                    const char *packages, struct plan *ret, struct err *e)
{
    const struct isolation_limits *l = &isolation->limits;
    struct shown shown = {.n = 0};
    int r = python ? shown_interpreter(&shown, python->executable, python->prefix, python->base_prefix, e) : 0;
    autofree struct sandbox_mount *mounts = xnew_n(struct sandbox_mount, shown.n + isolation->n_mounts + 2);
    struct sandbox_config config = {
        .mounts = mounts,
        .tmp_bytes = or_default(l->tmp_bytes, LIMIT_BOX_TMP),
        .shm_bytes = or_default(l->tmp_bytes, LIMIT_BOX_TMP),
        .workspace_bytes = or_default(l->workspace_bytes, LIMIT_BOX_WORKSPACE),
        .inodes = or_default(l->inodes, LIMIT_BOX_INODES),
        .memory_bytes = or_default(l->memory_bytes, LIMIT_BOX_MEMORY),
        .processes = or_default(l->processes, LIMIT_BOX_PROCESSES) + SPARE_PROCESSES,
        .network = isolation->network,
        .tier = tier,
    };

    for (size_t i = 0; i < shown.n; i++) /* without namespaces a link leads to where it always did */
        if (tier != TIER_LANDLOCK || strcmp(shown.all[i].source, shown.all[i].target) == 0)
            mounts[config.n_mounts++] = shown.all[i];
    for (size_t i = 0; i < isolation->n_mounts; i++)
        mounts[config.n_mounts++] = isolation->mounts[i];
    if (packages)
        mounts[config.n_mounts++] = (struct sandbox_mount){.source = packages, .target = packages, .unlisted = true};
    if (r == 0)
        r = check_writable(isolation, &shown, e);
    if (r == 0)
        r = plan_make(&config, ret, e);
    if (r == 0 && isolation->network == NETWORK_HOST)
        plan_use_host_names(ret);
    shown_fini(&shown);
    return r;
}

/* ---- limits ---- */

/* The system call filter of the level. */
static int compile_filter(const struct isolation *isolation, const struct isolation_level *level, struct buf *ret,
                          struct err *e)
{
    if (level->tier != TIER_LANDLOCK)
        return filter_compile(ret, e);
    return filter_compile_for(SYSCALLS_SHARED | (isolation->network == NETWORK_NONE ? SYSCALLS_OFFLINE : 0), ret, e);
}

/* What sandboxes without namespaces may read. */
static int list_readable(const struct plan *plan, struct buf *ret)
{
    const char *paths[PLAN_TARGETS_MAX];
    size_t n = plan ? plan_targets(plan, STEP_READABLE, paths, PLAN_TARGETS_MAX) : 0;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        r = buf_append(ret, paths[i], strlen(paths[i]) + 1);
    return r;
}

int boxes_make_entering(const struct isolation *isolation, const struct isolation_level *level, const struct plan *plan,
                        struct buf *ret, struct err *e)
{
    const struct isolation_limits *l = &isolation->limits;
    uint64_t memory = or_default(l->memory_bytes, LIMIT_BOX_MEMORY);
    /*
     * Where a control group limits what is used, a bound on what may be asked for only has to make one absurd request a
     * MemoryError instead of the end of Python; stacks of threads count in it, though they are hardly used.
     */
    const struct zy_limit limits[] = {
        {RLIMIT_CORE, 0, 0},
        {RLIMIT_NPROC, 0, or_default(l->processes, LIMIT_BOX_PROCESSES)},
        {RLIMIT_NOFILE, 0, or_default(l->open_files, LIMIT_BOX_OPEN_FILES)},
        {RLIMIT_FSIZE, 0, or_default(l->file_bytes, LIMIT_BOX_FILE)},
        {RLIMIT_DATA, 0, level->memory ? memory + 1024 * MIB : memory},
        {RLIMIT_CPU, 0, l->cpu_seconds ? l->cpu_seconds : RLIM_INFINITY},
        {RLIMIT_MEMLOCK, 0, 64 * KIB},
        {RLIMIT_MSGQUEUE, 0, 0},
        {RLIMIT_NICE, 0, 0},
        {RLIMIT_RTPRIO, 0, 0},
        {RLIMIT_SIGPENDING, 0, 1024},
    };
    autobuf struct buf filter = BUF_INIT, writable = BUF_INIT, readable = BUF_INIT;
    struct zy_isolation head = {.landlock = level->landlock, .n_limits = sizeof limits / sizeof *limits};
    int r = compile_filter(isolation, level, &filter, e);

    for (size_t i = 0; i < isolation->n_mounts && r == 0; i++)
        if (isolation->mounts[i].writable)
            r = buf_append(&writable, isolation->mounts[i].target, strlen(isolation->mounts[i].target) + 1);
    if (r == 0)
        r = list_readable(plan, &readable);
    if (r < 0)
        return r;
    head.readable_size = (uint32_t)readable.len;
    head.writable_size = (uint32_t)writable.len;
    head.filter_size = (uint32_t)filter.len;
    (void)buf_append(ret, &head, sizeof head);
    (void)buf_append(ret, limits, sizeof limits);
    (void)buf_append(ret, buf_begin(&writable), writable.len);
    (void)buf_append(ret, buf_begin(&readable), readable.len);
    (void)buf_append(ret, buf_begin(&filter), filter.len);
    return ret->len <= ZY_TEXT_MAX ? 0 : err_set(e, E2BIG, "the paths of --mount are too long");
}

/* ---- environment ---- */

static char **add_variable(char **list, size_t *n, char *text_take)
{
    list = xrealloc(list, *n + 2, sizeof *list);
    list[(*n)++] = text_take;
    list[*n] = NULL;
    return list;
}

/* Where packages keep what takes long to find out (a list of fonts): for the warming only, src/kernel/py/warm.py. */
static char *cache_variable(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && *cache == '/')
        return xasprintf("CELLBLOCK_WARM_CACHE=%s", cache);
    return home && *home == '/' ? xasprintf("CELLBLOCK_WARM_CACHE=%s/.cache", home) : NULL;
}

char **boxes_make_environment(const struct isolation *isolation)
{
    static const char *const own[] = {
        "PATH=/usr/local/bin:/usr/bin:/bin",
        ("HOME=" SANDBOX_WORKSPACE),
        "LANG=C.UTF-8",
        "USER=user",
        "LOGNAME=user",
        "SHELL=/bin/sh",
        "TERM=dumb",
        "PYTHONNOUSERSITE=1", /* the host may have a directory of the same name as the sandbox's HOME */
    };
    char **list = NULL, *cache = cache_variable();
    size_t n = 0;

    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        size_t name = strcspn(own[i], "=") + 1;
        bool replaced = false;

        for (size_t j = 0; j < isolation->n_environment && !replaced; j++)
            replaced = strncmp(isolation->environment[j], own[i], name) == 0;
        if (!replaced)
            list = add_variable(list, &n, xstrdup(own[i]));
    }
    if (cache)
        list = add_variable(list, &n, cache);
    for (size_t i = 0; i < isolation->n_environment; i++)
        list = add_variable(list, &n, xstrdup(isolation->environment[i]));
    return list;
}

void boxes_free_environment(char **environment)
{
    for (char **at = environment; at && *at; at++)
        free(*at);
    free(environment);
}
