"""Packages in isolated sessions beside those of the base environment; what happens to them when something dies."""

import io
import os
import re
import signal
import subprocess
import sys
import zipfile

import pytest

from boxfixtures import can_isolate, own_place, place  # noqa: F401
from boxtools import SYSTEM_PYTHON, named
from layertools import both, index, install, shop  # noqa: F401
from rawclient import alive, descendants, poll
from test_isolated_ends import builder, works_again
from test_layers import module
from toyindex import make_wheel


def unpack(made, site):
    zipfile.ZipFile(io.BytesIO(made[1])).extractall(site)


@pytest.fixture
def base(own_place):  # noqa: F811
    """An environment with toy-dep 1.0 and toy-low 1.0 in it; returns its interpreter."""
    venv = own_place.root / "base"
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", venv], check=True)
    site = next((venv / "lib").glob("python*/site-packages"))
    unpack(make_wheel("toy-dep", "1.0"), site)
    unpack(make_wheel("toy-old", "1.0"), site)
    return str(venv / "bin" / "python")


def test_what_the_base_has_is_used(both, base):
    server = both.serve(python=base)
    asked = len(both.index.requests)
    result = install(server, "toy-dep", "toy-old==1.0")
    assert not result.is_error and len(re.findall(r"already there, 1\.0", result.text)) == 2, result
    assert len(both.index.requests) == asked, "nobody has to be asked for that"
    result = install(server, "toy-good==1.0", "toy-dep>=1.0")
    assert re.search(r"toy-dep>=1\.0: already there, 1\.0", result.text) and "with them" not in result.text, result
    assert server.run("import toy_dep, toy_good\ntoy_dep.VERSION, toy_dep.__file__.startswith('/packages')").body == "('1.0', False)"


def test_another_version_than_the_base_has(both, base):
    server = both.serve(python=base)
    result = install(server, "toy-dep==1.2")
    assert re.search(r"^toy-dep==1\.2: installed 1\.2, in place of 1\.0$", result.text, re.M), result
    assert "loaded" not in result.text
    code = """
import subprocess, sys, importlib.metadata
import toy_dep, toy_old
one = 'import toy_dep, toy_old; print(toy_dep.VERSION, toy_old.VERSION)'
print(toy_dep.VERSION, importlib.metadata.version('toy-dep'), subprocess.check_output([sys.executable, '-c', one], text=True).strip(),
      subprocess.check_output(['python', '-c', one], text=True).strip())
"""
    assert server.run(code).body == "1.2 1.2 1.2 1.0 1.2 1.0"
    listed = server.call("list_installed_packages").text
    assert re.findall(r"^toy-dep==.*$", listed, re.M) == ["toy-dep==1.2"], listed
    assert module(server, "toy_dep", "new") == "1.0"
    assert module(server, "toy_dep") == "1.2"


def test_another_version_than_is_loaded(both, base):
    server = both.serve(python=base)
    session = server.run("import toy_dep\nopen('kept', 'w').write('here')\ntoy_dep.VERSION").session
    result = install(server, "toy-dep==1.2")
    assert not result.is_error and re.search(r"toy_dep is loaded already.*os\._exit\(0\)", result.text), result
    assert server.run("toy_dep.VERSION").body == "'1.0'"
    server.run("import os; os._exit(0)")
    again = server.run("import toy_dep\ntoy_dep.VERSION, open('kept').read()")
    assert again.body.startswith("('1.2', 'here')") and again.session == session, again


def test_a_dependency_in_another_version_than_the_base_has(both, base):
    server = both.serve(python=base)
    result = install(server, "toy-high")
    assert not result.is_error and re.search(r"with them: toy-dep==1\.2 in place of 1\.0", result.text), result
    assert server.run("import toy_high, toy_dep\ntoy_dep.VERSION").body == "'1.2'"


def test_no_old_release_for_the_sake_of_the_base(both, base):
    server = both.serve(python=base)
    result = install(server, "toy-moved")
    assert re.search(r"^toy-moved: installed 2\.0$", result.text, re.M), result
    assert server.run("import toy_moved, toy_dep\ntoy_moved.VERSION, toy_dep.VERSION").body == "('2.0', '1.2')"


def test_a_module_of_the_base_that_no_package_has(shop, base):
    """As Debian has the C part of cffi: a module, and no metadata that would tell of which distribution."""
    site = next((shop.place.root / "base" / "lib").glob("python*/site-packages"))
    (site / "toy_plain.py").write_text("VERSION = 'old'")
    server = shop.serve(python=base)
    assert module(server, "toy_plain", "new") == "old"
    assert not install(server, "toy-plain").is_error
    assert module(server, "toy_plain") == "1.0"
    other = install(server, "toy-good==1.0", session="new")
    assert not other.is_error and module(server, "toy_plain", other.session) == "old"


def test_a_base_that_changes(shop, base):
    """What was answered for the environment as it was is not the answer for the one that it became."""
    server = shop.serve(python=base)
    assert "with them" not in install(server, "toy-good==1.0").text
    site = next((shop.place.root / "base" / "lib").glob("python*/site-packages"))
    subprocess.run(["rm", "-r", *site.glob("toy_dep*")], check=True)
    other = shop.serve(python=base)
    result = install(other, "toy-good==1.0")
    assert "with them: toy-dep==1.2" in result.text, result
    assert other.run("import toy_good, toy_dep; toy_dep.VERSION").body == "'1.2'"


def test_list(both, base):
    server = both.serve(python=base)
    before = server.call("list_installed_packages", {"session": server.run("1").session}).text
    assert re.search(r"^toy-dep==1\.0$", before, re.M)
    install(server, "toy-good==1.1", "toy-dep==1.2", "toy-extra[more]")
    text = server.call("list_installed_packages").text
    # Comments tell the parts: what the session has, what the interpreter has.
    parts = [line for line in text.splitlines() if line.startswith("#")]
    assert len(parts) >= 2 and any("session" in line for line in parts), text
    own = text[text.index(next(line for line in parts if "session" in line)) :]
    heads = [m.start() for m in re.finditer(r"^#", text, re.M)]
    sections = {text[a:b].splitlines()[0]: text[a:b].splitlines()[1:] for a, b in zip(heads, heads[1:] + [len(text)])}
    layer = next(lines for head, lines in sections.items() if "toy-good==1.1" in lines)
    assert set(filter(None, layer)) == {"toy-good==1.1", "toy-dep==1.2", "toy-extra==1.0", "toy-plain==1.0"}, (own, sections)
    assert not [line for lines in sections.values() if lines is not layer for line in lines if line in ("toy-dep==1.0", "toy-plain==1.0")]
    # pip itself can read it, and everything that is pinned in it is unique.
    path = both.place.root / "requirements.txt"
    path.write_text(text)
    code = (
        "import sys\nfrom pip._internal.req import parse_requirements\nfrom pip._internal.network.session import PipSession\n"
        "print(*(r.requirement for r in parse_requirements(sys.argv[1], session=PipSession())))"
    )
    read = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout.split()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert read == lines and len({line.split("==")[0].lower() for line in lines}) == len(lines)
    assert "toy-good" not in server.call("list_installed_packages", {"session": server.run("1", session="new").session}).text


# ---- what dies ----


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), 9)", "os._exit(0)", "sys.exit(3)"])
def test_python_ends(shop, end):
    server = shop.serve()
    install(server, "toy-good==1.1", "toy-pth")
    server.run("import toy_good, os, sys; open('kept', 'w').close()")
    server.run(end)
    code = "import os, sys, subprocess, toy_good, toy_by_path\nprint(toy_good.VERSION, os.path.exists('kept'), toy_by_path.x)\n!toy-good"
    result = server.run(code)
    assert result.body.splitlines()[:2] == ["1.1 True by a path file", "1.1"], result
    assert re.search(r"toy-good==1\.1: already there", install(server, "toy-good==1.1").text)
    assert not install(server, "toy-plain").is_error
    assert server.run("import toy_plain; toy_plain.VERSION, toy_good.VERSION").body == "('1.0', '1.1')"


def test_python_ends_while_it_is_installed(shop):
    """The session gets it when its new Python is there."""
    server = shop.serve()
    session = server.run("x = 1").session
    call = server.start("install_dependencies", {"packages": ["toy-slow"], "timeout": 6, "session": session})
    poll(lambda: [p for p in shop.index.requests if "toy-slow/" in p], "the download")
    for pid in descendants(server.pid):
        if alive(pid) and not named(pid).startswith("cellblock") and named(pid) not in ("uv", "pip"):
            with_session = [line for line in open(f"/proc/{pid}/status") if line.startswith("NSpid")]
            if with_session and "fetch" not in open(f"/proc/{pid}/cmdline").read():
                os.kill(pid, signal.SIGKILL)
    assert server.result(call, 60).is_error
    assert "2" in works_again(server, session).body
    assert not install(server, "toy-plain", session=session).is_error
    assert module(server, "toy_plain", session) == "1.0"


def test_the_sandbox_ends(shop):
    """Files are lost with it and that is told; packages are not."""
    server = shop.serve()
    session = server.run("x = 1").session
    installed = install(server, "toy-good==1.1", session=session)
    assert not installed.is_error, installed
    for _ in range(2):
        gone = builder(server)
        inits = [p for p in descendants(server.pid) if named(p) == "cellblock-init"]
        os.kill(gone, signal.SIGKILL)
        poll(lambda: not [p for p in [gone, *inits] if alive(p)], "the builder and its sandboxes to be gone")
        result = works_again(server, session, "import toy_good\ntoy_good.VERSION")
        assert "'1.1'" in result.body, result
        assert server.run("!toy-good", session=session).body == "1.1"
    assert not install(server, "toy-plain", session=session).is_error
    assert module(server, "toy_plain", session) == "1.0"


def test_the_builder_ends_and_a_call_comes_at_once(shop):
    """Some calls fail with it, which they say; what is installed is there in the next one."""
    server = shop.serve("--preload", "")
    sessions = [install(server, "toy-plain", session="new").session for _ in range(2)]
    for _ in range(8):
        os.kill(builder(server), signal.SIGKILL)
        for session in sessions:
            result = works_again(server, session, "import toy_plain\ntoy_plain.VERSION")
            assert "'1.0'" in result.body and "install it again" not in result.text, result


def test_the_builder_ends_while_it_is_installed(shop):
    server = shop.serve()
    session = server.run("x = 1").session
    asked = len(shop.index.requests)
    call = server.start("install_dependencies", {"packages": ["toy-extra[more]"], "session": session})
    poll(lambda: len(shop.index.requests) > asked, "the first question")
    os.kill(builder(server), signal.SIGKILL)
    result = server.result(call, 60)
    assert "2" in works_again(server, session).body
    if result.is_error:
        assert not install(server, "toy-extra[more]", session=session).is_error
    assert module(server, "toy_plain", session) == "1.0"
