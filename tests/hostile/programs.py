"""Hostile programs: each does something that a sandbox must prevent, or that must stay without effect outside.

Every program prints one word: "did" when it got its way, else the name of the error. It runs once outside, where it
must get its way (else it proves nothing), and once in each kind of sandbox. Where a kind stops it in another way than
the rest, or does not, that is said: no_landlock, wall (without namespaces, by user id, Landlock and filter only).
"""

import re

PRELUDE = r"""
import ctypes, errno, os, resource, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    done = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    return "did" if done >= 0 else errno.errorcode[ctypes.get_errno()]

def attempt(function, *arguments):
    try:
        function(*arguments)
        return "did"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))

def reached(result):
    return result if result in ("EPERM", "ENOSYS") else "did"  # nonsense arguments got past all checks

def once(result):
    print(result, flush=True)
"""

PROGRAMS = []


class Program:
    def __init__(self, name, code, inside, outside, root, wall, no_landlock):
        self.name, self.code, self.root = name, PRELUDE + code, root
        self.inside, self.outside = re.compile(inside, re.S), re.compile(outside, re.S)
        self.wall = wall and re.compile(wall, re.S)
        self.no_landlock = no_landlock and re.compile(no_landlock, re.S)


def program(name, code, inside, outside="did", root=False, wall=None, no_landlock=None):
    """Patterns of what it says (or "exit N"). root: outside it succeeds only for root."""
    PROGRAMS.append(Program(name, code, inside, outside, root, wall, no_landlock))


# Ends of the program itself: reported as they are, and nothing else ends.
program("abort", "os.abort()", "exit 134", "exit 134")
program("null pointer", "ctypes.string_at(0)", "exit 139", "exit 139")
program("SIGKILL to itself", "os.kill(os.getpid(), 9)", "exit 137", "exit 137")
program("SIGTERM to itself", "os.kill(os.getpid(), 15); time.sleep(5)", "exit 143", "exit 143")
program("stack overflow in C", "import faulthandler; faulthandler._stack_overflow()", "exit 139", "exit 139")
program("signal to its group", "os.kill(0, 9); time.sleep(5)", "exit 137", "exit 137")

# Other processes.
# kill(2) says of -1 that it worked also when it was refused for every process: that all live is checked after each.
program("signal to everybody", "once(attempt(os.kill, -1, 9))", "ESRCH|EPERM", wall="did")
# Without Landlock's scope it is sent, and has no effect on a first process (pid_namespaces(7)).
program("signal to process 1", "once(attempt(os.kill, 1, 9))", "EPERM", no_landlock="did")
program(
    "signal to each number",
    """
others = [pid for pid in range(max(2, os.getpid() - 2000), os.getpid() + 300) if pid != os.getpid()]
once("did" if "did" in {attempt(os.kill, pid, 9) for pid in others} else "none")
""",
    "none",
)
program(
    "limits of each number",
    """
others = [pid for pid in range(max(1, os.getpid() - 2000), os.getpid() + 300) if pid != os.getpid()]
once("did" if "did" in {attempt(resource.prlimit, pid, resource.RLIMIT_CORE) for pid in others} else "none")
""",
    "none",
)
program("command lines of others", """
def look(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        f.read()
once("did" if "did" in {attempt(look, pid) for pid in range(max(1, os.getpid() - 2000), os.getpid() + 300) if pid != os.getpid()} else "none")
""", "none")
program("ptrace", "once(call(101, 0, 0, 0, 0))", "EPERM")
program("ptrace of process 1", "once(reached(call(101, 0x4206, 1, 0, 0)))", "EPERM")
program(
    "memory of a process",
    """
data = ctypes.create_string_buffer(b"secret", 8)
iov = (ctypes.c_ulong * 2)(ctypes.addressof(data), 8)
once(call(310, os.getpid(), iov, 1, iov, 1, 0))
""",
    "EPERM",
)
program("descriptor of a process", "once(call(438, os.pidfd_open(os.getpid()), 0, 0))", "EPERM")
program("limits of process 1", "once(call(302, 1, 7, 0, 0))", "EPERM")
program("root of process 1", "once(attempt(os.listdir, '/proc/1/root'))", "ENOENT|EACCES")
program("memory of process 1", "once(attempt(open, '/proc/1/mem', 'rb'))", "ENOENT|EACCES")
program(
    "all processes",
    "pids = [int(p) for p in os.listdir('/proc') if p.isdigit()]\nonce('did' if min(pids, default=9) == 1 else 'none')",
    "none",
    wall="exit 1: .*Permission denied: '/proc'",
)
program(
    "fork bomb",
    """
def bomb():
    for n in range(300):
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
once(attempt(bomb))
""",
    "EAGAIN",
)
program(
    "thread bomb",
    """
import threading
try:
    for n in range(300):
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
    once("did")
except RuntimeError as e:
    once("EAGAIN")
os._exit(0)
""",
    "EAGAIN",
)

# Namespaces, mounts, privilege.
program("unshare user", "once(call(272, 0x10000000))", "EPERM")
program("unshare mounts", "once(call(272, 0x20000))", "EPERM")
program(
    "clone into a user namespace",
    "done = libc.syscall(56, ctypes.c_long(0x10000000 | 17), None, None, None, None)\n"
    "if done == 0: os._exit(0)\n"
    "once('did' if done > 0 else errno.errorcode[ctypes.get_errno()])",
    "EPERM",
)
program("clone3", "once(call(435, None, 0))", "ENOSYS", "EINVAL|EFAULT")
program("setns", "once(call(308, os.open('/proc/self/ns/mnt', 0), 0))", "EPERM|ENOENT")
program("mount", "once(call(165, b'x', b'/tmp', b'tmpfs', 0, None))", "EPERM")
program("new mount calls", "once(call(430, b'tmpfs', 0))", "EPERM")
program("remount /usr", "once(reached(call(165, None, b'/usr', None, 4096 | 32, None)))", "EPERM")
program("umount", "once(reached(call(166, b'/dev/shm', 2)))", "EPERM")
program("chroot", "once(attempt(os.chroot, '/'))", "EPERM")
program("pivot_root", "once(reached(call(155, b'.', b'.')))", "EPERM")
program("setuid", "once(attempt(os.setuid, 0))", "EPERM")
program("setgroups", "once(attempt(os.setgroups, [0]))", "EPERM", root=True)
program("device node", "once(attempt(os.mknod, '/tmp/cellblock-node', 0o20600, os.makedev(1, 1)))\n"
        "os.path.exists('/tmp/cellblock-node') and os.unlink('/tmp/cellblock-node')", "EPERM", root=True)
program("gaining by exec", "once('none' if libc.prctl(39, 0, 0, 0, 0) == 1 else 'did')", "none")

# System calls with a wide surface.
for name, number, root in [
    ("bpf", 321, True),
    ("perf_event_open", 298, True),
    ("userfaultfd", 323, True),
    ("io_uring_setup", 425, False),
    ("keyctl", 250, False),
    ("open_by_handle_at", 304, True),
    ("process_madvise", 440, False),
    ("quotactl", 179, False),
    ("fanotify_init", 300, True),
    ("kcmp", 312, False),
    ("move_pages", 279, False),
]:
    program(name, f"once(reached(call({number}, 0, 0, 0, 0, 0, 0)))", "EPERM", root=root)
program("personality", "once(call(135, 0x0040000))", "EPERM")
program("seccomp filter of its own", "once(reached(call(317, 1, 0, None)))", "EPERM")
program("unknown system call", "once(call(9999))", "ENOSYS", "ENOSYS")
program("x32 system call", "once(call(0x40000000 + 39))", "exit 159", "ENOSYS|did")
program("32-bit system call", """
code = bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3])  # getpid by int 0x80
import mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(code)
done = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
once("did")
""", "exit 159")
program("typing into a terminal", "once(reached(call(16, 0, 0x5412, b'x')))", "EPERM")
program("the same with high bits", "once(reached(call(16, 0, 0x100005412, b'x')))", "EPERM")

# Files.
program("file of the host", "once(attempt(open, '/etc/hostname'))", "ENOENT", wall="EACCES")
program("through /proc/self/root", "once(attempt(open, '/proc/self/' 'root/../etc/hostname'))", "ENOENT", wall="EACCES")
program("shadow", "once(attempt(open, '/etc/shadow'))", "ENOENT", root=True, wall="EACCES")
program("a program of the host's", "path = '/var/tmp/cellblock-test-echo-' + sys.argv[1]\n"
        "once(attempt(os.execv, path, [path, 'did']))", "ENOENT", wall="EACCES")
program("hard link from outside", "path = os.environ.get('HOME', '/tmp') + '/cellblock-hard'\n"
        "once(attempt(os.link, '/etc/hostname', path))\nos.path.exists(path) and os.unlink(path)",
        "ENOENT|EXDEV", root=True, wall="EXDEV|EACCES|EPERM")
program("cutting a file by its path", "once(attempt(os.truncate, '/var/tmp/cellblock-test-file-' + sys.argv[1], 0))",
        "ENOENT|EROFS", wall="EACCES")
program("watching files", """
done = libc.inotify_add_watch(libc.inotify_init1(0), b'/var/tmp', 0x100)
once('did' if done >= 0 else errno.errorcode[ctypes.get_errno()])
""", "EBADF|ENOENT", wall="ENOSYS")
program("shared memory of the host", "once('did' if 'cellblock-test-' + sys.argv[1] in os.listdir('/dev/shm') else 'none')",
        "none", wall="exit 1: .*Permission denied: '/dev/shm'")
program("System V shared memory", "i = libc.shmget(0, 4096, 0o1600)\n"
        "once('did' if i >= 0 else errno.errorcode[ctypes.get_errno()])\nlibc.shmctl(i, 0, 0)", "ENOSYS")
program("System V messages", "i = libc.msgget(0, 0o1600)\n"
        "once('did' if i >= 0 else errno.errorcode[ctypes.get_errno()])\nlibc.msgctl(i, 0, 0)", "ENOSYS")
program("message queue", "once(call(240, b'cellblock-test', 0o102, 0o600, None))\n"
        "libc.syscall(241, b'cellblock-test')", "ENOSYS")
program(
    "by a symbolic link",
    "import tempfile\nlink = tempfile.mkdtemp() + '/link'\nos.symlink('../../../../../../etc/hostname', link)\n"
    "once(attempt(open, link))",
    "ENOENT",
    wall="EACCES",
)
program("homes", "once(attempt(os.listdir, '/home'))", "ENOENT", wall="EACCES")
program("write to /usr", "once(attempt(os.mkdir, '/usr/cellblock-x'))\nos.path.exists('/usr/cellblock-x') and "
        "os.rmdir('/usr/cellblock-x')", "EROFS|EACCES", root=True)
program("write to /", "once(attempt(os.mkdir, '/cellblock-x'))\nos.path.exists('/cellblock-x') and "
        "os.rmdir('/cellblock-x')", "EROFS|EACCES", root=True)
program("settings of the kernel", "once(attempt(open, '/proc/sys/kernel/core_pattern', 'a'))", "EACCES|EROFS|ENOENT",
        root=True)
program("control groups", "once(attempt(os.listdir, '/sys/fs/cgroup'))", "ENOENT", wall="EACCES")
program("terminal", "once(attempt(os.open, '/dev/ptmx', os.O_RDWR | os.O_NOCTTY))", "ENOENT", wall="EACCES")
program("descriptors left open", "once(attempt(os.fstat, 7))", "EBADF")
program("environment", "once('did' if 'CELLBLOCK_SECRET' in os.environ else 'none')", "none")
program(
    "fill /tmp",
    """
def fill():
    try:
        with open(PLACE + '/cellblock-fill', 'wb') as f:
            for n in range(270):
                f.write(bytes(1 << 20))
    finally:
        os.unlink(PLACE + '/cellblock-fill')
once(attempt(fill))
""".replace("PLACE", "'/tmp'"),
    "ENOSPC",
    wall="ENOENT",  # it could not be made; its own place is counted instead: too_much in tests/hostile/run
)
program(
    "fill the inodes of /dev/shm",
    """
import shutil
def fill():
    for n in range(70000):
        os.close(os.open('/dev/shm/cellblock/%d' % n, os.O_CREAT))
os.mkdir('/dev/shm/cellblock')
result = attempt(fill)
shutil.rmtree('/dev/shm/cellblock')
once(result)
""",
    "ENOSPC",
    wall="exit 1: .*Permission denied: '/dev/shm/cellblock'",
)
program(
    "large file",
    "import tempfile\nonce(attempt(os.truncate, tempfile.mkstemp()[0], 2 << 30))",
    "EFBIG",
)
program(
    "many descriptors",
    "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\nresource.setrlimit(resource.RLIMIT_NOFILE, (most, most))\n"
    "once(attempt(lambda: [os.open('/dev/null', 0) for n in range(1100)]))",
    "EMFILE",
)

# Network.
for name, family in [("netlink", 16), ("packet", 17), ("kernel crypto", 38), ("vsock", 40)]:
    program(f"socket: {name}", f"once(attempt(socket.socket, {family}, 3 if {family} == 16 else 2 if {family} == 17 "
            f"else 5 if {family} == 38 else 1, 0))", "EAFNOSUPPORT", "did|EAFNOSUPPORT", root=family == 17)
program("socket: raw", "once(attempt(socket.socket, 2, 3, 1))", "EPERM|ENOSYS|EPROTONOSUPPORT", root=True, wall="EACCES")
program("socket: MPTCP", "once(attempt(socket.socket, 2, 1, 262))", "EPROTONOSUPPORT", "did|EPROTONOSUPPORT",
        wall="EACCES")
program(
    "loopback of the host",
    "once(attempt(socket.create_connection, ('127.0.0.1', int(sys.argv[1])), 2))",
    "ECONNREFUSED",
    wall="EACCES",
)
program(
    "abstract socket of the host",
    "once(attempt(lambda: socket.socket(socket.AF_UNIX).connect('\\0cellblock-test-' + sys.argv[1])))",
    "ECONNREFUSED|EPERM",
    wall="EACCES",
)
program(
    "socket of the host, by one of a pair",
    "once(attempt(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].connect("
    "'/var/tmp/cellblock-test-datagrams-' + sys.argv[1])))",
    "ENOENT",
    wall="EACCES",
)
program(
    "socket of the host with a path",
    "once(attempt(lambda: socket.socket(socket.AF_UNIX).connect('/var/tmp/cellblock-test-' + sys.argv[1])))",
    "ENOENT",
    wall="EACCES",
)
program(
    "private networks",
    "once(attempt(lambda: socket.socket(2, 2).connect(('169.254.169.254', 80))))",
    "ENETUNREACH",
    "did|ENETUNREACH",
    wall="EACCES",
)
