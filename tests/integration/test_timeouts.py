"""Timeouts: the ladder, what is kept, and the truth about it."""

import json
import re

import pytest

from rawclient import alive, poll
from test_death import kept, lost

BLOCKED = """
import ctypes, signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
import itertools
-1 in itertools.count()
"""


def timed_out(result):
    text = result.text.lower()
    return result.is_error and ("timeout" in text or "timed out" in text)


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(1000)",
        "import threading; threading.Event().wait()",
        "import select; select.select([], [], [])",
        "import os; r, w = os.pipe(); os.read(r, 1)",
        "import re; re.match(r'(a+)+$', 'a' * 40 + 'b')",
        "import asyncio; await asyncio.sleep(1000)",
        "import asyncio; asyncio.run(asyncio.sleep(1000))",
        "import subprocess; subprocess.run(['sleep', '1000'])",
        "import os; os.system('sleep 1000')",
        "!sleep 1000",
        "import threading; t = threading.Thread(target=threading.Event().wait, daemon=True); t.start(); t.join()",
        "def f():\n    try:\n        while True: pass\n    finally:\n        print('cleaned up')\nf()",
    ],
    ids=lambda c: c[:40],
)
def test_interruptible_code_keeps_its_variables(server, code):
    server.run("x = 'kept value'")
    result = server.run("print('so far')\n" + code, timeout=0.5)
    assert timed_out(result) and "so far" in result.body
    assert kept(result) and not lost(result), result.text
    assert "0.5 s" in result.text or "500 ms" in result.text
    after = server.run("x")
    assert "kept value" in after.body and not lost(after)


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import time\nwhile True:\n    try: time.sleep(1)\n    except: pass",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "def f():\n while True:\n  try:\n   while True: pass\n  finally:\n   continue\nf()",
        "import signal\nsignal.signal(signal.SIGINT, lambda *a: None)\nimport time\nwhile True: time.sleep(0.1)",
        "import asyncio\nasync def f():\n while True:\n  try: await asyncio.sleep(1)\n  except BaseException: pass\n"
        "await f()",
    ],
    ids=["except BaseException", "except around sleep", "SIG_IGN", "finally continue", "own handler", "asyncio"],
)
def test_code_that_swallows_the_interrupt_is_aborted(server, code):
    server.run("x = 'kept value'")
    result = server.run("print('so far')\n" + code, timeout=0.5)
    assert timed_out(result) and "so far" in result.body
    assert kept(result) and not lost(result), result.text
    assert "kept value" in server.run("x").body
    assert timed_out(server.run("while True: pass", timeout=0.5)), "the next interrupt works as well"
    assert "kept value" in server.run("x").body


def test_code_that_cannot_be_interrupted_is_killed(server):
    server.run("x = 1\nopen('file.txt', 'w').write('still here')")
    result = server.run("print('so far')\n" + BLOCKED, timeout=0.5)
    assert timed_out(result) and "so far" in result.body
    assert lost(result) and not kept(result), result.text
    after = server.run("'x' in globals(), open('file.txt').read()")
    assert "(False, 'still here')" in after.body


def test_c_loop_is_killed(server):
    """sum over a large range does not look at signals until it ends."""
    server.run("x = 1")
    result = server.run("import itertools; -1 in itertools.count()", timeout=0.5)
    assert timed_out(result) and lost(result)


def test_output_so_far_and_figure_kept(science):
    result = science.run(
        "import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()\nprint('after the figure')\nwhile True: pass",
        timeout=3,
    )
    assert timed_out(result) and "after the figure" in result.body and len(result.images) == 1


def test_files_made_before_a_timeout_are_linked(server):
    result = server.run("open('partial.csv', 'w').write('a')\nwhile True: pass", timeout=0.5)
    assert [li["name"] for li in result.links] == ["partial.csv"]


def test_meta_tells_the_timeout(server):
    meta = server.run("while True: pass", timeout=0.5).meta
    assert meta["status"] == "timeout", meta
    assert "base64" not in json.dumps(meta)


def test_status_line_tells_the_timeout(server):
    assert "· timeout ·" in server.run("while True: pass", timeout=0.5).status_line


def test_foreground_subprocess_is_gone(server, word):
    result = server.run(
        f"import subprocess\nprint('so far')\nsubprocess.run(['sh', '-c', 'sleep 1000; echo {word}'])", timeout=0.5
    )
    assert timed_out(result) and "so far" in result.body
    from rawclient import processes_with

    poll(lambda: not processes_with(word), "the foreground process to be gone", 8)


def test_timeout_counts_from_the_start_of_the_code(server):
    """Waiting behind another call is not the code's time."""
    first = server.begin("import time; time.sleep(1.5)")
    second = server.begin("'second ran'", timeout=1)
    assert not server.result(first).is_error
    assert "second ran" in server.result(second).body


@pytest.mark.parametrize("given", [0, 1e9, 601])
def test_timeout_beyond_the_cap(server, given):
    """Capped or refused, but told: never silently something else."""
    result = server.run("1+1", timeout=given)
    if result.is_error:
        assert "timeout" in result.text and "600" in result.text or "0" in result.text
    else:
        assert "2" in result.body


def test_max_timeout_option(spawn):
    s = spawn("--max-timeout", "1")
    s.initialize()
    result = s.run("while True: pass", timeout=500)
    assert timed_out(result) and re.search(r"\b1(\.0)? s", result.text)
    assert timed_out(s.run("while True: pass"))


def test_background_process_does_not_hold_the_answer(server, word):
    result = server.run(
        f"import subprocess\np = subprocess.Popen(['sh', '-c', 'sleep 1000; : {word}'])\nprint('started')"
    )
    assert not result.is_error and "started" in result.body
    result = server.run("!sleep 1000 &\nprint('second')")
    assert not result.is_error and "second" in result.body
    assert "None" in server.run("print(p.poll())").body, "a background process may live as long as its session"
    server.close()
    from rawclient import processes_with

    poll(lambda: not processes_with(word), "the background process to be gone", 3)


def test_background_process_that_prints(server):
    """Its output between calls reaches no one else and blocks nothing."""
    server.run("import subprocess\np = subprocess.Popen(['sh', '-c', 'while :; do echo tick; sleep 0.05; done'])")
    for _ in range(5):
        result = server.run("'answer'")
        assert "answer" in result.body and not result.is_error
    assert "tick" not in server.run("'x'", session="new").text
    flood = server.run("q = subprocess.Popen(['yes'])\n'flooded'")
    assert not flood.is_error and "· ok ·" in flood.status_line and len(flood.text) < 22_000
    assert "2" in server.run("q.kill(); p.kill(); 1+1").body


def test_interrupted_call_leaves_no_stray_interrupt(server):
    """An interrupt that comes when the code has just ended must not hit the next call."""
    for i in range(30):
        call = server.begin(f"import time; time.sleep({i} / 3000)")
        server.notify("notifications/cancelled", {"requestId": call})
        result = server.run(f"import time; time.sleep(0.002); {i} + 1000")
        assert not result.is_error and str(i + 1000) in result.body, result


def test_short_timeouts_never_break_a_session(server):
    server.run("x = 1")
    for i in range(12):
        result = server.run("t = 0\nfor i in range(10**5): t += i\nt", timeout=0.001 * (i + 1))
        assert not lost(result)
    assert "1" in server.run("x").body


def test_timeout_in_one_session_leaves_another_alone(server, work):
    other = server.begin("import time\nopen('on', 'w').close()\ntime.sleep(2); 'other finished'", session="new")
    poll((work / "on").exists, "the other session")
    assert timed_out(server.run("while True: pass", timeout=0.5))
    assert "other finished" in server.result(other).body


def test_kernel_of_a_killed_call_is_gone(server):
    pid = int(server.run("import os; os.getpid()").body)
    server.run(BLOCKED, timeout=0.3)
    poll(lambda: not alive(pid), "the old kernel to be gone", 5)
