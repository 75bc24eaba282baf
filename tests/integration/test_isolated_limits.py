"""Limits of isolated sessions: each is met with an ordinary error or a result that says so, and by one session only."""

import os

import pytest

from boxfixtures import box, can_isolate, own_box, own_place, own_start, place, start  # noqa: F401


def ends_with(result, *words):
    assert any(word in result.text for word in words), result


def test_fork_bomb(box):
    result = box.run(
        "import errno, os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "        n += 1\nexcept OSError as e: print(n < 260, errno.errorcode[e.errno])"
    )
    assert result.body == "True EAGAIN"
    assert box.run("1+1", session="new").body == "2"
    # In a full session everything but new processes works, and a fresh kernel helps.
    assert box.run("sum(range(10))").body == "45"
    box.run("os._exit(1)")
    assert "0" in box.run("import subprocess; subprocess.run(['true']).returncode").body


def test_thread_bomb(box):
    result = box.run(
        "import threading, time\nstop = threading.Event()\nn = 0\ntry:\n    while True:\n"
        "        threading.Thread(target=stop.wait, daemon=True).start(); n += 1\n"
        "except RuntimeError as e: print(n < 260, e)"
    )
    assert result.body.startswith("True can't start new thread")
    assert "2" in box.run("stop.set()\n1+1").body


def test_exponential_fork_bomb(own_start):
    """Nobody waits for anybody; the time limit and the end of the session come through."""
    server = own_start("--max-sessions", "3")
    other = server.run("x = 1", session="new").session
    call = server.begin("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", session="new", timeout=1)
    for _ in range(20):
        assert server.run("x", session=other).body == "1"
    result = server.result(call)
    assert result.meta["status"] in ("timeout", "died"), result
    assert "2" in server.run("1+1", session=result.session).body
    for _ in range(2):
        assert server.run("1+1", session="new").body == "2"


def test_descriptors(box):
    result = box.run("keep = []\ntry:\n    while True: keep.append(open('/dev/null'))\n"
                     "except OSError as e: print(len(keep) < 1024, e.strerror)")  # fmt: skip
    assert result.body == "True Too many open files"
    # Even then results come; and so they do when everything is closed again.
    assert box.run("print(1+1)").body == "2"
    assert box.run("del keep; 1+1").body == "2"


def test_file_size(own_start):
    server = own_start("--max-file-size", "1m")
    result = server.run("f = open('f', 'wb')\ntry:\n    while True: f.write(bytes(1 << 16)); f.flush()\n"
                        "except OSError as e: print(e.strerror, f.tell())")  # fmt: skip
    assert result.body == f"File too large {1 << 20}"
    died = server.run("import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\nos = __import__('os')\n"
                      "fd = os.open('g', os.O_CREAT | os.O_WRONLY)\nwhile True: os.write(fd, bytes(1 << 16))")  # fmt: skip
    assert died.meta["signal"] == 25
    assert "2" in server.run("1+1").body


@pytest.mark.parametrize("where", ["/workspace", "/tmp", "/dev/shm"])
def test_space(own_start, where):
    server = own_start("--workspace-size", "4m", "--tmp-size", "4m")
    result = server.run(f"import os\nf = open('{where}/f', 'wb')\ntry:\n    while True: f.write(bytes(1 << 16)); f.flush()\n"
                        "except OSError as e: print(e.strerror, f.tell() <= 4 << 20)")  # fmt: skip
    assert result.body == "No space left on device True"
    assert server.run(f"os.remove('{where}/f')\nf.close()\nopen('{where}/g', 'wb').write(bytes(1 << 20))").body
    assert server.run("print('z' * 100000)").meta["output_bytes"] == 100001


@pytest.mark.parametrize("where", ["/workspace", "/tmp", "/dev/shm"])
def test_inodes(own_box, where):
    result = own_box.run(f"import os\nos.mkdir('{where}/d')\ntry:\n    for n in range(70000): os.mknod('{where}/d/%d' % n)\n"
                         "except OSError as e: print(e.strerror, n < 65536)", timeout=60)  # fmt: skip
    assert result.body == "No space left on device True"
    assert own_box.run("print('z' * 100000); 1+1").body.splitlines()[-1] == "2"
    own_box.run(f"import shutil; shutil.rmtree('{where}/d')")
    assert own_box.run(f"open('{where}/g', 'wb').write(b'1')").body == "1"


def test_memory(own_start):
    server = own_start("--memory", "256m")
    other = server.run("x = 1", session="new").session
    result = server.run("try: data = bytearray(900 << 20)\nexcept MemoryError as e: print('MemoryError')\n1+1", session="new")
    assert result.body.split()[0] in ("MemoryError", "2") or result.meta.get("signal") == 9, result
    result = server.run("keep = []\nwhile True: keep.append(bytearray(1 << 22))", session="new")
    if result.meta.get("signal"):
        ends_with(result, "--memory")
    else:
        assert "MemoryError" in result.text
        assert server.run("del keep; 1+1", session=result.session).body == "2"
    assert server.run("x", session=other).body == "1"
    assert "2" in server.run("1+1", session=result.session).body


MORE_MEMORY = {
    "memfds": "import os\nkeep = []\nfor n in range(40):\n    fd = os.memfd_create('x'); keep.append(fd)\n"
    "    for m in range(25): os.write(fd, bytes(1 << 20))",
    "files in /dev/shm": "for n in range(6):\n    with open(f'/dev/shm/{n}', 'wb') as f:\n"
    "        for m in range(80): f.write(bytes(1 << 20))",
    "processes": "import os, time\nfor n in range(8):\n    if os.fork() == 0:\n        data = bytearray(os.urandom(1 << 20)) * 100\n"
    "        time.sleep(2); os._exit(0)\ntry:\n    while True: os.wait()\nexcept ChildProcessError: pass",
    "pipes": "import os, fcntl\nfor n in range(400):\n    r, w = os.pipe()\n    fcntl.fcntl(w, 1031, 1 << 20)\n"
    "    os.set_blocking(w, False); os.write(w, bytes(1 << 20))",
    "sockets": "import socket\nfor n in range(400):\n    a, b = socket.socketpair(); a.setblocking(False)\n"
    "    a.setsockopt(1, 7, 1 << 23)\n    try:\n        while True: a.send(bytes(1 << 16))\n    except OSError: pass\n"
    "    globals()[f'k{n}'] = a, b",
}


@pytest.mark.parametrize("kind", MORE_MEMORY)
def test_memory_of_other_kinds(own_start, kind):
    """What RLIMIT_DATA does not count: with a control group the session is stopped, or it stays within other limits."""
    server = own_start("--memory", "256m")
    result = server.run(MORE_MEMORY[kind], session="new", timeout=20)
    if result.meta["isolation"]["memory_limit"] == "session" and kind in ("memfds", "processes"):
        ends_with(result, "--memory", "out of memory", "No space", "MemoryError")
    assert "2" in server.run("1+1", session=result.session).body or server.run("1+1", session=result.session).body == "2"
    assert server.run("1+1", session="new").body == "2"


def test_processor_time(own_start):
    server = own_start("--cpu-time", "1")
    result = server.run("while True: pass", timeout=60)
    assert result.meta["status"] == "died" and "--cpu-time" in result.text, result
    assert "2" in server.run("1+1").body


def test_open_files_and_processes_can_be_set(own_start):
    server = own_start("--open-files", "64", "--processes", "8")
    assert server.run("import resource; print(resource.getrlimit(7), resource.getrlimit(6))").body == "(64, 64) (8, 8)"
    assert "EAGAIN" in server.run(
        "import errno, os, time\ntry:\n    for n in range(20):\n        if os.fork() == 0: time.sleep(9); os._exit(0)\n"
        "except OSError as e: print(errno.errorcode[e.errno])"
    ).body  # fmt: skip
    server.run("keep = []\ntry:\n    while True: keep.append(open('/dev/null'))\nexcept OSError: pass")
    assert server.run("print('x' * 50000)").meta["status"] == "ok"


def test_limits_cannot_be_raised(box):
    result = box.run(
        "import resource\nraised = []\nfor name in dir(resource):\n    if not name.startswith('RLIMIT_'): continue\n"
        "    which = getattr(resource, name); soft, hard = resource.getrlimit(which)\n    if hard == -1: continue\n"
        "    try: resource.setrlimit(which, (hard + 1, hard + 1)); raised.append(name)\n"
        "    except (ValueError, OSError): pass\nraised"
    )
    assert result.body == "[]"


# ---- what the kernel counts by user, of which there is one for all sandboxes of an ordinary user ----

SHARED = {
    "inotify instances": "import ctypes\nlibc = ctypes.CDLL(None)\nwhile libc.inotify_init1(0) >= 0: pass",
    "descriptors in flight": """
import array, os, socket
fd = os.open('/dev/null', 0)
keep = []
try:
    while True:
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); keep += [a, b]; a.setblocking(False)
        try:
            while True: a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd] * 253))])
        except BlockingIOError: pass
except OSError: pass
""",
    "pipe pages": "import fcntl, os\nkeep = []\ntry:\n    while True:\n        r, w = os.pipe(); keep += [r, w]\n"
    "        fcntl.fcntl(w, 1031, 1 << 20)\nexcept OSError: pass",
    "pending signals": "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(34, 60))\n"
    "try:\n    while True: signal.pidfd_send_signal(os.pidfd_open(os.getpid()), 40)\nexcept OSError: pass",
    "timers": "import ctypes\nlibc = ctypes.CDLL(None)\nt = ctypes.c_void_p()\n"
    "while libc.timer_create(1, None, ctypes.byref(t)) == 0: pass",
    "locked memory": "import ctypes, mmap\nlibc = ctypes.CDLL(None)\nlibc.mlockall(3)",
    "processes": "import os, time\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(30); os._exit(0)\nexcept OSError: pass",
    "threads": "import threading\nstop = threading.Event()\ntry:\n    while True: threading.Thread(target=stop.wait, daemon=True).start()\n"
    "except RuntimeError: pass",
    "ports": "import socket\nkeep = []\ntry:\n    while True:\n        s = socket.socket(); s.bind(('127.0.0.1', 0)); keep.append(s)\n"
    "except OSError: pass",
    "locks": "import fcntl, glob\nkeep = []\ntry:\n    for path in glob.glob('/usr/bin/*'):\n        f = open(path, 'rb'); keep.append(f)\n"
    "        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError: pass",
}


def plenty(server):
    """What a session needs that works: processes, pipes, sockets, threads, files, watches."""
    return server.run(
        "import asyncio, ctypes, socket, subprocess, threading\n"
        "async def main():\n    p = await asyncio.create_subprocess_exec('echo', 'hi', stdout=asyncio.subprocess.PIPE)\n"
        "    return (await p.communicate())[0]\n"
        "assert asyncio.run(main()) == b'hi\\n'\n"
        "t = threading.Thread(target=print); t.start(); t.join()\n"
        "s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname())\n"
        "a, b = socket.socketpair(); a.send(b'x'); b.recv(1)\n"  # descriptors in flight are counted by user
        "import signal; signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "open('f', 'w').write('1'); 'all'",
        session="new",
    )


@pytest.mark.parametrize("what", SHARED)
def test_one_session_does_not_use_up_what_all_share(start, place, what):
    """A limit of 1024 open files is what a login usually has."""
    server = start(prefix=["prlimit", "--nofile=1024:"])
    hog = server.run(SHARED[what], session="new", timeout=5)
    for _ in range(3):
        result = plenty(server)
        assert result.body.splitlines()[-1] == "'all'", result
    assert server.run("1+1", session=hog.session).meta["status"] in ("ok", "error", "died")


def test_inotify_is_left_for_others(start, place):
    """Also outside of sandboxes: the user's editor needs it."""
    import ctypes

    server = start()
    for _ in range(3):
        server.run(SHARED["inotify instances"], session="new")
    libc = ctypes.CDLL(None)
    pid = os.fork()
    if pid == 0:
        if place.uid != os.geteuid():
            os.setgroups([])
            os.setresuid(place.uid, place.uid, place.uid)
        os._exit(0 if libc.inotify_init1(0) >= 0 else 1)
    assert os.waitpid(pid, 0)[1] == 0
