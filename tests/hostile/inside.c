/*
 * inside [--no-proc] [--no-namespaces] [--network] [--size MIB] [--late SOURCE] [--prefix DIR]
 *        [--mount SOURCE:TARGET[:rw]] PROGRAM [ARGUMENT...]
 *     run a program in a sandbox made with the library; its exit status, or 128 + the signal that ended it
 * inside --time N
 *     make N sandboxes and tell how long it took
 *
 * --size is of the workspace and of /tmp, each, with 100 files.
 * --late mounts a directory into the running sandbox, where packages will be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "sandbox/build.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"
#include "sandbox/plan.h"
#include "sandbox/run.h"
#include "sandbox/syscalls.h"

#define EXIT_BROKEN 125
#define MANY 16

struct wanted {
    struct sandbox_config config;
    struct sandbox_mount mounts[MANY];
    const char *prefixes[MANY];
    const char *late;
    int time;
    char **argv;
};

static int fail(const struct err *e)
{
    (void)fprintf(stderr, "inside: %s\n", e->text);
    return EXIT_BROKEN;
}

static int parse_mount(struct wanted *w, char *text)
{
    struct sandbox_mount *m = &w->mounts[w->config.n_mounts++];
    char *colon = strchr(text, ':'), *mode;

    if (!colon || w->config.n_mounts > MANY)
        return -1;
    *colon = 0;
    mode = strchr(colon + 1, ':');
    if (mode)
        *mode = 0;
    *m = (struct sandbox_mount){text, colon + 1, mode && strcmp(mode + 1, "rw") == 0, false};
    return 0;
}

static void limit_files(struct sandbox_config *c, uint64_t mib)
{
    c->tmp_bytes = c->shm_bytes = c->workspace_bytes = mib << 20;
    c->inodes = 100;
}

static int parse(char **argv, struct wanted *w)
{
    w->config = (struct sandbox_config){.tier = TIER_FULL, .mounts = w->mounts, .prefixes = w->prefixes};
    for (argv++; *argv && strncmp(*argv, "--", 2) == 0; argv++) {
        if (strcmp(*argv, "--no-proc") == 0)
            w->config.tier = TIER_NO_PROC;
        else if (strcmp(*argv, "--no-namespaces") == 0)
            w->config.tier = TIER_LANDLOCK;
        else if (strcmp(*argv, "--network") == 0)
            w->config.network = NETWORK_HOST;
        else if (strcmp(*argv, "--late") == 0 && argv[1])
            w->late = *++argv;
        else if (strcmp(*argv, "--size") == 0 && argv[1])
            limit_files(&w->config, strtoull(*++argv, NULL, 10));
        else if (strcmp(*argv, "--time") == 0 && argv[1])
            w->time = atoi(*++argv);
        else if (strcmp(*argv, "--prefix") == 0 && argv[1] && w->config.n_prefixes < MANY)
            w->prefixes[w->config.n_prefixes++] = *++argv;
        else if (strcmp(*argv, "--mount") == 0 && argv[1] && parse_mount(w, argv[1]) == 0)
            argv++;
        else
            return -1;
    }
    w->argv = argv;
    return *argv || w->time > 0 ? 0 : -1;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int measure(struct builder *b, const struct plan *plan, int n)
{
    int64_t *us = calloc((size_t)n, sizeof *us), start = clock_us();
    struct err e = ERR_INIT;

    for (int i = 0; us && i < n; i++) {
        struct sandbox s = SANDBOX_INIT;
        int64_t began = clock_us();

        if (builder_make(b, plan, &s, &e) < 0)
            return fail(&e);
        us[i] = clock_us() - began;
        sandbox_end(b, &s);
    }
    if (!us)
        return EXIT_BROKEN;
    start = clock_us() - start;
    qsort(us, (size_t)n, sizeof *us, compare);
    (void)printf("%d sandboxes: %.2f min, %.2f median, %.2f p99 ms; %.0f a second\n", n, (double)us[0] / 1e3,
                 (double)us[n / 2] / 1e3, (double)us[n * 99 / 100] / 1e3, n * 1e6 / (double)start);
    free(us);
    return 0;
}

static int run(struct builder *b, const struct plan *plan, const struct wanted *w, struct err *e)
{
    autobuf struct buf filter = BUF_INIT;
    struct sandbox s = SANDBOX_INIT, none;
    struct run_config config = {
        .enter = {.limits = enter_limits, .n_limits = enter_n_limits, .landlock = landlock_abi() >= 2},
        .argv = w->argv,
    };
    const char *writable[MANY], *readable[PLAN_TARGETS_MAX];
    bool plain = w->config.tier == TIER_LANDLOCK;
    unsigned filter_for = plain ? SYSCALLS_SHARED | (w->config.network == NETWORK_NONE ? SYSCALLS_OFFLINE : 0) : 0;
    int status = 0;

    config.enter.n_readable = plan_targets(plan, STEP_READABLE, readable, PLAN_TARGETS_MAX);
    config.enter.readable = readable;
    for (size_t i = 0; i < w->config.n_mounts; i++)
        if (w->mounts[i].writable)
            writable[config.enter.n_writable++] = w->mounts[i].target;
    config.enter.writable = writable;
    if (filter_compile_for(filter_for, &filter, e) < 0 || builder_make(b, plan, &s, e) < 0)
        return fail(e);
    if (w->late && (builder_ask_mount(b, s.id, w->late, SANDBOX_PACKAGES, e) < 0 || builder_answer(b, &none, e) < 0))
        return fail(e);
    config.enter.filter = buf_begin(&filter);
    config.enter.filter_size = filter.len;
    if (run_inside(b, &s, &config, &status, e) < 0)
        return fail(e);
    sandbox_end(b, &s);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    struct builder b = BUILDER_INIT;
    autoplan struct plan plan = PLAN_INIT;
    struct wanted wanted = {0};
    struct err e = ERR_INIT;
    int status;

    builder_hook(argc, argv);
    if (parse(argv, &wanted) < 0) {
        (void)fprintf(stderr, "inside: wrong usage; the head of inside.c tells the right one\n");
        return EXIT_BROKEN;
    }
    status = plan_make(&wanted.config, &plan, &e);
    if (status == 0)
        status = wanted.config.tier == TIER_LANDLOCK ? builder_start_plain(&b, &e) : builder_start(&b, &e);
    if (status < 0)
        return fail(&e);
    status = wanted.time > 0 ? measure(&b, &plan, wanted.time) : run(&b, &plan, &wanted, &e);
    builder_stop(&b);
    return status;
}
