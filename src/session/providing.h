/*
 * Getting packages to a session, in the way that it has them: into the environment in local mode (packages/packages.h),
 * into a layer of its own when it is isolated (layer.h). Used by installing.c.
 */
#ifndef CELLBLOCK_SESSION_PROVIDING_H
#define CELLBLOCK_SESSION_PROVIDING_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct install_outcome;
struct providing;
struct session;
struct wire_part;

struct providing_ops {
    void (*progress)(void *data, double seconds, const char *line);
    /* parts: what the kernel has to look at again (WIRE_REFRESH); none: nothing has changed for it. */
    void (*done)(void *data, const struct install_outcome *outcome, const struct wire_part *parts, size_t n_parts);
};

/* specs are checked (requirement_check). done follows, once, not from within, with everything in it gone afterwards. */
int providing_start(struct session *s, char *const *specs, size_t n, int64_t timeout_ms,
                    const struct providing_ops *ops, void *data, struct providing **ret, struct err *e);
void providing_cancel(struct providing *p);

/* The session is being closed: it is cancelled, and nobody is told. */
void providing_forget(struct providing *p);

#endif
