#include "sandbox/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

#define PATH_SIZE 4352

/* ---- the new calls ---- */

int mount_copy(const char *source, unsigned flags, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID, .propagation = MS_PRIVATE};
    autofd int fd = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    if (fd < 0)
        return err_errno(e, "open_tree %s", source);
    attr.attr_set |= flags & MOUNT_DEVICE ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV;
    if (!(flags & MOUNT_WRITABLE))
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
        return err_errno(e, "mount_setattr %s", source);
    return steal_fd(&fd);
}

int mount_attach(int copy, const char *target, struct err *e)
{
    if (move_mount(copy, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_errno(e, "move_mount to %s", target);
    return 0;
}

/* Joining a mount namespace changes root and directory of a process, so a short-lived one does it. */
int mount_attach_inside(int pidfd, int copy, const char *target, struct err *e)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (setns(pidfd, CLONE_NEWNS) < 0)
            _exit(errno);
        _exit(-mount_attach(copy, target, NULL) & 0xff);
    }
    if (pid < 0)
        return err_errno(e, "fork");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(e, WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD, "mount at %s in the sandbox: %s", target,
                       WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "ended");
    return 0;
}

/* ---- the old call ---- */

/* The flags that a mount has already. A remount must repeat them: in a user namespace they are locked (mount(2)). */
static unsigned long flags_of(const char *target)
{
    static const struct {
        unsigned long statvfs, mount;
    } flags[] = {
        {ST_RDONLY, MS_RDONLY},   {ST_NOSUID, MS_NOSUID},         {ST_NODEV, MS_NODEV},       {ST_NOEXEC, MS_NOEXEC},
        {ST_NOATIME, MS_NOATIME}, {ST_NODIRATIME, MS_NODIRATIME}, {ST_RELATIME, MS_RELATIME},
    };
    unsigned long found = 0;
    struct statvfs fs;

    if (statvfs(target, &fs) < 0)
        return 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (fs.f_flag & flags[i].statvfs)
            found |= flags[i].mount;
    return found;
}

static int remount(const char *target, unsigned long more, struct err *e)
{
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_NOSUID | more | flags_of(target);

    if (mount(NULL, target, NULL, flags, NULL) < 0)
        return err_errno(e, "remount %s", target);
    return 0;
}

/* Undo the octal escapes of /proc/self/mountinfo (proc_pid_mountinfo(5)), in place. */
static void unescape(char *text)
{
    char *to = text;

    for (char *from = text; *from; to++) {
        if (from[0] == '\\' && from[1] && from[2] && from[3]) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
}

/* A bind's remount changes one mount only: each one below must be changed by itself, or it stays writable. */
static int remount_below(const char *target, unsigned long more, struct err *e)
{
    FILE *list = fopen("/old/proc/self/mountinfo", "re");
    size_t size = strlen(target), cap = 0;
    char *line = NULL;
    int status = 0;

    if (!list)
        list = fopen("/proc/self/mountinfo", "re");
    if (!list)
        return err_errno(e, "open /proc/self/mountinfo");
    while (status == 0 && getline(&line, &cap, list) > 0) {
        char path[PATH_SIZE];

        if (sscanf(line, "%*s %*s %*s %*s %4351s", path) != 1)
            continue;
        unescape(path);
        if (strncmp(path, target, size) == 0 && path[size] == '/')
            status = remount(path, more, e);
        if (status == -EACCES || status == -ENOENT)
            status = 0; /* covered by another mount: nobody can reach it */
    }
    free(line);
    (void)fclose(list);
    return status;
}

static int bind_by_old_call(const char *source, const char *target, unsigned flags, struct err *e)
{
    unsigned long more = flags & MOUNT_DEVICE ? MS_NOEXEC : MS_NODEV;
    int status;

    if (!(flags & MOUNT_WRITABLE))
        more |= MS_RDONLY;
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return err_errno(e, "bind %s", source);
    if (mount(NULL, target, NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_errno(e, "make %s private", target);
    status = remount(target, more, e);
    return status < 0 ? status : remount_below(target, more, e);
}

int mount_bind(const char *source, const char *target, unsigned flags, struct err *e)
{
    static bool old; /* gVisor and Linux before 5.12 lack mount_setattr */
    autofd int fd = -1;

    if (!old) {
        fd = mount_copy(source, flags, e);
        if (fd >= 0)
            return mount_attach(fd, target, e);
        /* EPERM: filters of containers that are older than these calls; a real one comes back from the old call. */
        if (fd != -ENOSYS && fd != -EPERM)
            return steal_fd(&fd);
        old = fd == -ENOSYS;
        fd = -1;
    }
    return bind_by_old_call(source, target, flags, e);
}

/* ---- file systems ---- */

int mount_tmpfs(const char *target, uint64_t size, uint64_t inodes, mode_t mode, unsigned owner, struct err *e)
{
    char options[160];

    (void)snprintf(options, sizeof options, "size=%" PRIu64 ",nr_inodes=%" PRIu64 ",mode=%o,uid=%u,gid=%u", size,
                   inodes, (unsigned)mode, owner, owner);
    if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return err_errno(e, "tmpfs at %s (%s)", target, options);
    return 0;
}

int mount_proc(const char *target, struct err *e)
{
    /* By name since 5.8, before that by number. Not subset=pid: it hides meminfo and cpuinfo too. */
    static const char *const options[] = {"hidepid=invisible", "hidepid=2"};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options[i]) == 0)
            return 0;
    return err_errno(e, "proc at %s", target);
}

int mount_readonly(const char *target, struct err *e)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};

    if (mount_setattr(AT_FDCWD, target, 0, &attr, sizeof attr) == 0)
        return 0;
    if (errno != ENOSYS)
        return err_errno(e, "make %s read-only", target);
    return remount(target, MS_RDONLY | MS_NODEV, e);
}

/*
 * pivot_root(2): with both arguments "." the old root ends up on top of the new one, and is taken away. Never a chroot
 * instead: what is below a chroot can be left again.
 */
int mount_pivot_here(struct err *e)
{
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_errno(e, "pivot_root");
    if (umount2(".", MNT_DETACH) < 0)
        return err_errno(e, "umount the old root");
    if (chdir("/") < 0)
        return err_errno(e, "chdir /");
    return 0;
}
