/* Random bytes from getrandom(2): for handles, nonces and marks. */
#ifndef CELLBLOCK_BASE_RANDOM_H
#define CELLBLOCK_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *ret, size_t size); /* aborts if the kernel has none to give */
uint64_t random_u64(void);

/* A handle of n characters from a-z and 2-9 without l and o (5 bits each), NUL-terminated: ret has n + 1 bytes. */
void random_id(char *ret, size_t n);

#endif
