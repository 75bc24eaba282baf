#include "sandbox/plan.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "sandbox/plan_impl.h"

struct step *plan_add(struct plan *plan, enum step_kind kind, const char *source, const char *target)
{
    struct step *step;

    if (plan->n == plan->cap) {
        plan->cap = plan->cap ? 2 * plan->cap : 64;
        plan->steps = xrealloc(plan->steps, plan->cap, sizeof *plan->steps);
    }
    step = &plan->steps[plan->n++];
    *step = (struct step){.kind = kind, .mode = 0755, .source = xstrdup(source), .target = xstrdup(target)};
    return step;
}

void plan_fini(struct plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        free(plan->steps[i].source);
        free(plan->steps[i].target);
    }
    free(plan->steps);
    *plan = (struct plan)PLAN_INIT;
}

size_t plan_targets(const struct plan *plan, enum step_kind kind, const char **ret, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < plan->n && n < max; i++)
        if (plan->steps[i].kind == kind)
            ret[n++] = plan->steps[i].target;
    return n;
}

size_t plan_count_shared(const struct plan *plan)
{
    size_t n = 0;

    while (n < plan->n && plan->steps[n].kind <= STEP_DEVICE && plan->steps[n].kind != STEP_TMPFS &&
           !(plan->steps[n].flags & STEP_WRITABLE))
        n++;
    return plan->namespaces & CLONE_NEWNS ? n : 0;
}

const char *step_name(enum step_kind kind)
{
    static const char *const names[STEP_MAX] = {
        "private mounts", "new root", "directory", "link",     "file",     "tmpfs",      "bind",
        "device",         "proc",     "hostname",  "loopback", "pivot",    "readonly",   "user",
        "nesting",        "seal",     "home",      "identity", "readable", "changeable",
    };

    return (unsigned)kind < STEP_MAX ? names[kind] : "?";
}

/* ---- the parts of a sandbox ---- */

/*
 * Of /etc only what libraries need to be found and to work: the linker's cache, alternatives (libblas.so.3 is a link
 * through it), certificates, time zone, fonts, media types, names of ports, Debian's sitecustomize, OpenSSL's settings.
 */
const char *const plan_settings[] = {
    "/etc/ld.so.cache",     "/etc/alternatives",    "/etc/ssl/certs",    "/etc/ssl/openssl.cnf", "/etc/pki/tls",
    "/etc/localtime",       "/etc/fonts",           "/etc/mime.types",   "/etc/python3",         "/etc/matplotlibrc",
    "/etc/ca-certificates", "/etc/crypto-policies", "/etc/pki/ca-trust", "/etc/services",        "/etc/protocols",
};
const size_t plan_n_settings = sizeof plan_settings / sizeof *plan_settings;

/* /bin and the like are links into /usr on most systems and directories on others; both work from a bind. */
static void add_system(struct plan *plan)
{
    static const char *const trees[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

    plan_add(plan, STEP_BIND, "/usr", "/usr");
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        plan_add(plan, STEP_BIND, trees[i], trees[i])->flags = STEP_OPTIONAL;
    plan_add(plan, STEP_DIR, NULL, "/etc");
    for (size_t i = 0; i < plan_n_settings; i++)
        plan_add(plan, STEP_BIND, plan_settings[i], plan_settings[i])->flags = STEP_OPTIONAL;
    plan_add(plan, STEP_BIND, PLAN_PROCESSORS, PLAN_PROCESSORS)->flags = STEP_OPTIONAL;
    plan_add(plan, STEP_FILE,
             "root:x:0:0:root:/nonexistent:/bin/false\nuser:x:1000:1000:user:" SANDBOX_WORKSPACE ":/bin/sh\n"
             "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
             "/etc/passwd");
    plan_add(plan, STEP_FILE, "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n", "/etc/group");
    plan_add(plan, STEP_FILE, "passwd: files\ngroup: files\nhosts: files dns\n", "/etc/nsswitch.conf");
    plan_add(plan, STEP_FILE, "127.0.0.1 localhost sandbox\n::1 localhost\n", "/etc/hosts");
}

/* Not the host's /dev: that would bring terminals, disks and /dev/shm, which sandboxes would then share. */
static void add_devices(struct plan *plan)
{
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    static const char *const links[][2] = {
        {"/proc/self/fd", "/dev/fd"},
        {"/proc/self/fd/0", "/dev/stdin"},
        {"/proc/self/fd/1", "/dev/stdout"},
        {"/proc/self/fd/2", "/dev/stderr"},
    };

    plan_add(plan, STEP_DIR, NULL, "/dev");
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        plan_add(plan, STEP_DEVICE, devices[i], devices[i]);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        plan_add(plan, STEP_LINK, links[i][0], links[i][1]);
}

static void add_tmpfs(struct plan *plan, const char *target, uint64_t size, uint64_t inodes, mode_t mode)
{
    struct step *step = plan_add(plan, STEP_TMPFS, NULL, target);

    step->size = size;
    step->inodes = inodes ? inodes : PLAN_INODES;
    step->mode = mode;
}

static void add_writable(struct plan *plan, const struct sandbox_config *c)
{
    add_tmpfs(plan, "/tmp", c->tmp_bytes ? c->tmp_bytes : PLAN_TMP_BYTES, c->inodes, 01777);
    add_tmpfs(plan, "/dev/shm", c->shm_bytes ? c->shm_bytes : PLAN_SHM_BYTES, c->inodes, 01777);
    add_tmpfs(plan, SANDBOX_WORKSPACE, c->workspace_bytes ? c->workspace_bytes : PLAN_WORKSPACE_BYTES, c->inodes, 0755);
    plan_add(plan, STEP_DIR, NULL, SANDBOX_PACKAGES);
}

/* ---- what is configured ---- */

bool plan_is_below(const char *path, const char *directory)
{
    size_t size = strlen(directory);

    return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == 0);
}

/* Absolute, and without ".", ".." and empty parts, with which it would be another than the checks below think. */
bool plan_is_plain(const char *path)
{
    if (path[0] != '/' || strlen(path) >= 4096)
        return false;
    for (const char *part = path; part; part = strchr(part + 1, '/')) {
        size_t size = strcspn(part + 1, "/");

        if ((size == 0 && path[1]) || (size == 1 && part[1] == '.') || (size == 2 && part[1] == '.' && part[2] == '.'))
            return false;
    }
    return true;
}

/* What the sandbox has of its own there would be hidden, or the host's be shown. */
static const char *reserved(const char *target)
{
    static const char *const below[] = {"/proc", "/dev", "/sys", "/old", "/new", "/run"};
    static const char *const exact[] = {"/",     "/usr", "/etc",   "/tmp",          "/bin",
                                        "/sbin", "/lib", "/lib64", SANDBOX_PACKAGES};

    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        if (plan_is_below(target, below[i]))
            return below[i];
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (strcmp(target, exact[i]) == 0)
            return exact[i];
    return NULL;
}

int plan_check_path(const char *path, const char *what, struct err *e)
{
    const char *own;

    if (!plan_is_plain(path))
        return err_set(e, EINVAL, "%s %s: an absolute path without ., .. and double slashes is needed", what, path);
    own = reserved(path);
    if (own)
        return err_set(e, EINVAL, "%s %s: the sandbox has its own %s; choose another path", what, path, own);
    return 0;
}

/* Shallow ones first: what lies below another is then mounted on top of it. */
static int by_depth(const void *left, const void *right)
{
    const struct sandbox_mount *a = left, *b = right;
    size_t depth_a = 0, depth_b = 0;

    for (const char *p = a->target; *p; p++)
        depth_a += *p == '/';
    for (const char *p = b->target; *p; p++)
        depth_b += *p == '/';
    if (depth_a != depth_b)
        return depth_a < depth_b ? -1 : 1;
    return strcmp(a->target, b->target);
}

static int add_shared(struct plan *plan, const struct sandbox_config *c, struct err *e)
{
    autofree struct sandbox_mount *all = xnew_n(struct sandbox_mount, c->n_prefixes + c->n_mounts + 1);
    size_t n = 0;
    int status = 0;

    for (size_t i = 0; i < c->n_prefixes; i++) {
        if (plan_is_below(c->prefixes[i], "/usr"))
            continue; /* is there already */
        all[n++] = (struct sandbox_mount){c->prefixes[i], c->prefixes[i], false, false};
        status = plan_check_path(c->prefixes[i], "Python environment", e);
        if (status < 0)
            return status;
    }
    for (size_t i = 0; i < c->n_mounts; i++) {
        const char *source = c->mounts[i].source;

        all[n++] = c->mounts[i];
        if (!plan_is_plain(source) || strcmp(source, "/") == 0)
            return err_set(e, EINVAL, "mount %s: an absolute path of a directory or file is needed, not /", source);
        status = plan_check_path(c->mounts[i].target, "mount", e);
        if (status < 0)
            return status;
    }
    qsort(all, n, sizeof *all, by_depth);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(all[i].target, all[i - 1].target) == 0) {
            if (strcmp(all[i].source, all[i - 1].source) == 0 && all[i].writable == all[i - 1].writable)
                continue;
            return err_set(e, EINVAL, "mount %s: two things cannot be at the same place", all[i].target);
        }
        plan_add(plan, STEP_BIND, all[i].source, all[i].target)->flags = all[i].writable ? STEP_WRITABLE : 0;
    }
    return 0;
}

int plan_make(const struct sandbox_config *c, struct plan *ret, struct err *e)
{
    struct plan plan = PLAN_INIT;
    int status;

    plan.memory_bytes = c->memory_bytes;
    plan.processes = c->processes;
    if (c->tier == TIER_LANDLOCK) {
        status = plan_make_wall(c, &plan, e);
        if (status < 0)
            plan_fini(&plan);
        else
            *ret = plan;
        return status;
    }
    plan.namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    if (c->network == NETWORK_NONE)
        plan.namespaces |= CLONE_NEWNET;
    plan_add(&plan, STEP_PRIVATE, NULL, NULL);
    plan_add(&plan, STEP_ROOT, NULL, NULL);
    add_system(&plan);
    add_devices(&plan);
    plan_add(&plan, c->tier == TIER_FULL ? STEP_PROC : STEP_DIR, NULL, "/proc");
    add_writable(&plan, c); /* from here on nothing is the same in all sandboxes (template.h) */
    if (c->network == NETWORK_HOST)
        plan_add(&plan, STEP_BIND, "/etc/resolv.conf", "/etc/resolv.conf")->flags = STEP_OPTIONAL;
    status = add_shared(&plan, c, e); /* after /tmp: an environment may lie below it */
    if (status < 0) {
        plan_fini(&plan);
        return status;
    }
    plan_add(&plan, STEP_HOSTNAME, "sandbox", NULL);
    if (c->network == NETWORK_NONE)
        plan_add(&plan, STEP_LOOPBACK, NULL, NULL);
    plan_add(&plan, STEP_PIVOT, NULL, NULL);
    plan_add(&plan, STEP_READONLY, NULL, "/");
    plan_add(&plan, STEP_USER, NULL, NULL);
    plan_add(&plan, STEP_NESTING, NULL, NULL);
    plan_add(&plan, STEP_SEAL, NULL, NULL);
    *ret = plan;
    return 0;
}
