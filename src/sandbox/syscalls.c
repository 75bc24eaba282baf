/*
 * An allow-list, because lists of what is forbidden rot: those of others missed clone3, the new mount calls
 * (CVE-2021-41133), io_uring. Numbers of commands are written out: they are the kernel's interface, and some are newer
 * than the headers of the machine that this is built on.
 */
#include "sandbox/syscalls.h"

#include <errno.h>

const char *const syscalls_allowed[] = {
    /* files */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "open",
    "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3", "lseek", "_llseek", "access",
    "faccessat", "faccessat2", "stat", "lstat", "fstat", "newfstatat", "fstatat64", "stat64", "lstat64", "fstat64",
    "statx", "statfs", "fstatfs", "statfs64", "fstatfs64", "getdents", "getdents64", "readlink", "readlinkat",
    "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "link", "linkat", "symlink", "symlinkat", "truncate", "ftruncate", "truncate64", "ftruncate64", "chmod", "fchmod",
    "fchmodat", "chown", "fchown", "lchown", "fchownat", "umask", "utime", "utimes", "utimensat", "futimesat",
    "flock", "fallocate", "fadvise64", "readahead", "fsync", "fdatasync", "sync_file_range", "sendfile", "sendfile64",
    "splice", "copy_file_range", "getxattr", "lgetxattr", "fgetxattr", "setxattr", "lsetxattr", "fsetxattr",
    "listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr",
    /* memory */
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "mlock2",
    "munlock", "mlockall", "munlockall", "memfd_create", "mbind", "get_mempolicy", "set_mempolicy", "membarrier",
    "pkey_alloc", "pkey_free", "pkey_mprotect",
    /* processes */
    "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitpid", "waitid", "getpid", "getppid",
    "gettid", "getpgid", "getpgrp", "setpgid", "getsid", "setsid", "getuid", "geteuid", "getgid", "getegid",
    "getresuid", "getresgid", "getgroups", "getuid32", "geteuid32", "getgid32", "getegid32", "getpriority",
    "setpriority", "ioprio_get", "capget", "kill", "tkill", "tgkill", "pidfd_open", "pidfd_send_signal", "getrlimit",
    "setrlimit", "ugetrlimit", "getrusage", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
    "sched_setparam", "sched_getscheduler", "sched_setscheduler", "sched_get_priority_max", "sched_get_priority_min",
    "sched_rr_get_interval", "sched_getattr", "getcpu", "times", "uname", "sysinfo", "set_tid_address",
    "set_robust_list", "get_robust_list", "rseq", "futex", "futex_time64", "futex_waitv", "arch_prctl",
    "restart_syscall",
    /* signals */
    "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "rt_sigreturn",
    "rt_sigqueueinfo", "sigaltstack", "sigreturn", "signalfd", "signalfd4", "pause", "alarm",
    /* time */
    "gettimeofday", "time", "clock_gettime", "clock_getres", "clock_nanosleep", "clock_gettime64",
    "clock_getres_time64", "clock_nanosleep_time64", "nanosleep", "getitimer", "setitimer", "timer_create",
    "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "getrandom",
    /* waiting */
    "pipe", "pipe2", "poll", "ppoll", "select", "pselect6", "_newselect", "epoll_create", "epoll_create1",
    "epoll_ctl", "epoll_ctl_old", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2",
    /* sockets, of the kinds that may be made */
    "bind", "connect", "listen", "accept", "accept4", "getsockname", "getpeername", "getsockopt", "setsockopt",
    "shutdown", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "send", "recv",
};
const size_t syscalls_n_allowed = sizeof syscalls_allowed / sizeof *syscalls_allowed;

const char *const syscalls_refused[] = {
    /* into other processes */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd", "kcmp",
    /* file systems and namespaces */
    "mount", "umount", "umount2", "mount_setattr", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount",
    "fspick", "pivot_root", "chroot", "unshare", "setns",
    /* other ids */
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
    "capset",
    /* it would pass by the rules for arguments, and makes sockets */
    "io_uring_setup", "io_uring_enter", "io_uring_register",
    /* wide surface in the kernel, or (keyrings) not separated by namespaces; userfaultfd widens races */
    "userfaultfd", "bpf", "perf_event_open", "keyctl", "add_key", "request_key", "seccomp", "personality",
    /* past the paths that are visible */
    "open_by_handle_at", "name_to_handle_at", "fanotify_init", "fanotify_mark", "quotactl", "quotactl_fd",
    "lookup_dcookie", "acct", "nfsservctl",
    /* memory of other processes */
    "move_pages", "migrate_pages", "set_mempolicy_home_node",
    /* the machine's own */
    "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "swapon", "swapoff", "reboot",
    "syslog", "vhangup", "iopl", "ioperm", "modify_ldt", "clock_settime", "clock_settime64", "clock_adjtime",
    "clock_adjtime64", "settimeofday", "adjtimex", "stime", "sethostname", "setdomainname", "ioprio_set",
};
const size_t syscalls_n_refused = sizeof syscalls_refused / sizeof *syscalls_refused;

#define LOW 0xffffffffull /* commands are 32 bits: what is above is ignored by the kernel, so also here */
#define EQUAL(index, value) {RULE_BITS, index, LOW, value}
#define ANY {RULE_ALWAYS, 0, 0, 0}
#define ALLOW_COMMAND(name, index, value) {name, 0, {EQUAL(index, value), ANY}, 0, 0}
#define REFUSE_COMMAND(name, index, value) {name, EPERM, {EQUAL(index, value), ANY}, 0, 0}
#define REFUSE_FLAG(name, index, bit) {name, EPERM, {{RULE_BITS, index, bit, bit}, ANY}, 0, 0}
#define NO_FAMILY(value) {"socket", EAFNOSUPPORT, {EQUAL(0, value), ANY}, 0, 0}
#define PROTOCOL(family, value) {"socket", 0, {EQUAL(0, family), EQUAL(2, value)}, 0, SYSCALLS_OFFLINE}
#define NO_PROTOCOL(family, value)                                                                                     \
    {"socket", EPROTONOSUPPORT, {EQUAL(0, family), EQUAL(2, value)}, 0, SYSCALLS_OFFLINE}
#define WATCH(name) {name, 0, {ANY, ANY}, 0, SYSCALLS_SHARED}

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
#define NAMESPACES 0x7e020000ull

const struct syscall_rule syscalls_rules[] = {
    /* Threads and processes, in no new namespace. clone3 passes its flags in memory, where a filter cannot look: it
     * answers ENOSYS, after which libc takes clone. */
    {"clone", 0, {{RULE_BITS, 0, NAMESPACES, 0}, ANY}, 0, 0},
    REFUSE_FLAG("clone", 0, 0x00020000),
    REFUSE_FLAG("clone", 0, 0x02000000),
    REFUSE_FLAG("clone", 0, 0x04000000),
    REFUSE_FLAG("clone", 0, 0x08000000),
    REFUSE_FLAG("clone", 0, 0x10000000),
    REFUSE_FLAG("clone", 0, 0x20000000),
    REFUSE_FLAG("clone", 0, 0x40000000),

    /* Of itself only: limits of the first process could be changed, they have the same user. */
    {"prlimit64", 0, {{RULE_EQUAL, 0, 0, 0}, ANY}, 0, 0},
    {"prlimit64", EPERM, {{RULE_ABOVE, 0, 0, 0}, ANY}, 0, 0},

    /* UNIX (which has no protocols), and IP with TCP and UDP: not MPTCP, which Landlock's network rules do not see. */
    {"socket", 0, {EQUAL(0, 1), ANY}, 0, SYSCALLS_SHARED},
    {"socket", EACCES, {EQUAL(0, 1), ANY}, SYSCALLS_SHARED, 0},
    PROTOCOL(2, 0),
    PROTOCOL(2, 6),
    PROTOCOL(2, 17),
    PROTOCOL(10, 0),
    PROTOCOL(10, 6),
    PROTOCOL(10, 17),
    {"socket", EACCES, {EQUAL(0, 2), ANY}, SYSCALLS_OFFLINE, 0},
    {"socket", EACCES, {EQUAL(0, 10), ANY}, SYSCALLS_OFFLINE, 0},
    NO_PROTOCOL(2, 262),
    NO_PROTOCOL(2, 132),
    NO_PROTOCOL(10, 262),
    NO_PROTOCOL(10, 132),
    {"socket", EAFNOSUPPORT, {{RULE_ABOVE, 0, 0, 10}, ANY}, 0, 0},
    NO_FAMILY(0),
    NO_FAMILY(3),
    NO_FAMILY(4),
    NO_FAMILY(5),
    NO_FAMILY(6),
    NO_FAMILY(7),
    NO_FAMILY(8),
    NO_FAMILY(9),
    /* A pair of datagram sockets can be connected elsewhere afterwards; the others cannot, unix(7). */
    {"socketpair", 0, {EQUAL(0, 1), ANY}, 0, SYSCALLS_SHARED},
    {"socketpair", 0, {EQUAL(0, 1), {RULE_BITS, 1, 0xf, 1}}, SYSCALLS_SHARED, 0},
    {"socketpair", 0, {EQUAL(0, 1), {RULE_BITS, 1, 0xf, 5}}, SYSCALLS_SHARED, 0},
    {"socketpair", EACCES, {EQUAL(0, 1), {RULE_BITS, 1, 0xf, 2}}, SYSCALLS_SHARED, 0},

    WATCH("inotify_init"),
    WATCH("inotify_init1"),
    WATCH("inotify_add_watch"),
    WATCH("inotify_rm_watch"),

    /* A named pipe, a plain file (which no type stands for too, and Python's default); no device. */
    {"mknod", 0, {{RULE_BITS, 1, 0170000, 0}, ANY}, 0, 0},
    {"mknodat", 0, {{RULE_BITS, 2, 0170000, 0}, ANY}, 0, 0},
    {"mknod", 0, {{RULE_BITS, 1, 0170000, 0010000}, ANY}, 0, 0},
    {"mknod", 0, {{RULE_BITS, 1, 0170000, 0100000}, ANY}, 0, 0},
    {"mknod", EPERM, {{RULE_BITS, 1, 0170000, 0020000}, ANY}, 0, 0},
    {"mknod", EPERM, {{RULE_BITS, 1, 0170000, 0060000}, ANY}, 0, 0},
    {"mknodat", 0, {{RULE_BITS, 2, 0170000, 0010000}, ANY}, 0, 0},
    {"mknodat", 0, {{RULE_BITS, 2, 0170000, 0100000}, ANY}, 0, 0},
    {"mknodat", EPERM, {{RULE_BITS, 2, 0170000, 0020000}, ANY}, 0, 0},
    {"mknodat", EPERM, {{RULE_BITS, 2, 0170000, 0060000}, ANY}, 0, 0},

    /* Of descriptors and (isatty) terminals; names and addresses of interfaces. */
    ALLOW_COMMAND("ioctl", 1, 0x5401), /* TCGETS */
    ALLOW_COMMAND("ioctl", 1, 0x5413), /* TIOCGWINSZ */
    ALLOW_COMMAND("ioctl", 1, 0x540f), /* TIOCGPGRP */
    ALLOW_COMMAND("ioctl", 1, 0x541b), /* FIONREAD */
    ALLOW_COMMAND("ioctl", 1, 0x5421), /* FIONBIO */
    ALLOW_COMMAND("ioctl", 1, 0x5450), /* FIONCLEX */
    ALLOW_COMMAND("ioctl", 1, 0x5451), /* FIOCLEX */
    ALLOW_COMMAND("ioctl", 1, 0x8910), /* SIOCGIFNAME */
    ALLOW_COMMAND("ioctl", 1, 0x8912), /* SIOCGIFCONF */
    ALLOW_COMMAND("ioctl", 1, 0x8913), /* SIOCGIFFLAGS */
    ALLOW_COMMAND("ioctl", 1, 0x8915), /* SIOCGIFADDR */
    ALLOW_COMMAND("ioctl", 1, 0x8921), /* SIOCGIFMTU */
    ALLOW_COMMAND("ioctl", 1, 0x8933), /* SIOCGIFINDEX */
    /* FICLONE: what a file system without it answers, which is what Python 3.14 expects from one */
    {"ioctl", EOPNOTSUPP, {EQUAL(1, 0x40049409), ANY}, 0, 0},
    REFUSE_COMMAND("ioctl", 1, 0x5412), /* TIOCSTI: typing into a terminal (CVE-2017-5226; high bits CVE-2019-10063) */
    REFUSE_COMMAND("ioctl", 1, 0x541c), /* TIOCLINUX: the same by pasting */
    REFUSE_COMMAND("ioctl", 1, 0x540e), /* TIOCSCTTY */

    ALLOW_COMMAND("prctl", 0, 1),  /* SET_PDEATHSIG */
    ALLOW_COMMAND("prctl", 0, 2),  /* GET_PDEATHSIG */
    ALLOW_COMMAND("prctl", 0, 3),  /* GET_DUMPABLE */
    ALLOW_COMMAND("prctl", 0, 4),  /* SET_DUMPABLE */
    ALLOW_COMMAND("prctl", 0, 15), /* SET_NAME */
    ALLOW_COMMAND("prctl", 0, 16), /* GET_NAME */
    ALLOW_COMMAND("prctl", 0, 21), /* GET_SECCOMP */
    ALLOW_COMMAND("prctl", 0, 23), /* CAPBSET_READ */
    ALLOW_COMMAND("prctl", 0, 29), /* SET_TIMERSLACK */
    ALLOW_COMMAND("prctl", 0, 30), /* GET_TIMERSLACK */
    ALLOW_COMMAND("prctl", 0, 38), /* SET_NO_NEW_PRIVS */
    ALLOW_COMMAND("prctl", 0, 39), /* GET_NO_NEW_PRIVS */
    ALLOW_COMMAND("prctl", 0, 41), /* SET_THP_DISABLE */
    ALLOW_COMMAND("prctl", 0, 42), /* GET_THP_DISABLE */
    ALLOW_COMMAND("prctl", 0, 0x53564d41), /* SET_VMA: names of mappings, by newer libcs */
    REFUSE_COMMAND("prctl", 0, 8),  /* SET_KEEPCAPS */
    REFUSE_COMMAND("prctl", 0, 22), /* SET_SECCOMP */
    REFUSE_COMMAND("prctl", 0, 24), /* CAPBSET_DROP */
    REFUSE_COMMAND("prctl", 0, 28), /* SET_SECUREBITS */
    REFUSE_COMMAND("prctl", 0, 35), /* SET_MM */
    REFUSE_COMMAND("prctl", 0, 47), /* CAP_AMBIENT */
    REFUSE_COMMAND("prctl", 0, 0x59616d61), /* SET_PTRACER */

    ALLOW_COMMAND("fcntl", 1, 0),    /* F_DUPFD */
    ALLOW_COMMAND("fcntl", 1, 1),    /* F_GETFD */
    ALLOW_COMMAND("fcntl", 1, 2),    /* F_SETFD */
    ALLOW_COMMAND("fcntl", 1, 3),    /* F_GETFL */
    ALLOW_COMMAND("fcntl", 1, 4),    /* F_SETFL */
    ALLOW_COMMAND("fcntl", 1, 5),    /* F_GETLK */
    ALLOW_COMMAND("fcntl", 1, 6),    /* F_SETLK */
    ALLOW_COMMAND("fcntl", 1, 7),    /* F_SETLKW */
    ALLOW_COMMAND("fcntl", 1, 9),    /* F_GETOWN */
    ALLOW_COMMAND("fcntl", 1, 36),   /* F_OFD_GETLK */
    ALLOW_COMMAND("fcntl", 1, 37),   /* F_OFD_SETLK */
    ALLOW_COMMAND("fcntl", 1, 38),   /* F_OFD_SETLKW */
    ALLOW_COMMAND("fcntl", 1, 1030), /* F_DUPFD_CLOEXEC */
    ALLOW_COMMAND("fcntl", 1, 1031), /* F_SETPIPE_SZ */
    ALLOW_COMMAND("fcntl", 1, 1032), /* F_GETPIPE_SZ */
    ALLOW_COMMAND("fcntl", 1, 1033), /* F_ADD_SEALS */
    ALLOW_COMMAND("fcntl", 1, 1034), /* F_GET_SEALS */
    REFUSE_COMMAND("fcntl", 1, 8),    /* F_SETOWN: signals to others */
    REFUSE_COMMAND("fcntl", 1, 10),   /* F_SETSIG */
    REFUSE_COMMAND("fcntl", 1, 15),   /* F_SETOWN_EX */
    REFUSE_COMMAND("fcntl", 1, 1024), /* F_SETLEASE: files that others have open would wait */
    REFUSE_COMMAND("fcntl", 1, 1026), /* F_NOTIFY */
};
const size_t syscalls_n_rules = sizeof syscalls_rules / sizeof *syscalls_rules;
