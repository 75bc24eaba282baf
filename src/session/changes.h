/*
 * Which files of a sandbox's workspace changed, found by looking after an execution: the workspace is small and in
 * memory, and a watch (watch.h) could be flooded by the code that is watched.
 */
#ifndef CELLBLOCK_SESSION_CHANGES_H
#define CELLBLOCK_SESSION_CHANGES_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct exec_file;

#define CHANGES_TOLD_MAX 64

/* What one session was told; starts as zeros. */
struct changes {
    struct timespec since;
    /* File systems tell time by the tick: what changed in the tick of the last look would be told twice. */
    uint64_t told[CHANGES_TOLD_MAX]; /* a ring */
    size_t n_told;
};

/* From here on. */
void changes_begin(struct changes *c);

/*
 * Regular files below dir that changed since, the oldest change first, at most max of them; *ret_more: how many more
 * were seen. Looks at 20,000 entries at most; hidden directories and those that hold no work are left out, no link is
 * followed. The caller frees the paths and the array, which is NULL when there is nothing.
 */
void changes_end(struct changes *c, int dir, size_t max, struct exec_file **ret, size_t *ret_n, size_t *ret_more);

#endif
