/* SHA-256 (RFC 6234, FIPS 180-4), by the instructions of an x86 processor where it has them (over a gigabyte a
 * second), else portable C (some hundred megabytes). */
#ifndef CELLBLOCK_BASE_SHA256_H
#define CELLBLOCK_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_HEX 65 /* 64 digits and a NUL */
#define SHA256_BLOCK 64

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    unsigned char block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t size);
void sha256_end(struct sha256 *h, unsigned char ret[SHA256_BYTES]); /* h is of no use afterwards */

void sha256_of(const void *data, size_t size, unsigned char ret[SHA256_BYTES]);

void sha256_hex(const unsigned char hash[SHA256_BYTES], char ret[SHA256_HEX]); /* lower case */
/* 64 digits in lower case at text; what follows them is not looked at. False: no such thing. */
bool sha256_parse(const char *text, size_t size, unsigned char ret[SHA256_BYTES]);

#endif
