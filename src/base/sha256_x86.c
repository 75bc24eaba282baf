/*
 * SHA-256 by the instructions that x86 processors have for it, where they do: six times as fast. What they do is in
 * Intel's manual (SDM volume 2, SHA256RNDS2, SHA256MSG1, SHA256MSG2): they want the state as two vectors, of the words
 * a, b, e, f and c, d, g, h, the first one highest, and do two rounds at once.
 */
#include "base/sha256_impl.h"

#if defined(__x86_64__) && !defined(SHA256_PORTABLE)

#include <cpuid.h>
#include <immintrin.h>

bool sha256_has_instructions(void)
{
    unsigned a, b = 0, c = 0, d;

    /* CPUID, leaf 1: SSSE3 and SSE4.1; leaf 7: SHA */
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSSE3) && (c & bit_SSE4_1) &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1U << 29));
}

__attribute__((target("sha,ssse3,sse4.1"))) void sha256_add_blocks(uint32_t state[8], const unsigned char *at, size_t n)
{
    const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0), w[4];

    for (; n > 0; n--, at += SHA256_BLOCK) {
        const __m128i abef_before = abef, cdgh_before = cdgh;

#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) { /* four rounds, four words of the schedule */
            __m128i *now = &w[i & 3], *last = &w[(i + 3) & 3], sum;

            if (i < 4) {
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)at + i), big_endian);
            } else {
                sum = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) & 3]),
                                    _mm_alignr_epi8(*last, w[(i + 2) & 3], 4));
                *now = _mm_sha256msg2_epu32(sum, *last);
            }
            sum = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(sha256_constants + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    abef = _mm_shuffle_epi32(abef, 0x1b); /* as f, e, b, a */
    cdgh = _mm_shuffle_epi32(cdgh, 0xb1); /* as d, c, h, g */
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(abef, cdgh, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(cdgh, abef, 8));
}

#else

bool sha256_has_instructions(void)
{
    return false;
}

void sha256_add_blocks(uint32_t state[8], const unsigned char *at, size_t n)
{
    (void)state;
    (void)at;
    (void)n;
}

#endif
