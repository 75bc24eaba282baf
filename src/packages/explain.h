/*
 * Why an installation failed, in words: what uv and pip print is turned into a reason that says what happened and
 * what to do. Knows texts only.
 */
#ifndef CELLBLOCK_PACKAGES_EXPLAIN_H
#define CELLBLOCK_PACKAGES_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

enum explain_kind {
    EXPLAIN_UNKNOWN,
    EXPLAIN_NO_SUCH,    /* no package of that name */
    EXPLAIN_NO_VERSION, /* none of its versions is wanted */
    EXPLAIN_PYTHON,     /* for other versions of Python */
    EXPLAIN_PLATFORM,   /* for other platforms */
    EXPLAIN_CONFLICT,
    EXPLAIN_NO_WHEEL, /* source only, and nothing is built */
    EXPLAIN_BUILD,
    EXPLAIN_NOT_BUILT, /* for a reason that is not the compiler's */
    EXPLAIN_HASH,
    EXPLAIN_BAD_FILE,
    EXPLAIN_TOO_LARGE,
    EXPLAIN_REFUSED, /* the index answered 401 or 403, perhaps only for this package */
    EXPLAIN_INDEX,   /* the index answered with another error */
    EXPLAIN_NETWORK,
    EXPLAIN_TLS,
    EXPLAIN_OFFLINE,
    EXPLAIN_DISK,
    EXPLAIN_PERMISSION,
    EXPLAIN_NO_PIP,
    EXPLAIN_KIND_MAX,
};

struct explain {
    enum explain_kind kind;
    char package[256]; /* the package it is about, normalised; "" when the text does not say */
    char *reason;      /* never NULL */
    char *section;     /* the part of the output that tells the error */
};

/* out: what the installer printed. log: pip's log with all its details, or NULL. */
void explain(const char *out, size_t size, const char *log, size_t log_size, struct explain *ret);

/* The same of a failure whose kind and package are known; detail may be NULL. Both texts are cleaned. */
void explain_of_kind(enum explain_kind kind, const char *package, const char *detail, struct explain *ret);
void explain_fini(struct explain *x);

/* Would every other package fail in the same way? */
bool explain_is_global(enum explain_kind kind);

/* The last n lines that are not empty, cleaned as explain_clean does. Never NULL; the caller frees. */
char *explain_tail(const char *text, size_t size, size_t n);

/*
 * A copy of text that can be shown: valid UTF-8, no terminal codes, and no credentials: user:password@ in front of a
 * host becomes ****@. Never NULL; the caller frees.
 */
char *explain_clean(const char *text, size_t size);

#endif
