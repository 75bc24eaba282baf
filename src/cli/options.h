/*
 * The command line: flags, each with its CELLBLOCK_... variable, from one table that --help is printed from too.
 */
#ifndef CELLBLOCK_CLI_OPTIONS_H
#define CELLBLOCK_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/isolation_options.h"

struct err;

enum command {
    COMMAND_STDIO,
    COMMAND_RUN,
    COMMAND_SESSIONS,
    COMMAND_CP,
    COMMAND_STORE,
    COMMAND_DOCTOR,
    COMMAND_HELP,
    COMMAND_VERSION,
    COMMAND_MAX
};

struct options {
    enum command command;
    bool local;
    const char *python, *preload, *workdir, *log_level;
    int64_t timeout_ms, max_timeout_ms, session_idle_ms; /* 0: not given */
    uint64_t max_sessions;
    uint64_t spare_kernels; /* LIMIT_SPARE_KERNELS when not given */
    struct isolation_options isolation;
    /* packages of isolated sessions */
    const char *packages;
    const char *store;      /* NULL: where store_open has it */
    uint64_t store_bytes;   /* 0: not given */
    uint64_t resolve_ttl_s; /* LIMIT_RESOLVE_TTL_S when not given */
    bool offline;
    int source_builds; /* enum fetch_builds */
    /* run */
    const char *code, *file, *figures;
    /* cp */
    bool recursive;
    const char *from, *to;
    /* store */
    const char *action; /* list, empty or verify; NULL: list */
};

/*
 * Reads argv and the environment; strings point into them, the rest is freed by options_fini, after failure too. For
 * isolated sessions the files that are shared are looked at. A negative errno with a text for the person who typed it.
 */
int options_parse(int argc, char **argv, struct options *ret, struct err *e);
void options_fini(struct options *options);

/*
 * The options of isolated sessions as the sessions take them. *ret points into options, which must stay until the last
 * session has ended. Warns on stderr of what is shared that widely that the user should know it. For options that
 * options_parse accepted without --local it does not fail; -EINVAL else.
 */
int options_isolation(const struct options *options, struct isolation *ret, struct err *e);

void options_help(FILE *out);

#endif
