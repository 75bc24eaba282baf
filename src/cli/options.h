/*
 * The command line: flags, each with its CELLBLOCK_... variable, from one table that --help is printed from too.
 */
#ifndef CELLBLOCK_CLI_OPTIONS_H
#define CELLBLOCK_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct err;

enum command { COMMAND_STDIO, COMMAND_RUN, COMMAND_DOCTOR, COMMAND_HELP, COMMAND_VERSION };

struct options {
    enum command command;
    bool local;
    const char *python, *preload, *workdir, *log_level;
    int64_t timeout_ms, max_timeout_ms, session_idle_ms; /* 0: not given */
    int64_t max_sessions;
    /* run */
    const char *code, *file, *figures;
};

/* Reads argv and the environment; strings point into them. -EINVAL with a text for the person who typed it. */
int options_parse(int argc, char **argv, struct options *ret, struct err *e);

void options_help(FILE *out);

#endif
