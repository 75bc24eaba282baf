"""What else keeps code away from the machine: Bubblewrap around a Python, and a container of Podman's."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time

IMAGE = "localhost/cellblock-bench"


def timed_runs(command, n, printed=b"2\n"):
    """ns of each of n runs of a program, from before it is started until it has ended and what it printed is read."""
    times = []
    for _ in range(n):
        begin = time.perf_counter_ns()
        out = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).stdout
        times.append(time.perf_counter_ns() - begin)
        assert out == printed, (command, out)
    return times


def bwrap(python, code):
    """As its manual page teaches it: a namespace of every kind, the system read-only, a /tmp that goes with it."""
    walls = "--unshare-all --die-with-parent --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp".split()
    return ["bwrap", *walls, python, "-c", code]


def has_bwrap(field):
    try:
        timed_runs(bwrap(field.python["jupyter"], "print(1+1)"), 1)
        return True
    except (OSError, AssertionError):
        field.problems["bwrap"] = "it is not installed, or can make no namespaces here"
        return False


class Podman:
    """Podman with a storage of its own, which goes with it: the user's is left alone."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cb-podman-")  # Podman wants short paths
        self.podman = ["podman", "--root", f"{self.folder}/storage", "--runroot", f"{self.folder}/run"]
        self.python = os.path.realpath(sys.executable)
        self.runtime, self.limits = [], []

    def command(self, code):
        run = ["run", "--rm", "--network", "none", *self.limits]
        return [*self.podman, *self.runtime, *run, IMAGE, self.python, "-c", code]

    def said(self, command):
        """What it complains about, None when it works."""
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["it failed"])[-1]

    def prepare(self):
        """Make the image. None, or why containers cannot be had."""
        if not shutil.which("podman"):
            return "it is not installed"
        with open(f"{self.folder}/root.tar", "wb") as file:
            pack_python(self.python, file)
        why = self.said([*self.podman, "import", "--quiet", file.name, IMAGE])
        if why:
            return why
        # Where limits cannot be raised they are lowered; crun refuses control groups of both versions at once.
        low, runc = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"], ["--runtime", "runc"]
        for self.runtime, self.limits in (([], []), ([], low), (runc, []), (runc, low)):
            why = self.said(self.command("print(1+1)"))
            if not why:
                return None
        return why

    def close(self):
        for _ in range(20):  # what cleans up after a container still runs
            subprocess.run(["umount", f"{self.folder}/storage/overlay"], stderr=subprocess.DEVNULL)
            if os.geteuid() != 0 and shutil.which("podman"):  # some of it belongs to other ids of the user
                subprocess.run(["podman", "unshare", "rm", "-rf", self.folder], stderr=subprocess.DEVNULL)
            shutil.rmtree(self.folder, ignore_errors=True)
            if not os.path.exists(self.folder):
                return
            time.sleep(0.1)


def pack_python(python, file):
    """A root with nothing but this Python, its standard library and the libraries that they need."""

    def without_tests(entry):
        parts = entry.name.split("/")
        unneeded = {"test", "idlelib", "tkinter", "site-packages", "dist-packages", "ensurepip"}
        return None if unneeded & set(parts) or "/config-" in entry.name else entry

    paths = {python}
    library = sysconfig.get_path("stdlib")
    modules = sysconfig.get_config_var("DESTSHARED") or os.path.join(library, "lib-dynload")
    for program in [python, *(os.path.join(modules, name) for name in sorted(os.listdir(modules)))]:
        needed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        paths |= {word for word in needed.split() if word.startswith("/")}
    with tarfile.open(fileobj=file, mode="w", dereference=True) as tar:
        for folder in ("tmp", "proc", "sys", "dev", "etc", "run"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path in sorted(paths):
            tar.add(path, recursive=False)
        tar.add(library, filter=without_tests)
