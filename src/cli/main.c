#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "fetch/fetch.h"
#include "sandbox/build.h"
#include "session/isolation.h"
#include "session/session.h"

/* A name with a slash is relative to where the person is, not to --workdir. */
static char *absolute(const char *path)
{
    autofree char *here = NULL;

    if (!path || path[0] == '/' || !strchr(path, '/'))
        return xstrdup(path);
    here = getcwd(NULL, 0);
    return here ? xasprintf("%s/%s", here, path) : xstrdup(path);
}

int command_sessions(const struct options *options, uv_loop_t *loop, int no_warm, struct sessions **ret, struct err *e)
{
    autofree char *workdir = realpath(options->workdir && *options->workdir ? options->workdir : ".", NULL);
    autofree char *python = options->python && *options->python ? absolute(options->python) : NULL;
    autofree char *packages = options->packages && *options->packages ? realpath(options->packages, NULL) : NULL;
    static struct isolation isolation; /* outlives the sessions */
    struct fetch_settings fetching = {
        .store_dir = options->store,
        .store_bytes = options->store_bytes,
        .resolve_ttl_ms = (int64_t)options->resolve_ttl_s * 1000,
        .offline = options->offline,
        .builds = (enum fetch_builds)options->source_builds,
    };
    struct sessions_config config = {
        .loop = loop,
        .workdir = workdir,
        .python = python,
        .preload = options->preload,
        .max_sessions = (size_t)options->max_sessions,
        .spare_kernels = (size_t)options->spare_kernels,
        .idle_ms = options->session_idle_ms,
        .no_warm = no_warm,
        .packages = packages,
        .fetching = &fetching,
        .isolation = options->local ? NULL : &isolation,
    };

    if (!workdir)
        return err_errno(e, "cannot use %s as the working directory", options->workdir ? options->workdir : ".");
    if (options->packages && *options->packages && !packages)
        return err_errno(e, "--packages %s", options->packages);
    if (!options->local && options_isolation(options, &isolation, e) < 0)
        return -e->code;
    if (sessions_new(&config, ret, e) < 0)
        return -e->code;
    /* Else it is found out at the first use, and told there: clients wait for the first answer. */
    return isolation.required ? sessions_check(*ret, e) : 0;
}

/* Started with one of 0, 1, 2 closed, the next file opened would get that number, and what is meant for it. */
static void open_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0)
            exit(EXIT_NOT_STARTED);
}

static int run_command(const struct options *options)
{
    switch (options->command) {
    case COMMAND_HELP:
        options_help(stdout);
        return 0;
    case COMMAND_VERSION:
        (void)printf("cellblock %s\n", CELLBLOCK_VERSION);
        return 0;
    case COMMAND_DOCTOR:
        return command_doctor();
    case COMMAND_SESSIONS:
        return command_list_sessions();
    case COMMAND_CP:
        return command_cp(options);
    case COMMAND_STORE:
        return command_store(options);
    case COMMAND_RUN:
        return command_run(options);
    default:
        return command_stdio(options);
    }
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct err e = ERR_INIT;
    int status = EXIT_USAGE;

    builder_hook(argc, argv); /* in the process that makes sandboxes it does not return */
    fetch_hook(argc, argv);   /* nor in one that fetches packages */
    open_standard_descriptors();
    (void)signal(SIGPIPE, SIG_IGN);
    if (options_parse(argc, argv, &options, &e) < 0)
        (void)fprintf(stderr, "cellblock: %s\n", e.text);
    else
        status = run_command(&options);
    options_fini(&options);
    return status;
}
