"""Isolated sessions end with everything in them, whoever ends: the server, the builder, a zygote, a session."""

import contextlib
import os
import pathlib
import signal
import time

import pytest

from boxfixtures import can_isolate, own_place, own_start, place, start  # noqa: F401
from boxtools import SOON, Leftovers, named, poll
from rawclient import PATIENCE, alive, descendants, processes_with

EVERYTHING = """
import os, signal, subprocess, threading, time
def daemonise(word):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp('sh', ['sh', '-c', 'trap "" TERM INT HUP; while :; do sleep 1; done; : ' + word])
        os._exit(0)
daemonise(WORD)
subprocess.Popen(['sh', '-c', 'sleep 1000; : ' + WORD], start_new_session=True)
stopped = subprocess.Popen(['sh', '-c', 'sleep 1000; : ' + WORD])
os.kill(stopped.pid, signal.SIGSTOP)
spin = subprocess.Popen(['sh', '-c', 'while :; do :; done; : ' + WORD])
for path in ('f', '/tmp/f', '/dev/shm/f'): open(path, 'w').write('x' * 100000)
"""


def start_everything(server, word):
    for n in range(2):
        server.run(f"WORD = {word!r}{EVERYTHING}", session="new")
    server.begin(f"WORD = {word!r}\nimport signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
                 "import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 1000; : ' + WORD])\nwhile True: pass",
                 session="new")  # fmt: skip
    poll(lambda: len(processes_with(word)) >= 9, "the processes")


def control_groups(pid):
    """Directories of control groups that are this server's: tests run at the same time."""
    found = []
    for path, folders, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(path, name) for name in folders if name.startswith(f"cellblock-{pid}-")]
    return found


class Machine:
    def __init__(self, server, place, word):  # noqa: F811
        self.left, self.place, self.word = Leftovers(server), place, word
        self.server = server.pid

    def check_gone(self):
        self.left.check()
        poll(lambda: not processes_with(self.word), "marked processes to be gone", SOON)
        poll(lambda: not list(self.place.tmp.iterdir()), "TMPDIR to be empty", SOON + 6)
        poll(lambda: not control_groups(self.server), "control groups to be gone", SOON + 6)


ENDS = {
    "end of stdin": lambda s: s.close(),
    "SIGKILL": lambda s: s.kill(),
    "SIGTERM": lambda s: (s.process.send_signal(signal.SIGTERM), s.process.wait(PATIENCE), s.kill()),
    "SIGINT": lambda s: (s.process.send_signal(signal.SIGINT), s.process.wait(PATIENCE), s.kill()),
    "SIGHUP": lambda s: (s.process.send_signal(signal.SIGHUP), s.process.wait(PATIENCE), s.kill()),
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_left(start, place, word, end):  # noqa: F811
    server = start()
    start_everything(server, word)
    machine = Machine(server, place, word)
    assert machine.left.namespaces or os.geteuid() != 0
    ENDS[end](server)
    machine.check_gone()


def test_sigkill_while_sandboxes_are_made(start, place, word):  # noqa: F811
    """At whatever moment, once there is somebody who can clean up: the keeper."""
    for pause in (0, 0.01, 0.03, 0.1):
        server = start()
        for _ in range(20):
            server.begin("1", session="new")
        poll(lambda: [p for p in descendants(server.pid) if named(p) == "cellblock-keepe"], "the keeper")
        time.sleep(pause)
        machine = Machine(server, place, word)
        server.kill()
        machine.check_gone()


def builder(server):
    return poll(lambda: [p for p in descendants(server.pid) if alive(p) and named(p).startswith("cellblock-build")], "the builder")[0]


def zygotes(server):
    """Children that are neither the builder nor the keeper."""
    return [p for p in descendants(server.pid) if alive(p) and not named(p).startswith("cellblock")]


def works_again(server, session, code="1+1", tries=4):
    """The first good result. Some calls may come while what was killed is still dying; each says what was lost."""
    for _ in range(tries):
        result = server.run(code, session=session)
        if not result.is_error:
            return result
        assert result.meta["status"] == "unavailable" or "lost" in result.text, result
    raise AssertionError(result)


def test_builder_is_killed(start, place):  # noqa: F811
    """Every sandbox goes with it. The sessions stay, are told, and get new ones."""
    server = start()
    sessions = [server.run("x = 1\nopen('f', 'w').write('1')", session="new").session for _ in range(3)]
    left = Leftovers(server)
    gone = builder(server)
    os.kill(gone, signal.SIGKILL)
    poll(lambda: not alive(gone), "the builder to be gone")
    poll(lambda: not [p for p in left.pids if alive(p) and named(p) == "cellblock-init"], "the sandboxes to be gone", SOON)
    for session in sessions:
        result = works_again(server, session, "import os; os.path.exists('f')")
        assert "False" in result.body and "imports and files of earlier calls are lost" in result.text, result
        assert "2" in works_again(server, session, "open('f', 'w').write('2')\n1+1").body
    for session in sessions:  # no sandbox of now was ended in the place of one of before
        assert server.run("open('f').read()", session=session).body == "'2'"
    assert server.run("1+1", session="new").body == "2"


def test_builder_is_killed_while_code_runs(start, place):  # noqa: F811
    server = start()
    first = server.run("open('f', 'w').write('1')", session="new").session
    call = server.begin("import time\nopen('f', 'w').close()\ntime.sleep(60)", session=first)
    other = server.run("1", session="new").session
    poll(lambda: server.ask("resources/list")["result"]["resources"][-1]["size"] == 0, "the code to run")
    os.kill(builder(server), signal.SIGKILL)
    result = server.result(call)
    assert result.meta["status"] == "died", result
    for session in (first, other, "new"):
        assert "2" in works_again(server, session).body


def test_zygotes_are_killed(start, place):  # noqa: F811
    server = start()
    session = server.run("x = 1\nopen('f', 'w').write('1')", session="new").session
    for _ in range(3):
        for pid in zygotes(server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        poll(lambda: "2" in server.run("1+1", session="new").body, "a new session to work")
        assert "'1'" in works_again(server, session, "open('f').read()").body


def test_everything_below_is_killed(start, place):  # noqa: F811
    server = start()
    for _ in range(3):
        server.run("1", session="new")
        for pid in descendants(server.pid):
            if named(pid) != "cellblock-keepe":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        poll(lambda: "2" in server.run("1+1", session="new").body, "a new session to work")


def test_fifty_sessions_at_once(start, place):  # noqa: F811
    server = start()
    calls = [
        server.begin(f"import os, time\nopen('n', 'w').write('{n}')\ntime.sleep(0.05)\n"
                     "print(open('n').read(), len([p for p in os.listdir('/proc') if p.isdigit()]))", session="new")
        for n in range(50)
    ]  # fmt: skip
    results = [server.result(call) for call in calls]
    assert [r.body for r in results] == [f"{n} 1" for n in range(50)]
    assert len({r.session for r in results}) == 50
    calls = [server.begin("print(open('n').read())", session=r.session) for r in results]
    assert [server.result(call).body for call in calls] == [str(n) for n in range(50)]


def test_sessions_come_and_go(start, place):  # noqa: F811
    """What ends is given back while the server lives: processes, descriptors, sandboxes."""
    server = start("--max-sessions", "3")

    def holds():
        return len(os.listdir(f"/proc/{server.pid}/fd")), len([p for p in descendants(server.pid) if alive(p)])

    for n in range(10):
        server.run("import subprocess; subprocess.Popen(['sleep', '1000'])", session="new")
    fds, processes = holds()
    for n in range(60):
        server.run("import subprocess; subprocess.Popen(['sleep', '1000'])", session="new")
    # What is kept ready may not have been there before; 60 sessions that each leave one thing behind are more than that.
    poll(lambda: holds()[0] <= fds + 40 and holds()[1] <= processes + 20, f"no growth from {fds, processes} to {holds()}")


def test_idle_sessions_end(own_start, word):  # noqa: F811
    server = own_start("--session-idle", "1")
    server.run(f"import subprocess; subprocess.Popen(['sh', '-c', 'sleep 1000; : {word}'])", session="new")
    poll(lambda: processes_with(word), "the process to be seen")
    poll(lambda: not processes_with(word), "the idle session to end", 15)


def test_nothing_is_written_beside(start, place):  # noqa: F811
    """Neither into the working directory nor into what HOME names."""
    server = start()
    server.run("print('x' * 100000)\nopen('f', 'w').write('1')")
    server.run("import os; os.abort()")
    assert not [p for p in pathlib.Path(place.work).iterdir()]
