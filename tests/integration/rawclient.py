"""A client of the raw bytes: it sends what a test says, and holds every line of the server to the protocol.

Whatever a test looks at, the reader checks each line: UTF-8, one JSON-RPC message, nothing that a real client chokes
on. What breaks a rule is kept in `violations`, and closing the client fails the test with it.
"""

import base64
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CELLBLOCK", ROOT / "build" / "cellblock")).resolve()
# The interpreter below the test environment: it has no packages that would be preloaded.
PLAIN_PYTHON = str(pathlib.Path(getattr(sys, "_base_executable", sys.executable)).resolve())
SCIENCE_PYTHON = sys.executable

MODERN = "2026-07-28"
LEGACY = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
K = "io.modelcontextprotocol/"
MODERN_META = {
    K + "protocolVersion": MODERN,
    K + "clientCapabilities": {},
    K + "clientInfo": {"name": "raw", "version": "1"},
}
PATIENCE = float(os.environ.get("CELLBLOCK_TEST_PATIENCE", "40"))  # seconds until a test gives up; never measured
LINE_MAX = 1 << 20
# AddressSanitizer keeps freed memory for a while.
MEMORY_FACTOR = 8 if "ASAN_OPTIONS" in os.environ else 1


def poll(condition, what, patience=PATIENCE):
    """Wait until condition() gives something true, and return it."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} s for {what}")
        time.sleep(0.01)


def alive(pid):
    """Is there a process with this number that is not a zombie?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return f.read().rsplit(b")", 1)[1].split()[0] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_with(text):
    """Process numbers whose command line or environment holds text: a test marks what it starts with a random word."""
    found = []
    needle = text.encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{entry}/{name}", "rb") as f:
                    if needle in f.read() and alive(int(entry)):
                        found.append(int(entry))
                        break
            except OSError:
                pass
    return found


def descendants(pid):
    """The processes below pid, as the kernel tells parents now."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as f:
                    fields = f.read().rsplit(b")", 1)[1].split()
                children.setdefault(int(fields[1]), []).append(int(entry))
            except (OSError, IndexError):
                pass
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def peak_kib(pid):
    """The most memory that a process ever had resident; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def png_size(data):
    """Width and height from the header of a PNG."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:16]
    return struct.unpack(">II", data[16:24])


class Result:
    """The answer to a tools/call."""

    def __init__(self, message):
        assert "result" in message, message
        self.raw = message["result"]
        self.content = self.raw["content"]
        assert isinstance(self.content, list) and self.content, self.raw
        self.is_error = self.raw.get("isError", False)

    @property
    def texts(self):
        return [c["text"] for c in self.content if c["type"] == "text"]

    @property
    def text(self):
        return "\n".join(self.texts)

    @property
    def images(self):
        return [base64.b64decode(c["data"], validate=True) for c in self.content if c["type"] == "image"]

    @property
    def links(self):
        return [c for c in self.content if c["type"] == "resource_link"]

    @property
    def meta(self):
        return self.raw["_meta"]["cellblock/execution"]

    @property
    def status_line(self):
        """The short line at the end: [session 7hq2kd · ok · 12 ms]."""
        lines = [line for line in self.text.splitlines() if line.startswith("[session ")]
        assert lines, f"no status line in: {self.text[-500:]}"
        return lines[-1]

    @property
    def session(self):
        return re.match(r"\[session (\S+) ·", self.status_line).group(1)

    @property
    def body(self):
        """The text without the status line."""
        at = self.text.rindex(self.status_line)
        return self.text[:at].rstrip("\n")

    def __repr__(self):
        kinds = [c["type"] for c in self.content]
        return f"<Result error={self.is_error} {kinds} {self.text[:3000]!r}>"


class Server:
    """One process of `cellblock stdio`. stdio: "pipe", or "socket" for what Node gives to its children."""

    def __init__(
        self,
        cwd,
        *args,
        env=None,
        python=PLAIN_PYTHON,
        local=True,
        stdio="pipe",
        preload="",
        command="stdio",
        pass_fds=(),
        prefix=(),
        binary=None,
    ):
        argv = [*prefix, str(binary or BINARY)] + ([command] if command else [])
        argv += ["--local"] if local else []
        argv += ["--python", python] if python else []
        argv += [str(a) for a in args]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CELLBLOCK")}
        environment.pop("VIRTUAL_ENV", None)
        if preload is not None:
            environment["CELLBLOCK_PRELOAD"] = preload
        environment.update(env or {})
        environment = {k: v for k, v in environment.items() if v is not None}
        self.cwd = pathlib.Path(cwd)
        self.stderr_path = self.cwd.parent / f"stderr-{os.getpid()}-{time.monotonic_ns()}"
        self.lines, self.messages, self.notifications, self.violations = [], [], [], []
        self.arrived = []  # when each line came
        self.answers = {}
        self.changed = threading.Condition()
        self.next_id = 1
        self.big_lines_allowed = False
        self.closed = False
        with open(self.stderr_path, "wb") as err:
            if stdio == "socket":
                ours_in, theirs_in = socket.socketpair()
                ours_out, theirs_out = socket.socketpair()
                self.process = subprocess.Popen(
                    argv, cwd=cwd, env=environment, stderr=err, stdin=theirs_in, stdout=theirs_out, pass_fds=pass_fds
                )
                theirs_in.close()
                theirs_out.close()
                self._in, self._out = ours_in.makefile("wb", buffering=0), ours_out.makefile("rb")
                self._sockets = [ours_in, ours_out]
            else:
                self.process = subprocess.Popen(
                    argv,
                    cwd=cwd,
                    env=environment,
                    stderr=err,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=pass_fds,
                )
                self._in, self._out = self.process.stdin, self.process.stdout
                self._sockets = []
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # ---- reading ----

    def _read(self):
        try:
            for line in self._out:
                self._take(line)
        except (OSError, ValueError):
            pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    ended = False

    def _take(self, line):
        with self.changed:
            self.lines.append(line)
            self.arrived.append(time.monotonic())
            message = self._check(line)
            if isinstance(message, list):
                self.messages.append(message)
                for one in message:
                    self._sort(one)
            elif message is not None:
                self.messages.append(message)
                self._sort(message)
            self.changed.notify_all()

    def _sort(self, message):
        if "method" in message:
            self.notifications.append(message)
        else:
            self.answers.setdefault(json.dumps(message.get("id")), []).append(message)

    def _check(self, line):
        def wrong(what):
            self.violations.append(f"{what}: {line[:300]!r}")

        if not line.endswith(b"\n"):
            wrong("a last line without line end")
        if len(line) >= LINE_MAX and not self.big_lines_allowed:
            wrong(f"a line of {len(line)} bytes")
        try:
            text = line.decode("utf-8")
            message = json.loads(text)
        except ValueError as e:
            wrong(f"not UTF-8 JSON ({e})")
            return None
        try:
            json.dumps(message, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            wrong("a lone surrogate")
        for one in message if isinstance(message, list) else [message]:
            if not isinstance(one, dict) or one.get("jsonrpc") != "2.0":
                wrong("no JSON-RPC message")
                return None
            allowed = {"jsonrpc", "method", "params"} if "method" in one else {"jsonrpc", "id", "result", "error"}
            if set(one) - allowed:
                wrong(f"extra keys {set(one) - allowed}")
            if "method" not in one and ("result" in one) == ("error" in one):
                wrong("neither or both of result and error")
            if "id" in one and one["id"] is None:
                wrong("an id that is null")
            if isinstance(one.get("result"), dict):
                self._check_result(one["result"], wrong)
        return message

    def _check_result(self, result, wrong):
        if "_meta" in result and not isinstance(result["_meta"], dict):
            wrong("_meta is no object")
        if "isError" in result and not isinstance(result["isError"], bool):
            wrong("isError is no boolean")
        if "structuredContent" in result:
            wrong("structuredContent without --structured")
        for item in result.get("content", []):
            if item["type"] not in ("text", "image", "resource_link"):
                wrong(f"content of type {item['type']}")
            if item["type"] == "resource_link" and not (item.get("name") and "://" in item.get("uri", "")):
                wrong("a link without name or absolute URI")
            if item["type"] == "resource_link" and not isinstance(item.get("size", 0), int):
                wrong("a size that is no integer")

    # ---- sending ----

    def send_bytes(self, data):
        self._in.write(data)
        self._in.flush()

    def send(self, message):
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def request(self, method, params=None, id=None, **extra):
        """Send a request; the answer is had by wait(id)."""
        if id is None:
            id = self.next_id
            self.next_id += 1
        message = {"jsonrpc": "2.0", "id": id, "method": method}
        if params is not None:
            message["params"] = params
        message.update(extra)
        self.send(message)
        return id

    def notify(self, method, params=None):
        message = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)

    # ---- waiting ----

    def wait_for(self, condition, what="a message", patience=PATIENCE):
        """Wait until condition(self) gives something other than None or False."""
        with self.changed:
            end = time.monotonic() + patience
            while True:
                value = condition()
                if value is not None and value is not False:
                    return value
                left = end - time.monotonic()
                if left <= 0 or self.ended:
                    raise AssertionError(
                        f"no {what}: ended={self.ended}, stderr: {self.stderr()[-2000:]}, last lines: {self.lines[-3:]}"
                    )
                self.changed.wait(left)

    def wait(self, id, patience=PATIENCE):
        key = json.dumps(id)
        return self.wait_for(lambda: self.answers.get(key, [None])[0], f"answer to {id!r}", patience)

    def wait_without_id(self, n=1, patience=PATIENCE):
        """The n-th answer that carries no id."""

        def find():
            found = [m for m in self.messages if isinstance(m, dict) and "method" not in m and "id" not in m]
            return found[n - 1] if len(found) >= n else None

        return self.wait_for(find, "answer without id", patience)

    def ask(self, method, params=None, patience=PATIENCE, **extra):
        return self.wait(self.request(method, params, **extra), patience)

    # ---- MCP ----

    def initialize(self, version="2025-11-25", capabilities=None):
        answer = self.ask(
            "initialize",
            {
                "protocolVersion": version,
                "capabilities": capabilities or {},
                "clientInfo": {"name": "raw", "version": "1"},
            },
        )
        self.notify("notifications/initialized")
        return answer["result"]

    def modern(self, method, params=None, meta=None, id=None):
        """Send a request of 2026-07-28; returns its id."""
        params = dict(params or {})
        params["_meta"] = {**MODERN_META, **(meta or {})}
        return self.request(method, params, id=id)

    def call(self, tool, arguments=None, patience=PATIENCE, meta=None):
        return Result(self.wait(self.start(tool, arguments, meta), patience))

    def start(self, tool, arguments=None, meta=None):
        params = {"name": tool}
        if arguments is not None:
            params["arguments"] = arguments
        if meta is not None:
            params["_meta"] = meta
        return self.request("tools/call", params)

    def run(self, code, patience=PATIENCE, **arguments):
        return self.call("execute_python", {"code": code, **arguments}, patience)

    def begin(self, code, meta=None, **arguments):
        return self.start("execute_python", {"code": code, **arguments}, meta)

    def result(self, id, patience=PATIENCE):
        return Result(self.wait(id, patience))

    def read(self, uri):
        """The bytes of a resource."""
        self.big_lines_allowed = True
        answer = self.ask("resources/read", {"uri": uri})
        assert "result" in answer, answer
        contents = answer["result"]["contents"]
        assert len(contents) == 1, answer
        one = contents[0]
        return one["text"].encode() if "text" in one else base64.b64decode(one["blob"], validate=True)

    def stderr(self):
        try:
            return self.stderr_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    # ---- ending ----

    def close_stdin(self):
        try:
            if self._sockets:
                self._sockets[0].shutdown(socket.SHUT_WR)
            self._in.close()
        except OSError:
            pass

    def close(self):
        """End of stdin; the server has to go by itself and well. Returns its exit code."""
        if self.closed:
            return self.process.returncode
        self.closed = True
        self.close_stdin()
        try:
            code = self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server did not end at the end of stdin") from None
        self._reader.join(PATIENCE)
        self._release()
        assert not self.violations, self.violations
        return code

    def kill(self):
        self.closed = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)
        self._release()

    def _release(self):
        for sock in self._sockets:
            sock.close()
        for stream in (self._in, self._out):
            try:
                stream.close()
            except OSError:
                pass
        self.stderr_path.unlink(missing_ok=True)
