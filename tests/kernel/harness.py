"""Plays the server for zygotes and kernels: what the C server does, in Python, for tests of src/kernel.

    with Zygote() as zygote:            # the Python under test, bare
        kernel = zygote.fork()          # a kernel that is ready
        result = kernel.execute("print(1); 2")
        result.status                   # "ok"
        result.text                     # "1\n2": all text in order, displays of text/plain included
        result.items                    # [("text", "1\n"), ("display", "text/plain", b"2")]

The Python under test is CELLBLOCK_TEST_PYTHON, or the one that runs the tests. The extension module is
CELLBLOCK_TEST_EXT, or compiled once a run with cc.
"""

import atexit
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KERNEL_PY = os.path.join(ROOT, "src", "kernel", "py")
PYTHON = os.environ.get("CELLBLOCK_TEST_PYTHON", sys.executable)
ABORT = signal.SIGRTMAX - 1
TIMEOUT = 30.0


def _enum(*names):
    """The constants of wire.h, from wire.h, so that the two cannot differ."""
    with open(os.path.join(ROOT, "src", "kernel", "wire.h")) as file:
        text = file.read()
    for name, value in re.findall(r"^    ((?:%s)_[A-Z_]+) = (\d+)," % "|".join(names), text, re.M):
        globals()[name] = int(value)


_enum("WIRE", "ZY")
WIRE_MIME_FILE = "application/x-cellblock-file"
MARK_BASE = 1 << 62

ZY_MSG = struct.Struct("=IIiiQQII")
HEADER = struct.Struct("=IHHI")
FIELD = struct.Struct("=II")


# ---- building ----

_extension = os.environ.get("CELLBLOCK_TEST_EXT")


def _python_includes():
    for python in ("/usr/bin/python3", "python3", PYTHON):
        try:
            code = "import sysconfig; print(sysconfig.get_path('include'))"
            path = subprocess.check_output([python, "-c", code], text=True, stderr=subprocess.DEVNULL).strip()
        except (OSError, subprocess.CalledProcessError):
            continue
        if os.path.exists(os.path.join(path, "Python.h")):
            return path
    raise RuntimeError("no Python.h: install python3-dev")


def extension():
    """Path of the extension module."""
    global _extension
    if _extension is None:
        folder = tempfile.mkdtemp(prefix="cellblock-test-")
        atexit.register(shutil.rmtree, folder, True)
        path = os.path.join(folder, "_cellblock.so")
        src = os.path.join(ROOT, "src")
        ext = os.path.join(src, "kernel", "ext")
        files = [os.path.join(ext, name) for name in sorted(os.listdir(ext)) if name.endswith(".c")]
        with open(os.path.join(src, "kernel", "meson.build")) as file:  # the rest of it, from elsewhere in src
            others = re.findall(r"^  '((?:\.\./\w+/)?\w+\.c)',", file.read(), re.M)
        files += [os.path.join(src, "kernel", name) for name in others]
        flags = (
            "-std=gnu17 -O2 -g -D_GNU_SOURCE -Wall -Wextra -fPIC -shared -fvisibility=hidden "
            "-ffunction-sections -fdata-sections -Wl,--gc-sections"
        ).split()
        includes = ["-I", src, "-I", _python_includes()]
        subprocess.run(["cc"] + flags + includes + files + ["-o", path], check=True)
        _extension = path
    return _extension


def sources(**replace):
    """What tools/embed.py makes of src/kernel/py. sources(main="...") replaces or adds a file, main=None drops it."""
    files = {}
    for name in sorted(os.listdir(KERNEL_PY)):
        if name.endswith(".py") and name != "boot.py":
            with open(os.path.join(KERNEL_PY, name), "rb") as file:
                files[name[:-3]] = file.read()
    for name, text in replace.items():
        files[name] = text.encode() if text is not None else None
    return b"".join(b"%s %d\n%s" % (k.encode(), len(v), v) for k, v in files.items() if v is not None)


def boot():
    with open(os.path.join(KERNEL_PY, "boot.py")) as file:
        return file.read()


def _memfile(data):
    fd = os.memfd_create("cellblock", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


# ---- the zygote ----


class Failed(Exception):
    """ZY_FAILED, or a zygote or kernel that ended when it should not."""


class Packet:
    def __init__(self, data, fds):
        head = ZY_MSG.unpack_from(data)
        self.op, self.kernel, self.pid, self.status, self.mark, self.value, size, _ = head
        self.text = data[ZY_MSG.size :].decode()
        self.fds = fds
        assert size == len(data) - ZY_MSG.size


class Zygote:
    """replace: see sources(). env: changes to the environment. hello=False: do not wait for it."""

    def __init__(self, python=None, mode="bare", preload="", replace=None, env=None, cwd=None, hello=True, stderr=None):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with open(extension(), "rb") as file:
            ext = _memfile(file.read())
        blob = _memfile(sources(**(replace or {})))
        fds = [theirs.fileno(), blob, ext]
        environ = dict(os.environ)
        environ.update(env or {})
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [python or PYTHON, "-c", boot()] + [str(fd) for fd in fds] + [mode, preload],
            pass_fds=fds,
            env=environ,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        theirs.close()
        os.close(blob)
        os.close(ext)
        self.kernels = {}
        self.exits = {}
        self.warm_report = None
        self.hello = None
        self._next = 1
        if hello:
            try:
                self.wait_hello()
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for kernel in list(self.kernels.values()):
            kernel.close()
        self.control.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def packet(self, timeout=TIMEOUT):
        """The next packet; Failed when the zygote has ended."""
        self.control.settimeout(timeout)
        try:
            data, fds, _, _ = socket.recv_fds(self.control, 20000, 4)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Failed("the zygote ended with status %s" % self.process.wait(5))
        packet = Packet(data, fds)
        if packet.op == ZY_EXITED:
            self.exits[packet.kernel] = packet
        elif packet.op == ZY_WARM:
            self.warm_report = packet.text
        return packet

    def expect(self, op, kernel=0, timeout=TIMEOUT):
        """The next packet of this kind; ZY_FAILED raises."""
        while True:
            packet = self.packet(timeout)
            if packet.op == ZY_FAILED and op != ZY_FAILED:
                raise Failed(packet.text)
            if packet.op == op and packet.kernel == kernel:
                return packet

    def wait_hello(self, timeout=120.0):
        text = self.expect(ZY_HELLO, timeout=timeout).text
        self.hello_seconds = time.monotonic() - self.started
        self.hello = dict(zip(("version", "executable", "prefix", "base_prefix", "site_packages"), text.split("\n")))

    def send_raw(self, op, kernel=0, mark=0, text="", fds=()):
        data = text.encode()
        socket.send_fds(self.control, [ZY_MSG.pack(op, kernel, 0, 0, mark, 0, len(data), 0) + data], list(fds))

    def fork(self, mark=0, ready=True):
        """A kernel; ready=False: without waiting for its WIRE_READY."""
        number = self._next
        self._next += 1
        kernel = Kernel(self, number, mark)
        self.kernels[number] = kernel
        if ready:
            kernel.wait_ready()
        return kernel

    def wait_exit(self, number, timeout=TIMEOUT):
        """ZY_EXITED of a kernel."""
        while number not in self.exits:
            self.packet(timeout)
        return self.exits[number]


# ---- kernels ----


class Frame:
    def __init__(self, type, seq, fields):
        self.type, self.seq, self.fields = type, seq, fields

    def get(self, tag, default=None):
        """First field with this tag, as bytes."""
        return next((data for t, data in self.fields if t == tag), default)

    def text(self, tag, default=None):
        data = self.get(tag)
        return default if data is None else data.decode()

    def __repr__(self):
        return "Frame(%d, %d, %r)" % (self.type, self.seq, self.fields)


class Result:
    status = None  #: "ok", "error", "interrupted", "aborted", "exit"; None when the kernel ended
    error = None  #: the traceback, text
    name = None  #: name of the exception
    exitcode = None
    frame = None  #: the RESULT frame
    died = None  #: how the kernel ended (status of waitpid), None while it lives

    def __init__(self):
        self.output = b""  #: bytes of the pipe without marks
        self.items = []  #: ("text", str) and ("display", mime, data) in order
        self.frames = []  #: every frame but RESULT
        self.lone_marks = 0  #: marks in the pipe whose item was never sent
        self.seconds = None

    @property
    def text(self):
        parts = []
        for item in self.items:
            parts.append(item[1] if item[0] == "text" else item[2].decode() if item[1] == "text/plain" else "")
        return "".join(parts)

    @property
    def displays(self):
        return [item[1:] for item in self.items if item[0] == "display"]

    def __repr__(self):
        return "<%s %r%s>" % (self.status or "died %r" % self.died, self.items, "\n" + self.error if self.error else "")


class Kernel:
    def __init__(self, zygote, number, mark):
        self.zygote, self.number = zygote, number
        self.nonce = os.urandom(8).hex()
        self.channel, theirs = socket.socketpair()
        self.pipe, pipe_theirs = os.pipe()
        os.set_blocking(self.pipe, False)
        zygote.send_raw(ZY_FORK, number, mark, self.nonce, [theirs.fileno(), pipe_theirs])
        theirs.close()
        os.close(pipe_theirs)
        self.buffer = b""
        self.raw = b""  # bytes of the pipe that no result has taken
        self.ready = None
        self.seq = 0
        self.scratch = tempfile.mkdtemp(prefix="cellblock-scratch-")
        self.closed = False
        packet = zygote.expect(ZY_FORKED, number)
        self.pid = packet.pid
        self.pidfd = packet.fds[0] if packet.fds else None

    def wait_ready(self):
        self.ready = self.recv()
        if self.ready is None or self.ready.type != WIRE_READY:
            raise Failed("no READY but %r; output %r" % (self.ready, self.read_pipe()))
        return self.ready

    # -- frames --

    def send(self, type, seq, fields):
        body = b""
        for tag, data in fields:
            data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
            body += FIELD.pack(tag, len(data)) + data
        self.send_bytes(HEADER.pack(len(body), type, len(fields), seq) + body)

    def send_bytes(self, data):
        self.channel.settimeout(TIMEOUT)
        self.channel.sendall(data)

    def _frame(self):
        if len(self.buffer) < HEADER.size:
            return None
        size, type, count, seq = HEADER.unpack_from(self.buffer)
        end = HEADER.size + size
        if len(self.buffer) < end:
            return None
        fields, pos = [], HEADER.size
        for _ in range(count):
            tag, length = FIELD.unpack_from(self.buffer, pos)
            pos += FIELD.size
            fields.append((tag, self.buffer[pos : pos + length]))
            pos += length
        assert pos == end, "a frame that breaks the format"
        self.buffer = self.buffer[end:]
        return Frame(type, seq, fields)

    def recv(self, timeout=TIMEOUT):
        """The next frame, None when the kernel has ended. The pipe is read meanwhile, as the server does."""
        deadline = time.monotonic() + timeout
        pipe_open = True
        while True:
            frame = self._frame()
            if frame:
                return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame in %s s; output %r" % (timeout, self.read_pipe()[-2000:]))
            readable = select.select([self.channel] + ([self.pipe] if pipe_open else []), [], [], left)[0]
            if self.pipe in readable:
                pipe_open = self._drain()
            if self.channel in readable:
                try:
                    data = self.channel.recv(1 << 20)
                except ConnectionResetError:
                    data = b""
                if not data:
                    return None
                self.buffer += data

    def _drain(self):
        """Read what is in the pipe; False at its end."""
        while True:
            try:
                data = os.read(self.pipe, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.raw += data

    def read_pipe(self):
        """All output that no result has taken, marks and all."""
        self._drain()
        data, self.raw = self.raw, b""
        return data

    # -- executing --

    def start(self, code, stdin=None):
        """Send code; returns its seq."""
        self.seq += 1
        fields = [(WIRE_CODE, code), (WIRE_SCRATCH, self.scratch)]
        if stdin is not None:
            fields.append((WIRE_STDIN, stdin))
        self.send(WIRE_EXEC, self.seq, fields)
        return self.seq

    def finish(self, timeout=TIMEOUT, install=None):
        """Wait for the result of the execution under way. install(args) -> (status, text, *more fields) answers."""
        result = Result()
        begin = time.monotonic()
        while True:
            frame = self.recv(max(0, timeout - (time.monotonic() - begin)))
            if frame is None or frame.type == WIRE_RESULT:
                break
            result.frames.append(frame)
            if frame.type == WIRE_INSTALL and install:
                status, text, *more = install([data.decode() for tag, data in frame.fields if tag == WIRE_ARG])
                self.send(WIRE_INSTALL_REPLY, frame.seq, [(WIRE_STATUS, status), (WIRE_TEXT, text)] + more)
        result.seconds = time.monotonic() - begin
        self._collect(result)
        if frame is None:
            result.died = self.wait().status
        else:
            result.frame = frame
            result.status = frame.text(WIRE_STATUS)
            result.error = frame.text(WIRE_ERROR)
            result.name = frame.text(WIRE_NAME)
            code = frame.text(WIRE_EXITCODE)
            result.exitcode = int(code) if code else None
            assert not result.lone_marks or result.status != "ok", "marks without an item"
        return result

    def execute(self, code, stdin=None, timeout=TIMEOUT, install=None):
        self.start(code, stdin)
        return self.finish(timeout, install)

    def _collect(self, result):
        """Put text and displays in order by their marks."""
        raw = self.read_pipe()
        displays = {f.text(WIRE_INDEX): f for f in result.frames if f.type in (WIRE_DISPLAY, WIRE_CLEAR)}
        parts = re.split(rb"\0CB%s([0-9a-f]{8})\0" % self.nonce.encode(), raw)
        result.output = b"".join(parts[::2])
        for number, part in enumerate(parts):
            if number % 2 == 0:
                if part:
                    result.items.append(("text", part.decode("utf-8", "replace")))
                continue
            frame = displays.pop(str(int(part, 16)), None)
            if frame is None:  # an interrupt came just before the item was sent: the server passes over such a mark
                result.lone_marks += 1
                continue
            if frame.type == WIRE_CLEAR:
                result.items.clear()
            else:
                result.items.append(("display", frame.text(WIRE_MIME), frame.get(WIRE_DATA)))
        assert not displays or result.died is not None, "items without a mark: %r" % displays

    # -- signals and the end --

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def interrupt(self):
        os.killpg(self.pid, signal.SIGINT)

    def abort(self):
        os.kill(self.pid, ABORT)

    def wait(self, timeout=TIMEOUT):
        """ZY_EXITED: status and value (peak KiB)."""
        return self.zygote.wait_exit(self.number, timeout)

    def close(self):
        """The session ends: the channel closes, and what is left is killed."""
        if self.closed:
            return
        self.closed = True
        self.zygote.kernels.pop(self.number, None)
        self.channel.close()
        os.close(self.pipe)
        if self.number not in self.zygote.exits:
            try:
                self.kill()
            except ProcessLookupError:
                pass
        if self.pidfd is not None:
            os.close(self.pidfd)
        shutil.rmtree(self.scratch, True)


def describe(status):
    """exit 1, signal 11, ... of a waitpid status."""
    if os.WIFSIGNALED(status):
        return "signal %d" % os.WTERMSIG(status)
    return "exit %d" % os.WEXITSTATUS(status)
