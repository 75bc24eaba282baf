/*
 * fork(2) and exit cost page tables and mappings. A heap in one piece that is then collapsed into huge pages makes
 * both two to three times cheaper (see docs/design.md), as long as the parent does not touch it any more.
 */
#include "kernel/ext/ext.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; EINVAL before */
#endif

#define HUGE ((size_t)2 << 20)
#define POOL_SIZE ((size_t)256 << 20) /* address space, not memory */
#define POOL_FREE_MAX 1024

/* As in CPython's Include/cpython/objimpl.h. Not in the limited API, but the same from 3.4 on. */
struct arena_allocator {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *p, size_t size);
};

typedef void (*arena_function)(struct arena_allocator *allocator);

static struct arena_allocator python_arenas;

/* Arenas are all of one size: 256 KiB up to 3.9, then 1 MiB. */
static struct {
    char *begin, *next, *end;
    size_t arena_size;
    void *free[POOL_FREE_MAX];
    size_t n_free;
} pool;

static void *pool_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (pool.arena_size == 0)
        pool.arena_size = size;
    if (size == pool.arena_size) {
        if (pool.n_free > 0)
            return pool.free[--pool.n_free];
        if ((size_t)(pool.end - pool.next) >= size) {
            pool.next += size;
            return pool.next - size;
        }
    }
    return python_arenas.alloc(python_arenas.ctx, size);
}

static void pool_free(void *ctx, void *p, size_t size)
{
    (void)ctx;
    if ((char *)p < pool.begin || (char *)p >= pool.end) {
        python_arenas.free(python_arenas.ctx, p, size);
        return;
    }
    (void)madvise(p, size, MADV_DONTNEED);
    if (pool.n_free < POOL_FREE_MAX)
        pool.free[pool.n_free++] = p;
}

static int pool_init(void)
{
    void *get_symbol = dlsym(RTLD_DEFAULT, "PyObject_GetArenaAllocator");
    void *set_symbol = dlsym(RTLD_DEFAULT, "PyObject_SetArenaAllocator");
    struct arena_allocator ours = {NULL, pool_alloc, pool_free};
    arena_function get, set;
    char *memory;

    if (!get_symbol || !set_symbol || pool.begin)
        return 0;
    memcpy(&get, &get_symbol, sizeof get); /* ISO C has no cast from object to function pointer */
    memcpy(&set, &set_symbol, sizeof set);
    memory = mmap(NULL, POOL_SIZE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return 0;
    pool.begin = pool.next = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
    pool.end = pool.begin + POOL_SIZE;
    get(&python_arenas);
    set(&ours);
    return 1;
}

PyObject *heap_prepare(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return PyBool_FromLong(pool_init());
}

static void collapse(char *begin, char *end, unsigned long *done)
{
    for (char *p = (char *)(((uintptr_t)begin + HUGE - 1) & ~(HUGE - 1)); p < end && (size_t)(end - p) >= HUGE;
         p += HUGE)
        if (madvise(p, HUGE, MADV_COLLAPSE) == 0)
            (*done)++;
}

/* Collapse private anonymous memory: the pool as far as it is used, and the heap. Returns the number of huge pages. */
PyObject *heap_seal(PyObject *self, PyObject *none)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], perms[8];
    unsigned long begin, end, inode, done = 0;

    (void)self;
    (void)none;
    if (!maps)
        return PyLong_FromLong(0);
    while (fgets(line, sizeof line, maps)) {
        char *from, *to;

        if (sscanf(line, "%lx-%lx %7s %*x %*s %lu", &begin, &end, perms, &inode) != 4)
            continue;
        if (inode != 0 || strcmp(perms, "rw-p") != 0 || strstr(line, "[stack"))
            continue;
        from = (char *)begin; /* NOLINT(performance-no-int-to-ptr) */
        to = (char *)end;     /* NOLINT(performance-no-int-to-ptr) */
        if (pool.begin && from <= pool.begin && to > pool.begin && to > pool.next)
            to = pool.next;
        collapse(from, to, &done);
    }
    (void)fclose(maps);
    return PyLong_FromUnsignedLong(done);
}
