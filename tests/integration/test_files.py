"""New and changed files as links, and reading them as resources."""

import os
import statistics
import time

import pytest


def names(result):
    return sorted(li["name"] for li in result.links)


def test_new_file_is_linked_and_readable(server):
    result = server.run("open('report.csv', 'w').write('a,b\\n1,2\\n')\nNone")
    assert names(result) == ["report.csv"]
    link = result.links[0]
    assert link["size"] == 8 and link["mimeType"] == "text/csv"
    assert link["uri"] == f"cellblock://{result.session}/report.csv"
    assert server.read(link["uri"]) == b"a,b\n1,2\n"
    assert result.status_line.endswith("new: report.csv 8 B]")


def test_changed_file_is_linked(server):
    server.run("open('a.txt', 'w').write('one')")
    assert names(server.run("1")) == []
    result = server.run("open('a.txt', 'a').write(' two'); None")
    assert names(result) == ["a.txt"] and "changed: a.txt" in result.status_line
    assert server.read(result.links[0]["uri"]) == b"one two"


def test_same_size_change_renames_and_removals(server):
    server.run("open('a.txt', 'w').write('one')")
    assert names(server.run("open('a.txt', 'w').write('two'); None")) == ["a.txt"]
    assert names(server.run("import os; os.rename('a.txt', 'b.txt')")) == ["b.txt"]
    assert names(server.run("os.remove('b.txt')")) == []
    assert names(server.run("open('c', 'w').close(); os.remove('c')")) == []


def test_reading_a_file_is_no_change(server, work):
    (work / "there.txt").write_text("x")
    assert names(server.run("open('there.txt').read()")) == []


def test_files_that_were_there_before(server, work):
    (work / "old.txt").write_text("x")
    result = server.run("open('old.txt', 'w').write('new content'); None")
    assert names(result) == ["old.txt"] and "changed: old.txt" in result.status_line


def test_files_in_folders(server):
    result = server.run("import os\nos.makedirs('out/deep')\nopen('out/deep/x.json', 'w').write('{}')\nNone")
    assert any(li["uri"].endswith("/out/deep/x.json") for li in result.links)
    assert server.read(next(li["uri"] for li in result.links)) == b"{}"
    result = server.run("open('out/deep/y.json', 'w').write('{}'); None")
    assert any(li["uri"].endswith("/out/deep/y.json") for li in result.links)


def test_files_of_a_subprocess_and_of_c(server):
    assert names(server.run("import subprocess; subprocess.run('echo hi > sub.txt', shell=True)")) == ["sub.txt"]
    assert names(server.run("!echo hi > bang.txt")) == ["bang.txt"]


def test_chdir_does_not_confuse(server, work):
    result = server.run("import os\nos.mkdir('d')\nos.chdir('d')\nopen('inside.txt', 'w').write('x')\nNone")
    assert any(li["uri"].endswith("/d/inside.txt") for li in result.links)
    result = server.run("open('again.txt', 'w').write('x'); None")
    assert any(li["uri"].endswith("/d/again.txt") for li in result.links)
    assert (work / "d" / "again.txt").exists()


@pytest.mark.parametrize(
    "name",
    [
        "a b.txt",
        "é😀.txt",
        "100%.txt",
        "a#b?c.txt",
        "%41.txt",
        "a\\b.txt",
        "'q\".txt",
        "a+b&c.txt",
        "-dash",
        ".hidden.txt",
        "x" * 200,
        "line\nbreak.txt",
        "tab\t.txt",
    ],
    ids=repr,
)
def test_odd_names_round_trip(server, name):
    result = server.run(f"open({name!r}, 'w').write('content of it'); None")
    assert len(result.links) == 1, result
    assert server.read(result.links[0]["uri"]) == b"content of it"


def test_uris_as_python_1_normalises_them(server):
    """It turns a space into %20 and é into %C3%A9; others leave them."""
    session = server.run("open('a é.txt', 'w').write('x')").session
    for tail in ("a%20%C3%A9.txt", "a é.txt", "a%20%c3%a9.txt", "%61%20%C3%A9.txt"):
        assert server.read(f"cellblock://{session}/{tail}") == b"x"


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "link",
        "dirlink/secret",
        "a/../../secret",
        "./../secret",
        "fifo",
        "dir",
        "",
        ".",
        "none.txt",
        "a%00b",
        "%",
        "%zz",
        ".cellblock/../../secret",
        "//secret",
        "dev",
    ],
)
def test_paths_are_confined(server, work, path):
    (work.parent / "secret").write_text("do not read")
    session = server.run(
        "import os\nos.symlink('../secret', 'link')\nos.symlink('..', 'dirlink')\nos.mkfifo('fifo')\n"
        "os.mkdir('dir')\nos.symlink('/dev/zero', 'dev')"
    ).session
    answer = server.ask("resources/read", {"uri": f"cellblock://{session}/{path}"})
    assert "error" in answer and answer["error"]["code"] in (-32002, -32602, -32603), answer
    assert "do not read" not in str(answer)
    assert server.ask("ping")["result"] == {}


def test_symlink_inside_is_read(server):
    session = server.run("import os\nopen('real.txt', 'w').write('x')\nos.symlink('real.txt', 'alias.txt')").session
    assert server.read(f"cellblock://{session}/alias.txt") == b"x"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "x",
        "cellblock://",
        "cellblock:///x",
        "cellblock://nosuch/x",
        "file:///etc/passwd",
        "http://127.0.0.1/",
        "cellblock:" + "/" * 5000,
        "\x00",
        "CELLBLOCK://x/y",
    ],
)
def test_other_uris_are_not_found(server, uri):
    answer = server.ask("resources/read", {"uri": uri})
    assert answer["error"]["code"] in (-32002, -32602)
    if answer["error"]["code"] == -32002:
        assert answer["error"]["data"]["uri"] == uri


def test_not_found_code_by_era(server):
    uri = f"cellblock://{server.run('1').session}/none.txt"
    assert server.ask("resources/read", {"uri": uri})["error"]["code"] == -32002
    error = server.wait(server.modern("resources/read", {"uri": uri}))["error"]
    assert error["code"] == -32602 and error["data"]["uri"] == uri


def test_read_without_uri(server):
    for params in (None, {}, {"uri": 5}, {"uri": None}):
        assert server.ask("resources/read", params)["error"]["code"] == -32602


def test_binary_and_large_files(server):
    result = server.run(
        "open('b.bin', 'wb').write(bytes(range(256)) * 4)\nopen('big.bin', 'wb').write(bytes(6 << 20))\n"
        "open('huge.bin', 'wb').write(bytes(9 << 20)); open('empty.txt', 'w').close()"
    )
    uris = {li["name"]: li["uri"] for li in result.links}
    assert server.read(uris["b.bin"]) == bytes(range(256)) * 4
    assert server.read(uris["big.bin"]) == bytes(6 << 20)
    assert server.read(uris["empty.txt"]) == b""
    error = server.ask("resources/read", {"uri": uris["huge.bin"]})["error"]
    assert "MiB" in error["message"] or "MB" in error["message"]
    assert "execute_python" in error["message"] or "code" in error["message"]  # what else works


def test_text_that_is_no_utf8_is_a_blob(server):
    result = server.run("open('latin.txt', 'wb').write(b'caf\\xe9\\n')\nNone")
    assert server.read(result.links[0]["uri"]) == b"caf\xe9\n"


def test_resources_in_both_eras(server):
    session = server.run("open('r.txt', 'w').write('x')\nNone").session
    uri = f"cellblock://{session}/r.txt"
    assert "resources" in server.initialize()["capabilities"]
    listed = server.ask("resources/list")["result"]["resources"]
    assert all(r["uri"].startswith("cellblock://") and r["name"] for r in listed)
    templates = server.ask("resources/templates/list")["result"]["resourceTemplates"]
    assert templates and templates[0]["uriTemplate"].startswith("cellblock://")
    modern = server.wait(server.modern("resources/read", {"uri": uri}))["result"]
    assert modern["resultType"] == "complete" and modern["cacheScope"] == "private"
    assert modern["ttlMs"] == 0 and modern["contents"][0]["text"] == "x"
    legacy = server.ask("resources/read", {"uri": uri})["result"]
    assert "ttlMs" not in legacy and legacy["contents"][0]["mimeType"] == "text/plain"


def test_many_new_files(server):
    result = server.run("for i in range(500): open(f'f{i:03}.txt', 'w').write('x')")
    assert 1 <= len(result.links) <= 20
    assert "4" in result.status_line or "more" in result.text
    assert len(result.status_line) < 400


def test_venv_and_caches_are_no_new_files(server, work):
    (work / "mod.py").write_text("x = 1")
    result = server.run(
        "import mod, os\nos.makedirs('.git/objects'); open('.git/objects/x', 'w').close()\n"
        "os.makedirs('.venv/lib'); open('.venv/lib/x.py', 'w').close()\n"
        "os.makedirs('node_modules/x'); open('node_modules/x/y.js', 'w').close()\nmod.x"
    )
    assert names(result) == []


def test_large_directory_is_not_slower(server, tmp_path, spawn):
    """200,000 files in the working directory: a call takes as long as in an empty one (within noise)."""
    crowded = tmp_path / "crowded"
    for d in range(200):
        folder = crowded / f"d{d:03}"
        folder.mkdir(parents=True)
        (folder / "f0").touch()
        for i in range(1, 1000):
            os.link(folder / "f0", folder / f"f{i}")  # names are what counts, and are made faster than files
    other = spawn(cwd=crowded)
    other.initialize()
    for s in (server, other):
        s.run("1")

    def median(s):
        times = []
        for i in range(30):
            start = time.perf_counter()
            s.run("1+1")
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    ratios = []
    for _ in range(3):
        ratios.append(median(other) / median(server))
        if ratios[-1] < 3:
            break
    assert min(ratios) < 3, ratios
    assert names(other.run("open('new.txt', 'w').write('x'); None")) == ["new.txt"]


def test_workdir_that_vanishes(spawn, tmp_path):
    import shutil

    gone = tmp_path / "gone"
    gone.mkdir()
    s = spawn(cwd=gone)
    s.initialize()
    s.run("x = 1")
    shutil.rmtree(gone)
    result = s.run("x")
    assert result.text and s.ask("ping")["result"] == {}


def test_runtime_files_are_private_and_go(server, spawn):
    """What the server keeps for its sessions is readable by its user only, and gone at its end."""
    result = server.run("print('x' * 100000)\nimport os")
    import re

    path = re.search(r"(/\S*\.?cellblock\S*/\S+)", result.text)
    if path:
        folder = os.path.dirname(path.group(1))
        assert os.stat(folder).st_mode & 0o077 == 0, oct(os.stat(folder).st_mode)
    before = set(os.listdir("/tmp"))
    server.close()
    left = [n for n in os.listdir("/tmp") if "cellblock" in n and n in before and str(server.pid) in n]
    assert not left
