/* What an installation did, and who is told. */
#ifndef CELLBLOCK_PACKAGES_OUTCOME_H
#define CELLBLOCK_PACKAGES_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Skipped: its condition does not hold, and a file is where that is no mistake. */
enum install_state { INSTALL_NEW, INSTALL_PRESENT, INSTALL_FAILED, INSTALL_SKIPPED };

struct install_item {
    const char *spec; /* as asked, or name==version for what came with it */
    enum install_state state;
    const char *version; /* or NULL */
    const char *reason;  /* of a failure, or NULL */
    bool asked;          /* false: a dependency */
};

struct install_outcome {
    bool ok;
    bool timed_out, cancelled;
    const struct install_item *items;
    size_t n_items;
    const char *error_text; /* a failure of the whole: refused specifier, index not reachable, ... */
    const char *notes;      /* e.g. what is loaded in another version; NULL when there are none */
    int64_t duration_us;
};

struct install_ops {
    void (*progress)(void *data, double seconds, const char *line);
    void (*done)(void *data, const struct install_outcome *outcome);
};

/* A copy of its own. */
struct install_outcome *install_outcome_copy(const struct install_outcome *outcome);
void install_outcome_free(struct install_outcome *copy);

/* What happened, package by package, as lines for a person or a model to act upon. */
void install_describe(const struct install_outcome *outcome, struct buf *out);

#endif
