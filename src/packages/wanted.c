#include "packages/wanted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "packages/explain.h"
#include "packages/packages.h"
#include "packages/requirement.h"

#define FILE_BYTES_MAX (4 * MIB)
#define NESTED_MAX 8 /* files that name each other with -r */
#define MARK "\n\001wanted\n"
#define SHA256_HEX 64

const char wanted_project_code[] =
    "import sys; del sys.path[0]\n"
    "try:\n"
    "    import tomllib\n"
    "except ImportError:\n"
    "    sys.exit('reading it takes Python 3.11 or later: name a requirements.txt instead')\n"
    "try:\n"
    "    with open(sys.argv[1], 'rb') as f:\n"
    "        project = tomllib.load(f).get('project')\n"
    "except (OSError, ValueError) as e:\n"
    "    sys.exit(str(e))\n"
    "if not isinstance(project, dict):\n"
    "    sys.exit('it has no [project] table')\n"
    "wanted = project.get('dependencies', [])\n"
    "if 'dependencies' in project.get('dynamic', []):\n"
    "    sys.exit('its dependencies are dynamic: only its build could tell them. Name a requirements.txt instead')\n"
    "if not isinstance(wanted, list) or not all(isinstance(w, str) for w in wanted):\n"
    "    sys.exit('[project] dependencies is not a list of strings')\n"
    "sys.stdout.write('\\n\\1wanted\\n' + ''.join(w.replace('\\n', ' ') + '\\n' for w in wanted))\n";

bool wanted_is_project(const char *path)
{
    size_t size = strlen(path);

    return size > 5 && strcmp(path + size - 5, ".toml") == 0;
}

void wanted_fini(struct wanted *w)
{
    words_fini(&w->specs);
    words_fini(&w->hashes);
}

/* ---- hashes ---- */

/* 64 digits, and no more of them, into ret in lower case. */
static bool take_digest(const char *text, char ret[SHA256_HEX + 1])
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";

    if (strspn(text, digits) != SHA256_HEX)
        return false;
    for (size_t i = 0; i < SHA256_HEX; i++)
        ret[i] = digits[(size_t)(strchr(digits, text[i]) - digits) % 16];
    ret[SHA256_HEX] = '\0';
    return true;
}

/* What follows a requirement: --hash=sha256:..., once or more. 0, or -EINVAL: something else. */
static int take_hashes(char *options, const char *name, struct wanted *ret)
{
    static const char option[] = "--hash";

    for (char *save = NULL, *word = strtok_r(options, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        const char *value = word + strlen(option);
        char digest[SHA256_HEX + 1];

        if (strncmp(word, option, strlen(option)) != 0 || (*value && *value != '='))
            return -EINVAL;
        value = *value ? value + 1 : strtok_r(NULL, " \t", &save);
        if (!value || strncmp(value, "sha256:", 7) != 0 || !take_digest(value + 7, digest) ||
            value[7 + SHA256_HEX] != '\0' || ret->hashes.n >= WANTED_HASHES_MAX)
            return -EINVAL;
        words_addf(&ret->hashes, "%s %s", name, digest);
    }
    return 0;
}

static bool has_hash(const struct wanted *w, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < w->hashes.n; i++)
        if (strncmp(w->hashes.items[i], name, size) == 0 && w->hashes.items[i][size] == ' ')
            return true;
    return false;
}

/* A single == with all of a version, in what comes before the condition. */
static bool is_pinned(const char *spec, const struct requirement *q)
{
    autofree char *front = xstrndup(spec, strcspn(spec, ";"));

    return q->has_url || (strstr(front, "==") && !strpbrk(strstr(front, "=="), ",*") && !strpbrk(front, "<>!~"));
}

/* With one hash all need one: else what has none could be replaced, and with it all that is imported. */
static int check_hashes(const char *path, struct wanted *w, struct err *e)
{
    for (size_t i = 0; w->hashes.n && i < w->specs.n; i++) {
        const char *spec = w->specs.items[i], *fragment = strstr(spec, "#sha256=");
        struct requirement q;
        char digest[SHA256_HEX + 1];

        if (requirement_parse(spec, &q, e) < 0)
            return -e->code;
        if (q.has_url && fragment && take_digest(fragment + 8, digest))
            words_addf(&w->hashes, "%s %s", q.name, digest);
        if (!has_hash(w, q.name) || !is_pinned(spec, &q))
            return err_set(e, EINVAL,
                           "%.200s: %.100s has no %s: where one requirement has a --hash, all need one, and ==", path,
                           q.name, has_hash(w, q.name) ? "single version (==)" : "--hash");
    }
    return 0;
}

/* ---- one requirement ---- */

static char *trim(char *text)
{
    size_t size;

    text += strspn(text, " \t\r\f");
    size = strlen(text);
    while (size && strchr(" \t\r\f", text[size - 1]))
        text[--size] = '\0';
    return text;
}

static int add(char *spec, const char *path, size_t line, struct wanted *ret, struct err *e)
{
    char *options = strstr(spec, " --");
    struct requirement q;
    struct err why = ERR_INIT;

    if (options) {
        *options++ = '\0';
        spec = trim(spec);
    }
    if (requirement_parse(spec, &q, &why) < 0)
        return err_set(e, EINVAL, "%.200s, line %zu: %.280s", path, line, why.text);
    if (options && take_hashes(options, q.name, ret) < 0)
        return err_set(e, EINVAL,
                       "%.200s, line %zu: of the options of a requirement only --hash=sha256:... is understood here",
                       path, line);
    if (ret->specs.n >= WANTED_MAX)
        return err_set(e, E2BIG, "%.200s: more than %d requirements", path, WANTED_MAX);
    words_add(&ret->specs, spec);
    return 0;
}

int wanted_take(const char *path, const char *output, size_t size, struct wanted *ret, struct err *e)
{
    const char *at = memmem(output, size, MARK, strlen(MARK)), *end = output + size;
    size_t n = 0;

    if (!at) {
        autofree char *said = explain_tail(output, size, 1);

        return err_set(e, EINVAL, "%s: %s", path, *said ? said : "it could not be read");
    }
    for (at += strlen(MARK); at < end; n++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        autofree char *spec = xstrndup(at, (size_t)((stop ? stop : end) - at));
        struct err why = ERR_INIT;

        if (add(spec, "", 0, ret, &why) < 0)
            return err_set(e, EINVAL, "%.200s, dependency %zu: %.280s", path, n + 1, strchr(why.text, ':') + 2);
        if (ret->hashes.n) /* is of requirements files only */
            return err_set(e, EINVAL, "%.200s, dependency %zu: --hash does not belong there", path, n + 1);
        at = stop ? stop + 1 : end;
    }
    return 0;
}

/* ---- requirements.txt ---- */

static char *read_whole(const char *path, struct err *e)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    autofree char *text = xnew_n(char, FILE_BYTES_MAX + 1);
    struct stat st;
    size_t size = 0;
    ssize_t n = 0;

    if (fd < 0 || fstat(fd, &st) < 0)
        err_errno(e, "%s", path);
    else if (!S_ISREG(st.st_mode))
        err_set(e, EINVAL, "%s is not a file", path);
    else
        while (size <= FILE_BYTES_MAX && (n = read(fd, text + size, FILE_BYTES_MAX + 1 - size)) > 0)
            size += (size_t)n;
    if (n < 0)
        err_errno(e, "%s", path);
    if (!e->code && (size > FILE_BYTES_MAX || memchr(text, 0, size)))
        err_set(e, EINVAL, "%s is no list of requirements", path);
    if (e->code)
        return NULL;
    text = xrealloc(text, size + 1, 1);
    text[size] = '\0';
    return steal_ptr(text);
}

/* A comment starts a line or follows white space (pip's documentation, "Requirements File Format"). */
static void cut_comment(char *line)
{
    for (char *p = strchr(line, '#'); p; p = strchr(p + 1, '#'))
        if (p == line || p[-1] == ' ' || p[-1] == '\t') {
            *p = '\0';
            return;
        }
}

static int read_into(const char *path, int depth, struct wanted *ret, struct err *e);

/* "-r other.txt", relative to the file that says so. Anything else that starts with a dash is refused. */
static int take_option(char *option, const char *path, size_t line, int depth, struct wanted *ret, struct err *e)
{
    static const char *const names[] = {"--requirement", "-r"};
    const char *slash = strrchr(path, '/');

    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(names[i]);
        char *value = option + size;
        autofree char *other = NULL;

        if (strncmp(option, names[i], size) != 0 || (i == 0 && !strchr(" \t=", *value)))
            continue;
        value = trim(value + (*value == '='));
        if (!*value)
            break;
        if (depth >= NESTED_MAX)
            return err_set(e, ELOOP, "%.200s, line %zu: too many files name each other with -r", path, line);
        other = *value == '/' || !slash ? xstrdup(value) : xasprintf("%.*s/%s", (int)(slash - path), path, value);
        return read_into(other, depth + 1, ret, e);
    }
    return err_set(
        e, EINVAL,
        "%.200s, line %zu: %.*s: of options only -r is understood here; settings of the index and constraints are "
        "those of uv and pip (their variables and files)",
        path, line, (int)strcspn(option, " \t="), option);
}

static int read_into(const char *path, int depth, struct wanted *ret, struct err *e)
{
    autofree char *text = read_whole(path, e), *whole = xstrdup("");
    size_t number = 0;

    for (char *at = text, *next; at; at = next) {
        size_t size = strcspn(at, "\n");
        char *line;
        bool goes_on;

        next = at[size] ? at + size + 1 : NULL;
        at[size] = '\0';
        number++;
        cut_comment(at);
        size = strlen(at);
        if (size && at[size - 1] == '\r')
            at[--size] = '\0';
        goes_on = size && at[size - 1] == '\\' && next;
        if (goes_on)
            at[size - 1] = ' ';
        line = xasprintf("%s%s", whole, at);
        free(whole);
        whole = line;
        if (goes_on)
            continue;
        line = trim(whole);
        if (*line == '-' ? take_option(line, path, number, depth, ret, e) < 0
                         : *line && add(line, path, number, ret, e) < 0)
            return -e->code;
        *whole = '\0';
    }
    return text ? 0 : -e->code;
}

int wanted_read(const char *path, struct wanted *ret, struct err *e)
{
    struct err why = ERR_INIT;
    int r = read_into(path, 0, ret, &why);

    if (r == 0)
        r = check_hashes(path, ret, &why);

    return r < 0 ? err_set(e, why.code, "%s", why.text) : 0;
}
