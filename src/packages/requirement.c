/*
 * A parser for the requirements of PEP 508, stricter where an installer would see something else in the text: a file
 * name, an option, a variable to expand, a local URL. What passes here is handed to uv or pip as one argument.
 */
#include "packages/requirement.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/utf8.h"
#include "packages/packages.h"
#include "packages/version.h"

void requirement_show(const char *text, char *ret, size_t size)
{
    size_t length = strlen(text), room = size - 4, n;
    bool valid = utf8_valid(text, length);

    n = length > room ? utf8_cut(text, room) : length;
    if (!valid && n > room)
        n = room;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        ret[i] = (char)(c < 0x20 || c == 0x7f || (c >= 0x80 && !valid) ? '?' : c);
    }
    memcpy(ret + n, n < length ? "..." : "", n < length ? 4 : 1);
}

int scan_refuse(const struct scan *s, const char *format, ...)
{
    char reason[ERR_TEXT_MAX], shown[80];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    requirement_show(s->spec, shown, sizeof(shown));
    return err_set(s->e, EINVAL, "\"%s\" is not a package requirement: %s", shown, reason);
}

void scan_space(struct scan *s)
{
    while (*s->p == ' ' || *s->p == '\t')
        s->p++;
}

bool scan_take(struct scan *s, const char *literal)
{
    size_t size = strlen(literal);

    if (strncmp(s->p, literal, size) != 0)
        return false;
    s->p += size;
    return true;
}

/* What people and models pass by mistake, told in words that help. Also all that may not be in any part of it. */
static int refuse_mistakes(struct scan *s)
{
    static const char *const commands[] = {"pip ", "pip3 ", "uv ", "conda ", "mamba ", "python ", "python3 ", "sudo "};

    for (const char *p = s->spec; *p; p++)
        if ((unsigned char)*p < 0x20 && *p != '\t')
            return scan_refuse(s, *p == '\n' ? "it has more than one line: pass each package as an item of its own"
                                             : "it has a control character");
        else if ((unsigned char)*p >= 0x7f)
            return scan_refuse(s, "it has a character that is not ASCII");
    if (!*s->p)
        return scan_refuse(s, "it is empty");
    if (strstr(s->p, "${"))
        return scan_refuse(s, "variables such as ${NAME} are not expanded");
    if (*s->p == '-')
        return scan_refuse(s, "options are not accepted, only packages such as numpy or numpy>=2");
    if (*s->p == '/' || *s->p == '.' || *s->p == '~' || strchr(s->p, '\\'))
        return scan_refuse(s, "it looks like a path; only packages of the index and name @ https://... are accepted");
    if (*s->p == '"' || *s->p == '\'')
        return scan_refuse(s, "leave the quotes away");
    if (*s->p == '#')
        return scan_refuse(s, "it is a comment");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const char *rest = s->p + strlen(commands[i]);

        /* "uv >= 1" and the like name a package. */
        if (strncmp(s->p, commands[i], strlen(commands[i])) == 0 && (isalpha((unsigned char)*rest) || *rest == '-'))
            return scan_refuse(s, "it looks like a command: give only the packages, each as an item of its own");
    }
    return 0;
}

/* Names that an installer takes for a file, or that are surely meant as one. */
static bool file_name(const char *name)
{
    static const char *const suffixes[] = {".whl", ".tar.gz", ".tgz",      ".tar.bz2", ".tbz",  ".tar.xz", ".txz",
                                           ".tlz", ".tar.lz", ".tar.lzma", ".tar.zst", ".tar",  ".zip",    ".egg",
                                           ".txt", ".toml",   ".cfg",      ".yml",     ".yaml", ".lock"};
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        size_t size = strlen(suffixes[i]);

        if (length > size && strcasecmp(name + length - size, suffixes[i]) == 0)
            return true;
    }
    return strcmp(name, "setup.py") == 0;
}

static void normalise(const char *name, size_t size, char *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        if (!strchr("-_.", name[i]))
            ret[n++] = (char)tolower((unsigned char)name[i]);
        else if (n && ret[n - 1] != '-')
            ret[n++] = '-';
    }
    ret[n] = '\0';
}

/* An identifier: letters, digits, and -_. between them. The bytes it has, 0 when there is none. */
static size_t identifier(const char *p)
{
    size_t n = 0;

    while (isalnum((unsigned char)p[n]) || (p[n] && strchr("-_.", p[n])))
        n++;
    while (n && !isalnum((unsigned char)p[n - 1]))
        n--;
    return isalnum((unsigned char)p[0]) ? n : 0;
}

static int parse_name(struct scan *s, struct requirement *ret)
{
    const char *start = s->p;
    size_t n = identifier(s->p);
    char name[LIMIT_REQUIREMENT + 1];

    if (!n)
        return scan_refuse(s, "a package name starts with a letter or digit, not with '%c'", *s->p);
    memcpy(name, start, n);
    name[n] = '\0';
    s->p += n;
    if (strstr(start, "://") && *s->p != '@' && (strncmp(s->p, "://", 3) == 0 || *s->p == '+'))
        return scan_refuse(s, "a URL needs the package's name before it: name @ https://...");
    if (*s->p == '/' || *s->p == ':' || (file_name(name) && !strchr(s->p, '@')))
        return scan_refuse(s, "it looks like a file; only packages of the index and name @ https://... are accepted");
    if (*s->p && strchr("-_.", *s->p))
        return scan_refuse(s, "a package name ends with a letter or digit");
    normalise(name, n, ret->name);
    return 0;
}

static int parse_extras(struct scan *s, struct requirement *ret)
{
    if (!scan_take(s, "["))
        return 0;
    ret->has_extras = true;
    scan_space(s);
    if (scan_take(s, "]"))
        return 0;
    for (;;) {
        size_t n = identifier(s->p);

        if (!n)
            return scan_refuse(s, "in [ ] come the names of extras, with commas between them");
        s->p += n;
        scan_space(s);
        if (scan_take(s, "]"))
            return 0;
        if (!scan_take(s, ","))
            return scan_refuse(s, "the [ of its extras is not closed");
        scan_space(s);
    }
}

/* One comparison such as >=1.2. */
static int parse_clause(struct scan *s)
{
    static const char *const operators[] = {"===", "==", "~=", "!=", "<=", ">=", "<", ">"};
    const char *operator= NULL, *start;
    struct version_form form;
    char version[64];
    size_t n = 0;

    for (size_t i = 0; !operator&& i<sizeof(operators) / sizeof(operators[0]); i++)
        if (scan_take(s, operators[i]))
            operator= operators[i];
    if (!operator)
        return scan_refuse(s, *s->p == '=' ? "use == for a version"
                                           : "a version needs a comparison before it, such as == or >=");
    scan_space(s);
    for (start = s->p; *s->p && (isalnum((unsigned char)*s->p) || strchr("-_.+!*", *s->p)); s->p++)
        n++;
    (void)snprintf(version, sizeof(version), "%.*s", (int)n, start);
    if (!n)
        return scan_refuse(s, "there is no version after '%s'", operator);
    if (strcmp(operator, "===") == 0) /* any text is compared as it is */
        return 0;
    if (!version_check(start, n, &form))
        return scan_refuse(s, "'%s' is not a version", version);
    if (form.wildcard && strcmp(operator, "==") != 0 && strcmp(operator, "!=") != 0)
        return scan_refuse(s, "'%s%s': only == and != take .*", operator, version);
    if (form.has_local && strcmp(operator, "==") != 0 && strcmp(operator, "!=") != 0)
        return scan_refuse(s, "'%s%s': only == and != take a + part", operator, version);
    if (strcmp(operator, "~=") == 0 && form.n_release < 2)
        return scan_refuse(s, "~= needs a version of two numbers or more, such as ~=%s.0", version);
    return 0;
}

static int parse_versions(struct scan *s, struct requirement *ret)
{
    bool parenthesis = scan_take(s, "(");

    if (!parenthesis && (!*s->p || !strchr("<>=!~", *s->p)))
        return 0;
    ret->has_version = true;
    do {
        int r;

        scan_space(s);
        r = parse_clause(s);
        if (r < 0)
            return r;
        scan_space(s);
    } while (scan_take(s, ","));
    if (parenthesis && !scan_take(s, ")"))
        return scan_refuse(s, "the ( of its version is not closed");
    return 0;
}

/* name @ https://host/path. Nothing local, nothing that a version control program could read as an option. */
static int parse_url(struct scan *s, struct requirement *ret)
{
    const char *start, *host;

    scan_space(s);
    ret->has_url = true;
    if (!scan_take(s, "https://") && !scan_take(s, "http://") && !scan_take(s, "git+https://"))
        return scan_refuse(s, "after @ comes a URL that starts with https://, http:// or git+https://");
    start = s->p;
    while (*s->p && *s->p != ' ' && *s->p != '\t') {
        if (!isalnum((unsigned char)*s->p) && !strchr("-._~:/?#[]@!$&'()*+,=%", *s->p))
            return *s->p == ';' ? scan_refuse(s, "put a space before the ';' of its condition")
                                : scan_refuse(s, "its URL has the character '%c'", *s->p);
        s->p++;
    }
    host = memchr(start, '@', strcspn(start, "/?# \t"));
    host = host ? host + 1 : start;
    if (!isalnum((unsigned char)*host) && *host != '[')
        return scan_refuse(s, "its URL names no host");
    if (strstr(start, "@-"))
        return scan_refuse(s, "a revision does not start with '-'");
    return 0;
}

static int refuse_rest(const struct scan *s)
{
    char shown[60];

    requirement_show(s->p, shown, sizeof(shown));
    if (*s->p == '#')
        return scan_refuse(s, "leave the comment '%s' away", shown);
    if (isalnum((unsigned char)*s->p) || *s->p == ',')
        return scan_refuse(s, "it is more than one: pass '%s' as an item of its own", shown + (*s->p == ','));
    if (*s->p == '-')
        return scan_refuse(s, "options such as '%s' are not accepted", shown);
    return scan_refuse(s, "'%s' does not belong there", shown);
}

int requirement_parse(const char *spec, struct requirement *ret, struct err *e)
{
    struct scan s = {spec, spec, e};
    int r;

    memset(ret, 0, sizeof(*ret));
    if (strlen(spec) > LIMIT_REQUIREMENT)
        return scan_refuse(&s, "it is longer than %d bytes", LIMIT_REQUIREMENT);
    scan_space(&s);
    r = refuse_mistakes(&s);
    if (r == 0)
        r = parse_name(&s, ret);
    if (r < 0)
        return r;
    scan_space(&s);
    r = parse_extras(&s, ret);
    if (r < 0)
        return r;
    scan_space(&s);
    r = scan_take(&s, "@") ? parse_url(&s, ret) : parse_versions(&s, ret);
    if (r < 0)
        return r;
    scan_space(&s);
    if (scan_take(&s, ";")) {
        ret->has_marker = true;
        return marker_parse(&s);
    }
    return *s.p ? refuse_rest(&s) : 0;
}

int requirement_check(const char *spec, struct err *e)
{
    struct requirement parsed;

    return requirement_parse(spec, &parsed, e);
}

void requirement_name(const char *spec, char *ret, size_t size)
{
    struct requirement parsed;

    if (requirement_parse(spec, &parsed, NULL) < 0)
        parsed.name[0] = '\0';
    (void)snprintf(ret, size, "%s", parsed.name);
}
