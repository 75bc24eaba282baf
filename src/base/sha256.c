#include "base/sha256.h"

#include <stdatomic.h>
#include <string.h>

#include "base/sha256_impl.h"

/* RFC 6234, 5.1: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate(uint32_t x, int n)
{
    return (x >> n) | (x << (32 - n));
}

static inline uint32_t read_word(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* One round, with the names moved instead of the values: a to h are named anew in the next one. */
#define ROUND(a, b, c, d, e, f, g, h, i, word)                                                                         \
    do {                                                                                                               \
        uint32_t t_ = (h) + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((g) ^ ((e) & ((f) ^ (g)))) +             \
                      sha256_constants[i] + (word);                                                                    \
        (d) += t_;                                                                                                     \
        (h) = t_ + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (((a) & (b)) | ((c) & ((a) | (b))));               \
    } while (0)

/* Word i of the schedule, kept in a ring of 16: RFC 6234, 6.2, step 1. */
static inline uint32_t schedule(uint32_t w[16], unsigned i)
{
    uint32_t early = w[(i + 1) & 15], late = w[(i + 14) & 15];

    w[i & 15] += (rotate(early, 7) ^ rotate(early, 18) ^ (early >> 3)) + w[(i + 9) & 15] +
                 (rotate(late, 17) ^ rotate(late, 19) ^ (late >> 10));
    return w[i & 15];
}

#define WORD(i) ((i) < 16 ? w[(i)&15] : schedule(w, (i)))

static void add_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

    for (int i = 0; i < 16; i++)
        w[i] = read_word(block + 4 * i);
    for (unsigned i = 0; i < 64; i += 8) {
        ROUND(a, b, c, d, e, f, g, h, i, WORD(i));
        ROUND(h, a, b, c, d, e, f, g, i + 1, WORD(i + 1));
        ROUND(g, h, a, b, c, d, e, f, i + 2, WORD(i + 2));
        ROUND(f, g, h, a, b, c, d, e, i + 3, WORD(i + 3));
        ROUND(e, f, g, h, a, b, c, d, i + 4, WORD(i + 4));
        ROUND(d, e, f, g, h, a, b, c, i + 5, WORD(i + 5));
        ROUND(c, d, e, f, g, h, a, b, i + 6, WORD(i + 6));
        ROUND(b, c, d, e, f, g, h, a, i + 7, WORD(i + 7));
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void add_blocks(uint32_t state[8], const unsigned char *at, size_t n)
{
    static atomic_int known; /* 0: not asked yet */
    int has = atomic_load_explicit(&known, memory_order_relaxed);

    if (has == 0) {
        has = sha256_has_instructions() ? 1 : -1;
        atomic_store_explicit(&known, has, memory_order_relaxed);
    }
    if (has > 0)
        sha256_add_blocks(state, at, n);
    for (; has < 0 && n > 0; n--, at += SHA256_BLOCK)
        add_block(state, at);
}

void sha256_init(struct sha256 *h)
{
    *h = (struct sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
    };
}

void sha256_add(struct sha256 *h, const void *data, size_t size)
{
    const unsigned char *at = data;
    size_t used = h->size % SHA256_BLOCK;

    if (size == 0)
        return;
    h->size += size;
    if (used) {
        size_t room = SHA256_BLOCK - used, n = size < room ? size : room;

        memcpy(h->block + used, at, n);
        at += n;
        size -= n;
        if (n < room)
            return;
        add_blocks(h->state, h->block, 1);
    }
    if (size >= SHA256_BLOCK)
        add_blocks(h->state, at, size / SHA256_BLOCK);
    memcpy(h->block, at + (size - size % SHA256_BLOCK), size % SHA256_BLOCK);
}

void sha256_end(struct sha256 *h, unsigned char ret[SHA256_BYTES])
{
    static const unsigned char one[SHA256_BLOCK] = {0x80};
    uint64_t bits = h->size * 8;
    size_t used = h->size % SHA256_BLOCK;
    unsigned char length[8];

    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha256_add(h, one, (used < 56 ? 56 : 120) - used);
    sha256_add(h, length, sizeof length);
    for (int i = 0; i < SHA256_BYTES; i++)
        ret[i] = (unsigned char)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_of(const void *data, size_t size, unsigned char ret[SHA256_BYTES])
{
    struct sha256 h;

    sha256_init(&h);
    sha256_add(&h, data, size);
    sha256_end(&h, ret);
}

void sha256_hex(const unsigned char hash[SHA256_BYTES], char ret[SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < SHA256_BYTES; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[SHA256_HEX - 1] = '\0';
}

/* The value of a digit, and 1 more: 0 is what is no digit. By table, because manifests have many. */
static const unsigned char values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

bool sha256_parse(const char *text, size_t size, unsigned char ret[SHA256_BYTES])
{
    unsigned char hash[SHA256_BYTES];

    if (size < SHA256_HEX - 1)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        unsigned high = values[(unsigned char)text[2 * i]], low = values[(unsigned char)text[2 * i + 1]];

        if (high == 0 || low == 0)
            return false;
        hash[i] = (unsigned char)((high - 1) << 4 | (low - 1));
    }
    memcpy(ret, hash, sizeof hash);
    return true;
}
