"""--python: every CPython from 3.9, and a clear word about everything else."""

import glob
import os
import re
import shutil
import stat
import subprocess
import sys

import pytest

from rawclient import PLAIN_PYTHON, SCIENCE_PYTHON, Server


def version_of(path):
    try:
        out = subprocess.run(
            [path, "-c", "import sys; print('%d.%d %s' % (sys.version_info[:2] + (sys.implementation.name,)))"],
            capture_output=True,
            text=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
        ).stdout.split()
        return (tuple(map(int, out[0].split("."))), out[1]) if len(out) == 2 else None
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


def interpreters():
    """One CPython a version that this machine has."""
    places = [
        "/usr/bin/python3*",
        "/usr/local/bin/python3*",
        "/opt/python*/bin/python3*",
        os.path.expanduser("~/.pyenv/versions/*/bin/python3.*"),
        os.path.expanduser("~/.local/share/uv/python/*/bin/python3.*"),
    ]
    found = {}
    for path in sorted(p for place in places for p in glob.glob(place)):
        if re.search(r"python3(\.\d+)?$", path) and os.access(path, os.X_OK):
            version = version_of(path)
            if version and version[1] == "cpython":
                found.setdefault(version[0], path)
    return found


FOUND = interpreters()
GOOD = {v: p for v, p in FOUND.items() if v >= (3, 9)}
OLD = {v: p for v, p in FOUND.items() if v < (3, 9)}
OLD2 = [
    p
    for p in glob.glob(os.path.expanduser("~/.pyenv/versions/2.*/bin/python2.7")) + ["/usr/bin/python2.7"]
    if os.path.exists(p)
]


@pytest.fixture(scope="module", autouse=True)
def hanging(tmp_path_factory):
    """An interpreter that never answers: asked at the beginning, since it takes its time; the last test looks."""
    path = tmp_path_factory.mktemp("hanging")
    (path / "hangs").write_text("#!/bin/sh\nexec sleep 1000\n")
    (path / "hangs").chmod(0o755)
    (path / "work").mkdir()
    s = Server(path / "work", python=str(path / "hangs"))
    s.initialize()
    yield s, s.begin("1+1")
    assert s.close() == 0


@pytest.mark.parametrize("version", sorted(GOOD), ids=lambda v: ".".join(map(str, v)))
def test_each_cpython(spawn, version):
    s = spawn(python=GOOD[version])
    s.initialize()
    assert f"{version}" in s.run("import sys; sys.version_info[:2]").body
    s.run("x = 5\ndef f():\n    return 1 / 0")
    assert "ZeroDivisionError" in s.run("f()").body
    assert "5" in s.run("x").body
    assert "later" in s.run("import asyncio\nawait asyncio.sleep(0, 'later')").body
    result = s.run("while True:\n    try:\n        while True: pass\n    except BaseException: pass", timeout=0.5)
    assert "timeout" in result.status_line
    assert "5" in s.run("x").body
    assert (
        "[1, 4]"
        in s.run(
            "def sq(x): return x * x\nfrom concurrent.futures import ProcessPoolExecutor\n"
            "with ProcessPoolExecutor(2) as e: print(list(e.map(sq, [1, 2])))",
            timeout=40,
        ).body
    )
    assert "SIGSEGV" in s.run("import ctypes; ctypes.string_at(0)").text
    assert "2" in s.run("1+1").body
    assert "hi" in s.run("!echo hi").body


def test_venv(spawn, tmp_path):
    venv = tmp_path / "env"
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--without-pip", venv], check=True)
    s = spawn(python=str(venv / "bin" / "python"))
    s.initialize()
    assert str(venv) in s.run("import sys; sys.prefix").body
    assert str(venv / "bin" / "python") in s.run("sys.executable").body
    assert (
        str(venv)
        in s.run("import subprocess; subprocess.run([sys.executable, '-c', 'import sys; print(sys.prefix)'])").body
    )


def test_dot_venv_of_the_working_directory_is_the_default(spawn, work):
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--without-pip", work / ".venv"], check=True)
    s = spawn(python=None)
    s.initialize()
    assert str(work / ".venv") in s.run("import sys; sys.prefix").body


def test_python3_of_the_path_is_the_fallback(spawn, tmp_path):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "python3").symlink_to(PLAIN_PYTHON)
    s = spawn(python=None, env={"PATH": f"{bin_dir}:/usr/bin:/bin"})
    s.initialize()
    assert f"({sys.version_info[0]}, {sys.version_info[1]})" in s.run("import sys; sys.version_info[:2]").body


def test_name_is_looked_up_in_path(spawn):
    s = spawn(python="python3")
    s.initialize()
    assert "2" in s.run("1+1").body


@pytest.mark.skipif(not os.path.exists(os.path.expanduser("~/.pyenv/shims/python3")), reason="no pyenv here")
def test_pyenv_shim(spawn):
    s = spawn(python=os.path.expanduser("~/.pyenv/shims/python3"))
    s.initialize()
    assert "2" in s.run("1+1").body


def test_wrapper_script(spawn, tmp_path):
    """What pyenv and conda put in place of an interpreter: a script that execs it."""
    script = tmp_path / "my python"
    script.write_text(f"#!/bin/sh\nexec '{SCIENCE_PYTHON}' \"$@\"\n")
    script.chmod(0o755)
    s = spawn(python=str(script))
    s.initialize()
    assert "2" in s.run("1+1").body


def test_relative_path(spawn, work):
    (work / "py").symlink_to(PLAIN_PYTHON)
    s = spawn(python="./py")
    s.initialize()
    assert "2" in s.run("1+1").body


def unusable(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho 'I am no Python' >&2\nexit 5\n")
    script.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_text("text")
    broken = tmp_path / "broken"
    broken.symlink_to("/nonexistent/python")
    return {
        "nonexistent": ("/nonexistent/python3", r"nonexistent.*(No such file|not found|does not exist)"),
        "no such name": ("no-such-python-name", r"no-such-python-name.*(No such file|not found|PATH)"),
        "directory": (str(tmp_path), r"(directory|Permission denied|not .*executable)"),
        "another program": ("/bin/ls", r"/bin/ls"),
        "true": ("/bin/true", r"/bin/true"),
        "script": (str(script), r"script"),
        "no program": (str(plain), r"plain"),
        "broken link": (str(broken), r"broken"),
    }


@pytest.mark.parametrize(
    "what",
    [
        "nonexistent",
        "no such name",
        "directory",
        "another program",
        "true",
        "script",
        "no program",
        "broken link",
    ],
)
def test_what_is_no_python(spawn, tmp_path, what):
    path, says = unusable(tmp_path)[what]
    s = spawn(python=path)
    s.initialize()
    result = s.run("1+1", patience=90)
    assert result.is_error and re.search(says, result.text, re.I), result.text
    assert "--python" in result.text  # what to do
    assert s.ask("ping")["result"] == {}
    assert s.call("list_installed_packages").is_error
    assert len(result.text) < 1500


@pytest.mark.parametrize(
    "path",
    list(OLD.values()) + OLD2,
    ids=lambda p: p.rsplit("/bin/", 1)[0].rsplit("/", 1)[-1] + "-" + p.rsplit("/", 1)[1],
)
def test_too_old(spawn, path):
    s = spawn(python=path)
    s.initialize()
    result = s.run("1+1")
    assert result.is_error and "3.9" in result.text, result.text
    assert re.search(r"\b(2\.7|3\.[678])", result.text), "names the version that it found"
    assert s.ask("ping")["result"] == {}


def test_python_that_is_taken_away_and_comes_back(spawn, tmp_path):
    """An error at the start is not for ever."""
    path = tmp_path / "python-later"
    s = spawn(python=str(path))
    s.initialize()
    assert s.run("1+1").is_error
    path.symlink_to(PLAIN_PYTHON)
    assert "2" in s.run("1+1").body


def test_broken_site_customisation(spawn, tmp_path):
    """A sitecustomize that raises or prints does not break the protocol or the kernel."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os\nprint('from site')\nos.write(1, b'raw from site\\n')\nraise RuntimeError('broken site')\n"
    )
    s = spawn(env={"PYTHONPATH": str(folder)})
    s.initialize()
    assert "2" in s.run("1+1").body


def test_python_without_ctypes_or_pip(spawn, tmp_path):
    """A virtual environment without pip runs code; only the standard library is needed."""
    venv = tmp_path / "env"
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--without-pip", venv], check=True)
    s = spawn(python=str(venv / "bin" / "python"))
    s.initialize()
    assert "2" in s.run("1+1").body
    assert not s.call("list_installed_packages").is_error


def test_local_modules_shadow_nothing_of_ours(spawn, work):
    """Files of the user that are called like standard modules do not stop the kernel from starting."""
    for name in (
        "json",
        "socket",
        "struct",
        "signal",
        "ast",
        "types",
        "linecache",
        "traceback",
        "asyncio",
        "random",
        "code",
    ):
        (work / f"{name}.py").write_text(f"raise RuntimeError('user file {name}')")
    s = spawn()
    s.initialize()
    assert "2" in s.run("1+1").body
    assert s.run("1/0").is_error and "ZeroDivisionError" in s.run("1/0").text


def test_user_modules_are_importable(spawn, work):
    (work / "helper.py").write_text("def f(): return 'from helper'")
    s = spawn()
    s.initialize()
    assert "from helper" in s.run("import helper; helper.f()").body


def test_binary_works_from_anywhere(spawn, tmp_path):
    """One file: nothing has to be installed beside it."""
    import rawclient

    copy = tmp_path / "elsewhere" / "cb"
    copy.parent.mkdir()
    shutil.copy(rawclient.BINARY, copy)
    os.chmod(copy, stat.S_IRWXU)
    original, rawclient.BINARY = rawclient.BINARY, copy
    try:
        s = spawn()
    finally:
        rawclient.BINARY = original
    s.initialize()
    assert "2" in s.run("1+1").body


def test_interpreter_that_hangs(hanging):
    s, call = hanging
    assert s.ask("ping")["result"] == {}
    result = s.result(call, 60)
    assert result.is_error and "hangs" in result.text and "--python" in result.text, result.text
