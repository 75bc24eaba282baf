#include "cli/mount_option.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "sandbox/plan.h"

#define SHOWN "%.120s" /* of a path: what to do about it must fit into the error too */

/* ---- reading ---- */

/* One slash where there are several, none at the end: /usr/ must be known as /usr. */
static char *tidy(const char *path)
{
    char *to = xcalloc(1, strlen(path) + 2);
    size_t n = 0;

    for (; *path; path++)
        if (*path != '/' || n == 0 || to[n - 1] != '/')
            to[n++] = *path;
    if (n > 1 && to[n - 1] == '/')
        to[--n] = '\0';
    return to;
}

static int check_kind(const char *name, const char *path, struct err *e)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_errno(e, "%s " SHOWN, name, path);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s " SHOWN ": only a directory or a file can be shared, not a %s", name, path,
                       S_ISSOCK(st.st_mode)   ? "socket: code in the sandbox could act through it"
                       : S_ISFIFO(st.st_mode) ? "pipe"
                                              : "device");
    return 0;
}

static int no_source(const char *name, const char *host, struct err *e)
{
    int code = errno;
    const char *hint = "";

    if (host[0] == '~')
        hint = ". Nobody expands ~ here: write the whole path";
    else if (strchr(host, ','))
        hint = ". Several are written one a line, not with commas between them";
    return err_set(e, EINVAL, "%s " SHOWN ": %s on this machine%s", name, host,
                   code == ENOENT ? "no such file or directory" : strerror(code), hint);
}

/* Cut at the colons. false: too many. */
static bool split(char *text, char *parts[3], size_t *ret_n)
{
    *ret_n = 0;
    for (char *part = text; part; *ret_n += 1) {
        if (*ret_n == 3)
            return false;
        parts[*ret_n] = strsep(&part, ":");
    }
    return true;
}

int mount_parse(const char *name, const char *text, struct sandbox_mount *ret, struct err *e)
{
    autofree char *copy = xstrdup(text), *source = NULL;
    char *parts[3] = {NULL, NULL, NULL};
    const char *guest, *mode = NULL;
    size_t n;
    int r;

    if (!split(copy, parts, &n) || !*parts[0])
        return err_set(e, EINVAL, "%s takes HOST:GUEST or HOST:GUEST:rw, not '" SHOWN "'", name, text);
    if (n > 1 && (strcmp(parts[n - 1], "rw") == 0 || strcmp(parts[n - 1], "ro") == 0))
        mode = parts[--n];
    if (n == 3)
        return err_set(e, EINVAL, "%s " SHOWN ": what follows the second colon is rw, not '%.60s'", name, text,
                       parts[2]);
    source = realpath(parts[0], NULL);
    if (!source)
        return no_source(name, parts[0], e);
    r = check_kind(name, source, e);
    if (r < 0)
        return r;
    guest = n > 1 ? parts[1] : parts[0][0] == '/' ? parts[0] : source;
    if (guest[0] != '/')
        return err_set(e, EINVAL, "%s " SHOWN ": the place in the sandbox is an absolute path, like /data, not '%.60s'",
                       name, text, guest);
    ret->source = steal_ptr(source);
    ret->target = tidy(guest);
    ret->writable = mode && strcmp(mode, "rw") == 0;
    return 0;
}

void mount_fini(struct sandbox_mount *mount)
{
    free((char *)mount->source);
    free((char *)mount->target);
    *mount = (struct sandbox_mount){NULL, NULL, false, false};
}

/* ---- what is to be guarded ---- */

static char *real(const char *path)
{
    return path && *path ? realpath(path, NULL) : NULL;
}

/* A directory that may not be there yet. */
static char *future(const char *path)
{
    autofree char *here = NULL;
    char *now = real(path);

    if (now || !path || !*path)
        return now;
    here = path[0] == '/' ? NULL : getcwd(NULL, 0);
    return here ? xasprintf("%s/%s", here, path) : xstrdup(path);
}

static char *home_directory(void)
{
    const char *home = getenv("HOME");
    const struct passwd *entry = home && home[0] == '/' ? NULL : getpwuid(geteuid());

    return real(entry ? entry->pw_dir : home);
}

/* path is taken. Only what is a socket and is there. */
static void guard_socket(struct mount_guard *guard, char *path_take)
{
    char *path = real(path_take);
    struct stat st;

    free(path_take);
    for (size_t i = 0; path && i < MOUNT_SOCKETS_MAX; i++)
        if (!guard->sockets[i] && stat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
            guard->sockets[i] = path;
            return;
        }
    free(path);
}

static void guard_sockets(struct mount_guard *guard)
{
    static const char *const below_home[] = {".docker/run/docker.sock", ".docker/desktop/docker.sock",
                                             ".gnupg/S.gpg-agent", ".gnupg/S.gpg-agent.ssh"};
    static const char *const variables[][2] = {
        {"SSH_AUTH_SOCK", ""}, {"DOCKER_HOST", "unix://"}, {"DBUS_SESSION_BUS_ADDRESS", "unix:path="}};

    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i][0]);
        size_t skip = strlen(variables[i][1]);

        if (value && strncmp(value, variables[i][1], skip) == 0)
            guard_socket(guard, xstrndup(value + skip, strcspn(value + skip, ",;")));
    }
    for (size_t i = 0; guard->home && i < sizeof below_home / sizeof *below_home; i++)
        guard_socket(guard, xasprintf("%s/%s", guard->home, below_home[i]));
}

static void guard_python(struct mount_guard *guard, char *path_take)
{
    for (size_t i = 0; i < MOUNT_PYTHON_MAX; i++)
        if (!guard->python[i]) {
            guard->python[i] = path_take;
            return;
        }
    free(path_take);
}

/* bin and lib of the environment that an interpreter lies in. */
static void guard_environment(struct mount_guard *guard, const char *python)
{
    static const char *const parts[] = {"bin", "lib", "lib64"};
    autofree char *above = xstrdup(python), *prefix = NULL;
    char *end;

    /* Of its directory, not of itself: python in a virtual environment is a link into another one. */
    end = strrchr(above, '/');
    if (!end)
        return;
    *end = '\0';
    prefix = realpath(*above ? above : "/", NULL);
    end = prefix ? strrchr(prefix, '/') : NULL;
    if (!end || end == prefix) /* /bin/python3: the system, which is guarded anyway */
        return;
    *end = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        guard_python(guard, xasprintf("%s/%s", prefix, parts[i]));
}

/* As the shell finds it. */
static char *on_path(const char *name)
{
    const char *path = getenv("PATH");
    autofree char *copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *rest = copy;

    for (const char *directory; (directory = strsep(&rest, ":")) != NULL;) {
        char *found = xasprintf("%s/%s", *directory ? directory : ".", name);

        if (access(found, X_OK) == 0)
            return found;
        free(found);
    }
    return NULL;
}

static char *find_python(const struct mount_guard *guard, const char *python)
{
    if (python && *python)
        return strchr(python, '/') ? xstrdup(python) : on_path(python);
    if (guard->future_python) {
        char *venv = xasprintf("%s/bin/python", guard->future_python);

        if (access(venv, X_OK) == 0)
            return venv;
        free(venv);
    }
    return on_path("python3");
}

void mount_guard_init(struct mount_guard *guard, const char *python, const char *store, const char *workdir)
{
    const char *tmp = getenv("TMPDIR");
    autofree char *here = real(workdir && *workdir ? workdir : "."), *found = NULL, *base = NULL;
    char *cache;

    *guard = (struct mount_guard){0};
    guard->runtime = real(tmp && tmp[0] == '/' ? tmp : "/tmp");
    guard->session_runtime = real(getenv("XDG_RUNTIME_DIR"));
    guard->home = home_directory();
    guard->store = future(store);
    guard->program = real("/proc/self/exe");
    guard_sockets(guard);
    if (here && !(python && *python))
        guard->future_python = xasprintf("%s/.venv", strcmp(here, "/") == 0 ? "" : here);
    found = find_python(guard, python);
    base = real(found);
    if (found)
        guard_environment(guard, found);
    if (base)
        guard_environment(guard, base);
    if (guard->home)
        guard_python(guard, xasprintf("%s/.local/lib", guard->home));
    cache = real(getenv("XDG_CACHE_HOME")); /* of libraries that are imported there */
    if (cache)
        guard_python(guard, cache);
}

void mount_guard_fini(struct mount_guard *guard)
{
    free(guard->runtime);
    free(guard->session_runtime);
    for (size_t i = 0; i < MOUNT_SOCKETS_MAX; i++)
        free(guard->sockets[i]);
    free(guard->home);
    free(guard->store);
    free(guard->program);
    for (size_t i = 0; i < MOUNT_PYTHON_MAX; i++)
        free(guard->python[i]);
    free(guard->future_python);
    *guard = (struct mount_guard){0};
}

/* ---- checking ---- */

/* Is path the directory, or below it? NULL is nowhere. */
static bool is_below(const char *path, const char *directory)
{
    size_t size = directory ? strlen(directory) : 0;

    if (!path || !directory)
        return false;
    if (strcmp(directory, "/") == 0)
        return true;
    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static const char *first_below(const char *path, const char *const *directories)
{
    for (; *directories; directories++)
        if (is_below(path, *directories))
            return *directories;
    return NULL;
}

static int refuse(const char *name, const struct sandbox_mount *m, const char *why, const char *what,
                  const char *instead, struct err *e)
{
    return err_set(e, EPERM, "%s " SHOWN " is refused: %s%s" SHOWN ". %s", name, m->source, why, *what ? " " : "", what,
                   instead);
}

/* The directory of this or another server: keeper.c makes cellblock-XXXXXX below TMPDIR. */
static bool is_of_a_server(const struct mount_guard *guard, const char *source)
{
    static const char prefix[] = "/cellblock-";
    const char *name = guard->runtime && is_below(source, guard->runtime) ? source + strlen(guard->runtime) : "";

    return strncmp(name, prefix, strlen(prefix)) == 0 && strcspn(name + strlen(prefix), "/") == 6;
}

static int check_any(const struct mount_guard *guard, const char *name, const struct sandbox_mount *m, struct err *e)
{
    static const char *const kernel[] = {"/proc", "/sys", "/dev", NULL}, *const run[] = {"/run", "/var/run", NULL};
    static const char below[] = "Share a directory below it that holds what the code needs";

    if (strcmp(m->source, "/") == 0)
        return refuse(name, m, "it is the whole machine, the server and its sockets included", "", below, e);
    if (first_below(m->source, kernel))
        return refuse(name, m, "it shows processes and devices of the machine, the server's too", "",
                      "The sandbox has its own", e);
    if (first_below(m->source, run) && !is_below(m->source, "/run/media"))
        return refuse(name, m, "services of the machine have their sockets there, by which code gets out", "",
                      "Copy what the code needs to a directory of its own", e);
    if (is_below(guard->runtime, m->source))
        return refuse(name, m, "the server keeps its own files and its control socket in", guard->runtime,
                      "Share a directory below it, or set TMPDIR to another place", e);
    if (is_of_a_server(guard, m->source))
        return refuse(name, m, "a server keeps its own files and its control socket there", "",
                      "To get at files of a session use `cellblock cp`", e);
    if (is_below(m->source, guard->session_runtime) || is_below(guard->session_runtime, m->source))
        return refuse(name, m, "services of yours have their sockets in", guard->session_runtime, below, e);
    for (size_t i = 0; i < MOUNT_SOCKETS_MAX; i++)
        if (is_below(guard->sockets[i], m->source))
            return refuse(name, m, "by this socket code could act for you, read-only or not:", guard->sockets[i], below,
                          e);
    return 0;
}

/* What is hidden in a home directory is run, read or unpickled by what runs there; caches too, also by the zygote. */
static bool runs_at_login(const struct mount_guard *guard, const char *source)
{
    const char *rest;

    if (!guard->home || !is_below(source, guard->home))
        return false;
    rest = source + (strcmp(guard->home, "/") == 0 ? 0 : strlen(guard->home));
    return strncmp(rest, "/.", 2) == 0;
}

static int check_writable(const struct mount_guard *guard, const char *name, const struct sandbox_mount *m,
                          struct err *e)
{
    static const char *const system[] = {"/usr",   "/etc",    "/bin",  "/sbin",      "/lib",       "/lib32",
                                         "/lib64", "/libx32", "/boot", "/var/spool", "/var/cache", NULL};
    static const char below[] = "Share a directory below it, or leave :rw away";

    if (first_below(m->source, system) || strcmp(m->source, "/var") == 0 || strcmp(m->source, "/var/lib") == 0)
        return refuse(name, m, "code that can write to the system gets out of the sandbox", "", "Leave :rw away", e);
    if (is_below(guard->home, m->source))
        return refuse(name, m, "code that can write to your home directory (.profile, .ssh) runs as you later", "",
                      below, e);
    if (runs_at_login(guard, m->source))
        return refuse(name, m,
                      "what is hidden in your home directory runs, or decides what runs, outside of the sandbox", "",
                      "Leave :rw away, or share another directory", e);
    if (is_below(guard->program, m->source))
        return refuse(name, m, "the server's own program is in it, and code could replace it:", guard->program, below,
                      e);
    if (is_below(guard->store, m->source) || is_below(m->source, guard->store))
        return refuse(name, m, "packages of all sessions are kept there:", guard->store,
                      "Share another directory, or leave :rw away", e);
    for (size_t i = 0; i < MOUNT_PYTHON_MAX; i++)
        if (is_below(guard->python[i], m->source) || is_below(m->source, guard->python[i]))
            return refuse(name, m, "the server starts Python from there outside of the sandbox:", guard->python[i],
                          "Share a directory below it, leave :rw away, or name another interpreter with --python", e);
    if (is_below(guard->future_python, m->source) || is_below(m->source, guard->future_python))
        return refuse(name, m, "code could put there what the server starts outside of the sandbox next time:",
                      guard->future_python,
                      "Name the interpreter with --python, use another --workdir, or leave :rw away", e);
    return 0;
}

int mount_check(const struct mount_guard *guard, const char *name, const struct sandbox_mount *mount, struct err *e)
{
    int r = check_any(guard, name, mount, e);

    return r < 0 || !mount->writable ? r : check_writable(guard, name, mount, e);
}
