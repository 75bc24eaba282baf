#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "server/impl.h"

static bool is_absent(yyjson_val *value)
{
    return !value || yyjson_is_null(value) || (yyjson_is_str(value) && yyjson_get_len(value) == 0);
}

int arguments_check(yyjson_val *arguments, const char *const *known, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *value;

    yyjson_obj_foreach(arguments, i, n, key, value)
    {
        const char *name = yyjson_get_str(key);
        size_t k = 0;

        while (known[k] && strcmp(known[k], name) != 0)
            k++;
        if (!known[k]) {
            autobuf struct buf names = BUF_INIT;

            for (k = 0; known[k]; k++)
                (void)buf_printf(&names, "%s`%s`", k ? ", " : "", known[k]);
            return err_set(e, EINVAL, "There is no argument `%.100s`. The arguments are %s.", name, buf_str(&names));
        }
    }
    return 0;
}

int arguments_string(yyjson_val *arguments, const char *name, const char **ret, size_t *ret_size, struct err *e)
{
    yyjson_val *value = yyjson_obj_get(arguments, name);

    *ret = NULL;
    *ret_size = 0;
    if (is_absent(value))
        return 0;
    if (!yyjson_is_str(value))
        return err_set(e, EINVAL, "`%s` has to be a string, not %s.", name, yyjson_get_type_desc(value));
    *ret = yyjson_get_str(value);
    *ret_size = yyjson_get_len(value);
    return 0;
}

int arguments_seconds(yyjson_val *arguments, const char *name, int64_t fallback, int64_t max, int64_t *ret,
                      struct err *e)
{
    yyjson_val *value = yyjson_obj_get(arguments, name);
    double seconds = NAN;

    *ret = fallback < max ? fallback : max;
    if (is_absent(value))
        return 0;
    if (yyjson_is_num(value)) {
        seconds = yyjson_get_num(value);
    } else if (yyjson_is_str(value)) {
        char *end;

        seconds = strtod(yyjson_get_str(value), &end);
        if (*end)
            seconds = NAN;
    }
    if (!isfinite(seconds) || seconds <= 0)
        return err_set(e, EINVAL, "`%s` has to be a number of seconds above 0.", name);
    *ret = seconds * 1000 >= (double)max ? max : (int64_t)ceil(seconds * 1000);
    return 0;
}
