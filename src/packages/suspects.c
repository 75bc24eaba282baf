#include "packages/suspects.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "packages/explain.h"
#include "packages/words.h"

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("-_.", c));
}

/* The name that starts there. */
static void add_name(const char *at, struct words *ret)
{
    char name[sizeof((struct explain *)NULL)->package];
    size_t n = 0;

    for (; is_name_char(*at) && n + 1 < sizeof name; at++) {
        char c = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '-';

        if (c != '-' || (n && name[n - 1] != '-'))
            name[n++] = c;
    }
    while (n && name[n - 1] == '-') /* the end of a sentence */
        n--;
    name[n] = '\0';
    for (size_t i = 0; i < ret->n; i++)
        if (strcmp(ret->items[i], name) == 0)
            return;
    if (n && ret->n < SUSPECTS_MAX)
        words_add(ret, name);
}

/* uv: "toy==1.0 has no usable wheels", "toy>=2,<=3 have no usable wheels". */
static void add_before(const char *text, const char *phrase, struct words *ret)
{
    for (const char *at = text; (at = strstr(at, phrase)); at++) {
        const char *word = at;

        while (word > text && !strchr(" \n`", word[-1]))
            word--;
        add_name(word, ret);
    }
}

static void add_after(const char *text, const char *phrase, struct words *ret)
{
    for (const char *at = text; (at = strstr(at, phrase));) {
        at += strlen(phrase);
        add_name(at, ret);
    }
}

/* pip since 24: "... have no matching distributions available for your environment:\n    toy\n    other\n". */
static void add_list(const char *text, struct words *ret)
{
    const char *at = strstr(text, "no matching distributions available for your environment:\n");

    for (at = at ? strchr(at, '\n') + 1 : ""; *at == ' '; at += *at == '\n') {
        size_t size = strcspn(at, "\n");

        add_name(at + strspn(at, " "), ret);
        at += size;
    }
}

void suspects_of(const struct explain *x, struct words *ret)
{
    const char *text = x->section ? x->section : "";

    add_name(x->package, ret);
    add_before(text, " has no usable wheels", ret);
    add_before(text, " have no usable wheels", ret);
    add_after(text, "Wheels are required for `", ret);
    add_after(text, "No matching distribution found for ", ret);
    add_list(text, ret);
    if (x->kind == EXPLAIN_CONFLICT)
        add_after(text, " depends on ", ret);
}
