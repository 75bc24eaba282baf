#include "mcp/json_scan.h"

#include <string.h>

static int hex4(const char *at)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* At a backslash; returns the bytes of the escape, or of the pair of escapes. */
static size_t pass_escape(char *at, size_t left)
{
    int unit = left >= 6 && at[1] == 'u' ? hex4(at + 2) : -1, next;

    if (unit < 0xd800 || unit > 0xdfff)
        return left >= 2 ? 2 : 1;
    next = left >= 12 && at[6] == '\\' && at[7] == 'u' ? hex4(at + 8) : -1;
    if (unit < 0xdc00 && next >= 0xdc00 && next <= 0xdfff)
        return 12;
    memcpy(at + 2, "fffd", 4);
    return 6;
}

size_t json_scan_prepare(char *json, size_t size)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < size;) {
        char c = json[i];

        if (in_string && c == '\\') {
            i += pass_escape(json + i, size - i);
            continue;
        }
        if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            deepest = ++depth > deepest ? depth : deepest;
        else if (!in_string && (c == '}' || c == ']') && depth)
            depth--;
        i++;
    }
    return deepest;
}

/* The end of the string that starts at i, behind its quote; size when it is cut. */
static size_t string_end(const char *json, size_t size, size_t i)
{
    for (i++; i < size && json[i] != '"'; i++)
        if (json[i] == '\\')
            i++;
    return i < size ? i + 1 : size;
}

static size_t skip_space(const char *json, size_t size, size_t i)
{
    while (i < size && (json[i] == ' ' || json[i] == '\t' || json[i] == '\n' || json[i] == '\r'))
        i++;
    return i;
}

static bool take_id(const char *json, size_t size, size_t i, char *ret, size_t ret_size)
{
    size_t end = i;

    if (i >= size)
        return false;
    if (json[i] == '"') {
        end = string_end(json, size, i);
        if (json[end - 1] != '"' || end == i + 1)
            return false;
        for (size_t k = i; k < end; k++) /* it is sent back: nothing that may not be valid */
            if ((unsigned char)json[k] < 0x20 || (unsigned char)json[k] >= 0x7f || json[k] == '\\')
                return false;
    } else {
        if (json[end] == '-')
            end++;
        while (end < size && json[end] >= '0' && json[end] <= '9')
            end++;
        if (end == i || json[end - 1] == '-' || end == size || strchr(".eE", json[end]))
            return false;
    }
    if (end - i >= ret_size)
        return false;
    memcpy(ret, json + i, end - i);
    ret[end - i] = '\0';
    return true;
}

void json_scan_id(const char *json, size_t size, char *ret, size_t ret_size)
{
    size_t depth = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < size;) {
        char c = json[i];

        if (c == '"') {
            size_t end = string_end(json, size, i), colon = skip_space(json, size, end);

            if (depth == 1 && end - i == 4 && memcmp(json + i, "\"id\"", 4) == 0 && colon < size &&
                json[colon] == ':' && take_id(json, size, skip_space(json, size, colon + 1), ret, ret_size))
                return;
            i = end;
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth)
            depth--;
        i++;
    }
}
