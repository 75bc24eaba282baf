/*
 * fork(2) and exit cost page tables and mappings. A heap in one piece that is then collapsed into huge pages makes
 * both two to three times cheaper (see docs/design.md), as long as the parent does not touch it any more.
 */
#include "kernel/ext/ext.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
    size_t arena_size, n_given;
    void *free[POOL_FREE_MAX];
    size_t n_free;
} pool;

static void *pool_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (pool.arena_size == 0)
        pool.arena_size = size;
    pool.n_given++;
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

/* ---- holes ---- */

#define SMALL_STEP 16  /* size classes of CPython's allocator, */
#define SMALL_MAX 512  /* the largest of them, */
#define POOL_HEADER 48 /* and what is before the first block of a pool, from 3.4 on */
#define RUN 16         /* so many blocks in a row from the beginning of a pool: nothing has used it before */

#define LARGE_MAX ((size_t)64 << 10) /* below what malloc gets by mmap */
#define LARGE_MIN 24

#define FILL_ARENAS 2 /* more than these are not begun: then the allocator is another than is meant here */

/* 1, or 0 when it came to nothing. */
static int fill_class(size_t size, size_t last_arena)
{
    size_t pool_size = pool.arena_size > ((size_t)256 << 10) ? 16384 : 4096;
    size_t in_pool = (pool_size - POOL_HEADER) / size, want = in_pool < RUN ? in_pool : RUN, n = 0;
    char *run[RUN];

    while (n < want) {
        char *block = PyObject_Malloc(size);

        if (!block || pool.n_given > last_arena)
            return 0;
        if (n > 0 && block != run[n - 1] + size)
            n = 0;
        if (n > 0 || (uintptr_t)block % pool_size == POOL_HEADER)
            run[n++] = block;
    }
    while (n > 0)
        PyObject_Free(run[--n]);
    return 1;
}

/* The same for malloc: large ones first, so that none is cut into small ones. Its heap ends with what was never used.
 */
static void fill_malloc(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "mallinfo2"); /* glibc 2.33 */
    struct mallinfo2 (*info)(void);
    char *unused, *block;

    if (!symbol)
        return;
    memcpy(&info, &symbol, sizeof info);
    unused = (char *)sbrk(0) - info().keepcost;
    for (size_t size = LARGE_MAX; size >= LARGE_MIN; size -= size > 2048 ? size / 8 : 16) {
        do
            block = malloc(size);
        while (block && block < unused);
        free(block);
    }
}

/*
 * What was freed while packages were imported and tried leaves holes all over the heap. A kernel would put what it
 * allocates there, and copy a page for each hole. So they are filled, by nothing and for ever, once for all kernels,
 * which then find room in one piece. Returns the number of size classes that were filled.
 */
PyObject *heap_fill(PyObject *self, PyObject *none)
{
    size_t last_arena = pool.n_given + FILL_ARENAS;
    long done = 0;

    (void)self;
    (void)none;
    if (pool.n_given == 0) /* Python uses another allocator, or this heap was not prepared */
        return PyLong_FromLong(0);
    for (size_t size = SMALL_STEP; size <= SMALL_MAX && fill_class(size, last_arena); size += SMALL_STEP)
        done++;
    fill_malloc();
    return PyLong_FromLong(done);
}

/* ---- sealing ---- */

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

/* ---- mappings ---- */

#define MERGE_MAX 8192

struct mapping {
    unsigned long begin, end, offset, inode;
    int rights; /* PROT_; -1: not a private one of a file */
};

static size_t read_mappings(struct mapping *all, size_t max)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], perms[8];
    size_t n = 0;

    while (maps && n < max && fgets(line, sizeof line, maps)) {
        struct mapping *m = &all[n];

        if (sscanf(line, "%lx-%lx %7s %lx %*s %lu", &m->begin, &m->end, perms, &m->offset, &m->inode) != 5)
            continue;
        m->rights =
            (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) | (perms[2] == 'x' ? PROT_EXEC : 0);
        if (perms[3] != 'p' || m->inode == 0)
            m->rights = -1;
        n++;
    }
    if (maps)
        (void)fclose(maps);
    return n;
}

static int continues(const struct mapping *m, const struct mapping *next)
{
    return m->end == next->begin && m->inode == next->inode && m->offset + (m->end - m->begin) == next->offset;
}

/*
 * Every library has five mappings that differ in their rights, and each mapping is some microseconds of every fork and
 * exit. Constants get the rights of the code beside them, and what was relocated those of the data: then there are half
 * as many. That guards nothing here: a kernel runs untrusted code, which may map whatever memory it likes, and its
 * zygote runs none and is given no data but the server's. A C library that seals its mappings (mseal(2)) refuses.
 */
void heap_merge(void)
{
    size_t size = MERGE_MAX * sizeof(struct mapping), n;
    struct mapping *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED)
        return;
    n = read_mappings(all, MERGE_MAX);
    for (size_t i = 0; i < n; i++) {
        int code = i > 0 && all[i - 1].rights == (PROT_READ | PROT_EXEC) && continues(&all[i - 1], &all[i]), data = 0;

        if (all[i].rights != PROT_READ)
            continue;
        if (i + 1 < n && continues(&all[i], &all[i + 1])) {
            code |= all[i + 1].rights == (PROT_READ | PROT_EXEC);
            data = all[i + 1].rights == (PROT_READ | PROT_WRITE);
        }
        if (code || data)
            (void)mprotect((void *)all[i].begin, all[i].end - all[i].begin, /* NOLINT(performance-no-int-to-ptr) */
                           code ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE);
    }
    (void)munmap(all, size);
}
