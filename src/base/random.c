#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *ret, size_t size)
{
    unsigned char *at = ret;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0); /* up to 256 bytes come whole; more may be cut by a signal */

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* a guessable handle is worse than no server */
        at += got;
        size -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value;

    random_bytes(&value, sizeof(value));
    return value;
}

void random_id(char *ret, size_t n)
{
    /* 24 letters and 8 digits: nothing that is read as something else; 32 of them, so that 5 bits choose evenly. */
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";

    random_bytes(ret, n);
    for (size_t i = 0; i < n; i++)
        ret[i] = alphabet[(unsigned char)ret[i] & 31];
    ret[n] = '\0';
}
