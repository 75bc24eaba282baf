#include "fetch/places.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "packages/words.h"
#include "sandbox/plan.h"

#define BETWEEN " \t\r\n,;\"'[]{}()="

bool place_may_be_shown(const char *path)
{
    static const char *const none[] = {"/proc", "/sys", "/dev", "/run"};
    static const char *const roots[] = {"/", "/usr", "/etc", "/tmp", "/var", "/home", "/root", "/bin", "/lib", "/opt"};
    autofree char *real = realpath(path, NULL);
    const char *home = getenv("HOME");

    if (*path != '/' || !real || strstr(path, "//") || strstr(path, "/../") || strstr(path, "/./"))
        return false;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (plan_is_below(real, none[i]) || plan_is_below(path, none[i]))
            return false;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (strcmp(real, roots[i]) == 0 || strcmp(path, roots[i]) == 0)
            return false;
    return !(home && *home == '/' && plan_is_below(home, real));
}

static int hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* A URL's path: %20 is a space. */
static void decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++)
        if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
            *to++ = (char)(hex(p[1]) * 16 + hex(p[2]));
            p += 2;
        } else {
            *to++ = *p;
        }
    *to = '\0';
}

static void add_place(char *path, struct words *ret)
{
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        path[--size] = '\0';
    for (size_t i = 0; i < ret->n; i++)
        if (strcmp(ret->items[i], path) == 0)
            return;
    if (ret->n < PLACES_MAX && access(path, R_OK) == 0 && place_may_be_shown(path))
        words_add(ret, path);
}

static void add_word(const char *word, size_t size, struct words *ret)
{
    autofree char *text = xstrndup(word, size);
    char *url = strstr(text, "file:"); /* uv's indexes may have a name: name=file:///... */

    if (url) {
        url += strlen("file:");
        if (strncmp(url, "//localhost/", 12) == 0)
            url += 11;
        while (url[0] == '/' && url[1] == '/')
            url++;
        url[strcspn(url, "?#")] = '\0';
        decode(url);
        add_place(url, ret);
    } else if (*text == '/') {
        add_place(text, ret);
    }
}

void places_of_value(const char *value, struct words *ret)
{
    autofree char *whole = xstrdup(value);

    if (*whole == '/' && access(whole, R_OK) == 0) /* a path with spaces in it */
        add_place(whole, ret);
    for (const char *p = value; *p;) {
        size_t size;

        p += strspn(p, BETWEEN);
        size = strcspn(p, BETWEEN);
        add_word(p, size, ret);
        p += size;
    }
}

/* Does the line begin with `key =` or `key:`, and is it one of ours? -1: it goes on with the line before. */
static int line_is_ours(const char *line, const char **ret_value)
{
    static const char *const keys[] = {"find-links", "index-url", "extra-index-url", "cert", "client-cert",
                                       "constraint", "index",     "default-index",   "url",  "constraint-dependencies"};
    char key[32];
    size_t n = 0;

    for (; n + 1 < sizeof key && (isalnum((unsigned char)line[n]) || line[n] == '-' || line[n] == '_'); n++)
        key[n] = (char)(line[n] == '_' ? '-' : tolower((unsigned char)line[n]));
    key[n] = '\0';
    line += n;
    line += strspn(line, " \t");
    if (n == 0 || (*line != '=' && *line != ':') || strncmp(line, "://", 3) == 0)
        return -1;
    *ret_value = line + 1;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0)
            return 1;
    return 0;
}

void places_of_file(const char *text, struct words *ret)
{
    autofree char *copy = xstrdup(text ? text : "");
    bool ours = false;

    for (char *save = NULL, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *value;
        int is;

        line += strspn(line, " \t\r");
        if (!*line || strchr("#;[", *line))
            continue;
        value = line;
        is = line_is_ours(line, &value);
        if (is >= 0)
            ours = is;
        if (ours)
            places_of_value(value, ret);
    }
}
