"""What tests of isolated sessions share: servers of root and of a user without privilege, and what must be gone."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import rawclient
from rawclient import Server, alive, descendants, poll

NOBODY = 65533  # nobody else's, and not the overflow id
SYSTEM_PYTHON = "/usr/bin/python3"  # what every user can read
SOON = 2 + 2  # the promise is 2 s; looking through /proc on a busy machine takes its own time


def isolation():
    """Can sandboxes be made here?"""
    doctor = [rawclient.BINARY, "doctor"]
    return subprocess.run(doctor, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode == 0


def users():
    return [0, NOBODY] if os.geteuid() == 0 else [os.geteuid()]


def as_user(uid):
    if uid == os.geteuid():
        return []
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]


class Place:
    """A temporary directory in which a user can work: a copy of the binary, the working directory, TMPDIR."""

    def __init__(self, uid, parent=None):
        self.uid = uid
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="cellblock-test-", dir=parent))
        self.root.chmod(0o755)
        self.work, self.tmp = self.root / "work", self.root / "tmp"
        for path in (self.work, self.tmp):
            path.mkdir()
            if uid != os.geteuid():
                os.chown(path, uid, uid)
        self.binary = rawclient.BINARY
        if uid != os.geteuid():
            self.binary = shutil.copy(rawclient.BINARY, self.root / "cellblock")

    def server(self, *args, prefix=(), inner=(), env=None, python=SYSTEM_PYTHON, local=False, **options):
        """prefix: a command before the change of the user; inner: one after it."""
        home = {"TMPDIR": str(self.tmp), "HOME": str(self.work), "XDG_RUNTIME_DIR": None, "XDG_CACHE_HOME": None}
        server = Server(self.work, *args, prefix=[*prefix, *as_user(self.uid), *inner], binary=self.binary, python=python,
                        local=local, env={**home, **(env or {})}, **options)  # fmt: skip
        server.initialize()
        return server

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


def state(pid):
    """The letter of a process; None when there is none."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return None


def named(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def namespace(pid):
    """The PID namespace of a process, None where it cannot be seen."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/pid")
    return None


class Leftovers:
    """What a server has on the machine at a moment, and whether it is gone."""

    def __init__(self, server):
        self.pids = {pid for pid in descendants(server.pid) if alive(pid)}
        self.namespaces = {}  # with a descriptor: a number that is free would be another sandbox's at once
        self.mounts = self._mounts()
        for pid in self.pids:
            name = namespace(pid)
            if name and name not in self.namespaces and name != namespace("self"):
                with contextlib.suppress(OSError):
                    self.namespaces[name] = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    @staticmethod
    def _mounts():
        """Those that name anything of ours; others come and go on a machine."""
        lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        return {line for line in lines if "cellblock" in line or "/workspace" in line}

    def left(self):
        """The processes it had, and those in its sandboxes, whoever their parents are."""
        inside = [int(p) for p in os.listdir("/proc") if p.isdigit() and namespace(p) in self.namespaces]
        return [f"{pid} {named(pid)} {state(pid)}" for pid in self.pids.union(inside) if alive(pid)]

    def check(self, patience=SOON):
        try:
            poll(lambda: not self.left(), "processes to be gone", patience)
        except AssertionError as e:
            raise AssertionError(f"{e}: {self.left()}") from None
        finally:
            for fd in self.namespaces.values():
                os.close(fd)
        assert self._mounts() <= self.mounts
