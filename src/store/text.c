#include "store/text.h"

#include <string.h>

#include "base/utf8.h"
#include "store/store.h"

bool text_take(struct cursor *c, const char *literal)
{
    size_t size = strlen(literal);

    if ((size_t)(c->end - c->at) < size || memcmp(c->at, literal, size) != 0)
        return false;
    c->at += size;
    return true;
}

bool text_take_number(struct cursor *c, uint64_t *ret)
{
    const char *at = c->at;
    uint64_t value = 0;

    for (; at < c->end && *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');

        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (at == c->at || (*c->at == '0' && at > c->at + 1))
        return false;
    c->at = at;
    *ret = value;
    return true;
}

bool text_take_line(struct cursor *c, const char **ret, size_t *size)
{
    const char *end = c->at < c->end ? memchr(c->at, '\n', (size_t)(c->end - c->at)) : NULL;

    if (!end)
        return false;
    *ret = c->at;
    *size = (size_t)(end - c->at);
    c->at = end + 1;
    return true;
}

bool text_take_bytes(struct cursor *c, size_t size, const char **ret)
{
    if ((size_t)(c->end - c->at) < size)
        return false;
    *ret = c->at;
    c->at += size;
    return true;
}

bool text_is_id(const char *id, size_t size)
{
    if (size == 0 || size >= STORE_ID_MAX || id[0] == '.')
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = id[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

bool text_is_path(const char *path, size_t size)
{
    size_t part = 0; /* start of the current part */

    if (size == 0 || size >= STORE_PATH_BYTES || !utf8_valid(path, size))
        return false;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && path[i] != '/') {
            if ((unsigned char)path[i] < ' ' || path[i] == 0x7f)
                return false;
            continue;
        }
        if (i == part || i - part > 255 || (i - part == 1 && path[part] == '.') ||
            (i - part == 2 && path[part] == '.' && path[part + 1] == '.'))
            return false;
        part = i + 1;
    }
    return true;
}

const char *text_shown(const char *path, char *ret)
{
    size_t n = 0;

    for (; path[n] && n < TEXT_SHOWN - 4; n++)
        ret[n] = (unsigned char)path[n] < ' ' || path[n] == 0x7f ? '?' : path[n];
    (void)strcpy(ret + n, path[n] ? "..." : "");
    return ret;
}
