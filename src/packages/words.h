/* A list of owned strings that ends with NULL: what execve(2) takes as arguments and environment. */
#ifndef CELLBLOCK_PACKAGES_WORDS_H
#define CELLBLOCK_PACKAGES_WORDS_H

#include <stddef.h>

struct words {
    char **items; /* NULL while empty */
    size_t n;
};

#define autowords __attribute__((cleanup(words_fini)))

void words_fini(struct words *w);
void words_add(struct words *w, const char *text);
void words_add_all(struct words *w, const char *const *texts); /* up to a NULL */
void words_addf(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The value of NAME in a list of NAME=value, or NULL. */
const char *words_value(const struct words *w, const char *name);

#endif
