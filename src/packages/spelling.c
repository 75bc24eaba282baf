#include "packages/spelling.h"

#include <ctype.h>
#include <string.h>

static int lower(char c)
{
    return tolower((unsigned char)c);
}

bool spelling_same_name(const char *a, const char *b)
{
    while (*a && *b && *b != '[') {
        bool sep_a = strchr("-_.", *a), sep_b = strchr("-_.", *b);

        if (sep_a != sep_b || (!sep_a && lower(*a) != lower(*b)))
            return false;
        a++;
        b++;
    }
    return !*a && (!*b || *b == '[');
}

size_t spelling_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[3][SPELLING_MAX + 1], *old = row[0], *last = row[1], *now = row[2];

    if (n > SPELLING_MAX || m > SPELLING_MAX)
        return SPELLING_MAX;
    for (size_t j = 0; j <= m; j++)
        last[j] = old[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *unused = old;

        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));

            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) &&
                old[j - 2] + 1 < best)
                best = old[j - 2] + 1;
            now[j] = best;
        }
        old = last;
        last = now;
        now = unused;
    }
    return last[m];
}
