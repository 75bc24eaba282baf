/* The grammar of PEP 440, appendix B, read by hand from left to right; letters in either case, as there. */
#include "packages/version.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct cursor {
    const char *p, *end;
};

static bool digits(struct cursor *c)
{
    const char *start = c->p;

    while (c->p < c->end && isdigit((unsigned char)*c->p))
        c->p++;
    return c->p > start;
}

static bool literal(struct cursor *c, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(c->end - c->p) < size || strncasecmp(c->p, word, size) != 0)
        return false;
    c->p += size;
    return true;
}

static bool separator(struct cursor *c)
{
    if (c->p == c->end || !strchr("-_.", *c->p))
        return false;
    c->p++;
    return true;
}

/* [-_.]? word [-_.]? digits?; nothing is consumed when none of the words is there. */
static bool phase(struct cursor *c, const char *const *words)
{
    struct cursor at = *c;

    (void)separator(&at);
    for (; *words; words++) {
        if (!literal(&at, *words))
            continue;
        *c = at;
        if (separator(&at) && !digits(&at))
            return true; /* the separator belongs to what follows */
        (void)digits(&at);
        *c = at;
        return true;
    }
    return false;
}

static bool release(struct cursor *c, struct version_form *form)
{
    struct cursor at;

    (void)literal(c, "v");
    at = *c;
    if (digits(&at) && literal(&at, "!"))
        *c = at;
    if (!digits(c))
        return false;
    form->n_release = 1;
    for (at = *c; literal(&at, ".") && digits(&at); *c = at)
        form->n_release++;
    return true;
}

static bool local(struct cursor *c)
{
    do {
        const char *start = c->p;

        while (c->p < c->end && isalnum((unsigned char)*c->p))
            c->p++;
        if (c->p == start)
            return false;
    } while (separator(c));
    return true;
}

bool version_check(const char *text, size_t size, struct version_form *ret)
{
    static const char *const pre[] = {"alpha", "a", "beta", "b", "preview", "pre", "c", "rc", NULL};
    static const char *const post[] = {"post", "rev", "r", NULL};
    static const char *const dev[] = {"dev", NULL};
    struct cursor c = {text, text + size}, at;
    struct version_form form = {0};

    if (!release(&c, &form))
        return false;
    if (literal(&c, ".*")) {
        form.wildcard = true;
    } else {
        (void)phase(&c, pre);
        at = c;
        if (literal(&at, "-") && digits(&at))
            c = at;
        else
            (void)phase(&c, post);
        (void)phase(&c, dev);
        if (literal(&c, "+")) {
            form.has_local = true;
            if (!local(&c))
                return false;
        }
    }
    if (c.p != c.end)
        return false;
    if (ret)
        *ret = form;
    return true;
}
