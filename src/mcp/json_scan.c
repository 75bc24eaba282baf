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

/* ---- the id ---- */

static void take(struct json_id *scan, char c)
{
    scan->token[scan->size++] = c;
}

static void step_between(struct json_id *scan, char c)
{
    bool after_key = scan->after_key, after_colon = scan->after_colon;

    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return;
    scan->after_key = false;
    scan->after_colon = after_key && c == ':';
    scan->size = 0;
    if (c == '"') {
        scan->at = after_colon ? ID_VALUE : ID_STRING;
        take(scan, c);
    } else if (after_colon && (c == '-' || (c >= '0' && c <= '9'))) {
        scan->at = ID_NUMBER;
        take(scan, c);
    } else if (c == '{' || c == '[') {
        scan->depth++;
    } else if ((c == '}' || c == ']') && scan->depth) {
        scan->depth--;
    }
}

/* A string that is not the id: only whether it is the key "id" of the outermost object counts. */
static void step_string(struct json_id *scan, char c)
{
    if (scan->size < 4)
        take(scan, c);
    if (c == '\\')
        scan->at = ID_STRING_ESCAPE;
    if (c != '"')
        return;
    scan->at = ID_BETWEEN;
    scan->after_key = scan->depth == 1 && scan->size == 4 && memcmp(scan->token, "\"id\"", 4) == 0;
}

static void step_value(struct json_id *scan, char c)
{
    if (scan->size == JSON_ID_MAX) { /* too long to be answered: the rest is like any other string */
        scan->at = scan->at == ID_VALUE ? ID_STRING : ID_STRING_ESCAPE;
        json_id_feed(scan, &c, 1);
        return;
    }
    take(scan, c);
    if (scan->at == ID_VALUE_ESCAPE)
        scan->at = ID_VALUE;
    else if (c == '\\')
        scan->at = ID_VALUE_ESCAPE;
    else if (c == '"')
        scan->at = ID_FOUND;
}

static void step_number(struct json_id *scan, char c)
{
    bool more = c && strchr("0123456789+-.eE", c);

    if (more && scan->size < JSON_ID_MAX) {
        take(scan, c);
        return;
    }
    scan->at = more ? ID_BETWEEN : ID_FOUND;
}

void json_id_feed(struct json_id *scan, const char *json, size_t size)
{
    for (size_t i = 0; i < size && scan->at != ID_FOUND; i++) {
        switch (scan->at) {
        case ID_BETWEEN:
            step_between(scan, json[i]);
            break;
        case ID_STRING:
            step_string(scan, json[i]);
            break;
        case ID_STRING_ESCAPE:
            scan->at = ID_STRING;
            break;
        case ID_NUMBER:
            step_number(scan, json[i]);
            break;
        default:
            step_value(scan, json[i]);
            break;
        }
    }
}

char *json_id_end(struct json_id *scan)
{
    scan->token[scan->size] = '\0';
    return scan->at == ID_FOUND ? scan->token : NULL;
}
