#include "packages/near.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "packages/provides_impl.h"
#include "packages/spelling.h"

#define CORE_MIN 3 /* letters that a name has to keep when what says little is taken off */

/* A name in the forms that are compared: lower case, and without what stands between its words. */
struct form {
    char all[SPELLING_MAX + 1];
    char core[SPELLING_MAX + 1]; /* without the words that say little, and a number at the end */
};

struct near {
    const char *written;
    struct form name;
    bool surely, known;
    size_t score, n;
    const char *names[NEAR_NAMES_MAX];
};

static bool says_little(const char *word, size_t size)
{
    static const char *const words[] = {"python",  "python2", "python3", "py",  "lib",      "library",
                                        "package", "module",  "client",  "sdk", "headless", "binary"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == size && strncmp(words[i], word, size) == 0)
            return true;
    return false;
}

/* The next word of a name, in lower case; its size, 0 at the end. What is in brackets are extras. */
static size_t next_word(const char **at, char ret[SPELLING_MAX + 1])
{
    size_t n = 0;

    *at += strspn(*at, "-_. ");
    for (; **at && **at != '[' && !strchr("-_. ", **at); (*at)++)
        if (n < SPELLING_MAX)
            ret[n++] = (char)tolower((unsigned char)**at);
    ret[n] = '\0';
    return n;
}

/* False: it is too long to be compared. */
static bool make_form(const char *name, struct form *ret)
{
    char word[SPELLING_MAX + 1];
    size_t n = 0, n_core = 0, size;

    while ((size = next_word(&name, word))) {
        if (n + size > SPELLING_MAX)
            return false;
        memcpy(ret->all + n, word, size);
        n += size;
        if (says_little(word, size))
            continue;
        memcpy(ret->core + n_core, word, size);
        n_core += size;
    }
    ret->all[n] = ret->core[n_core] = '\0';
    while (n_core > CORE_MIN && isdigit((unsigned char)ret->core[n_core - 1]))
        ret->core[--n_core] = '\0';
    return n > 0;
}

/* Short names are all near to each other. */
static size_t most_wrong(const char *name)
{
    size_t size = strlen(name);

    return size < 4 ? 0 : size < 8 ? 1 : size < 13 ? 2 : 3;
}

/* 0: the same. A misspelt one is worse than any that is the same but for words that say little. */
static size_t score_of(const struct near *near, const struct form *other)
{
    const char *core = near->name.core;
    size_t wrong;

    if (strcmp(near->name.all, other->all) == 0)
        return 0;
    if (strlen(core) >= CORE_MIN && strcmp(core, other->core) == 0)
        return 1;
    if (strncmp(core, "py", 2) == 0 && strlen(core) >= 2 + CORE_MIN && strcmp(core + 2, other->all) == 0)
        return 1;
    wrong = near->surely ? SPELLING_MAX : spelling_distance(near->name.all, other->all);
    return wrong <= most_wrong(near->name.all) ? wrong + 1 : SPELLING_MAX;
}

/* Those that begin with the same letter come first: that one is seldom wrong. */
static void take(struct near *near, size_t score, const char *distribution)
{
    size_t at = near->n;

    if (score > near->score)
        return;
    if (score < near->score)
        near->n = at = 0;
    near->score = score;
    for (size_t i = 0; i < near->n; i++)
        if (spelling_same_name(near->names[i], distribution))
            return;
    if (tolower((unsigned char)*distribution) == *near->name.all)
        for (at = 0; at < near->n && tolower((unsigned char)*near->names[at]) == *near->name.all;)
            at++;
    if (at == NEAR_NAMES_MAX)
        return;
    if (near->n < NEAR_NAMES_MAX)
        near->n++;
    memmove(&near->names[at + 1], &near->names[at], (near->n - 1 - at) * sizeof near->names[0]);
    near->names[at] = distribution;
}

/* module NULL: that is called like the distribution. */
static void consider(struct near *near, const char *module, const char *distribution)
{
    struct form form;
    size_t score;

    if (!make_form(distribution, &form))
        return;
    score = score_of(near, &form);
    near->known = near->known || spelling_same_name(near->written, distribution);
    if (module && make_form(module, &form) && score_of(near, &form) < score)
        score = score_of(near, &form);
    if (score < SPELLING_MAX)
        take(near, score, distribution);
}

static void consider_all(struct near *near)
{
    for (size_t i = 0; i < provides_n_differing; i++)
        consider(near, provides_differing[i].module, provides_differing[i].text);
    for (size_t i = 0; i < provides_n_same; i++)
        consider(near, NULL, provides_same[i]);
    for (size_t i = 0; i < provides_n_popular; i++)
        consider(near, NULL, provides_popular[i]);
}

static const char *exactly(const char *word)
{
    struct near near = {.written = word, .surely = true};

    if (!make_form(word, &near.name))
        return NULL;
    consider_all(&near);
    return near.n ? near.names[0] : NULL;
}

/* All words of it lead to one distribution, as in pillow-pil. */
static const char *said_twice(const char *name)
{
    const char *found = NULL;
    char word[SPELLING_MAX + 1];
    size_t size, n = 0;

    while ((size = next_word(&name, word))) {
        const char *one;

        if (says_little(word, size))
            continue;
        one = exactly(word);
        if (!one || (found && strcmp(found, one) != 0))
            return NULL;
        found = one;
        n++;
    }
    return n > 1 ? found : NULL;
}

/* As distributions are mostly written, and without extras. */
static void put(struct buf *out, const char *distribution)
{
    for (const char *c = distribution; *c && *c != '['; c++)
        (void)buf_append(out, *c == '_' || *c == '.' ? "-" : c, 1);
}

bool near_is_standard(const char *name)
{
    for (size_t i = 0; i < provides_n_standard; i++)
        if (strcmp(provides_standard[i], name) == 0)
            return true;
    return false;
}

bool near_names(const char *name, bool surely, struct buf *out)
{
    struct near near = {.written = name, .surely = surely, .score = SPELLING_MAX - 1};
    const char *twice;

    if (!make_form(name, &near.name) || !*near.name.core || near_is_standard(name))
        return false;
    consider_all(&near);
    twice = near.n && near.score < 2 ? NULL : said_twice(name);
    if (twice) {
        near.names[0] = twice;
        near.n = 1;
    }
    for (size_t i = 0; i < near.n && !near.known; i++) {
        (void)buf_puts(out, i ? ", " : "");
        put(out, near.names[i]);
    }
    return near.n && !near.known;
}
