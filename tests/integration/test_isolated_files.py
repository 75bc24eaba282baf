"""Files of isolated sessions: how long they live, and how they come out whatever the code has made of them."""

import os

import pytest

from boxfixtures import box, can_isolate, own_box, own_place, own_start, place, start  # noqa: F401
from boxtools import poll
from rawclient import alive, descendants, processes_with

LONG = "for n in range(9000): print(f'line {n:05}')"
WHOLE = "".join(f"line {n:05}\n" for n in range(9000)).encode()


def uri(result, path):
    return f"cellblock://{result.session}/{path}"


def refused(server, address):
    answer = server.ask("resources/read", {"uri": address})
    assert "error" in answer, answer
    return answer["error"]


# ---- how long ----


def test_files_outlive_the_kernel(box):
    box.run("x = 1\nopen('kept.txt', 'w').write('here')\nopen('/tmp/t', 'w').write('1')\nopen('/dev/shm/s', 'w')")
    died = box.run("import os; os.kill(os.getpid(), 9)")
    assert died.is_error and "files are kept" in died.text and not died.meta["variables_kept"]
    again = box.run("import os\nprint(open('kept.txt').read(), os.path.exists('/tmp/t'), 'x' in globals())")
    assert again.body.splitlines()[0] == "here True False" and "fresh Python" in again.text
    assert box.read(uri(again, "kept.txt")) == b"here"
    assert "fresh" not in box.run("1").text


def test_processes_of_the_earlier_kernel_end(box, word):
    """One that left its parent and its session too: it would go on writing into files of the session."""
    box.run(
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.execvp('sh', ['sh', '-c', 'trap \"\" TERM INT HUP; while :; do sleep 0.02; echo >> beats; done; : {word}'])\n"
        "    os._exit(0)\ntime.sleep(0.2)\nos.path.getsize('beats') > 0"
    )
    assert processes_with(word)
    box.run("os._exit(3)")
    box.run("import os, time\na = os.path.getsize('beats')")
    assert box.run("time.sleep(0.2)\nos.path.getsize('beats') - a").body == "0"
    assert not processes_with(word)


def test_daemon_ends_with_its_session(start, word):
    server = start("--max-sessions", "2")
    first = server.run(f"import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 1000; : {word}'], "
                       "start_new_session=True)\nopen('f', 'w').write('1')", session="new")  # fmt: skip
    poll(lambda: processes_with(word), "the process to be seen")  # exec tells its parent before it shows its arguments
    for _ in range(2):
        server.run("1", session="new")
    poll(lambda: not processes_with(word), "the process to be gone")
    refused(server, uri(first, "f"))
    ended = server.run("1", session=first.session)
    assert ended.is_error and first.session in ended.text


def test_nothing_persists(box):
    for _ in range(3):
        seen = box.run("import os\nfound = [f for d in ('.', '/tmp', '/dev/shm') for f in os.listdir(d)]\n"
                       "for d in ('.', '/tmp', '/dev/shm'): open(d + '/left', 'w')\nfound", session="new")  # fmt: skip
        assert seen.body in ("[]", "['.cellblock']")


def test_many_crashes(own_box):
    own_box.run("open('n', 'w').write('0')")
    for n in range(15):
        own_box.run(f"open('n', 'a').write(' {n + 1}')\nimport os; os.abort()")
    assert own_box.run("open('n').read()").body.splitlines()[0] == repr(" ".join(map(str, range(16))))


# ---- resources ----


def test_new_files_are_told_once(box):
    first = box.run("open('a.csv', 'w').write('1,2')")
    assert [link["uri"] for link in first.links] == [uri(first, "a.csv")] and "new: a.csv 3 B" in first.text
    assert box.read(first.links[0]["uri"]) == b"1,2"
    again = box.run("1")
    assert not again.links and "a.csv" not in again.text
    assert "a.csv" not in box.run("open('a.csv').read()").status_line
    # A file system's clock may have ticks of 10 ms: what changes within one looks like no change.
    box.run("import time; time.sleep(0.02)")
    changed = box.run("open('a.csv', 'a').write(',3')")
    assert "changed: a.csv 5 B" in changed.text
    listed = box.ask("resources/list")["result"]["resources"]
    assert [r["uri"] for r in listed] == [uri(first, "a.csv")]
    box.run("import os; os.remove('a.csv')")
    assert not box.ask("resources/list")["result"]["resources"]


def test_files_below_directories(own_box):
    result = own_box.run("import os\nos.makedirs('a/b')\nopen('a/b/c.bin', 'wb').write(bytes(range(256)))")
    assert own_box.read(uri(result, "a/b/c.bin")) == bytes(range(256))
    refused(own_box, uri(result, "a"))
    refused(own_box, uri(result, "a/b/none"))


@pytest.mark.parametrize(
    "target", ["/etc/hostname", "/etc/passwd", "../../../../etc/hostname", "/proc/self/environ", "/proc/1/root/etc/passwd"]
)
def test_links_lead_nowhere(own_box, target):
    """Neither into the host, as the server sees the path, nor into the sandbox's system."""
    result = own_box.run(f"import os\nos.symlink({target!r}, 'link')\nos.symlink({os.path.dirname(target)!r}, 'dir')")
    refused(own_box, uri(result, "link"))
    refused(own_box, uri(result, "dir/" + os.path.basename(target)))
    assert not own_box.ask("resources/list")["result"]["resources"]


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/passwd", "..", ".", "", "%2e%2e/etc/passwd", "a/../../etc/passwd",
                                  "//etc/passwd", "..%2fetc/passwd", ".cellblock/../../etc/passwd"])  # fmt: skip
def test_paths_that_climb(own_box, path):
    result = own_box.run("import os; os.mkdir('a')")
    refused(own_box, uri(result, path))


def test_a_fifo_does_not_block(own_box):
    result = own_box.run("import os, socket\nos.mkfifo('fifo')\ns = socket.socket(socket.AF_UNIX)\ns.bind('sock')")
    refused(own_box, uri(result, "fifo"))
    refused(own_box, uri(result, "sock"))
    assert own_box.run("1").body == "1"


def test_a_file_that_is_exchanged_all_the_time(own_box):
    """Against a server that looks first and opens then."""
    result = own_box.run(
        "import os, threading\nopen('f', 'w').write('inside')\nos.symlink('/etc/hostname', 'l')\nrun = True\n"
        "def swap():\n    while run:\n        for name in 'fl':\n            os.link(name, 'x', follow_symlinks=False)\n"
        "            os.rename('x', 'now') if not os.path.lexists('now') else os.replace('x', 'now')\n"
        "            os.path.lexists('x') and os.unlink('x')\n"
        "t = threading.Thread(target=swap, daemon=True); t.start()"
    )
    hostname = open("/etc/hostname", "rb").read()
    for _ in range(300):
        answer = own_box.ask("resources/read", {"uri": uri(result, "now")})
        assert "error" in answer or answer["result"]["contents"][0]["text"] == "inside" != hostname.decode()
    own_box.run("run = False")


def test_a_sparse_giant(own_box):
    result = own_box.run("f = open('giant', 'wb'); f.truncate(900 << 20)")
    assert "parts" in refused(own_box, uri(result, "giant"))["message"]


@pytest.mark.parametrize("name", [b"new\nline", b"\xff\xfe", b"a%2e\x01", "snow ☃".encode(), b"]: [x](y)", b"x" * 255,
                                  b"quote\"'\\", b" "])  # fmt: skip
def test_names_of_files(own_box, name):
    result = own_box.run(f"open({name!r}, 'w').write('1')")
    assert not result.is_error and len(result.links) == 1
    assert own_box.read(result.links[0]["uri"]) == b"1"
    assert result.text.count("\n") <= 1, result.text  # a name cannot forge lines
    assert own_box.ask("resources/list")["result"]["resources"][0]["uri"] == result.links[0]["uri"]


def test_many_files_and_deep_directories(own_box):
    result = own_box.run("for n in range(30000): open(f'f{n}', 'w')", patience=60)
    assert len(result.links) <= 20 and "more" in result.text
    assert own_box.run("1+1").body == "2"
    own_box.run("import os\nfor n in range(2000):\n    os.mkdir('d' * 100)\n    os.chdir('d' * 100)")
    assert own_box.run("open('deep', 'w').write('x'); 1+1").body == "2"


# ---- the session's own directory ----

SPOIL = {
    "nothing": "",
    "removed": "import shutil; shutil.rmtree('.cellblock', ignore_errors=True)",
    "link out": "import os, shutil; shutil.rmtree('.cellblock', ignore_errors=True); os.symlink('/etc', '.cellblock')",
    "link to a file": "import os, shutil; shutil.rmtree('.cellblock', ignore_errors=True); open('f', 'w').write('mine'); "
    "os.symlink('f', '.cellblock')",
    "link to itself": "import os, shutil; shutil.rmtree('.cellblock', ignore_errors=True); "
    "os.symlink('.cellblock', '.cellblock')",
    "fifo": "import os, shutil; shutil.rmtree('.cellblock', ignore_errors=True); os.mkfifo('.cellblock')",
    "file": "import os, shutil; shutil.rmtree('.cellblock', ignore_errors=True); open('.cellblock', 'w').write('mine')",
    "not writable": "import os; os.makedirs('.cellblock', exist_ok=True); os.chmod('.cellblock', 0)",
    "outputs are links": "import os; os.makedirs('.cellblock', exist_ok=True); open('f', 'w').write('mine')\n"
    "for n in range(9): os.symlink('../f', f'.cellblock/output-{n}.txt')",
    "outputs are fifos": "import os; os.makedirs('.cellblock', exist_ok=True)\n"
    "for n in range(9): os.mkfifo(f'.cellblock/output-{n}.txt')",
    "outputs are directories": "import os; os.makedirs('.cellblock', exist_ok=True)\n"
    "for n in range(9): os.mkdir(f'.cellblock/output-{n}.txt')",
}


@pytest.mark.parametrize("before", [False, True], ids=["in the same cell", "in a cell before"])
@pytest.mark.parametrize("spoil", SPOIL)
def test_whole_output(own_box, spoil, before):
    """Whatever lies where the server would put it: the text is whole, or it is said that it is not; nothing hangs."""
    if before:
        own_box.run(SPOIL[spoil])
    result = own_box.run(LONG if before else SPOIL[spoil] + "\n" + LONG)
    assert not result.is_error and "line 00000" in result.text and "line 08999" in result.text
    path = result.meta.get("output_path")
    if spoil in ("nothing", "removed"):
        assert path
    if path:
        assert path.startswith("/workspace/.cellblock/")
        own_box.run("os.chmod('.cellblock', 0o755)" if spoil == "not writable" else "1")
        read = own_box.run(f"import os\nwhole = open({path!r}).read(); len(whole)")
        assert str(len(WHOLE)) in read.body, read
        assert own_box.read(uri(result, path.removeprefix("/workspace/"))) == WHOLE
    if "link" in spoil and "itself" not in spoil and spoil != "link out":
        assert own_box.run("open('f').read()").body == "'mine'"  # not written through
    assert own_box.run("1+1").body == "2"


def test_a_full_workspace_and_a_long_output(own_start):
    server = own_start("--workspace-size", "1m")
    filled = server.run("f = open('fill', 'wb')\ntry:\n    while True: f.write(bytes(1 << 16)); f.flush()\n"
                        "except OSError as e: print(e.strerror)")  # fmt: skip
    assert "No space left on device" in filled.body
    result = server.run(LONG)
    assert "line 00000" in result.text and "line 08999" in result.text
    if "output_path" in result.meta:
        assert server.run(f"len(open({result.meta['output_path']!r}).read())").body == str(len(WHOLE))


def test_files_of_a_killed_sandbox_are_lost(own_box):
    """Its first process: everything in it goes, and the session is told so."""
    result = own_box.run("x = 1\nopen('f', 'w').write('1')")
    other = own_box.run("open('g', 'w').write('2')", session="new")
    inits = [p for p in descendants(own_box.pid) if alive(p) and "cellblock-init" in open(f"/proc/{p}/comm").read()]
    victim = [p for p in inits if os.path.exists(f"/proc/{p}/root/workspace/f")] if os.geteuid() == 0 else inits
    for pid in victim:
        os.kill(pid, 9)
    poll(lambda: not any(alive(pid) for pid in victim), "the end of the sandbox")
    again = own_box.run("import os; os.listdir('.')", session=result.session)
    assert "variables, imports and files of earlier calls are lost" in again.text, again
    refused(own_box, uri(result, "f"))
    assert own_box.run("2+2", session=result.session).body == "4"
    if os.geteuid() == 0:
        assert own_box.run("open('g').read()", session=other.session).body == "'2'"
