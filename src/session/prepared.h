/*
 * The environment of --packages: what its file names, as a set of the package store on top of the interpreter. All
 * sessions run on it. Made before the first of them starts, once in the life of the server.
 */
#ifndef CELLBLOCK_SESSION_PREPARED_H
#define CELLBLOCK_SESSION_PREPARED_H

#include <stddef.h>
#include <uv.h>

struct err;
struct fetcher;
struct prepared;

/*
 * python: the interpreter of the environment; preload: modules that it should have imported, as the zygote takes them.
 * NULL: error tells why there is no environment, and who asks next tries again.
 */
typedef void (*prepared_cb)(void *data, const char *python, const char *preload, const char *error);

/*
 * python: the interpreter that it is made for, a path or a name on PATH. preload: what the user wants, or NULL.
 * *under_way is one more while something is, also after prepared_free.
 */
struct prepared *prepared_new(uv_loop_t *loop, struct fetcher *fetcher, const char *python, const char *file,
                              const char *preload, size_t *under_way);

/* done follows once, perhaps from within. Not while one is under way. */
void prepared_start(struct prepared *p, prepared_cb done, void *data);

/* Frees it; what is under way is cancelled first, and freed with it later. NULL is fine. */
void prepared_free(struct prepared *p);

#endif
