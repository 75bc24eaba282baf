/*
 * fetch_start as a program, for the tests that drive it: prints each progress line, then the outcome, all as
 * `word|field|...` lines. SIGINT cancels. LAYER: id of a set, or "-".
 *
 *     fetch_tool STORE TTL_MS OFFLINE TIMEOUT_MS TIMES LAYER EXECUTABLE VERSION PREFIX BASE_PREFIX SITES SPEC...
 *
 * TIMES: how many ask the same at once. FETCH_TOOL_BUILDS in the environment: source distributions are built.
 */
#include "../outcome_lines.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/err.h"
#include "fetch/fetch.h"
#include "sandbox/build.h"
#include "store/store.h"

#define TIMES_MAX 64

static uv_signal_t sigint;
static struct fetcher *fetcher;
static struct fetch *running[TIMES_MAX];
static int left;

static void on_done(void *data, struct fetch_outcome *all)
{
    const struct install_outcome *out = &all->install;

    *(struct fetch **)data = NULL;
    print_outcome(out);
    if (all->set)
        printf("\nset|%s|%s", store_set_id(all->set), store_set_tree(all->set));
    print_items(out);
    printf("\nend|\n");
    store_set_close(all->set);
    if (--left == 0)
        uv_close((uv_handle_t *)&sigint, NULL);
}

static void on_sigint(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
    for (int i = 0; i < TIMES_MAX; i++)
        if (running[i])
            fetch_cancel(running[i]);
}

static int start(int argc, char **argv, struct err *e)
{
    struct fetch_base base = {argv[7], argv[8], argv[9], argv[10], argv[11]};
    struct fetch_request request = {
        .base = &base,
        .specs = (const char *const *)argv + 12,
        .n_specs = (size_t)argc - 12,
        .layer = strcmp(argv[6], "-") == 0 ? NULL : argv[6],
        .timeout_ms = atoll(argv[4]),
    };
    int times = atoi(argv[5]) < TIMES_MAX ? atoi(argv[5]) : TIMES_MAX;

    for (int i = 0; i < times; i++) {
        if (fetch_start(fetcher, &request, print_progress, on_done, &running[i], &running[i], e) < 0)
            return -e->code;
        left++;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct fetch_settings settings = {NULL};
    struct err e = ERR_INIT;

    builder_hook(argc, argv);
    fetch_hook(argc, argv);
    if (argc < 13)
        return 2;
    settings = (struct fetch_settings){argv[1], 0, atoll(argv[2]), atoi(argv[3]) != 0,
                                       getenv("FETCH_TOOL_BUILDS") ? BUILDS_OFFLINE : BUILDS_NONE};
    if (fetcher_new(uv_default_loop(), &settings, &fetcher, &e) < 0 || start(argc, argv, &e) < 0) {
        printf("refused|%s\n", e.text);
        return 1;
    }
    (void)uv_signal_init(uv_default_loop(), &sigint);
    (void)uv_signal_start(&sigint, on_sigint, SIGINT);
    (void)uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    fetcher_free(fetcher);
    return uv_loop_close(uv_default_loop()) == 0 ? 0 : 3;
}
