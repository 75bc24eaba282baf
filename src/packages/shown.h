/* What a sandbox has to show of the host so that an interpreter works in it: its environment, wherever that lives. */
#ifndef CELLBLOCK_PACKAGES_SHOWN_H
#define CELLBLOCK_PACKAGES_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/plan.h"

struct err;

#define SHOWN_MAX 16

struct shown {
    struct sandbox_mount all[SHOWN_MAX]; /* read-only; strings are owned */
    size_t n;
};

/*
 * Add the directories of an interpreter (its sys.executable, sys.prefix and sys.base_prefix). -EINVAL and what to do
 * when one of them holds more than Python, such as a home directory. shown_fini in any case.
 */
int shown_interpreter(struct shown *ret, const char *executable, const char *prefix, const char *base_prefix,
                      struct err *e);
void shown_fini(struct shown *shown);

/* Without namespaces: can a user who has no rights of its own there enter all directories of an absolute path, and the
 * last one (a file: run it)? */
bool shown_to_all(const char *path);

#endif
