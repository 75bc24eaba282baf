"""cellblock sessions, and the socket that it and `cellblock cp` ask: which servers are found, who may ask, and what."""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading

import pytest

from cptools import bad, cli, good, local_server, mode, server, tmp  # noqa: F401
from rawclient import PATIENCE, poll

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be somebody else")
NOBODY = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]



# ---- which servers and sessions there are ----


def listed(done):
    """session: its columns."""
    lines = [line.split() for line in good(done).stdout.splitlines()]
    return {line[0]: line for line in lines if len(line) >= 7 and line[0] != "SESSION"}


def test_sessions(server, cli, mode):
    first, second = server.run("1").session, server.run("open('f', 'w').close()", session="new").session
    busy = server.begin("while not __import__('os').path.exists('stop'): pass", session=second)
    poll(lambda: listed(cli("sessions"))[second][2] == "busy", "a busy session")
    table = listed(cli("sessions"))
    assert table[first][1:3] == [mode, "idle"] and table[second][1] == mode
    assert table[second][-1] == ("/workspace" if mode == "isolated" else str(server.cwd))
    good(cli("cp", "-", f"{second}:stop", stdin=""))  # also while it computes
    server.result(busy)
    assert listed(cli("sessions"))[second][2] == "idle"


def test_no_server(cli):
    done = cli("sessions")
    assert done.returncode == 0 and done.stdout  # there may be some of other tests


def test_not_before_the_first_use(spawn, tmp):
    """A client that only asks what there is finds no directory made."""
    s = spawn(env={"TMPDIR": str(tmp)})
    s.ask("ping")
    assert list(tmp.iterdir()) == []


def test_several_servers(spawn, tmp, cli, tmp_path):
    found = {}
    for i in range(3):
        (tmp_path / f"w{i}").mkdir()
        s = local_server(spawn, tmp, cwd=tmp_path / f"w{i}")
        found[s.run(f"open('f', 'w').write('{i}')").session] = str(i)
    assert found.keys() <= listed(cli("sessions")).keys()
    for session, text in found.items():
        assert good(cli("cp", f"{session}:f", "-")).stdout == text


def test_ended_session(spawn, tmp, cli):
    s = local_server(spawn, tmp, "--max-sessions", "1")
    first = s.run("open('f', 'w').close()").session
    assert s.run("1", session="new").session != first
    bad(cli("cp", f"{first}:f", "x"), "has ended")
    assert first not in listed(cli("sessions"))


def test_another_tmpdir(spawn, tmp, cli, tmp_path):
    """A client started the server with another TMPDIR than this shell has."""
    other = tmp_path / "other"
    other.mkdir()
    s = local_server(spawn, other)
    session = s.run("open('f', 'w').write('found')").session
    assert good(cli("cp", f"{session}:f", "-")).stdout == "found"


def test_long_tmpdir(spawn, tmp, cli):
    """Longer than the address of a socket can be (unix(7): 108 bytes)."""
    deep = tmp
    while len(str(deep)) < 200:
        deep = deep / ("x" * 40)
    deep.mkdir(parents=True)
    s = local_server(spawn, deep)
    session = s.run("open('f', 'w').write('found')").session
    assert good(cli("cp", f"{session}:f", "-", TMPDIR=str(deep))).stdout == "found"


def test_killed_server(spawn, tmp, cli):
    s = local_server(spawn, tmp)
    session = s.run("1").session
    os.kill(s.pid, signal.SIGKILL)
    s.process.wait()
    s.closed = True
    bad(cli("cp", f"{session}:f", "x"), "no session")
    assert session not in listed(cli("sessions"))
    poll(lambda: not list(tmp.iterdir()), "the directory to be gone", 10)


def test_stopped_server(spawn, tmp, cli, tmp_path):
    """One that does not answer is told about, and is no hindrance to the others."""
    stopped, other = local_server(spawn, tmp), local_server(spawn, tmp)
    one = stopped.run("1").session
    two = other.run("open('f', 'w').write('x')").session
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        assert good(cli("cp", f"{two}:f", "-")).stdout == "x"
        done = cli("sessions")
        assert done.returncode == 1 and f"server {stopped.pid}" in done.stderr and two in done.stdout
        bad(cli("cp", f"{one}:f", "x"), "does not answer")
    finally:
        os.kill(stopped.pid, signal.SIGCONT)


def test_nothing_is_left(spawn, tmp):
    s = local_server(spawn, tmp)
    s.run("1")
    directory = next(tmp.glob("cellblock-??????"))
    assert directory.stat().st_mode & 0o777 == 0o700 and (directory / "control").is_socket()
    assert s.close() == 0
    poll(lambda: not list(tmp.iterdir()), "an empty runtime directory", 10)


# ---- who may ask, and what ----


def control(tmp):
    return str(poll(lambda: list(tmp.glob("cellblock-??????/control")), "the socket")[0])


def dial(path):
    """Waits while the server's queue is full, which a socket with Python's timeout would not."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(PATIENCE), 0))
    s.connect(path)
    s.settimeout(PATIENCE)
    return s


def ask(path, data, fds=()):
    """The answer, or None when the server hangs up."""
    with dial(path) as s:
        try:
            if fds:
                socket.send_fds(s, [data], fds)
            elif data:
                s.send(data)
            else:
                s.shutdown(socket.SHUT_WR)
            answer, given, _, _ = socket.recv_fds(s, 1 << 20, 4)
        except ConnectionError:
            return None
        for fd in given:
            os.close(fd)
        return answer or None


def question(*parts):
    return b"".join(p.encode() + b"\0" for p in ("cellblock/1", *parts))


def connected(path):
    """How many connections the server holds: an accepted socket has the name of the one that listens."""
    with open("/proc/net/unix") as f:
        return sum(line.rstrip("\n").endswith(" " + path) for line in f) - 1


def holds(pid, path):
    return any(os.path.realpath(f"/proc/{pid}/fd/{fd}") == str(path) for fd in os.listdir(f"/proc/{pid}/fd"))


def test_questions(spawn, tmp, tmp_path):
    s = local_server(spawn, tmp)
    session = s.run("open('f', 'w').close()").session
    path = control(tmp)
    assert ask(path, question("open", session, "f")) == b"ok\0\0"
    wrong = [
        b"",
        b"\0",
        b"x",
        b"\xff" * 4000,
        question("open", session),
        question("open", session, "f", "g"),
        question("open", session, "f") + b"x",
        question("open", session, "f")[:-1],
        b"cellblock/2\0open\0" + session.encode() + b"\0f\0",
        question("delete", session, "f"),
        question("", "", ""),
        b"\0" * 4,
        b"x" * 100000,
        question("open", session, "f" * 4600),
    ]
    for data in wrong:
        answer = ask(path, data)
        assert answer is None or answer.startswith(b"error\0"), data[:50]
    assert ask(path, question("open", "x" * 3000, "f")) == b"unknown\0"
    assert ask(path, question("open", "", "f")) == b"unknown\0"
    assert ask(path, question("open", session, "\n\x1b" * 500)).startswith(b"error\0")
    for n in (1, 4, 5, 100):  # descriptors are for the server to give, not to take
        with open(tmp_path / "passed", "w") as passed:
            ask(path, question("open", session, "f"), [passed.fileno()] * n)
    assert ask(path, question("list", "", "")).startswith(b"ok\0" + session.encode() + b"\tlocal\t")
    poll(lambda: connected(path) == 0, "no connection to be left")
    assert not holds(s.pid, tmp_path / "passed")
    assert "ok" in s.run("'ok'", session=session).text


def test_silent_askers(spawn, tmp, cli):
    """Whoever connects and asks nothing is dropped for those who do."""
    s = local_server(spawn, tmp)
    session = s.run("open('f', 'w').write('x')").session
    path = control(tmp)
    silent = []
    try:
        for _ in range(60):
            silent.append(dial(path))
        assert good(cli("cp", f"{session}:f", "-")).stdout == "x"
        assert silent[0].recv(1) == b""
        poll(lambda: connected(path) <= 16, "the rest to be dropped")
    finally:
        for one in silent:
            one.close()
    poll(lambda: connected(path) == 0, "no connection to be left")


def test_server_ends_with_askers(spawn, tmp):
    s = local_server(spawn, tmp)
    s.run("1")
    with dial(control(tmp)):
        assert s.close() == 0


@ROOT_ONLY
def test_other_users(spawn, tmp, cli):
    """Neither the directory nor, were it open, the socket is for others."""
    s = local_server(spawn, tmp)
    session = s.run("open('f', 'w').write('secret')").session
    path = pathlib.Path(control(tmp))
    with open("/dev/null") as null:
        assert subprocess.run([*NOBODY, "ls", path.parent], stdout=null, stderr=null).returncode != 0
    for directory in (path.parent, *path.parents[1:-2]):
        os.chmod(directory, 0o755)
    os.chmod(path, 0o777)
    script = (
        "import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ns.settimeout(30)\n"
        "try:\n    s.connect(sys.argv[1])\n    s.send(sys.argv[2].encode().replace(b'|', b'\\0'))\n"
        "    print(s.recv(1000))\nexcept ConnectionError:\n    print(b'')\n"
    )
    words = question("open", session, "f").decode().replace("\0", "|")
    done = subprocess.run(
        [*NOBODY, "/usr/bin/python3", "-c", script, path, words], capture_output=True, text=True, timeout=PATIENCE
    )
    if "PermissionError" not in done.stderr:  # a directory above may be closed to others
        assert done.stdout.strip() == "b''", done
    os.chmod(path.parent, 0o700)
    assert good(cli("cp", f"{session}:f", "-")).stdout == "secret"


# ---- servers that are none ----


class Fake(threading.Thread):
    """Answers every question with the same bytes, or hangs up."""

    def __init__(self, tmp, answer, fds=()):
        super().__init__(daemon=True)
        self.directory = tmp / "cellblock-fake23"
        self.directory.mkdir(mode=0o700)
        self.answer, self.fds = answer, fds
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(self.directory / "control"))
        self.socket.listen()
        self.start()

    def run(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            with one:
                one.recv(10000)
                if self.answer is not None:
                    socket.send_fds(one, [self.answer], self.fds)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.join()


@pytest.mark.parametrize(
    "answer",
    [None, b"x", b"\0", b"ok", b"ok\0", b"okay\0", b"\xff" * 1000, b"error\0\0", b"error\0" + b"x" * 5000 + b"\0", b"unknown\0"],
)
def test_answers(tmp, cli, answer):
    fake = Fake(tmp, answer)
    try:
        for done in (cli("cp", "abcdef:x", "y"), cli("cp", "-", "abcdef:x", stdin="")):
            assert done.returncode == 1 and done.stderr.startswith("cellblock: "), done
        assert cli("sessions").returncode in (0, 1)
    finally:
        fake.close()


def test_list_for_a_terminal(tmp, cli):
    """Nothing in an answer reaches the terminal as a command to it."""
    fake = Fake(tmp, b"ok\0abcdef\tlocal\tidle\t99999999999999999999\t1\t/w\x1b[31m\n\n\t\t\t\t\t\nx\n+\x1b9\n" + b"\t" * 50 + b"\n\0")
    try:
        done = good(cli("sessions"))
        assert "\x1b" not in done.stdout and "abcdef" in done.stdout
    finally:
        fake.close()


def test_socket_that_nobody_hears(tmp, cli):
    (tmp / "cellblock-stale2").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(str(tmp / "cellblock-stale2" / "control"))
    (tmp / "cellblock-file23").touch()
    (tmp / "cellblock-link23").symlink_to("/")
    good(cli("sessions"))


@ROOT_ONLY
def test_server_in_another_mount_namespace(tmp, cli):
    """As code in a sandbox could pretend to be, in a directory that it shares with the host."""
    script = (
        "import os, socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
        "s.bind(sys.argv[1] + '/control')\ns.listen()\nprint(flush=True)\n"
        "while True:\n    one, _ = s.accept()\n    one.recv(1000)\n    one.send(b'ok\\0abcdef\\tlocal\\tidle\\t1\\t1\\t/\\n\\0')\n"
    )
    directory = tmp / "cellblock-fake23"
    directory.mkdir(mode=0o700)
    command = ["unshare", "--mount", "/usr/bin/python3", "-c", script, directory]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as fake:
        if not fake.stdout.readline():
            pytest.skip("no mount namespaces here")
        try:
            assert "abcdef" not in good(cli("sessions")).stdout
        finally:
            fake.kill()
