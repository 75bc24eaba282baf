/*
 * Memory. Small allocations of fixed size abort when memory is out; whatever a peer sizes is bounded by limits.h
 * before it is allocated. autofree frees at the end of the scope; steal_ptr takes a pointer out of such a variable.
 */
#ifndef CELLBLOCK_BASE_MEM_H
#define CELLBLOCK_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

#define autofree __attribute__((cleanup(mem_free_scope)))

/* Zeroed memory for one object of the type, or for n of them. Never NULL. The caller frees it. */
#define xnew(type) ((type *)xcalloc(1, sizeof(type)))
#define xnew_n(type, n) ((type *)xcalloc((n), sizeof(type)))

void *xcalloc(size_t n, size_t size);          /* aborts on overflow and when memory is out */
void *xrealloc(void *old, size_t n, size_t size); /* n * size bytes, checked; the new part is not zeroed */
char *xstrdup(const char *text);               /* NULL gives NULL */
char *xstrndup(const char *text, size_t size);
void *xmemdup(const void *data, size_t size);  /* any bytes; a NUL follows that does not count */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define steal_ptr(p)                                                                                               \
    ({                                                                                                             \
        __typeof__(p) stolen_ = (p);                                                                               \
        (p) = NULL;                                                                                                \
        stolen_;                                                                                                   \
    })

/* For autofree only. */
static inline void mem_free_scope(void *p)
{
    free(*(void **)p);
}

#endif
