#include "packages/shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define HOPS_MAX 8

static void add_shown(struct shown *shown, const char *source, const char *target)
{
    for (size_t i = 0; i < shown->n; i++)
        if (strcmp(shown->all[i].target, target) == 0)
            return;
    if (shown->n < SHOWN_MAX && !plan_is_below(target, "/usr"))
        shown->all[shown->n++] = (struct sandbox_mount){xstrdup(source), xstrdup(target), false, false};
}

/* The directory that holds an environment, and where it is named by a path with links, under that name too. */
static int show(struct shown *shown, const char *path, struct err *e)
{
    static const char *const stores[] = {"/nix/store", "/gnu/store"}; /* an environment there refers to many others */
    autofree char *real = realpath(path, NULL);
    const char *home = getenv("HOME");

    if (!real)
        return err_errno(e, "Python's environment %s", path);
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
        if (plan_is_below(real, stores[i])) {
            add_shown(shown, stores[i], stores[i]);
            return 0;
        }
    if (strcmp(real, "/") == 0 || (home && *home == '/' && home[1] && plan_is_below(home, real)))
        return err_set(e, EINVAL,
                       "Python's environment %s holds more than Python, which isolated code would see: name another "
                       "interpreter with --python",
                       real);
    add_shown(shown, real, real);
    if (strcmp(path, real) != 0 && !strstr(path, "//") && path[strlen(path) - 1] != '/')
        add_shown(shown, real, path);
    return 0;
}

/* A venv's python is a link, often to a further one: each has to be there for programs that start it. */
static int show_links(struct shown *shown, const char *executable, struct err *e)
{
    autofree char *at = xstrdup(executable);

    for (int hop = 0; hop < HOPS_MAX; hop++) {
        char link[4096], *slash;
        autofree char *folder = NULL, *library = NULL;
        ssize_t n = readlink(at, link, sizeof link - 1);

        if (n <= 0)
            return 0;
        link[n] = '\0';
        slash = strrchr(at, '/');
        folder = link[0] == '/' ? xstrdup(link) : xasprintf("%.*s/%s", slash ? (int)(slash - at) : 0, at, link);
        free(at);
        at = xstrdup(folder);
        for (int i = 0; i < 2; i++) { /* .../bin/python */
            slash = strrchr(folder, '/');
            if (slash)
                *slash = '\0';
        }
        library = xasprintf("%s/lib", folder);
        if (*folder && !plan_is_below(folder, "/usr") && access(library, F_OK) == 0 && show(shown, folder, e) < 0)
            return -e->code;
    }
    return 0;
}

int shown_interpreter(struct shown *ret, const char *executable, const char *prefix, const char *base_prefix,
                      struct err *e)
{
    if (show(ret, base_prefix, e) < 0 || show(ret, prefix, e) < 0)
        return -e->code;
    return show_links(ret, executable, e);
}

void shown_fini(struct shown *shown)
{
    for (size_t i = 0; i < shown->n; i++) {
        free((char *)shown->all[i].source);
        free((char *)shown->all[i].target);
    }
    shown->n = 0;
}

bool shown_to_all(const char *path)
{
    autofree char *part = xstrdup(path);
    struct stat st;

    for (char *slash = strrchr(part, '/'); slash; slash = strrchr(part, '/')) {
        if (stat(part, &st) < 0 || !(st.st_mode & S_IXOTH))
            return false;
        *slash = '\0';
    }
    return true;
}
