/*
 * The options of isolated sessions: what is given is collected here while the command line is read, then checked and
 * made into what the sessions take (session/isolation.h).
 */
#ifndef CELLBLOCK_CLI_ISOLATION_OPTIONS_H
#define CELLBLOCK_CLI_ISOLATION_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "session/isolation.h"

struct err;

#define OPTION_LIST_MAX 256

/* The values of an option that can be repeated; owned. */
struct option_list {
    char **items;
    size_t n;
    bool from_environment;
};

struct isolation_options {
    const char *given; /* the first option or variable that was given, or NULL: not the caller's to free */
    struct option_list mount, env;
    struct isolation_limits limits;
    bool network;
    const char *level; /* --require-isolation as given, or NULL */
    /* Made by isolation_options_resolve; owned. */
    struct sandbox_mount *mounts;
    size_t n_mounts;
    char **environment;
    size_t n_environment;
    enum sandbox_tier required;
};

/*
 * Add a value. From the environment it may hold several, one a line; what the command line says replaces those, as it
 * does for every option. -E2BIG with a text when there are too many.
 */
int option_list_add(struct option_list *list, const char *name, const char *text, bool from_environment, struct err *e);

/* Check and make. python, store, workdir: as in mount_guard_init. -EINVAL or -EPERM with a text. */
int isolation_options_resolve(struct isolation_options *o, const char *python, const char *store, const char *workdir,
                              struct err *e);
void isolation_options_fini(struct isolation_options *o);

#endif
