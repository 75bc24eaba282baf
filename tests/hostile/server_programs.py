"""Hostile programs for sessions of a server, besides those of programs.py: what only a server limits or must survive."""

from programs import Program

PROGRAMS = []


def program(name, code, inside, outside="did", root=False):
    """As in programs.py."""
    PROGRAMS.append(Program(name, code, inside, outside, root, wall=None, no_landlock=None))


# Limits.
program(
    "processor time",
    "start = time.process_time()\nwhile time.process_time() < start + 1.6: pass\nonce('did')",
    "exit (137|152)",
)
program(
    "an absurd allocation",
    "try:\n    bytearray(3 << 30)\n    once('did')\nexcept MemoryError:\n    once('MemoryError')",
    "MemoryError",
)
program(
    "a higher limit of processes",
    "try:\n    resource.setrlimit(resource.RLIMIT_NPROC, (4096, 4096))\n    once('did')\n"
    "except ValueError:\n    once('EPERM')",
    "EPERM",
)
program("locked memory", "once(call(151, 3))", "ENOMEM|EPERM|EAGAIN", root=True)
program("real-time scheduling", "once(attempt(os.sched_setscheduler, 0, 1, os.sched_param(1)))", "EPERM", root=True)
program("precedence", "once(attempt(os.setpriority, 0, 0, -20))", "EACCES|EPERM", root=True)
program("shield from the memory killer", "once(attempt(open('/proc/self/oom_score_adj', 'w').write, '-1000'))",
        "exit 1|EACCES|EPERM", root=True)  # fmt: skip
program(
    "all inotify instances of the user",
    """
n = 0
while n < 100 and libc.inotify_init1(0) >= 0:
    n += 1
once('did' if n == 100 else errno.errorcode[ctypes.get_errno()])
""",
    "EMFILE",
)
program(
    "files in /tmp without end",
    """
import shutil
def fill():
    for n in range(70000):
        os.close(os.open('/tmp/cellblock/%d' % n, os.O_CREAT))
os.mkdir('/tmp/cellblock')
result = attempt(fill)
shutil.rmtree('/tmp/cellblock')
once(result)
""",
    "ENOSPC",
)
program(
    "a full workspace",
    """
def fill():
    try:
        with open('fill', 'wb') as f:
            for n in range(70):
                f.write(bytes(1 << 20))
    finally:
        os.unlink('fill')
once(attempt(fill))
""",
    "ENOSPC",
)

# What a kernel holds and where it is.
program(
    "descriptors of the server",
    """
fds = [int(name) for name in os.listdir('/proc/self/fd')]
kinds = {os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in fds if os.path.exists(f'/proc/self/fd/{n}')}
once('none' if len(fds) <= 8 and kinds <= {'/dev/null', 'pipe', 'socket'} else 'did')
""",
    "none",
    "none",  # local kernels hold no more either
)
program(
    "up and out of the working directory",
    """
up = '../' * 40
inner = os.stat('/')
same = [os.stat(path) for path in (up, '/proc/self/cwd/' + up, '/proc/self/root/' + up, '/proc/self/fd/1/../' + up)
        if os.path.exists(path)]
outer = any((s.st_dev, s.st_ino) != (inner.st_dev, inner.st_ino) for s in same)
once('did' if outer or os.path.exists(up + 'etc/hostname') else 'none')
""",
    "none",
)
program("su", "import subprocess\nonce((subprocess.run(['su', '-c', 'echo did'], capture_output=True, text=True, "
        "stdin=subprocess.DEVNULL).stdout or 'none').strip())", "none", root=True)  # fmt: skip
program(
    "a program that sets the user id",
    """
import shutil, subprocess
shutil.copy('/usr/bin/id', '/tmp/cellblock-id')
os.chmod('/tmp/cellblock-id', 0o6755)
uid = subprocess.run(['/tmp/cellblock-id', '-u'], capture_output=True, text=True).stdout.strip()
os.unlink('/tmp/cellblock-id')
once('did' if uid == '0' else 'none')
""",
    "none",
)
program("the magic key of the kernel", "once(attempt(open, '/proc/sysrq-trigger', 'w'))", "EACCES|EROFS|ENOENT|EPERM",
        "did|ENOENT", root=True)  # fmt: skip
program("memory of the machine", "once(attempt(open, '/proc/kcore', 'rb'))", "EACCES|ENOENT|EPERM", "did|ENOENT|EPERM",
        root=True)  # fmt: skip
program("shared memory of System V", "once(call(29, 0, 4096, 0o1600))", "ENOSYS|EPERM")
program("message queues", "once(call(240, b'cellblock-queue', os.O_CREAT, 0o600, 0))\ncall(241, b'cellblock-queue')",
        "ENOSYS|EPERM")  # fmt: skip
program("parent of the server's processes", "once('none' if os.getppid() == 0 else 'did')", "none")
program(
    "names of the host",
    "once('did' if any(os.path.exists(p) for p in ('/run', '/var', '/root', '/home', '/mnt', '/boot')"
    " + ('/sys/fs', '/sys/class', '/sys/kernel', '/sys/block', '/sys/devices/virtual')) "
    "else 'none')",
    "none",
)
