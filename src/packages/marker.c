/* Environment markers of PEP 508: conditions such as `python_version < "3.12" and sys_platform == "linux"`. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "packages/requirement.h"

#define DEPTH_MAX 16

static const char *const variables[] = {
    "python_version",
    "python_full_version",
    "os_name",
    "sys_platform",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform_machine",
    "platform_python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
    /* the older spellings that PEP 508 keeps for PEP 345 */
    "os.name",
    "sys.platform",
    "platform.version",
    "platform.machine",
    "platform.python_implementation",
    "python_implementation",
};

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static bool take_word(struct scan *s, const char *word)
{
    size_t size = strlen(word);

    if (strncmp(s->p, word, size) != 0 || word_char(s->p[size]))
        return false;
    s->p += size;
    return true;
}

/* A quoted text or a variable. *ret_variable: which of the two. */
static int operand(struct scan *s, bool *ret_variable)
{
    char shown[40];

    scan_space(s);
    *ret_variable = false;
    if (*s->p == '"' || *s->p == '\'') {
        const char *end = strchr(s->p + 1, *s->p);

        if (!end)
            return scan_refuse(s, "the quote in its condition is not closed");
        for (s->p++; s->p < end; s->p++)
            if (!isprint((unsigned char)*s->p) || *s->p == '\\')
                return scan_refuse(s, "a quoted text of its condition has a character that is not allowed there");
        s->p++;
        return 0;
    }
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        if (!take_word(s, variables[i]))
            continue;
        *ret_variable = true;
        return 0;
    }
    requirement_show(s->p, shown, sizeof(shown));
    return scan_refuse(s, "after ';' comes a condition like python_version < \"3.12\", not '%s'", shown);
}

static int operator(struct scan *s)
{
    static const char *const symbols[] = {"===", "==", "~=", "!=", "<=", ">=", "<", ">"};
    char shown[40];

    scan_space(s);
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
        if (scan_take(s, symbols[i]))
            return 0;
    if (take_word(s, "in"))
        return 0;
    if (take_word(s, "not")) {
        scan_space(s);
        if (take_word(s, "in"))
            return 0;
    }
    requirement_show(s->p, shown, sizeof(shown));
    return scan_refuse(s, "its condition needs a comparison such as == or < at '%s'", shown);
}

static int either(struct scan *s, int depth);

static int expression(struct scan *s, int depth)
{
    bool left, right;
    int r;

    scan_space(s);
    if (*s->p == '(') {
        s->p++;
        if (depth == DEPTH_MAX)
            return scan_refuse(s, "its condition has more than %d nested parentheses", DEPTH_MAX);
        r = either(s, depth + 1);
        if (r < 0)
            return r;
        scan_space(s);
        return scan_take(s, ")") ? 0 : scan_refuse(s, "a parenthesis in its condition is not closed");
    }
    r = operand(s, &left);
    if (r == 0)
        r = operator(s);
    if (r == 0)
        r = operand(s, &right);
    if (r < 0)
        return r;
    return left || right ? 0 : scan_refuse(s, "its condition compares two fixed texts");
}

static int both(struct scan *s, int depth)
{
    int r;

    do {
        r = expression(s, depth);
        scan_space(s);
    } while (r == 0 && take_word(s, "and"));
    return r;
}

static int either(struct scan *s, int depth)
{
    int r;

    do {
        r = both(s, depth);
    } while (r == 0 && take_word(s, "or"));
    return r;
}

int marker_parse(struct scan *s)
{
    char shown[40];
    int r = either(s, 0);

    if (r < 0)
        return r;
    scan_space(s);
    if (!*s->p)
        return 0;
    requirement_show(s->p, shown, sizeof(shown));
    if (*s->p == '#')
        return scan_refuse(s, "leave the comment '%s' away", shown);
    return scan_refuse(s, "'%s' after its condition does not belong there", shown);
}
