/* What an installation did: what was there before and after is compared, whatever the installer said. */
#ifndef CELLBLOCK_PACKAGES_REPORT_H
#define CELLBLOCK_PACKAGES_REPORT_H

#include <stdbool.h>
#include <stddef.h>

struct install_item;
struct site;

enum request_state { REQUEST_WAITING, REQUEST_DONE, REQUEST_FAILED };

/* One requirement that was asked for. */
struct request {
    char *spec;
    char *key;     /* its normalised name */
    char *instead; /* what is asked for in place of spec; NULL: spec */
    bool bare;     /* nothing but a name */
    bool has_marker;
    bool of_file; /* where conditions are expected not to hold */
    enum request_state state;
    char *reason; /* when it failed */
};

/*
 * The items of an outcome: those asked for in their order, then what came with them. unfinished: the reason given for
 * what still waits. *ret_ok: is all there that was asked for? Strings belong to the items: report_free.
 */
size_t report_make(const struct request *requests, size_t n, const struct site *before, const struct site *after,
                   const char *unfinished, struct install_item **ret, bool *ret_ok);
void report_free(struct install_item *items, size_t n);

#endif
