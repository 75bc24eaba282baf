#include "sandbox/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "sandbox/guard.h"
#include "sandbox/home.h"
#include "sandbox/mount.h"
#include "sandbox/plan.h"
#include "sandbox/seal.h"

#define PATH_SIZE 4352
#define ROOT_BYTES (1 * MIB) /* it holds directories and a few small files */
#define ROOT_INODES 4096
#define STAGE "/tmp" /* where the new root is put together: covered for a moment, by a mount that nobody else sees */

/* ---- paths ---- */

static void in_new(char out[PATH_SIZE], const char *path)
{
    (void)snprintf(out, PATH_SIZE, "/new%s", path);
}

static void in_old(char out[PATH_SIZE], const char *path)
{
    (void)snprintf(out, PATH_SIZE, "/old%s", path);
}

/* The directories above path. Existing ones are kept. */
static int make_parents(const char *path, struct err *e)
{
    char part[PATH_SIZE];
    size_t size = strlen(path);

    for (size_t i = 1; i < size && i < sizeof part; i++) {
        if (path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST && errno != EROFS)
            return err_errno(e, "mkdir %s", part);
    }
    return 0;
}

static int make_dir(const char *path, mode_t mode, struct err *e)
{
    struct stat st;
    int status = make_parents(path, e);

    if (status < 0)
        return status;
    if (mkdir(path, mode) == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    return err_errno(e, "mkdir %s", path);
}

/* An empty file to mount over, or one with the text. */
static int make_file(const char *path, const char *text, struct err *e)
{
    autofd int fd = -1;
    int status = make_parents(path, e);

    if (status < 0)
        return status;
    if (!text && access(path, F_OK) == 0)
        return 0;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(e, "create %s", path);
    status = text ? fd_write_all(fd, text, strlen(text)) : 0;
    return status < 0 ? err_set(e, -status, "write %s", path) : 0;
}

/* ---- steps ---- */

static int do_private(void)
{
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/*
 * A tmpfs becomes the root, with the old root in it at /old and the sandbox's root at /new, as bubblewrap does: in the
 * old root STAGE is uncovered again, so that sources below it can be shown too.
 */
static int do_root(struct err *e)
{
    int status = mount_tmpfs(STAGE, ROOT_BYTES, ROOT_INODES, 0755, 0, e);

    if (status < 0)
        return status;
    if (chdir(STAGE) < 0 || mkdir("old", 0755) < 0 || mkdir("new", 0755) < 0)
        return err_errno(e, "prepare %s", STAGE);
    if (syscall(SYS_pivot_root, ".", "old") < 0)
        return err_errno(e, "pivot_root (not possible below chroot or on an initramfs)");
    if (chdir("/") < 0)
        return err_errno(e, "chdir /");
    return mount_tmpfs("/new", ROOT_BYTES, ROOT_INODES, 0755, 0, e);
}

static bool is_link(const char *path, const char *text)
{
    char now[PATH_SIZE];
    ssize_t size = readlink(path, now, sizeof now);

    return size >= 0 && (size_t)size == strlen(text) && memcmp(now, text, (size_t)size) == 0;
}

static int do_link(const char *text, const char *target, struct err *e)
{
    int status = make_parents(target, e);

    if (status < 0)
        return status;
    if (symlink(text, target) == 0 || (errno == EEXIST && is_link(target, text))) /* by another sandbox: template.h */
        return 0;
    return err_errno(e, "symlink %s", target);
}

static int do_bind(const struct step *step, const char *source, const char *target, struct err *e)
{
    unsigned flags = step->kind == STEP_DEVICE ? MOUNT_DEVICE : 0;
    struct stat st;
    int status;

    if (lstat(source, &st) < 0) {
        if (step->flags & STEP_OPTIONAL && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
            return 0;
        return err_errno(e, "%s cannot be shown", step->source);
    }
    if (S_ISLNK(st.st_mode)) {
        char text[PATH_SIZE];
        ssize_t size = readlink(source, text, sizeof text - 1);

        if (size < 0)
            return err_errno(e, "readlink %s", step->source);
        text[size] = 0;
        return do_link(text, target, e);
    }
    status = S_ISDIR(st.st_mode) ? make_dir(target, 0755, e) : make_file(target, NULL, e);
    if (status < 0)
        return status;
    if (step->flags & STEP_WRITABLE)
        flags |= MOUNT_WRITABLE;
    return mount_bind(source, target, flags, e);
}

/* Podman's filter refuses the call to containers without CAP_SYS_ADMIN: then the container's name is seen inside. */
static int do_hostname(const char *name, struct err *e)
{
    return sethostname(name, strlen(name)) < 0 && errno != EPERM ? err_errno(e, "sethostname") : 0;
}

int steps_loopback_up(struct err *e)
{
    struct ifreq lo = {.ifr_name = "lo"};
    autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
        return err_errno(e, "find lo");
    lo.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
        return err_errno(e, "bring lo up");
    return 0;
}

/*
 * The mounts belong to the user namespace that the builder lives in. In this one, made afterwards, even all
 * capabilities allow neither mounting nor joining anything.
 */
static int do_user(const struct steps_context *context, struct err *e)
{
    int status;

    if (unshare(CLONE_NEWUSER) < 0)
        return err_errno(e, "unshare(CLONE_NEWUSER)");
    status = steps_ask_for_maps(context->control, e);
    return status < 0 ? status : seal_set_ids(SANDBOX_ID, e);
}

/*
 * What a namespace may create is a limit of its own (namespaces(7), /proc/sys/user), writable by who has
 * CAP_SYS_RESOURCE in it, so by us until STEP_SEAL. Not possible where /proc/sys is read-only, as in containers:
 * seccomp refuses the calls in any case.
 */
static int do_nesting(const struct steps_context *context, struct err *e)
{
    static const struct {
        const char *name, *value;
    } limits[] = {
        {"max_user_namespaces", "0"},
        {"max_mnt_namespaces", "0"},
        {"max_pid_namespaces", "0"},
        {"max_net_namespaces", "0"},
        {"max_ipc_namespaces", "0"},
        {"max_uts_namespaces", "0"},
        {"max_cgroup_namespaces", "0"},
        {"max_time_namespaces", "0"},
        /* Counted for the server's user too, who has 128: one sandbox could leave none to the whole machine. */
        {"max_inotify_instances", "16"},
        {"max_inotify_watches", "8192"},
    };
    autofd int own = open("/proc/sys/user", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int dir = own >= 0 ? own : context->host_proc_user;
    bool written = false;

    for (size_t i = 0; i < sizeof limits / sizeof *limits && dir >= 0; i++) {
        autofd int fd = openat(dir, limits[i].name, O_WRONLY | O_CLOEXEC);
        size_t size = strlen(limits[i].value);

        if (fd >= 0 && write(fd, limits[i].value, size) == (ssize_t)size && i == 0)
            written = true;
    }
    if (written && unshare(CLONE_NEWUSER) == 0)
        return err_set(e, EPERM, "a user namespace could still be made");
    return 0;
}

/* By the effective user, as the code will be: a Python that only root can read would fail in strange ways later. */
static int check_reachable(const struct step *step, struct err *e)
{
    int mode = (step->flags & STEP_UNLISTED ? X_OK : R_OK) | (step->kind == STEP_CHANGEABLE ? W_OK : 0);

    if (faccessat(AT_FDCWD, step->target, mode, AT_EACCESS) == 0 || (step->flags & STEP_OPTIONAL))
        return 0;
    if (errno == EACCES)
        return err_set(e, EACCES,
                       "%s must be %s for all users, because isolated code has a user id of its own here (chmod -R "
                       "o+rX, and each directory above o+x)",
                       step->target, step->kind == STEP_CHANGEABLE ? "writable" : "readable");
    return err_errno(e, "%s", step->target);
}

static int step_run(const struct step *step, const struct steps_context *context, struct err *e)
{
    char source[PATH_SIZE] = "", target[PATH_SIZE] = "";
    int status;

    if (step->source)
        in_old(source, step->source);
    if (step->target)
        in_new(target, step->target);
    switch (step->kind) {
    case STEP_PRIVATE:
        return do_private() < 0 ? err_errno(e, "MS_PRIVATE") : 0;
    case STEP_ROOT:
        return do_root(e);
    case STEP_DIR:
        return make_dir(target, step->mode, e);
    case STEP_LINK:
        return do_link(step->source, target, e);
    case STEP_FILE:
        return make_file(target, step->source, e);
    case STEP_TMPFS:
        status = make_dir(target, 0755, e);
        return status < 0 ? status : mount_tmpfs(target, step->size, step->inodes, step->mode, context->owner, e);
    case STEP_BIND:
    case STEP_DEVICE:
        return do_bind(step, source, target, e);
    case STEP_PROC:
        status = make_dir(target, 0755, e);
        return status < 0 ? status : mount_proc(target, e);
    case STEP_HOSTNAME:
        return do_hostname(step->source, e);
    case STEP_LOOPBACK:
        return steps_loopback_up(e);
    case STEP_PIVOT:
        return chdir("/new") < 0 ? err_errno(e, "chdir /new") : mount_pivot_here(e);
    case STEP_READONLY:
        return mount_readonly(step->target, e);
    case STEP_USER:
        return do_user(context, e);
    case STEP_NESTING:
        return do_nesting(context, e);
    case STEP_SEAL:
        return context->guard ? seal_guard(context->control, e) : seal_init(context->control, e);
    case STEP_HOME:
        return home_make(context->guard->home, context->guard->user, e);
    case STEP_IDENTITY:
        return guard_become(context->guard, e);
    case STEP_READABLE:
    case STEP_CHANGEABLE:
        return check_reachable(step, e);
    default:
        return err_set(e, EINVAL, "unknown step");
    }
}

int steps_run(const struct plan *plan, size_t done, const struct steps_context *context, struct err *e)
{
    for (size_t i = done; i < plan->n; i++) {
        struct err why = ERR_INIT;
        int status;

        if ((plan->steps[i].kind >= STEP_HOME) != (context->guard != NULL) && plan->steps[i].kind != STEP_SEAL)
            return err_set(e, EINVAL, "%s: not in this kind of sandbox", step_name(plan->steps[i].kind));
        status = step_run(&plan->steps[i], context, &why);

        if (status < 0)
            return err_set(e, -status, "%s: %s", step_name(plan->steps[i].kind), why.text);
    }
    return 0;
}
