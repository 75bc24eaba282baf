/*
 * confine [--docker] [--no-landlock] PROGRAM [ARGUMENT...]
 *     run a program as it would run elsewhere
 *
 * --docker       as in a container of Docker's default profile: root has its fourteen capabilities, and what its filter
 *                refuses to those who have no more. An emulation: the real filter is a list of what is allowed; this
 * one refuses what that list leaves out and what could make a difference here. There is no namespace, no masked path
 * and no read-only /sys; tests/containers has the real thing.
 * --no-landlock  on a kernel that was built, or started, without Landlock
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_BROKEN 125

static const int docker_capabilities[] = {
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FSETID,  CAP_FOWNER,     CAP_MKNOD, CAP_NET_RAW,     CAP_SETGID,
    CAP_SETUID, CAP_SETFCAP,      CAP_SETPCAP, CAP_SYS_CHROOT, CAP_KILL,  CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE,
};

static const char *const docker_refused[] = {
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "mount_setattr",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "open_by_handle_at",
    "fanotify_init",
    "quotactl",
    "lookup_dcookie",
    "sethostname",
    "setdomainname",
    "kcmp",
    "personality",
    "move_pages",
    "set_mempolicy_home_node",
};

static const char *const landlock[] = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"};
static const int landlock_numbers[] = {444, 445, 446}; /* the same on all machines; old libseccomps lack the names */

static int add(scmp_filter_ctx context, const char *name, int number, int error)
{
    if (number < 0)
        number = seccomp_syscall_resolve_name(name);
    return number < 0 ? 0 : seccomp_rule_add(context, SCMP_ACT_ERRNO((uint32_t)error), number, 0);
}

static int add_docker(scmp_filter_ctx context)
{
    /* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
    static const unsigned flags[] = {0x00020000, 0x02000000, 0x04000000, 0x08000000,
                                     0x10000000, 0x20000000, 0x40000000};
    int status = add(context, "clone3", -1, ENOSYS);

    for (size_t i = 0; i < sizeof docker_refused / sizeof *docker_refused && status == 0; i++)
        status = add(context, docker_refused[i], -1, EPERM);
    for (size_t i = 0; i < sizeof flags / sizeof *flags && status == 0; i++)
        status = seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_CMP(0, SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
    return status;
}

static int load(bool docker, bool no_landlock)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
    int status = context ? 0 : -ENOMEM;

    if (status == 0 && geteuid() == 0) /* Docker does not set no_new_privs either */
        status = seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);
    for (size_t i = 0; i < sizeof landlock / sizeof *landlock && status == 0 && no_landlock; i++)
        status = add(context, landlock[i], landlock_numbers[i], ENOSYS);
    if (status == 0 && docker)
        status = add_docker(context);
    if (status == 0)
        status = seccomp_load(context);
    seccomp_release(context);
    return status;
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};

    for (size_t i = 0; i < sizeof docker_capabilities / sizeof *docker_capabilities; i++) {
        int c = docker_capabilities[i];

        data[CAP_TO_INDEX(c)].permitted |= CAP_TO_MASK(c);
    }
    for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
        if (!(data[CAP_TO_INDEX(c)].permitted & CAP_TO_MASK(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
            return -errno;
    data[0].effective = data[0].permitted;
    data[1].effective = data[1].permitted;
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    bool docker = false, no_landlock = false;
    int status;

    (void)argc;
    for (argv++; *argv && strncmp(*argv, "--", 2) == 0; argv++) {
        docker |= strcmp(*argv, "--docker") == 0;
        no_landlock |= strcmp(*argv, "--no-landlock") == 0;
    }
    if (!*argv)
        return EXIT_BROKEN;
    status = load(docker, no_landlock);
    if (status == 0 && docker && geteuid() == 0)
        status = drop_capabilities();
    if (status < 0) {
        (void)fprintf(stderr, "confine: %s\n", strerror(-status));
        return EXIT_BROKEN;
    }
    (void)execvp(*argv, argv);
    (void)fprintf(stderr, "confine: %s: %s\n", *argv, strerror(errno));
    return EXIT_BROKEN;
}
