/* Between sha256.c and sha256_x86.c. */
#ifndef CELLBLOCK_BASE_SHA256_IMPL_H
#define CELLBLOCK_BASE_SHA256_IMPL_H

#include "base/sha256.h"

extern const uint32_t sha256_constants[64];

/* Has this processor instructions for it? Takes long on a virtual machine: to be asked once. */
bool sha256_has_instructions(void);

/* n blocks of SHA256_BLOCK bytes; only where it has. */
void sha256_add_blocks(uint32_t state[8], const unsigned char *at, size_t n);

#endif
