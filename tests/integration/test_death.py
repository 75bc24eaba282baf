"""What ends a kernel is told truthfully, with what survived, and the session goes on."""

import re
import signal

import pytest

from rawclient import alive, poll


def lost(result):
    """Does the text say that variables are lost and files kept?"""
    text = result.text.lower()
    return bool(re.search(r"variables[^.]* (lost|gone)", text)) and "file" in text and "kept" in text


def kept(result):
    return bool(re.search(r"variables[^.,]* kept", result.text.lower()))


def prepare(server):
    server.run("x = 1\nopen('kept.txt', 'w').write('still here')")


def check_fresh(server):
    """The next call says that it began afresh; files are there; then all is as ever."""
    result = server.run("try:\n    x\nexcept NameError:\n    print('no x')\nopen('kept.txt').read()")
    assert not result.is_error and "no x" in result.body and "still here" in result.body
    assert re.search(
        r"fresh|restarted|new (python|interpreter|process)|variables[^.]* (lost|gone)", result.text.lower()
    )
    again = server.run("y = 1\ny + 1")
    assert "2" in again.body and not lost(again)


@pytest.mark.parametrize(
    "code, says",
    [
        ("import os; os._exit(3)", r"exit.* 3\b|3\b.*exit"),
        ("import os; os._exit(0)", r"exit.* 0\b"),
        ("import ctypes; ctypes.string_at(0)", r"segmentation fault|sigsegv"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"sigkill|killed"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", r"sigterm|terminated"),
        ("import os; os.abort()", r"sigabrt|aborted"),
        ("import ctypes; ctypes.CDLL(None).exit(5)", r"exit.* 5\b"),
        ("import os; os.kill(os.getpid(), 4)", r"sigill|illegal"),
        ("import os; os.execvp('true', ['true'])", r"exit|ended|replaced"),
    ],
    ids=["_exit 3", "_exit 0", "segfault", "SIGKILL", "SIGTERM", "abort", "C exit", "SIGILL", "exec"],
)
def test_death_is_told(server, code, says):
    prepare(server)
    result = server.run("print('last words', flush=True)\n" + code)
    assert result.is_error
    assert "last words" in result.body
    assert re.search(says, result.text.lower()), result.text
    assert lost(result), result.text
    check_fresh(server)


def test_segfault_shows_where(server):
    """The line of the user's code, as faulthandler tells it."""
    result = server.run("import ctypes\ndef crash():\n    ctypes.string_at(0)\ncrash()")
    assert "crash" in result.text


def test_unflushed_output_survives_a_crash(server):
    result = server.run("print('no flush')\nimport sys; sys.stdout.write('half a line')\nimport os; os._exit(1)")
    assert "no flush" in result.body and "half a line" in result.body


@pytest.mark.parametrize(
    "code, status, error",
    [
        ("import sys; sys.exit()", "0", False),
        ("import sys; sys.exit(0)", "0", False),
        ("import sys; sys.exit(3)", "3", True),
        ("exit()", "0", False),
        ("quit(2)", "2", True),
        ("raise SystemExit(4)", "4", True),
        ("import sys; sys.exit('went wrong')", "1", True),
    ],
)
def test_sys_exit_keeps_variables(server, code, status, error):
    prepare(server)
    result = server.run("print('before')\n" + code + "\nprint('after')")
    assert "before" in result.body and "after" not in result.body
    assert re.search(rf"exit\S*(?: \S+){{0,3}} {status}\b", result.text.lower()), result.text
    assert result.is_error == error
    assert not lost(result)
    assert "1" in server.run("x").body


def test_sys_exit_message_is_shown(server):
    assert "went wrong" in server.run("import sys; sys.exit('went wrong')").text


def test_sys_exit_in_functions_and_threads(server):
    prepare(server)
    server.run("def f():\n    import sys; sys.exit(7)\nf()")
    assert not server.run("import threading, sys; t = threading.Thread(target=sys.exit); t.start(); t.join()").is_error
    assert "1" in server.run("x").body


def test_memory_error_keeps_variables(server):
    prepare(server)
    result = server.run("b = bytearray(1 << 60)")
    assert result.is_error and "MemoryError" in result.text and not lost(result)
    assert "1" in server.run("x").body


def test_memory_error_at_a_limit(server):
    """Out of memory as code can meet it here: an address space limit of its own."""
    prepare(server)
    result = server.run(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, resource.RLIM_INFINITY))\n"
        "keep = []\nwhile True: keep.append(bytearray(10 << 20))"
    )
    assert result.is_error and "MemoryError" in result.text
    server.run("keep = None; resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)")
    assert "1" in server.run("x").body


def test_death_of_one_session_leaves_the_others(server):
    other = server.run("y = 'other'", session="new").session
    server.run("import os; os._exit(1)")
    assert "'other'" in server.run("y", session=other).body


def test_death_while_calls_wait(server):
    first = server.begin("import time, os; time.sleep(0.3); os._exit(1)")
    rest = [server.begin("6 * 7") for _ in range(3)]
    assert server.result(first).is_error
    for id in rest:
        assert "42" in server.result(id).body


def test_killed_between_calls(server):
    pid = int(
        server.run("x = 1\nopen('kept.txt', 'w').write('still here')\nimport os; os.getpid()").body.splitlines()[-1]
    )
    import os

    os.kill(pid, signal.SIGKILL)
    poll(lambda: not alive(pid), "the kernel to be gone")
    check_fresh(server)


def test_dies_again_and_again(server):
    for i in range(5):
        assert server.run(f"import os; os._exit({i})").is_error
    assert "2" in server.run("1+1").body


def test_kernel_that_speaks_nonsense(server):
    """Code that finds the kernel's own channel and writes to it ends its own session's kernel, nothing else."""
    other = server.run("y = 'other'", session="new").session
    result = server.run(
        "import os\nfor fd in range(900, 1024):\n    try: os.write(fd, b'\\xff' * 64)\n    except OSError: pass\n1"
    )
    assert result.text
    assert "2" in server.run("1+1").body
    assert "'other'" in server.run("y", session=other).body


def test_kernel_that_forges_frames(server):
    """Well-formed frames of odd types, sizes and numbers."""
    code = """
import os, struct, random
random.seed(5)
for fd in range(900, 1024):
    try:
        os.fstat(fd)
    except OSError:
        continue
    for _ in range(30):
        body = struct.pack('<II', random.randrange(20), 4) + b'abcd'
        os.write(fd, struct.pack('<IHHI', len(body), random.choice([1, 2, 101, 102, 103, 104, 105, 106, 107, 9999]), 1,
                                 random.randrange(4)) + body)
"""
    server.run(code)
    assert "2" in server.run("1+1").body


def test_fork_in_code(server):
    """A child that runs on in the user's code is no second kernel."""
    prepare(server)
    result = server.run("import os, sys\npid = os.fork()\nif pid == 0:\n    os._exit(0)\nos.waitpid(pid, 0)\n'parent'")
    assert "parent" in result.body
    result = server.run("pid = os.fork()\n'child' if pid == 0 else 'parent'", timeout=10)
    assert "parent" in result.body
    assert "1" in server.run("x").body


def test_exit_handlers_and_threads_do_not_hold_the_end(spawn):
    s = spawn()
    s.initialize()
    s.run(
        "import atexit, threading, time\natexit.register(time.sleep, 1000)\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()"
    )
    assert s.close() == 0
