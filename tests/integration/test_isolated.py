"""Isolated sessions: what the code sees, what it does not, and that sessions are apart."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

from boxfixtures import box, can_isolate, own_box, own_place, own_start, place, start  # noqa: F401
from boxtools import NOBODY, SYSTEM_PYTHON, poll
from rawclient import PLAIN_PYTHON

LOOK = """
import json, os, resource, socket, sys
def read(path):
    try:
        return open(path).read()
    except OSError as e:
        return type(e).__name__
print(json.dumps({
    'ids': [os.getresuid(), os.getresgid()], 'groups': os.getgroups(), 'cwd': os.getcwd(), 'pid': os.getpid(),
    'ppid': os.getppid(), 'sid': os.getsid(0), 'environment': dict(os.environ), 'root': os.listdir('/'),
    'files': os.listdir('.'), 'pids': [int(p) for p in os.listdir('/proc') if p.isdigit()],
    'interfaces': [line.split(':')[0].strip() for line in open('/proc/net/dev').readlines()[2:]], 'hostname': socket.gethostname(),
    'users': read('/etc/passwd'), 'mounts': read('/proc/self/mountinfo'), 'status': read('/proc/self/status'),
    'cgroup': read('/proc/self/cgroup'), 'dev': os.listdir('/dev'), 'etc': os.listdir('/etc'),
    'fds': {n: os.readlink('/proc/self/fd/' + n) for n in os.listdir('/proc/self/fd')
            if os.path.islink('/proc/self/fd/' + n)},
    'mask': os.umask(18), 'sessionid': read('/proc/self/sessionid'), 'path': sys.path, 'argv': sys.argv,
}))
"""


def look(server, **arguments):
    return json.loads(server.run(LOOK, **arguments).body)


def test_what_is_visible(start):
    server = start(env={"SECRET_OF_THE_SERVER": "xyzzy", "PYTHONPATH": "/tmp"})
    seen = look(server)
    assert seen["ids"] == [[1000] * 3] * 2 and seen["cwd"] == "/workspace" and seen["mask"] == 0o22
    assert seen["groups"] in ([], [1000]), seen["groups"]
    # Only its own processes, and not as the first one; who forked it cannot be seen.
    assert seen["pids"] == [seen["pid"]] and seen["pid"] > 1 and seen["ppid"] == 0
    assert seen["sid"] in (seen["pid"], 0)
    assert seen["files"] in ([], [".cellblock"])
    assert set(seen["root"]) <= {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "packages", "proc", "sbin",
                                 "sys", "tmp", "usr", "workspace"}  # fmt: skip
    assert seen["interfaces"] == ["lo"] and seen["hostname"] == "sandbox"
    assert set(seen["dev"]) == {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm"}
    assert not set(seen["etc"]) & {"shadow", "hostname", "machine-id", "ssh", "resolv.conf", "sudoers"}
    assert [line.split(":")[0] for line in seen["users"].splitlines()] == ["root", "user", "nobody"]
    kinds = sorted({target.split(":")[0] for target in seen["fds"].values()})
    assert kinds == ["/dev/null", "pipe", "socket"] and len(seen["fds"]) <= 6
    environment = seen["environment"]
    assert not [n for n in environment if "SECRET" in n or n.startswith(("PYTHONPATH", "XDG", "TMP", "SUDO"))]
    assert "xyzzy" not in json.dumps(seen) and environment["HOME"] == "/workspace" and environment["USER"] == "user"
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert {status[n] for n in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    # Nothing tells where on the host it runs.
    told = json.dumps({k: v for k, v in seen.items() if k != "status"})
    assert str(server.cwd) not in told and str(server.cwd.parent) not in told


def test_nothing_of_the_host(start, place):
    """What is really there outside, each thing by itself."""
    secret = place.work / "secret"
    secret.write_text("xyzzy")
    (place.tmp / "secret").write_text("xyzzy")
    os.chmod(secret, 0o666)
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract, \
            socket.socket(socket.AF_UNIX) as named, subprocess.Popen(["sleep", "1000"]) as process:  # fmt: skip
        abstract.bind("\0cellblock-test-%d" % os.getpid())
        abstract.listen()
        named.bind(str(place.work / "socket"))
        named.listen()
        server = start(env={"SECRET_OF_THE_SERVER": "xyzzy"})
        code = f"""
import os, socket
seen = []
for path in {[str(secret), str(place.tmp / "secret"), str(place.tmp), str(place.root), os.path.expanduser("~")]!r}:
    seen += [path] if os.path.exists(path) else []
for family, address in ((2, ('127.0.0.1', {tcp.getsockname()[1]})), (1, {abstract.getsockname()!r}),
                        (1, {str(place.work / "socket")!r})):
    try:
        socket.socket(family).connect(address)
        seen.append(address)
    except OSError:
        pass
try:
    os.kill({process.pid}, 0)
    seen.append('process')
except OSError:
    pass
seen += [n for n, v in os.environ.items() if 'xyzzy' in v]
seen
"""
        assert server.run(code).body == "[]"
        (place.tmp / "secret").unlink()
        process.kill()


def test_the_system_is_read_only(own_box):
    code = """
import os, sys
did = []
for path in ['/x', '/usr/x', '/usr/lib/x', '/etc/x', '/dev/x', '/proc/x', '/packages/x', sys.prefix + '/x']:
    try:
        open(path, 'w')
        did.append(path)
    except OSError:
        pass
for path in ['/etc/passwd', '/usr/bin/env', sys.executable, '/dev/null']:
    for change in (os.unlink, lambda p: os.chmod(p, 0o777), lambda p: os.utime(p), lambda p: os.rename(p, p + 'x')):
        try:
            change(path)
            did.append(path)
        except OSError:
            pass
did
"""
    assert own_box.run(code).body == "[]"
    assert own_box.run("open('here', 'w'); open('/tmp/x', 'w'); open('/dev/shm/x', 'w'); 'all'").body == "'all'"


def test_sessions_do_not_see_each_other(box):
    first = box.run(
        "import os, socket, subprocess, threading\n"
        "for path in ('mine', '/tmp/mine', '/dev/shm/mine'): open(path, 'w').write('xyzzy')\n"
        "a = socket.socket(socket.AF_UNIX); a.bind('\\0mine'); a.listen()\n"
        "t = socket.create_server(('127.0.0.1', 4711))\n"
        "p = subprocess.Popen(['sleep', '1000'])\nsecret = 'xyzzy'\nos.environ['SECRET'] = 'xyzzy'\nos.listdir('.')",
        session="new",
    )
    assert "mine" in first.body
    second = box.run(
        "import glob, os, socket\nseen = [p for p in ('mine', '/tmp/mine', '/dev/shm/mine') if os.path.exists(p)]\n"
        "for family, address in ((1, '\\0mine'), (2, ('127.0.0.1', 4711))):\n"
        "    try:\n        socket.socket(family).connect(address); seen.append(address)\n    except OSError: pass\n"
        "seen += [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]\n"
        "seen += [n for n in ('secret',) if n in globals()] + [n for n in os.environ if n == 'SECRET']\nseen",
        session="new",
    )
    assert second.body == "[]"
    assert box.run("print(secret, open('mine').read(), p.poll())", session=first.session).body == "xyzzy xyzzy None"


def test_a_neighbour_is_not_disturbed(own_start):
    """It computes for a while in one call, beside code that takes all it can get."""
    server = own_start()
    neighbour = server.run("import hashlib", session="new").session
    work = server.begin(
        "h = b''\nfor i in range(300000): h = hashlib.sha256(h).digest()\nopen('done', 'w').write(h.hex())\nh.hex()",
        session=neighbour,
    )
    for code in (
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: break",
        "import os; os.abort()",
        "keep = []\nwhile True: keep.append(bytearray(1 << 24))",
        "while True: print('x' * 1000)",
        "import os, signal; os.kill(-1, signal.SIGKILL)",
        "import itertools, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n-1 in itertools.count()",
    ):
        server.run(code, session="new", timeout=0.3)
    result = server.result(work)
    import hashlib

    h = b""
    for _ in range(300000):
        h = hashlib.sha256(h).digest()
    assert result.body == repr(h.hex())
    assert server.run("open('done').read() == h.hex()", session=neighbour).body == "True"


def test_namespaces_are_limited_to_none(own_box):
    """A second wall behind the filter of system calls."""
    result = own_box.run("import glob\nprint([open(p).read() for p in glob.glob('/proc/sys/user/max_*_namespaces')])")
    if result.meta["isolation"]["level"] == "full":
        assert result.body == str(["0\n"] * 8)


def test_meta_tells_the_level(box):
    isolation = box.run("1").meta["isolation"]
    assert isolation["level"] in ("full", "no-proc") and isinstance(isolation["landlock"], bool)


def test_a_missing_module_is_told_with_what_brings_it(own_box):
    assert "not installed" in own_box.run("import a_module_that_is_nowhere").text
    assert 'install_dependencies(["opencv-python-headless"])' in own_box.run("import cv2").text


def test_stdin_and_display(own_box):
    result = own_box.run("name = input('who? ')\nfrom IPython.display import Markdown\nMarkdown('# hi ' + name)",
                         stdin="you\n")  # fmt: skip
    assert not result.is_error and "hi you" in result.text


# ---- interpreters in homes ----


@pytest.fixture
def home(tmp_path):
    """A home with an environment, and with things beside it that are nobody's business."""
    home = tmp_path / "home"
    home.mkdir()
    for name in (".ssh", "project"):
        (home / name).mkdir()
        (home / name / "secret").write_text("xyzzy")
    (home / "secret").write_text("xyzzy")
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--without-pip", home / "project" / ".venv"], check=True)
    site = next((home / "project" / ".venv" / "lib").glob("python*/site-packages"))
    (site / "toy.py").write_text("where = __file__\n")
    return home


@pytest.mark.skipif(os.geteuid() != 0, reason="for another user the interpreter may lie where only root can read")
def test_python_of_a_venv(own_start, home):
    venv = home / "project" / ".venv"
    server = own_start(python=str(venv / "bin" / "python"), env={"HOME": str(home)})
    seen = server.run(
        "import os, subprocess, sys, toy\n"
        f"print(toy.where, sys.prefix, os.listdir({str(home)!r}), os.listdir({str(home / 'project')!r}))\n"
        "print(subprocess.run([sys.executable, '-c', 'import toy; print(toy.where)'], capture_output=True, text=True)"
        ".stdout.strip())\n"
        "try: open(toy.where, 'a')\nexcept OSError as e: print(e.strerror)"
    ).body.splitlines()
    assert seen[0].split()[:2] == [str(next(venv.glob("lib/python*/site-packages/toy.py"))), str(venv)]
    assert seen[0].endswith("['project'] ['.venv']")
    assert seen[1] == seen[0].split()[0] and seen[2] in ("Read-only file system", "Permission denied")


@pytest.mark.skipif(PLAIN_PYTHON == SYSTEM_PYTHON, reason="the tests run on the system's Python")
def test_python_in_a_home(own_start):
    """pyenv, uv and conda keep interpreters there: only what belongs to the interpreter is shown."""
    prefix = pathlib.Path(sys.base_prefix).resolve()
    server = own_start(python=PLAIN_PYTHON)
    seen = server.run(
        f"import os, sys, sqlite3, json\nhere = {str(prefix)!r}\nout = []\n"
        "while here != '/':\n    here, name = os.path.split(here); out.append(sorted(os.listdir(here)) == [name])\n"
        "out, sys.prefix"
    ).body
    parents = len(prefix.parts) - 1
    assert seen == f"({[True] * (parents - 1) + [False]}, {str(prefix)!r})"


# ---- what is shared on purpose ----


def test_mounts_and_variables(own_start, own_place):
    shared = own_place.root / "shared"
    shared.mkdir()
    (shared / "data.csv").write_text("a,b\n1,2\n")
    os.chmod(shared, 0o777)
    server = own_start("--mount", f"{shared}:/data", "--mount", f"{shared}:/out:rw", "--env", "TOKEN=x=y", "--env",
                       "TERM=vt100", python=SYSTEM_PYTHON)  # fmt: skip
    result = server.run(
        "import os\nprint(open('/data/data.csv').read(), os.environ['TOKEN'], os.environ['TERM'])\n"
        "open('/out/new', 'w').write('z')\n"
        "try: open('/data/no', 'w')\nexcept OSError as e: print(e.strerror)"
    )
    assert result.body.split()[:4] == ["a,b", "1,2", "x=y", "vt100"]
    assert result.body.endswith(("Read-only file system", "Permission denied"))
    assert (shared / "new").read_text() == "z" and not (shared / "no").exists()


def test_with_nothing_kept_ready(start, place):
    """Then a kernel is forked while its sandbox is still being made, and waits in there; or goes with it."""
    shared = place.work / "shared"
    shared.mkdir()
    (shared / "data.txt").write_text("shown")
    server = start("--spare-kernels", "0", "--mount", f"{shared}:/data")
    code = "import os\nprint(open('/data/data.txt').read(), os.getuid(), len(os.listdir('.')))"
    assert server.run(code, session="new").body == "shown 1000 0"
    calls = [server.begin(code, session="new") for _ in range(12)]
    assert [server.result(call).body for call in calls] == ["shown 1000 0"] * 12
    shared.rename(place.work / "away")
    calls = [server.begin(code, session="new") for _ in range(3)]
    for call in calls:
        result = server.result(call)
        assert result.is_error and "cannot be shown" in result.text
    (place.work / "away").rename(shared)
    assert server.run(code, session="new").body == "shown 1000 0"


def test_no_network_is_told(box):
    for code in ("socket.create_connection(('192.0.2.1', 9), 5)", "socket.getaddrinfo('example.invalid', 80)"):
        result = box.run(f"import socket\ntry:\n    {code}\nexcept OSError as e:\n    raise RuntimeError('x') from e")
        assert re.search(r"^\[no network in this session.*install_dependencies", result.text, re.M), result
    assert "no network" not in box.run("open('/nothing/here')").text


def test_network_of_the_host_when_asked(own_start):
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        code = f"import socket\nsocket.create_connection(('127.0.0.1', {tcp.getsockname()[1]}), 5).close()\n'reached'"
        server = own_start("--network")
        assert server.run(code).body == "'reached'" and "--network" in server.stderr()
        assert "[no network" not in server.run("import socket\nsocket.getaddrinfo('example.invalid', 80)").text


def test_required_level(own_place):
    server = own_place.server("--require-isolation", "any")
    level = server.run("1").meta["isolation"]["level"]
    server.close()
    if level == "full":
        server = own_place.server("--require-isolation", "full")
        assert server.run("1").body == "1"
        server.close()


def test_supplementary_groups(can_isolate):  # noqa: F811
    """Root's groups are dropped; they would open files of the system."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    from boxtools import Place

    place = Place(0)
    try:
        server = place.server(prefix=["setpriv", "--groups", f"4,{NOBODY}"])
        assert server.run("import os; os.getgroups()").body == "[]"
        server.close()
    finally:
        place.remove()


def test_late_output_and_threads(own_box):
    """What threads and processes print after a cell belongs to the next one."""
    own_box.run("import threading, time\nthreading.Timer(0.1, print, ['late']).start()")
    poll(lambda: "late" in own_box.run("time.sleep(0.05)").body, "the late line")
