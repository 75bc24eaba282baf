"""Code that takes over its kernel's channel, the pipe of its output, or the kernel itself: only its own session pays."""

import json
import os
import subprocess
import time

import pytest

from boxfixtures import box, can_isolate, own_box, own_place, own_start, place, start  # noqa: F401
from boxtools import SYSTEM_PYTHON, Leftovers, Place, poll
from rawclient import MEMORY_FACTOR, PATIENCE, peak_kib

# What the wire format calls things; src/kernel/wire.h.
PRELUDE = """
import os, socket, struct, sys, threading, time
FD = next(int(n) for n in os.listdir('/proc/self/fd') if os.path.islink('/proc/self/fd/' + n)
          and os.readlink('/proc/self/fd/' + n).startswith('socket') and int(n) >= 20)
channel = socket.socket(fileno=os.dup(FD))
EXEC, READY, DISPLAY, CLEAR, RESULT, INSTALL, REFRESHED, PACKAGES = 1, 101, 102, 103, 104, 105, 106, 107
MIME, DATA, INDEX, STATUS, ERROR, TEXT, ARG, NAME = 12, 13, 11, 8, 9, 14, 15, 7
def frame(kind, seq, *fields, count=None, size=None):
    body = b''.join(struct.pack('=II', tag, len(data)) + data for tag, data in fields)
    return struct.pack('=IHHI', len(body) if size is None else size, kind,
                       len(fields) if count is None else count, seq) + body
def send(data):
    channel.sendall(data)
def display(index, mime, data, seq=None):
    return frame(DISPLAY, SEQ if seq is None else seq, (INDEX, b'%d' % index), (MIME, mime), (DATA, data))
"""

# Each is said to have been killed, or did no harm. SEQ is the number of the execution in which it runs.
FORGED = {
    "garbage": "send(os.urandom(1000))",
    "zeros": "send(bytes(1000))",
    "an oversized frame": "send(struct.pack('=IHHI', 0xffffffff, DISPLAY, 1, SEQ) + bytes(1 << 20))",
    "one byte more than allowed": "send(struct.pack('=IHHI', (16 << 20) + 1, DISPLAY, 1, SEQ))",
    "the largest frame": "send(display(1, b'text/plain', b'x' * ((16 << 20) - 60)))",
    "many fields": "send(frame(DISPLAY, SEQ, *[(DATA, b'')] * 256))",
    "too many fields": "send(frame(DISPLAY, SEQ, *[(DATA, b'')] * 257))",
    "a count without fields": "send(frame(DISPLAY, SEQ, count=5))",
    "a field that is too long": "send(struct.pack('=IHHI', 8, DISPLAY, 1, SEQ) + struct.pack('=II', DATA, 1 << 31))",
    "bytes left over": "send(frame(DISPLAY, SEQ, (DATA, b'x'), size=20) + bytes(11))",
    "an unknown type": "send(frame(999, SEQ))",
    "an unknown type for later": "send(frame(999, SEQ + 1))",
    "a frame of the server": "send(frame(EXEC, SEQ, (1, b'1')))",
    "the result of an execution to come": "send(frame(RESULT, SEQ + 1, (STATUS, b'ok')))",
    "the result of one that is over": "send(frame(RESULT, 0, (STATUS, b'ok')))",
    "its own result, twice": "send(frame(RESULT, SEQ, (STATUS, b'ok')) * 2)",
    "a result without status": "send(frame(RESULT, SEQ))",
    "a strange status": "send(frame(RESULT, SEQ, (STATUS, b'\\xff\\x00' * 1000)))",
    "a traceback of any bytes": "send(frame(RESULT, SEQ, (STATUS, b'error'), (ERROR, bytes(range(256)) * 4000), "
    "(NAME, b'\\xff\\n\\0x')))",
    "READY again": "send(frame(READY, 0, (TEXT, b'9.9')) * 100)",
    "lists that nobody asked for": "send(frame(PACKAGES, SEQ, (TEXT, b'evil==1')) + frame(REFRESHED, SEQ, (TEXT, b'x')))",
    "installs": "send(frame(INSTALL, SEQ, (ARG, b'../../etc/passwd')) + frame(INSTALL, SEQ) * 1000)",
    "a display of any bytes": "send(display(1, b'\\xff\\0', bytes(range(256))) + display(0, b'', b'') + "
    "display(2**32 - 1, b'image/png', b'no image') + display(10**15, b'text/plain', b'x'))",
    "a broken image": "send(display(1, b'image/png', os.urandom(100000)) + display(2, b'image/jpeg', b''))",
    "a file out of the session": "send(display(1, b'application/x-cellblock-file', b'/etc/passwd') + "
    "display(2, b'application/x-cellblock-file', b'../../../etc/passwd') + "
    "display(3, b'application/x-cellblock-file', b'x' * 100000) + display(4, b'application/x-cellblock-file', b''))",
    "clears": "send(b''.join(frame(CLEAR, SEQ, (INDEX, b'%d' % n)) for n in range(5000)))",
    "half a frame": "send(display(1, b'text/plain', b'x' * 1000)[:500])",
    "half a header": "send(b'abc')",
    "descriptors": "\nfor n in range(20):\n    socket.send_fds(channel, [frame(CLEAR, SEQ, (INDEX, b'1'))], [0] * 200)",
    "the end of writing": "channel.shutdown(socket.SHUT_WR)",
    "the end of reading": "channel.shutdown(socket.SHUT_RD)",
    "a closed channel": "os.close(FD); channel.close()",
    "all closed": "os.closerange(0, 1024)",
    "another end": "a, b = socket.socketpair(); os.dup2(a.fileno(), FD)",
    "forged marks": "os.write(1, b'\\0CB' + b'0' * 16 + b'00000001' + b'\\0' + b'\\0CB' * 100000)",
    "only zeros": "os.write(1, bytes(1 << 22))",
    "a mute pipe": "os.close(1); os.close(2)",
    "a pipe that does not block": "import fcntl; fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK); print('x' * 300000)",
}


@pytest.fixture(scope="module")
def shared(can_isolate):  # noqa: F811
    """One server for all of them, with a session that remembers."""
    place = Place(os.geteuid())  # noqa: F811
    server = place.server("--max-sessions", "8")
    server.big_lines_allowed = True
    server.beside = server.run("n = 0", session="new").session
    server.times = 0
    yield server
    left, peak = Leftovers(server), peak_kib(server.pid)
    try:
        assert server.close() == 0
        left.check()
    finally:
        server.kill()
        place.remove()
    assert peak < 200 * 1024 * MEMORY_FACTOR, f"{peak} KiB"


def still_fine(server, session="new"):
    server.times += 1
    assert server.run(f"n += 1; n == {server.times}", session=server.beside).body == "True"
    assert server.run("6*7", session=session).body == "42"


@pytest.mark.parametrize("attack", FORGED)
def test_forged(shared, attack):
    session = shared.run(PRELUDE, session="new").session  # execution 1
    result = shared.run("SEQ = 2\n" + FORGED[attack] + "\ntime.sleep(0.02)", session=session, timeout=1)
    assert result.meta["status"] in ("ok", "error", "died", "timeout"), result
    assert "root:" not in result.text and not [link for link in result.links if "etc/passwd" in link["uri"]]
    for link in result.links:
        answer = shared.ask("resources/read", {"uri": link["uri"]})
        assert "error" in answer or "root:" not in str(answer["result"])
    again = shared.run("1+1", session=session, timeout=5)
    if again.meta["status"] != "ok" or "2" not in again.body:  # one more was spoilt: the one after has a fresh kernel
        again = shared.run("1+1", session=session, timeout=5)
    assert "2" in again.body, (result, again)
    still_fine(shared)


FLOODS = {
    "displays": "data = display(1, b'text/plain', b'x' * 100000)\nwhile True: send(data)",
    "displays of their own": "i = 0\nwhile True:\n    i += 1; send(display(i, b'text/plain', b'x' * 1000))",
    "tiny displays": "i = 0\nwhile True:\n    send(b''.join(display(i + j, b'text/plain', b'x') for j in range(1000)))\n"
    "    i += 1000",
    "images": "data = os.urandom(1 << 20)\ni = 0\nwhile True:\n    i += 1; send(display(i, b'image/png', data))",
    "marks": "i = 0\nfrom _cellblock_kernel import state\nwhile True:\n    os.write(1, b'\\0CB' + b'0' * 16 + b'%08x' % i + "
    "b'\\0'); i += 1",
    "clears": "i = 0\nwhile True:\n    i += 1; send(frame(CLEAR, SEQ, (INDEX, b'%d' % i)))",
    "old results": "data = frame(RESULT, 0, (STATUS, b'ok')) * 1000\nwhile True: send(data)",
    "READY": "data = frame(READY, 0) * 1000\nwhile True: send(data)",
    "installs": "data = frame(INSTALL, SEQ, (ARG, b'toy'))\nwhile True: send(data)",
    "lines": "while True: print('x')",
    "rewritten lines": "while True: sys.stdout.write('x' * 60000 + '\\r')",
    "one line": "data = b'x' * (1 << 20)\nwhile True: os.write(1, data)",
    "escape sequences": "data = b'\\x1b[31m' * 10000\nwhile True: os.write(1, data)",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_flood(shared, flood):
    """Memory stays bounded (looked at when the module ends), others go on meanwhile, the time limit holds."""
    session, second = shared.run(PRELUDE, session="new").session, shared.run("1", session="new").session
    call = shared.begin("SEQ = 2\n" + FLOODS[flood], session=session, timeout=1)
    started = time.monotonic()
    while time.monotonic() - started < 0.8:
        still_fine(shared, second)
    result = shared.result(call)
    assert result.meta["status"] in ("timeout", "died", "ok", "error")
    assert time.monotonic() - started < 20
    again = shared.run("1+1", session=session)
    assert "2" in again.body or "2" in shared.run("1+1", session=session).body
    still_fine(shared)


def test_flood_between_calls(shared):
    """A thread that goes on after its cell."""
    session, second = shared.run(PRELUDE, session="new").session, shared.run("1", session="new").session
    shared.run("SEQ = 2\ndef flood():\n    while True:\n        os.write(1, b'x' * 60000); "
               "send(frame(RESULT, 1, (STATUS, b'ok')) * 100)\nthreading.Thread(target=flood, daemon=True).start()",
               session=session)  # fmt: skip
    for _ in range(20):
        still_fine(shared, second)
    assert shared.run("1+1", session=session, timeout=3).meta["status"] in ("ok", "timeout", "died")


# ---- a client that does not read ----



class Deaf:
    """A client that sends, and does not read for a while."""

    def __init__(self, place):  # noqa: F811
        environment = {**os.environ, "TMPDIR": str(place.tmp), "CELLBLOCK_PRELOAD": ""}
        argv = [place.binary, "stdio", "--python", SYSTEM_PYTHON]
        self.process = subprocess.Popen(argv, cwd=place.work, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
        info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "deaf", "version": "1"}}
        self.send(1, "initialize", info)

    def send(self, id, method, params):
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def call(self, id, **arguments):
        params = {"name": "execute_python", "arguments": arguments, "_meta": {"progressToken": id}}
        self.send(id, "tools/call", params)

    def answers(self, n):
        """The next n answers."""
        while n:
            message = json.loads(self.process.stdout.readline())
            if "method" not in message:
                n -= 1
                yield message


# CELLBLOCK_TEST_MEGABYTES=2560 makes it 10 GB.
@pytest.mark.parametrize("megabytes", [int(os.environ.get("CELLBLOCK_TEST_MEGABYTES", "200"))])
def test_output_and_a_client_that_does_not_read(own_place, megabytes):
    """Much output of four sessions, progress asked for, and nobody reads: the server stays small, and answers later."""
    client = Deaf(own_place)
    code = f"import os\ndata = b'0123456789abcde\\n' * 65536\nfor n in range({megabytes}): os.write(1, data)"
    for id in range(2, 6):
        client.call(id, code=code, session="new", timeout=600)
    for id in range(6, 60):  # answers that fill the pipe to the client
        client.call(id, code="print('y' * 15000)")
    time.sleep(0.5)
    answered = set()
    for message in client.answers(59):
        answered.add(message["id"])
        if 2 <= message["id"] < 6:
            meta = message["result"]["_meta"]["cellblock/execution"]
            assert meta["status"] == "ok" and meta["output_bytes"] == megabytes << 20
    assert answered == set(range(1, 60))
    assert peak_kib(client.process.pid) < 200 * 1024 * MEMORY_FACTOR
    client.process.stdin.close()
    assert client.process.wait(PATIENCE) == 0
    client.process.stdout.close()


# ---- the ladder ----


def test_interrupt_keeps_variables(box):
    box.run("x = 1")
    result = box.run("import time\ntime.sleep(60)", timeout=0.2)
    assert result.meta["status"] == "timeout" and "KeyboardInterrupt" in result.text
    assert box.run("x").body == "1"


STUBBORN = {
    "swallows": ("while True:\n    try: time.sleep(60)\n    except KeyboardInterrupt: pass", True),
    "ignores": ("signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", True),
    "blocks all": ("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", False),
    "stops itself": ("os.kill(os.getpid(), signal.SIGSTOP)", False),
    "waits for a child": ("subprocess.run(['sh', '-c', 'trap \"\" INT TERM HUP; sleep 60; sleep 60'])", True),
    "a C loop": ("-1 in itertools.count()", False),
    "a new group": ("p = subprocess.Popen(['sleep', '60'], preexec_fn=os.setsid); p.wait()", True),
    "a native handler": ("import ctypes; ctypes.CDLL(None).pause(); ctypes.CDLL(None).sleep(60)", None),
}


@pytest.mark.parametrize("how", STUBBORN)
def test_stubborn_code(own_box, how):
    code, kept = STUBBORN[how]
    own_box.run("import itertools, os, signal, subprocess, time\nx = 1\nopen('f', 'w').write('1')")
    started = time.monotonic()
    result = own_box.run(code, timeout=0.3)
    assert result.meta["status"] == "timeout", result
    assert time.monotonic() - started < 20
    if kept is not None:
        assert result.meta["variables_kept"] == kept, result
    assert own_box.run("open('f').read()").body.splitlines()[0] == "'1'"
    assert ("x" in own_box.run("[n for n in globals() if n == 'x']").body) == result.meta["variables_kept"]


def test_cancel(box):
    box.run("x = 1\nopen('f', 'w').write('1')")
    call = box.begin("import time\nopen('g', 'w').write('1')\ntime.sleep(60)")
    poll(lambda: len(box.ask("resources/list")["result"]["resources"]) == 1, "the list")
    box.notify("notifications/cancelled", {"requestId": call})
    assert box.run("import os; print(x, os.path.exists('f'))").body == "1 True"


def test_signals_between_calls(own_box):
    """What the code has left behind cannot keep the next call from being ended."""
    own_box.run(
        "import os, signal, threading\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))"
    )
    assert own_box.run("while True: pass", timeout=0.3).meta["status"] == "timeout"
    assert "2" in own_box.run("1+1").body
    own_box.run("import os, signal, threading\nthreading.Timer(0.1, os.kill, [os.getpid(), signal.SIGSTOP]).start()")
    time.sleep(0.3)
    assert own_box.run("1+1", timeout=0.3).meta["status"] == "timeout"
    assert "2" in own_box.run("1+1").body


def test_children_of_the_zygote(own_box):
    """clone(2) with CLONE_PARENT makes children of a process that is outside; they are no concern of the server."""
    code = """
import ctypes, os
libc = ctypes.CDLL(None)
made = []
for n in range(50):
    pid = libc.syscall(56, ctypes.c_long(0x8000 | 17), None, None, None, None)
    if pid == 0:
        os._exit(0) if n % 2 else __import__('time').sleep(1000)
    made.append(pid)
all(pid > 0 for pid in made)
"""
    first = own_box.run(code, session="new")
    assert first.body == "True"
    assert own_box.run("1", session="new").body == "1"
    own_box.run("import os; os.abort()", session=first.session)
    assert "2" in own_box.run("1+1", session=first.session).body
    assert own_box.run("1", session="new").body == "1"
