#include "packages/pipconf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "packages/words.h"

#define FILE_MAX_BYTES (64 * KIB)

enum setting { INDEX_URL, EXTRA_INDEX_URL, FIND_LINKS, TRUSTED_HOST, CERT, CONSTRAINT, NO_INDEX, SETTING_MAX };

static const struct {
    const char *key; /* in a file */
    const char *variable;
} settings[SETTING_MAX] = {
    [INDEX_URL] = {"index-url", "PIP_INDEX_URL"},
    [EXTRA_INDEX_URL] = {"extra-index-url", "PIP_EXTRA_INDEX_URL"},
    [FIND_LINKS] = {"find-links", "PIP_FIND_LINKS"},
    [TRUSTED_HOST] = {"trusted-host", "PIP_TRUSTED_HOST"},
    [CERT] = {"cert", "PIP_CERT"},
    [CONSTRAINT] = {"constraint", "PIP_CONSTRAINT"},
    [NO_INDEX] = {"no-index", "PIP_NO_INDEX"},
};

static char *read_file(const char *path)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    autofree char *text = NULL;
    ssize_t n;

    if (fd < 0)
        return NULL;
    text = xnew_n(char, FILE_MAX_BYTES + 1);
    n = read(fd, text, FILE_MAX_BYTES);
    return n < 0 ? NULL : steal_ptr(text);
}

static void trim(char *text)
{
    size_t start = strspn(text, " \t\r"), length;

    memmove(text, text + start, strlen(text + start) + 1);
    for (length = strlen(text); length && isspace((unsigned char)text[length - 1]); length--)
        text[length - 1] = '\0';
}

static int setting_of(char *key)
{
    trim(key);
    for (char *p = key; *p; p++)
        *p = (char)(*p == '_' ? '-' : tolower((unsigned char)*p));
    for (int i = 0; i < SETTING_MAX; i++)
        if (strcmp(key, settings[i].key) == 0)
            return i;
    return -1;
}

/* An INI file as Python's configparser reads it: an indented line continues the value before it. */
static void read_config(const char *path, char *values[SETTING_MAX])
{
    autofree char *text = read_file(path);
    bool ours = false;
    int current = -1;

    for (char *save = NULL, *line = text ? strtok_r(text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        char *equals;

        if (line[strspn(line, " \t\r")] == '\0' || strchr("#;", line[strspn(line, " \t")]))
            continue;
        if (isspace((unsigned char)*line)) {
            trim(line);
            if (ours && current >= 0) {
                char *longer = xasprintf("%s%s%s", values[current], *values[current] ? " " : "", line);

                free(values[current]);
                values[current] = longer;
            }
            continue;
        }
        current = -1;
        if (*line == '[') {
            ours = strncmp(line, "[global]", 8) == 0 || strncmp(line, "[install]", 9) == 0;
            continue;
        }
        equals = line + strcspn(line, "=:");
        if (!ours || !*equals)
            continue;
        *equals = '\0';
        current = setting_of(line);
        if (current < 0)
            continue;
        free(values[current]);
        values[current] = xstrdup(equals + 1);
        trim(values[current]);
    }
}

/* In pip's order: system, user, environment, the file of PIP_CONFIG_FILE; variables win. */
static void read_all(const struct words *env, const char *prefix, char *values[SETTING_MAX])
{
    const char *named = words_value(env, "PIP_CONFIG_FILE"), *home = words_value(env, "HOME");
    const char *xdg = words_value(env, "XDG_CONFIG_HOME");
    char path[PATH_MAX];

    if (!named || strcmp(named, "/dev/null") != 0) { /* which turns all of them off */
        read_config("/etc/xdg/pip/pip.conf", values);
        read_config("/etc/pip.conf", values);
        if (home) {
            (void)snprintf(path, sizeof(path), "%s/.pip/pip.conf", home);
            read_config(path, values);
        }
        if (xdg && *xdg) {
            (void)snprintf(path, sizeof(path), "%s/pip/pip.conf", xdg);
            read_config(path, values);
        } else if (home) {
            (void)snprintf(path, sizeof(path), "%s/.config/pip/pip.conf", home);
            read_config(path, values);
        }
        (void)snprintf(path, sizeof(path), "%s/pip.conf", prefix);
        read_config(path, values);
        if (named)
            read_config(named, values);
    }
    for (int i = 0; i < SETTING_MAX; i++) {
        const char *value = words_value(env, settings[i].variable);

        if (!value || !*value)
            continue;
        free(values[i]);
        values[i] = xstrdup(value);
        trim(values[i]);
    }
}

static bool file_says(const char *folder, const char *name, const char *word)
{
    char path[PATH_MAX];
    autofree char *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    text = read_file(path);
    return text && strstr(text, word) && strstr(text, "index");
}

/* Has uv an index of its own? Then pip's settings are not for it. */
static bool uv_has_index(const struct words *env, const char *workdir)
{
    static const char *const variables[] = {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL",
                                            "UV_CONFIG_FILE"};
    const char *home = words_value(env, "HOME"), *xdg = words_value(env, "XDG_CONFIG_HOME");
    autofree char *config = xdg && *xdg ? xstrdup(xdg) : xasprintf("%s/.config", home ? home : "");

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        if (words_value(env, variables[i]))
            return true;
    return file_says(config, "uv/uv.toml", "") || file_says("/etc/uv", "uv.toml", "") ||
           file_says(workdir, "uv.toml", "") || file_says(workdir, "pyproject.toml", "tool.uv");
}

/* pip separates places by spaces, uv by commas; pip ignores folders that are not there, uv fails. */
static void add_find_links(struct words *env, char *value)
{
    autofree char *joined = xstrdup("");

    for (char *save = NULL, *place = strtok_r(value, " \t", &save); place; place = strtok_r(NULL, " \t", &save)) {
        char *longer;

        if (!strstr(place, "://") && access(place, R_OK) < 0)
            continue;
        longer = xasprintf("%s%s%s", joined, *joined ? "," : "", place);
        free(joined);
        joined = longer;
    }
    if (*joined && !words_value(env, "UV_FIND_LINKS"))
        words_addf(env, "UV_FIND_LINKS=%s", joined);
}

static void add_certificates(struct words *env, const char *path)
{
    struct stat st;

    if (words_value(env, "SSL_CERT_FILE") || words_value(env, "SSL_CERT_DIR") || stat(path, &st) < 0)
        return;
    words_addf(env, "%s=%s", S_ISDIR(st.st_mode) ? "SSL_CERT_DIR" : "SSL_CERT_FILE", path);
}

static bool is_true(const char *value)
{
    return value && *value && !strchr("0fFnN", *value) && strcasecmp(value, "off") != 0;
}

bool pipconf_for_uv(struct words *env, const char *workdir, const char *prefix)
{
    char *values[SETTING_MAX] = {NULL};
    bool no_index;

    read_all(env, prefix, values);
    no_index = is_true(values[NO_INDEX]) && !uv_has_index(env, workdir);
    if (!uv_has_index(env, workdir)) {
        if (values[INDEX_URL])
            words_addf(env, "UV_DEFAULT_INDEX=%s", values[INDEX_URL]);
        if (values[EXTRA_INDEX_URL]) {
            words_addf(env, "UV_INDEX=%s", values[EXTRA_INDEX_URL]);
            /* pip takes the best version of all its indexes; uv's default, the first index that has the name, would
             * find other packages with the same settings. */
            if (!words_value(env, "UV_INDEX_STRATEGY"))
                words_add(env, "UV_INDEX_STRATEGY=unsafe-best-match");
        }
        if (values[TRUSTED_HOST] && !words_value(env, "UV_INSECURE_HOST"))
            words_addf(env, "UV_INSECURE_HOST=%s", values[TRUSTED_HOST]);
        if (values[FIND_LINKS])
            add_find_links(env, values[FIND_LINKS]);
    }
    if (values[CERT])
        add_certificates(env, values[CERT]);
    if (values[CONSTRAINT] && *values[CONSTRAINT] && !words_value(env, "UV_CONSTRAINT"))
        words_addf(env, "UV_CONSTRAINT=%s", values[CONSTRAINT]); /* both separate files by spaces */
    for (int i = 0; i < SETTING_MAX; i++)
        free(values[i]);
    return no_index;
}
