"""Nothing but JSON-RPC on stdout, whatever code prints and however the host made its streams.

The client fails a test at any line that is no JSON-RPC message; here code tries to write such lines.
"""

import json
import os
import subprocess

import pytest

from rawclient import BINARY, MODERN_META, PLAIN_PYTHON, PATIENCE, Result, poll

NOISE = {
    "print": "print('noise-1')",
    "os.write": "import os; os.write(1, b'noise-1\\n')",
    "stderr": "import os, sys; os.write(2, b'noise-1\\n')",
    "sys.__stdout__": "import sys; sys.__stdout__.write('noise-1\\n'); sys.__stdout__.flush()",
    "open fd": "import os; f = os.fdopen(os.dup(1), 'w'); f.write('noise-1\\n'); f.close()",
    "printf": "import ctypes; libc = ctypes.CDLL(None); libc.printf(b'noise-1\\n'); libc.fflush(None)",
    "puts": "import ctypes; ctypes.CDLL(None).puts(b'noise-1')",
    "printf unflushed": "import ctypes; ctypes.CDLL(None).printf(b'noise-1 and no line end')",
    "system": "import os; os.system('echo noise-1')",
    "subprocess": "import subprocess; subprocess.run(['echo', 'noise-1'])",
    "subprocess stderr": "import subprocess; subprocess.run('echo noise-1 >&2', shell=True)",
    "fork": "import os\nif os.fork() == 0:\n    os.write(1, b'noise-1\\n'); os._exit(0)\nos.wait()",
    "thread": "import threading; t = threading.Thread(target=print, args=('noise-1',)); t.start(); t.join()",
    "/dev/stdout": "open('/dev/stdout', 'w').write('noise-1\\n')",
    "/proc/self/fd/1": "open('/proc/self/fd/1', 'w').write('noise-1\\n')",
    "logging": "import logging; logging.warning('noise-1')",
    "warnings": "import warnings; warnings.warn('noise-1')",
    "faulthandler": "import faulthandler, sys; faulthandler.dump_traceback(); print('noise-1')",
    "atexit": "import atexit; atexit.register(print, 'late'); print('noise-1')",
    "excepthook thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0)\n"
    "t.start(); t.join(); print('noise-1')",
}


@pytest.mark.parametrize("how", NOISE, ids=list(NOISE))
def test_output_goes_into_the_result(server, how):
    result = server.run(NOISE[how])
    assert "noise-1" in result.body
    assert not result.is_error
    assert "2" in server.run("1+1").body


def test_every_open_descriptor(server):
    """Code that writes to each descriptor it can find reaches only its own output."""
    code = (
        "import os\nfor fd in range(3, 1024):\n"
        '    try: os.write(fd, b\'{"jsonrpc":"2.0","id":1,"result":{}}\\n\')\n    except OSError: pass\n'
    )
    answers = len(server.lines)
    server.wait(server.begin(code))  # the kernel may be judged hostile and be killed: told, in a result
    assert "2" in server.run("1+1").body
    assert len(server.lines) == answers + 2


def test_code_sees_only_its_own_descriptors(server):
    """No socket of the server, no pipe of another kernel."""
    listing = "import os; sorted(int(f) for f in os.listdir('/proc/self/fd'))"
    first = server.run(listing)
    fds = json.loads(first.body.splitlines()[-1])
    assert {0, 1, 2} <= set(fds)
    assert len([fd for fd in fds if 2 < fd < 900]) <= 1, fds  # the listing's own
    server.run("1", session="new")
    second = server.run(listing, session="new")
    assert len(json.loads(second.body.splitlines()[-1])) == len(fds)


def test_closing_its_streams_does_not_end_the_session(server):
    server.run("x = 1")
    result = server.run("import os; os.close(1); os.close(2)")
    assert result.text
    after = server.run("1 + 1")
    assert after.text and "2" in server.run("1+1", session="new").body


def test_replaced_stdout(server):
    result = server.run(
        "import io, sys\nsys.stdout = io.StringIO()\nprint('captured')\n"
        "v = sys.stdout.getvalue()\nsys.stdout = sys.__stdout__\nprint('got', v)"
    )
    assert "got captured" in result.body
    server.run("import sys; sys.stdout = None; sys.stderr = None")
    assert "NameError" in server.run("undefined").text
    assert "back" in server.run("import sys; sys.stdout = sys.__stdout__; print('back')").body


def test_sockets_as_stdin_and_stdout(spawn):
    """What Node gives to its children."""
    s = spawn(stdio="socket")
    s.initialize()
    assert "2" in s.run("1+1").body
    assert "a" * 1000 in s.run("print('a' * 1000)").body
    assert s.close() == 0


def test_regular_files_as_stdin_and_stdout(work, tmp_path):
    """cellblock stdio < requests > answers"""
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": MODERN_META}},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"_meta": MODERN_META, "name": "execute_python", "arguments": {"code": "print(6 * 7)"}},
        },
    ]
    (tmp_path / "in").write_text("".join(json.dumps(r) + "\n" for r in requests))
    with open(tmp_path / "in", "rb") as stdin, open(tmp_path / "out", "wb") as stdout:
        subprocess.run(
            [BINARY, "stdio", "--local", "--python", PLAIN_PYTHON],
            cwd=work,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=True,
        )
    answers = {a["id"]: a for a in map(json.loads, (tmp_path / "out").read_text().splitlines())}
    assert sorted(answers) == [1, 2]
    assert "42" in Result(answers[2]).body


def test_last_line_without_line_end(work):
    """printf '{...}' | cellblock stdio"""
    done = subprocess.run(
        [BINARY, "stdio", "--local", "--python", PLAIN_PYTHON],
        cwd=work,
        timeout=PATIENCE,
        input=b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
        capture_output=True,
    )
    assert json.loads(done.stdout)["result"] == {} and done.returncode == 0


def test_stdin_closed_or_dev_null(work):
    done = subprocess.run(
        [BINARY, "stdio", "--local"], cwd=work, stdin=subprocess.DEVNULL, timeout=PATIENCE, capture_output=True
    )
    assert done.returncode == 0 and done.stdout == b""


def test_stdin_and_stdout_on_one_socket(work):
    """socat and inetd give one descriptor for both."""
    import socket

    ours, theirs = socket.socketpair()
    p = subprocess.Popen(
        [BINARY, "stdio", "--local", "--python", PLAIN_PYTHON],
        cwd=work,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    with ours:
        ours.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        assert json.loads(ours.makefile("rb").readline())["result"] == {}
        ours.shutdown(socket.SHUT_WR)
        assert p.wait(PATIENCE) == 0


def test_stderr_that_nobody_reads(work, tmp_path):
    """A host that leaves stderr full does not stop the server."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b"x" * 65536)
    except BlockingIOError:
        pass
    os.set_blocking(write_end, True)
    p = subprocess.Popen(
        [BINARY, "stdio", "--local", "--python", "/nonexistent"],
        cwd=work,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=write_end,
    )
    os.close(write_end)
    out, _ = p.communicate(b"garbage\n" * 2000 + b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n', timeout=PATIENCE)
    os.close(read_end)
    assert json.loads(out.splitlines()[-1])["result"] == {}


def test_extra_descriptors_of_the_host(spawn):
    """Descriptors above 2 that the host leaves open do not reach code."""
    read_end, write_end = os.pipe()
    s = spawn(pass_fds=(write_end,))
    os.close(write_end)
    s.initialize()
    result = s.run(
        "import os; [os.readlink(f'/proc/self/fd/{f}') for f in range(3, 200) if os.path.lexists(f'/proc/self/fd/{f}')]"
    )
    assert not result.is_error and f"pipe:[{os.fstat(read_end).st_ino}]" not in result.body
    os.close(read_end)


def test_minimal_environment(spawn):
    """What SDKs pass on: HOME, LOGNAME, PATH, SHELL, TERM, USER. UTF-8 all the same."""
    keep = {"HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER", "CELLBLOCK_PRELOAD"}
    s = spawn(env={k: None for k in os.environ if k not in keep})
    s.initialize()
    result = s.run(
        "import sys, locale\nprint('é😀', sys.stdout.encoding, open('f', 'w').encoding)\n"
        "import subprocess; subprocess.run(['echo', 'ü']); sys.getfilesystemencoding()"
    )
    assert "é😀 utf-8" in result.body.lower() and "ü" in result.body
    assert poll(lambda: (s.cwd / "f").exists(), "the file")


@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.ISO-8859-1", "nonsense"])
def test_other_locales(spawn, locale):
    s = spawn(env={"LC_ALL": locale, "LANG": locale})
    s.initialize()
    assert "é😀" in s.run("print('é😀')").body
    assert "é😀" in s.run("open('é😀.txt', 'w').write('é😀'); import os; os.listdir('.')").body


def test_odd_variables_of_the_environment(spawn):
    """Settings for a user's own Python must not change how the kernels work."""
    s = spawn(
        env={
            "PYTHONUNBUFFERED": "1",
            "PYTHONSTARTUP": "/nonexistent",
            "PYTHONINSPECT": "1",
            "PYTHONVERBOSE": "",
            "PYTHONIOENCODING": "latin-1",
            "PYTHONWARNINGS": "error",
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONOPTIMIZE": "2",
            "PYTHONFAULTHANDLER": "1",
        }
    )
    s.initialize()
    assert "é 2" in s.run("print('é', 1+1)").body
