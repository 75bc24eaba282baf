/* The plan where there are no namespaces: nothing is mounted, so paths are those of the machine. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "sandbox/plan_impl.h"

static void add_readable(struct plan *plan, const char *const *paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        plan_add(plan, STEP_READABLE, NULL, paths[i])->flags = STEP_OPTIONAL;
}

static void add_system(struct plan *plan, const struct sandbox_config *c)
{
    static const char *const trees[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    /*
     * What is there and cannot be opened is an error to programs, where what is not there is none: so more of /etc
     * than in a sandbox with a root of its own (Debian's sitecustomize, what mimetypes looks for).
     */
    static const char *const more[] = {
        "/etc/python3.9",          "/etc/python3.10",       "/etc/python3.11",        "/etc/python3.12",
        "/etc/python3.13",         "/etc/python3.14",       "/etc/python3.15",        "/etc/inputrc",
        "/etc/apache2/mime.types", "/etc/httpd/mime.types", "/etc/apache/mime.types",
    };
    /* Facts about the machine. Nothing of /proc that belongs to a process, not even its own: see landlock(7). */
    static const char *const facts[] = {
        "/dev/random", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg",
        "/proc/stat",  "/proc/uptime", "/proc/version", PLAN_PROCESSORS,
    };
    static const char *const network[] = {
        "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/nsswitch.conf", "/etc/services",
    };

    plan_add(plan, STEP_READABLE, NULL, "/usr");
    add_readable(plan, trees, sizeof trees / sizeof *trees);
    add_readable(plan, plan_settings, plan_n_settings);
    add_readable(plan, more, sizeof more / sizeof *more);
    add_readable(plan, facts, sizeof facts / sizeof *facts);
    if (c->network == NETWORK_HOST)
        add_readable(plan, network, sizeof network / sizeof *network);
}

static int add_mount(struct plan *plan, const struct sandbox_mount *m, struct err *e)
{
    if (!plan_is_plain(m->source) || strcmp(m->source, "/") == 0)
        return err_set(e, EINVAL, "mount %s: an absolute path of a directory or file is needed, not /", m->source);
    if (strcmp(m->source, m->target) != 0)
        return err_set(e, EINVAL,
                       "mount %s: without namespaces nothing can be shown at another place than its own: write "
                       "%s:%s%s",
                       m->target, m->source, m->source, m->writable ? ":rw" : "");
    if (plan_check_path(m->target, "mount", e) < 0)
        return -e->code;
    plan_add(plan, m->writable ? STEP_CHANGEABLE : STEP_READABLE, NULL, m->source)->flags =
        m->unlisted ? STEP_UNLISTED : 0;
    return 0;
}

int plan_make_wall(const struct sandbox_config *c, struct plan *plan, struct err *e)
{
    struct step *home = plan_add(plan, STEP_HOME, NULL, NULL);
    int status = 0;

    home->size = (c->workspace_bytes ? c->workspace_bytes : PLAN_WORKSPACE_BYTES) +
                 (c->tmp_bytes ? c->tmp_bytes : PLAN_TMP_BYTES);
    home->inodes = 2 * (c->inodes ? c->inodes : PLAN_INODES);
    plan_add(plan, STEP_IDENTITY, NULL, NULL);
    add_system(plan, c);
    for (size_t i = 0; i < c->n_prefixes && status == 0; i++)
        if (!plan_is_below(c->prefixes[i], "/usr"))
            status = add_mount(plan, &(struct sandbox_mount){c->prefixes[i], c->prefixes[i], false, false}, e);
    for (size_t i = 0; i < c->n_mounts && status == 0; i++)
        status = add_mount(plan, &c->mounts[i], e);
    plan_add(plan, STEP_SEAL, NULL, NULL);
    return status;
}
