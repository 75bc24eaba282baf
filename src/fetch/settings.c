#include "fetch/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fetch/places.h"
#include "packages/installer.h"

#define COPY_MAX (4 * MIB)
#define NOWHERE "/nonexistent" /* for the working directory, whose files do not count */

/* ---- the files ---- */

/* Where a person's files are found by HOME, and where their copies are below the sandbox's. */
enum found_by { BY_HOME, BY_CONFIG };

static const struct {
    enum found_by by;
    const char *name, *copy;
    bool uv, pip;
} personal[] = {
    {BY_HOME, ".pip/pip.conf", ".pip/pip.conf", true, true},
    {BY_CONFIG, "pip/pip.conf", ".config/pip/pip.conf", true, true},
    {BY_CONFIG, "uv/uv.toml", ".config/uv/uv.toml", true, false},
    {BY_HOME, ".netrc", ".netrc", true, true},
};

static const char *const common[] = {"/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/etc/uv/uv.toml",
                                     "/etc/xdg/uv/uv.toml"};

/* Variables that name one file. */
static const char *const file_variables[] = {
    "SSL_CERT_FILE",   "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "PIP_CLIENT_CERT",
    "SSL_CLIENT_CERT", "PIP_CONFIG_FILE",    "UV_CONFIG_FILE", "NETRC",
};

/* Variables in which directories and files may be named that have to stay where they are. */
static const char *const place_variables[] = {
    "SSL_CERT_DIR", "PIP_CERT",   "PIP_FIND_LINKS",     "UV_FIND_LINKS",      "PIP_INDEX_URL",  "PIP_EXTRA_INDEX_URL",
    "UV_INDEX_URL", "UV_INDEX",   "UV_DEFAULT_INDEX",   "UV_EXTRA_INDEX_URL", "PIP_CONSTRAINT", "UV_CONSTRAINT",
    "UV_OVERRIDE",  "UV_EXCLUDE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
};

/* The path of a personal file as it is outside; NULL when nothing says where that is. */
static char *personal_path(size_t i)
{
    const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");

    if (personal[i].by == BY_CONFIG && config && *config == '/')
        return xasprintf("%s/%s", config, personal[i].name);
    if (!home || *home != '/')
        return NULL;
    return xasprintf("%s/%s%s", home, personal[i].by == BY_CONFIG ? ".config/" : "", personal[i].name);
}

/* ---- what a key says of them ---- */

static void describe_file(const char *path, struct buf *out)
{
    struct stat st;

    if (path && stat(path, &st) == 0)
        (void)buf_printf(out, "file %s %jd.%09ld %jd\n", path, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                         (intmax_t)st.st_size);
}

static bool is_variable(const char *variable, const char *name)
{
    size_t size = strlen(name);

    return strncmp(variable, name, size) == 0 && variable[size] == '=';
}

static bool is_one_of(const char *variable, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_variable(variable, names[i]))
            return true;
    return false;
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void settings_describe(const char *prefix, bool uv, struct buf *out)
{
    static const char *const other[] = {"HOME", "TMPDIR", "TZ", "USER", "LOGNAME", "PATH", "LANG", "LANGUAGE"};
    autofree char *site = xasprintf("%s/pip.conf", prefix);
    autowords struct words env = {NULL, 0};
    bool no_index = false;

    installer_env(NOWHERE, prefix, uv, &env, &no_index);
    qsort(env.items, env.n, sizeof *env.items, by_text);
    (void)buf_printf(out, "no-index %d\n", no_index);
    for (size_t i = 0; i < env.n; i++) {
        if (is_one_of(env.items[i], other, sizeof other / sizeof *other) || strncmp(env.items[i], "LC_", 3) == 0)
            continue;
        (void)buf_printf(out, "set %s\n", env.items[i]);
        if (is_one_of(env.items[i], file_variables, sizeof file_variables / sizeof *file_variables) ||
            is_one_of(env.items[i], place_variables, sizeof place_variables / sizeof *place_variables))
            describe_file(strchr(env.items[i], '=') + 1, out);
    }
    describe_file(site, out);
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        describe_file(common[i], out);
    for (size_t i = 0; i < sizeof personal / sizeof *personal; i++) {
        autofree char *path = personal_path(i);

        describe_file(path, out);
    }
}

/* ---- copies ---- */

/* A copy of a file that is not too large to be one of settings, below dir. False: there is none. */
static bool copy_file(const char *path, const char *dir, const char *name)
{
    autofree char *to = xasprintf("%s/%s", dir, name), *text = NULL;
    autofd int in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = -1;
    struct stat st;
    ssize_t size;

    if (in < 0 || fstat(in, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)COPY_MAX)
        return false;
    for (char *slash = strchr(to + strlen(dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(to, 0755);
        *slash = '/';
    }
    text = xnew_n(char, COPY_MAX + 1);
    size = read(in, text, COPY_MAX);
    out = size < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    return out >= 0 && fd_write_all(out, text, (size_t)size) == 0;
}

static char *read_copy(const char *dir, const char *name)
{
    autofree char *path = xasprintf("%s/%s", dir, name), *text = NULL;
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size;

    if (fd < 0)
        return NULL;
    text = xnew_n(char, COPY_MAX + 1);
    size = read(fd, text, COPY_MAX);
    return size < 0 ? NULL : steal_ptr(text);
}

static int give_below(int at, uid_t user, const char *dir, struct err *e)
{
    static const char *const parts[] = {
        ".pip",       ".pip/pip.conf",      ".config", ".config/pip", ".config/pip/pip.conf",
        ".config/uv", ".config/uv/uv.toml", ".netrc"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (fchownat(at, parts[i], user, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
            return err_errno(e, "chown %s/%s", dir, parts[i]);
    for (size_t i = 0; i < sizeof file_variables / sizeof *file_variables; i++)
        if (fchownat(at, file_variables[i], user, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
            return err_errno(e, "chown %s/%s", dir, file_variables[i]);
    return 0;
}

int settings_give(const char *dir, uid_t user, struct err *e)
{
    autofd int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return at < 0 ? err_errno(e, "open %s", dir) : give_below(at, user, dir, e);
}

/* ---- the environment ---- */

/* Not for the sandbox: what names places of the outside, or what is set there anew. */
static bool is_left_out(const char *variable)
{
    static const char *const names[] = {
        "HOME",
        "USER",
        "LOGNAME",
        "PATH",
        "TMPDIR",
        "CC",
        "CXX",
        "CFLAGS",
        "CXXFLAGS",
        "CPPFLAGS",
        "LDFLAGS",
        "PKG_CONFIG_PATH",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "LANG",
        "LANGUAGE",
        "UV_CACHE_DIR",
        "PIP_CACHE_DIR",
        "PIP_NO_CACHE_DIR",
        "UV_NO_CACHE",
        "UV_OFFLINE",
        "UV_PYTHON_INSTALL_DIR",
        "UV_TOOL_DIR",
        "UV_TOOL_BIN_DIR",
        "PIP_DEST",
        "UV_ENV_FILE",
        "UV_LINK_MODE",
        "UV_NO_BINARY",
        "UV_NO_BINARY_PACKAGE",
        "PIP_NO_BINARY",
        "PIP_PLATFORM",
        "PIP_PYTHON_VERSION",
        "PIP_ABI",
        "PIP_IMPLEMENTATION",
        "PIP_ONLY_BINARY",
        "PIP_PROGRESS_BAR",
    };

    return strncmp(variable, "LC_", 3) == 0 || strncmp(variable, "XDG_", 4) == 0 ||
           is_one_of(variable, names, sizeof names / sizeof *names);
}

static void add_variable(struct settings *s, const char *dir, const char *variable)
{
    autofree char *name = xstrndup(variable, strcspn(variable, "="));
    const char *value = variable + strlen(name) + 1;

    if (is_left_out(variable) || !*value)
        return;
    if (is_one_of(variable, place_variables, sizeof place_variables / sizeof *place_variables)) {
        autofree char *places = xstrdup(value);

        for (char *p = places; strcmp(name, "SSL_CERT_DIR") == 0 && (p = strchr(p, ':'));) /* a list (openssl-verify) */
            *p = ' ';
        places_of_value(places, &s->shown);
    }
    if (!is_one_of(variable, file_variables, sizeof file_variables / sizeof *file_variables)) {
        words_add(&s->env, variable);
        return;
    }
    if (strcmp(value, "/dev/null") == 0) { /* pip's way to say: no file */
        words_add(&s->env, variable);
    } else if (copy_file(value, dir, name)) {
        words_addf(&s->env, "%s=%s/%s", name, dir, name);
        if (strstr(name, "CONFIG_FILE")) {
            autofree char *text = read_copy(dir, name);

            places_of_file(text, &s->shown);
        }
    } else if (access(value, R_OK) == 0) { /* certificates may be a directory */
        words_add(&s->env, variable);
    }
}

static void add_personal(struct settings *s, const char *dir, bool uv)
{
    for (size_t i = 0; i < sizeof personal / sizeof *personal; i++) {
        autofree char *path = personal_path(i), *text = NULL;

        if (!path || !(uv ? personal[i].uv : personal[i].pip) || !copy_file(path, dir, personal[i].copy))
            continue;
        text = strcmp(personal[i].name, ".netrc") == 0 ? NULL : read_copy(dir, personal[i].copy);
        places_of_file(text, &s->shown);
    }
}

void settings_make(const char *dir, const char *prefix, bool uv, struct settings *ret)
{
    static const char *const ours[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "UV_NO_MANAGED_PYTHON=1",
                                       NULL};
    autofree char *site = xasprintf("%s/pip.conf", prefix), *text = read_copy(prefix, "pip.conf");
    autowords struct words outside = {NULL, 0};

    *ret = (struct settings){{NULL, 0}, {NULL, 0}, false};
    installer_env(NOWHERE, prefix, uv, &outside, &ret->no_index);
    for (size_t i = 0; i < outside.n; i++)
        add_variable(ret, dir, outside.items[i]);
    words_add_all(&ret->env, ours);
    words_addf(&ret->env, "HOME=%s", dir);
    add_personal(ret, dir, uv);
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        autofree char *said = read_copy("", common[i] + 1);

        if (!said)
            continue;
        words_add(&ret->shown, common[i]);
        places_of_file(said, &ret->shown);
    }
    if (access(site, R_OK) == 0)
        places_of_file(text, &ret->shown); /* itself it is shown with the environment */
}

void settings_fini(struct settings *s)
{
    words_fini(&s->env);
    words_fini(&s->shown);
}
