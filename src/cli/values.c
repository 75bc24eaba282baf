#include "cli/values.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

static bool is_one_of(const char *value, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(value, *words) == 0)
            return true;
    return false;
}

int value_flag(const char *name, const char *value, bool *ret, struct err *e)
{
    static const char *const yes[] = {"1", "true", "yes", "on", NULL}, *const no[] = {"0",   "false", "no",
                                                                                      "off", "",      NULL};

    if (!is_one_of(value, yes) && !is_one_of(value, no))
        return err_set(e, EINVAL, "%s is 1 or 0, not '%.60s'", name, value);
    *ret = is_one_of(value, yes);
    return 0;
}

int value_milliseconds(const char *name, const char *value, int64_t *ret, struct err *e)
{
    char *end = NULL;
    double number = strtod(value, &end);

    if (end == value || *end || !isfinite(number) || number <= 0 || number > 1e9)
        return err_set(e, EINVAL, "%s takes a number above 0, not '%.60s'", name, value);
    *ret = (int64_t)ceil(number * 1000);
    return 0;
}

int value_number(const char *name, const char *value, uint64_t least, uint64_t most, uint64_t *ret, struct err *e)
{
    size_t digits = strspn(value, "0123456789");
    unsigned long long number = strtoull(value, NULL, 10); /* of too many digits: ULLONG_MAX, which is above most */

    if (digits == 0 || value[digits] || number < least || number > most)
        return err_set(e, EINVAL, "%s takes a whole number from %llu to %llu, not '%.60s'", name,
                       (unsigned long long)least, (unsigned long long)most, value);
    *ret = number;
    return 0;
}

/* The power of 1024 that a unit stands for, or -1. */
static int unit_power(const char *unit)
{
    static const char letters[] = "kmgt";
    const char *letter;

    if (!*unit || strcasecmp(unit, "b") == 0)
        return 0;
    letter = strchr(letters, *unit | 0x20);
    if (!letter || (unit[1] && strcasecmp(unit + 1, "b") != 0 && strcasecmp(unit + 1, "ib") != 0))
        return -1;
    return (int)(letter - letters) + 1;
}

int value_size(const char *name, const char *value, uint64_t least, uint64_t most, uint64_t *ret, struct err *e)
{
    char low[VALUE_SIZE_TEXT], high[VALUE_SIZE_TEXT], *end = NULL;
    size_t digits = strspn(value, "0123456789.");
    /* Exact up to 2^53, beyond every bound here. Only digits come to strtod: it would take hexadecimal and "inf" too.
     */
    double number = digits && digits < 32 && value[0] != '.' ? strtod(value, &end) : -1;
    int power = end == value + digits ? unit_power(end) : -1;

    if (power < 0 || number < 0)
        return err_set(e, EINVAL, "%s takes a size like 512m, 2g or a number of bytes, not '%.60s'", name, value);
    number = ldexp(number, 10 * power);
    if (number < (double)least || number > (double)most) {
        value_size_text(low, least);
        value_size_text(high, most);
        return err_set(e, EINVAL, "%s takes a size from %s to %s, not '%.60s'", name, low, high, value);
    }
    *ret = (uint64_t)number;
    return 0;
}

void value_size_text(char *ret, uint64_t bytes)
{
    static const char *const units[] = {"", "k", "m", "g", "t"};
    size_t unit = 0;

    while (unit < 4 && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(ret, VALUE_SIZE_TEXT, "%llu%s", (unsigned long long)bytes, units[unit]);
}
