/* Inside of provides*.c: the tables, each sorted by strcmp. */
#ifndef CELLBLOCK_PACKAGES_PROVIDES_IMPL_H
#define CELLBLOCK_PACKAGES_PROVIDES_IMPL_H

#include <stddef.h>

struct provided {
    const char *module, *text; /* text: the distribution; in provides_advice what is to be said of the module */
};

extern const struct provided provides_differing[], provides_advice[];
extern const char *const provides_same[], *const provides_standard[], *const provides_popular[];
extern const size_t provides_n_differing, provides_n_advice, provides_n_same, provides_n_standard, provides_n_popular;

#endif
