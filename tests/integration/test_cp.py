"""cellblock cp: files of running sessions, out and in, and what hostile sessions make of it."""

import os

import pytest

from cptools import bad, cli, good, isolation, local_server, mode, server, tmp  # noqa: F401


# ---- files ----


def test_file_out(server, cli):
    code = "open('a.bin', 'wb').write(bytes(range(256)) * 4096); import os; os.mkdir('sub'); open('sub/b', 'w').write('b')"
    session = server.run(code).session
    good(cli("cp", f"{session}:a.bin", "x.bin"))
    assert (cli.here / "x.bin").read_bytes() == bytes(range(256)) * 4096
    (cli.here / "dir").mkdir()
    good(cli("cp", f"{session}:sub/b", "dir"))
    assert (cli.here / "dir" / "b").read_text() == "b"
    assert good(cli("cp", f"{session}:./sub/../sub/b", "-")).stdout == "b"
    assert good(cli("cp", f"{session}:a.bin", "-", text=False)).stdout == bytes(range(256)) * 4096
    (cli.here / "x.bin").write_text("longer than what comes" * 100)
    good(cli("cp", f"{session}:sub/b", cli.here / "x.bin"))
    assert (cli.here / "x.bin").read_text() == "b"


def test_path_as_the_code_sees_it(server, cli):
    result = server.run("import os; open('a', 'w').write('absolute'); os.path.abspath('a')")
    path = result.body.strip().strip("'")
    assert path.startswith("/")
    assert good(cli("cp", f"{result.session}:{path}", "-")).stdout == "absolute"


def test_file_in(server, cli):
    session = server.run("import os; os.mkdir('sub')").session
    (cli.here / "data.csv").write_bytes(b"1,2\0\xff\n" * 50000)
    good(cli("cp", "data.csv", f"{session}:"))
    good(cli("cp", "data.csv", f"{session}:sub"))
    good(cli("cp", cli.here / "data.csv", f"{session}:sub/named"))
    good(cli("cp", "-", f"{session}:typed", stdin="from stdin"))
    code = """
    for path in "data.csv", "sub/data.csv", "sub/named":
        assert open(path, "rb").read() == b"1,2\\0\\xff\\n" * 50000
        open(path, "a").write("the code may write to it")
        os.remove(path)
    print(open("typed").read())
    """
    assert server.run("if True:" + code, session=session).body.strip() == "from stdin"


def test_file_in_over_another(server, cli):
    session = server.run("open('a', 'w').write('much longer than the new one')").session
    good(cli("cp", "-", f"{session}:a", stdin="new"))
    assert server.run("open('a').read()", session=session).body.strip() == "'new'"


def test_output_that_was_cut(server, cli):
    """The whole of it is in a scratch file."""
    result = server.run("print('x' * 50000)")
    path = ".cellblock/" + os.path.basename(result.meta["output_path"])
    out = good(cli("cp", f"{result.session}:{path}", "-")).stdout
    assert out.count("x") == 50000


# ---- directories ----


def test_directory_out(server, cli):
    session = server.run(
        "import os\nos.makedirs('d/e/f')\nopen('d/e/f/g', 'w').write('deep')\nopen('d/x', 'w').write('x')\n"
        "os.chmod('d/x', 0o4755)\nos.symlink('/etc/passwd', 'd/link')\nos.mkfifo('d/fifo')"
    ).session
    bad(cli("cp", f"{session}:d", "out"), "-r")
    assert not (cli.here / "out").exists()
    done = good(cli("cp", "-r", f"{session}:d", "out"))
    assert "left out 2" in done.stderr
    assert (cli.here / "out" / "e" / "f" / "g").read_text() == "deep"
    assert sorted(p.name for p in (cli.here / "out").iterdir()) == ["e", "x"]
    assert (cli.here / "out" / "x").stat().st_mode & 0o7100 == 0o100
    good(cli("cp", "-r", f"{session}:d", "out"))  # there is one now: into it
    assert (cli.here / "out" / "d" / "x").exists()
    (cli.here / "all").mkdir()
    good(cli("cp", "-r", f"{session}:", "all"))
    assert [p.name for p in (cli.here / "all").iterdir()] == ["d"]


def test_directory_in(server, cli):
    session = server.run("1").session
    (cli.here / "p" / "q").mkdir(parents=True)
    (cli.here / "p" / "q" / "r").write_text("deep")
    (cli.here / "p" / "link").symlink_to("/etc/passwd")
    bad(cli("cp", "p", f"{session}:"), "-r")
    good(cli("cp", "-r", "p", f"{session}:"))
    good(cli("cp", "-r", "p", f"{session}:named"))
    good(cli("cp", "-r", "p/", f"{session}:named"))
    code = (
        "import os, shutil\nprint(open('p/q/r').read(), open('named/q/r').read(), open('named/p/q/r').read())\n"
        "print(os.path.lexists('p/link'))\nopen('p/q/new', 'w').close()\nshutil.rmtree('named')\n"
    )
    assert server.run(code, session=session).body.split() == ["deep", "deep", "deep", "False"]


# ---- errors ----


@pytest.mark.parametrize(
    "args, code, says",
    [
        (["a", "b"], 2, "SESSION:PATH"),
        (["{s}:a", "{s}:b"], 2, "on this machine"),
        (["abc:a", "b"], 2, "cellblock sessions"),
        (["{s}:a", ""], 2, "empty"),
        (["aaaaaa:a", "b"], 1, "cellblock sessions"),
        (["{s}:none", "b"], 1, "none: No such file or directory"),
        (["none", "{s}:b"], 1, "none: No such file or directory"),
        (["{s}:a", "no/such/place"], 1, "no/such/place"),
        (["{s}:a/b", "b"], 1, "Not a directory"),
        (["-", "{s}:no/such/place"], 1, "no/such/place"),
        (["-", "{s}:"], 1, "name the file"),
        (["{s}:../up", "b"], 1, "leads out"),
        (["{s}:/etc/passwd", "b"], 1, "leads out"),
        (["-", "{s}:../up"], 1, "leads out"),
        (["{s}:link", "b"], 1, "leads out"),
        (["{s}:fifo", "b"], 1, "not a regular file"),
        (["-", "{s}:fifo"], 1, "fifo"),
        (["-", "{s}:link"], 1, "link"),
        (["{s}:" + "x" * 5000, "b"], 1, "too long"),
        (["{s}:" + "x/" * 2000, "b"], 1, "x/x/x"),
        (["-r", "-", "{s}:"], 1, "name the file"),
        (["-r", "{s}:", "-"], 1, "stdout"),
        (["-r", "dir", "{s}:a"], 1, "is a file"),
        (["-r", "{s}:dir", "file"], 1, "file"),
    ],
)
def test_errors(server, cli, args, code, says):
    made = "import os; open('a', 'w').close(); os.symlink('/etc/passwd', 'link'); os.mkfifo('fifo'); os.mkdir('dir')"
    session = server.run(made).session
    (cli.here / "dir").mkdir()
    (cli.here / "file").touch()
    bad(cli("cp", *[a.replace("{s}", session) for a in args], stdin=""), says, code=code)
    assert not (cli.here / "b").exists()


def test_same_file(spawn, tmp, cli):
    """In local mode a file can be both ends: it must not be emptied first."""
    s = local_server(spawn, tmp, cwd=cli.here)
    session = s.run("open('a', 'w').write('kept'); import os; os.mkdir('d'); open('d/b', 'w').write('kept')").session
    bad(cli("cp", "a", f"{session}:"), "itself")
    bad(cli("cp", f"{session}:a", "."), "itself")
    bad(cli("cp", "-r", f"{session}:d", "."), "itself")
    bad(cli("cp", "-r", "d", f"{session}:"), "itself")
    assert (cli.here / "a").read_text() == (cli.here / "d" / "b").read_text() == "kept"


def test_full_workspace(spawn, tmp, cli):
    if not isolation():
        pytest.skip("no sandbox can be had here")
    s = spawn("--workspace-size", "1m", local=False, env={"TMPDIR": str(tmp)})
    s.initialize()
    session = s.run("1").session
    bad(cli("cp", "-", f"{session}:big", stdin="x" * (2 << 20)), "No space left")


# ---- hostile sessions ----


def test_hole_does_not_fill_the_disk(server, cli):
    session = server.run("f = open('hole', 'wb'); f.truncate(900 << 20); f.seek(500 << 20); f.write(b'x'); f.close()").session
    good(cli("cp", f"{session}:hole", "."))
    st = (cli.here / "hole").stat()
    assert st.st_size == 900 << 20 and st.st_blocks * 512 < 1 << 20


def test_directory_that_becomes_a_link(server, cli):
    """While it is copied: a name is a directory now, a link to the host's /etc then."""
    code = """if True:
        import os, threading
        os.makedirs('top/a')
        open('top/a/passwd', 'w').write('mine')
        os.symlink('/etc', 'etc')
        stop = False
        def swap():
            while not stop:
                for one, other in (('top/a', 'aside'), ('etc', 'top/a'), ('top/a', 'etc'), ('aside', 'top/a')):
                    os.rename(one, other)
        t = threading.Thread(target=swap)
        t.start()
    """
    session = server.run(code).session
    for i in range(30):
        out = cli.here / f"out{i}"
        cli("cp", "-r", f"{session}:top", out)
        for path in out.rglob("*"):
            assert path.name in ("a", "passwd") and not path.is_symlink()
            assert path.is_dir() or path.read_text() == "mine"
    out = cli("cp", f"{session}:top/a/passwd", "-").stdout
    assert out in ("", "mine")
    server.run("stop = True; t.join()", session=session)


def test_links_in_the_way_in(server, cli, tmp_path):
    """What the session has put where something is to be copied to is not followed out of it."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    code = f"import os; os.makedirs('p/q'); os.symlink({str(victim)!r}, 'p/a'); os.symlink({str(tmp_path)!r}, 'p/d')"
    session = server.run(code).session
    (cli.here / "p" / "d").mkdir(parents=True)
    (cli.here / "p" / "a").write_text("x")
    (cli.here / "p" / "d" / "b").write_text("x")
    (cli.here / "p" / "q").write_text("x")
    done = cli("cp", "-r", "p", f"{session}:")
    assert done.returncode == 1 and done.stderr.count("symbolic link") == 2, done
    assert victim.read_text() == "untouched" and not (tmp_path / "b").exists()
