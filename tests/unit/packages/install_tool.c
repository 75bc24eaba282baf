/*
 * packages_install as a program, for the tests that drive it: prints each progress line, then the outcome, all as
 * `word|field|...` lines. SIGINT cancels.
 *
 *     install_tool WORKDIR PYTHON PREFIX BASE_PREFIX TIMEOUT_MS SPEC...
 */
#include "../outcome_lines.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/err.h"
#include "packages/packages.h"
#include "session/session.h"

static uv_signal_t sigint;
static struct packages_run *run;

static void on_done(void *data, const struct install_outcome *out)
{
    const struct packages_target *target = packages_run_target(run);

    (void)data;
    print_outcome(out);
    if (target)
        printf("\ntarget|%s|%s|%s|%d", target->executable, target->prefix, target->site_packages, target->created);
    print_items(out);
    printf("\n");
    uv_close((uv_handle_t *)&sigint, NULL);
}

static void on_sigint(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
    packages_cancel(run);
}

int main(int argc, char **argv)
{
    static const struct install_ops ops = {print_progress, on_done};
    struct packages_env env;
    struct err e = ERR_INIT;

    if (argc < 7)
        return 2;
    env = (struct packages_env){argv[1], argv[2], argv[3], argv[4]};
    if (packages_install(uv_default_loop(), &env, (const char *const *)argv + 6, (size_t)argc - 6, atoll(argv[5]), &ops,
                         NULL, &run, &e) < 0) {
        printf("refused|%s\n", e.text);
        return 1;
    }
    (void)uv_signal_init(uv_default_loop(), &sigint);
    (void)uv_signal_start(&sigint, on_sigint, SIGINT);
    (void)uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return uv_loop_close(uv_default_loop()) == 0 ? 0 : 3;
}
