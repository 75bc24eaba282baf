#include "packages/installer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "packages/pipconf.h"
#include "packages/python.h"

extern char **environ;

static char *program_in(const char *folder, size_t size, const char *name)
{
    autofree char *path = xasprintf("%.*s/%s", (int)size, folder, name);

    return size && *folder == '/' && access(path, X_OK) == 0 ? steal_ptr(path) : NULL;
}

char *installer_find_uv(const char *prefix)
{
    static const char *const below_home[] = {".local/bin", ".cargo/bin"};
    const char *home = getenv("HOME");
    char folder[PATH_MAX], *found = NULL;

    for (const char *p = getenv("PATH"); !found && p && *p; p += p[strcspn(p, ":")] ? strcspn(p, ":") + 1 : strlen(p))
        found = program_in(p, strcspn(p, ":"), "uv");
    (void)snprintf(folder, sizeof(folder), "%s/bin", prefix);
    if (!found)
        found = program_in(folder, strlen(folder), "uv");
    for (size_t i = 0; !found && home && i < 2; i++) {
        (void)snprintf(folder, sizeof(folder), "%s/%s", home, below_home[i]);
        found = program_in(folder, strlen(folder), "uv");
    }
    return found;
}

static bool starts_with_any(const char *text, const char *const *words, bool whole)
{
    for (; *words; words++) {
        size_t size = strlen(*words);

        if (strncmp(text, *words, size) == 0 && (!whole || text[size] == '='))
            return true;
    }
    return false;
}

static bool is_allowed(const char *variable)
{
    static const char *const names[] = {
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TMPDIR", "TZ", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
        /* for packages that are compiled */
        "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "CARGO_HOME", "RUSTUP_HOME", NULL};
    static const char *const prefixes[] = {"LC_", "XDG_", "PIP_", "UV_", NULL};
    /* These would make the installer install elsewhere, or something else, or nothing. */
    static const char *const harmful[] = {"PIP_USER",
                                          "PIP_TARGET",
                                          "PIP_PREFIX",
                                          "PIP_ROOT",
                                          "PIP_PYTHON",
                                          "PIP_DRY_RUN",
                                          "PIP_REQUIREMENT",
                                          "PIP_EDITABLE",
                                          "PIP_REPORT",
                                          "PIP_LOG",
                                          "PIP_QUIET",
                                          "PIP_VERBOSE",
                                          "PIP_NO_DEPS",
                                          "PIP_REQUIRE_VIRTUALENV",
                                          "UV_PYTHON",
                                          "UV_SYSTEM_PYTHON",
                                          "UV_BREAK_SYSTEM_PACKAGES",
                                          "UV_TARGET",
                                          "UV_PREFIX",
                                          "UV_VENV_CLEAR",
                                          "UV_PROJECT",
                                          "UV_PROJECT_ENVIRONMENT",
                                          "UV_WORKING_DIR",
                                          "UV_WORKING_DIRECTORY",
                                          "UV_QUIET",
                                          "UV_NO_VERIFY_HASHES",
                                          NULL};

    return (starts_with_any(variable, names, true) || starts_with_any(variable, prefixes, false)) &&
           !starts_with_any(variable, harmful, true);
}

void installer_env(const char *workdir, const char *prefix, bool for_uv, struct words *ret, bool *ret_no_index)
{
    static const char *const ours[] = {"NO_COLOR=1",
                                       "PYTHONUNBUFFERED=1",
                                       "PYTHONIOENCODING=utf-8",
                                       "PIP_NO_INPUT=1",
                                       "PIP_DISABLE_PIP_VERSION_CHECK=1",
                                       "UV_NO_PROGRESS=1",
                                       "UV_PYTHON_DOWNLOADS=never",
                                       "GIT_TERMINAL_PROMPT=0",
                                       NULL};

    words_add_all(ret, ours);
    for (char **variable = environ; variable && *variable; variable++) {
        autofree char *name = xstrndup(*variable, strcspn(*variable, "="));

        if (is_allowed(*variable) && !words_value(ret, name))
            words_add(ret, *variable);
    }
    if (for_uv)
        *ret_no_index = pipconf_for_uv(ret, workdir, prefix);
}

static void add_module(const char *python, const char *module, struct words *ret)
{
    words_add_all(ret, (const char *const[]){python, "-c", module_code, module, NULL});
}

void installer_uv_install(const char *uv, const char *python, bool no_index, bool constrained, const struct words *env,
                          struct words *ret)
{
    autofree char *own = xstrdup(words_value(env, "UV_CONSTRAINT"));

    words_add_all(ret, (const char *const[]){uv, "pip", "install", "--color", "never", "--python", python, NULL});
    if (no_index)
        words_add(ret, "--no-index");
    if (constrained)
        words_add_all(ret, (const char *const[]){"-c", INSTALLER_FD_PATH, NULL});
    for (char *save = NULL, *path = constrained && own ? strtok_r(own, " ", &save) : NULL; path;
         path = strtok_r(NULL, " ", &save))
        words_add_all(ret, (const char *const[]){"-c", path, NULL});
    words_add(ret, "--");
}

void installer_pip_install(const char *python, const char *target_python, struct words *ret)
{
    add_module(python, "pip", ret);
    if (target_python)
        words_add_all(ret, (const char *const[]){"--python", target_python, NULL});
    words_add_all(ret, (const char *const[]){"install", "--progress-bar", "off", "--no-color", "--log",
                                             INSTALLER_FD_PATH, "--", NULL});
}

/*
 * The environment sees what the base Python has (--system-site-packages): what a session could import before there was
 * an environment has to be there after it, too.
 */
void installer_uv_venv(const char *uv, const char *python, const char *dir, struct words *ret)
{
    words_add_all(ret, (const char *const[]){uv, "venv", "--color", "never", "--no-project", "--python", python,
                                             "--system-site-packages", "--allow-existing", "--", dir, NULL});
}

/*
 * Without pip: that takes milliseconds instead of seconds, works on a Debian without python3-venv, and the base's pip
 * is seen from within.
 */
void installer_python_venv(const char *python, const char *dir, struct words *ret)
{
    add_module(python, "venv", ret);
    words_add_all(ret, (const char *const[]){"--system-site-packages", "--without-pip", "--", dir, NULL});
}

void installer_ensurepip(const char *python, struct words *ret)
{
    add_module(python, "ensurepip", ret);
    words_add(ret, "--default-pip");
}

void installer_probe(const char *python, struct words *ret)
{
    words_add_all(ret, (const char *const[]){python, "-c", probe_code, NULL});
}
