/*
 * One requirement as PEP 508 writes it, taken apart. The two public functions are in packages/packages.h; this is what
 * the installer needs besides. Nothing here runs anything or looks at files.
 */
#ifndef CELLBLOCK_PACKAGES_REQUIREMENT_H
#define CELLBLOCK_PACKAGES_REQUIREMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

struct err;

struct requirement {
    char name[LIMIT_REQUIREMENT + 1]; /* normalised (PEP 503) */
    bool has_extras, has_version, has_url, has_marker;
};

int requirement_parse(const char *spec, struct requirement *ret, struct err *e);

/* A short form of text that can stand in a message: no control characters, valid UTF-8, cut. ret is NUL-terminated. */
void requirement_show(const char *text, char *ret, size_t size);

/* ---- between requirement.c and marker.c ---- */

struct scan {
    const char *spec; /* the whole, for messages */
    const char *p;    /* what is not read yet */
    struct err *e;
};

/* -EINVAL with the text `"spec" is not a package requirement: reason`. */
int scan_refuse(const struct scan *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void scan_space(struct scan *s);
bool scan_take(struct scan *s, const char *literal);

/* The condition after a semicolon, up to the end of the text. 0 or scan_refuse's. */
int marker_parse(struct scan *s);

#endif
