"""Packages in isolated sessions, as their user sees them: there at once, in this session only, each one reported."""

import re
import sys
import time

import pytest

from boxfixtures import can_isolate, own_place, place  # noqa: F401
from layertools import LONG, anyone, both, fetchers, index, install, shop  # noqa: F401
from rawclient import poll
from test_install import REFUSED
from toyindex import ToyIndex

INSIDE = "/packages/lib/python%d.%d/site-packages"


def module(server, name, session=None):
    """VERSION of a module, or what is wrong with it."""
    code = f"try:\n    import {name}\n    print({name}.VERSION)\nexcept ImportError as e:\n    print(type(e).__name__)"
    return server.run(code, **({"session": session} if session else {})).body


def test_importable_at_once_here_and_nowhere_else(anyone):
    server = anyone.serve()
    session = server.run("x = ['of before']").session
    result = install(server, "toy-plain")
    assert not result.is_error and re.search(r"^toy-plain: installed 1\.0$", result.text, re.M), result
    assert result.session == session
    assert server.run("import toy_plain\ntoy_plain.VERSION, x").body == "('1.0', ['of before'])"
    assert server.run("toy_plain.__file__").body == repr(INSIDE % sys.version_info[:2] + "/toy_plain.py") or (
        server.run("1").meta["isolation"]["level"] == "landlock" or sys.version_info[:2] != (3, 11)
    )
    assert module(server, "toy_plain", "new") == "ModuleNotFoundError"
    assert module(server, "toy_plain") == "1.0"
    assert not server.run("open('f', 'w').close()").links[1:], "files of packages are not files of the code"
    # A call of its own session is one as well.
    other = install(server, "toy-plain", session="new")
    assert not other.is_error and other.session != session
    assert module(server, "toy_plain", other.session) == "1.0"


def test_what_packages_bring(both):
    server = both.serve()
    assert not install(server, "toy-good==1.1", "toy-pth", "toy-space-one", "toy-data", "toy-extra[more]").is_error
    code = """
import os, subprocess, sys, sysconfig
def run(*argv, **options):
    return subprocess.run(argv, capture_output=True, text=True, check=True, **options).stdout.strip()
print(run('toy-good'), run('toy-good', shell=True), run('/bin/sh', '-c', 'toy-good'))
print(run('toy-shell'), '|', run('toy-python'))
print(run(sys.executable, '-c', 'import toy_good, toy_plain, toy_data, toy_by_path; print(toy_good.VERSION, toy_data.text.split())'))
print(run('python', '-c', 'import toy_good; print(toy_good.VERSION)'), run('python3', '-c', 'import toy_dep; print(toy_dep.VERSION)'))
import toy_by_path, toy_space.one, toy_data, toy_extra, toy_plain
print(toy_by_path.x, sys.toy_pth_ran, toy_space.one.name, toy_data.text.split())
import importlib.metadata as m
print(m.version('toy-data'), [e.name for e in m.entry_points().get('console_scripts', []) if 'toy' in e.name]
      if sys.version_info < (3, 10) else [e.name for e in m.entry_points(group='console_scripts') if 'toy' in e.name])
there = [os.path.join(os.path.dirname(os.path.dirname(sys.executable)), p) for p in ('share/toy/notes.txt',)]
print([open(p).read().strip() for p in there])
try: open(toy_plain.__file__, 'a')
except OSError as e: print(e.strerror)
"""
    out = server.run(code)
    assert not out.is_error, out
    lines = out.body.splitlines()
    assert lines[0] == "1.1 1.1 1.1"
    assert lines[1] == "from a shell script | a,b"
    assert lines[2] == "1.1 ['a,b', '1,2']" and lines[3] == "1.1 1.2"
    assert lines[4] == "by a path file True one ['a,b', '1,2']"
    assert lines[5] == "1.0 ['toy-good']" and lines[6] == "['shared']"
    assert lines[7] in ("Read-only file system", "Permission denied")
    assert server.run("!toy-good").body == "1.1"
    assert server.run("%%bash\ntoy-good\ncommand -v python").body.splitlines()[0] == "1.1"
    # The other half of a namespace package, of which one half is imported.
    assert not install(server, "toy-space-two").is_error
    assert server.run("import toy_space.two\ntoy_space.one.name, toy_space.two.name").body == "('one', 'two')"
    assert server.run("toy_by_path.x").body == "'by a path file'"


def test_bytecode_is_there(shop):
    """Made once, in the store; what does not compile is left as it is."""
    server = shop.serve()
    assert not install(server, "toy-plain", "toy-syntax").is_error
    seen = server.run("import toy_plain, toy_syntax, os\nos.path.exists(toy_plain.__cached__), toy_syntax.ok,"
                      "os.path.dirname(toy_plain.__cached__) == os.path.join(os.path.dirname(toy_plain.__file__), '__pycache__')")  # fmt: skip
    assert seen.body == "(True, 1, True)"


def test_report(both):
    server = both.serve()
    first = install(server, "toy-dep==1.0")
    assert re.search(r"^toy-dep==1\.0: installed 1\.0$", first.text, re.M), first
    result = install(server, "toy-dep", "toy-good==1.1", "toy-extra[more]", "Toy.Plain")
    assert not result.is_error, result
    assert re.search(r"^toy-dep: already there, 1\.0$", result.text, re.M), result
    assert re.search(r"^toy-good==1\.1: installed 1\.1$", result.text, re.M)
    assert re.search(r"^toy-extra\[more\]: installed 1\.0$", result.text, re.M)
    assert re.search(r"^Toy\.Plain: installed 1\.0$", result.text, re.M)
    assert "with them" not in result.text
    again = install(server, "toy-good==2.0", "toy-dep==1.2", session="new")
    assert not again.is_error
    with_them = install(server, "toy-good==1.0", session="new")
    assert re.search(r"^with them: toy-dep==1\.2$", with_them.text, re.M), with_them
    assert re.search(r"\[session \S+ · ok · ", result.text)


FAILURES = [
    ("toy-nowhere", r"toy-nowhere: failed: .*no package named toy-nowhere"),
    ("pandsa", r"pandsa: failed: .*no package named pandsa; nearest names: pandas$"),
    ("toy-good==9.9", r"toy-good==9\.9: failed: .*(9\.9|version)"),
    ("toy-orphan", r"toy-orphan: failed: .*toy-nowhere"),
    ("toy-newer", r"toy-newer: failed: .*Python.*99"),
    ("toy-elsewhere", r"toy-elsewhere: failed: .*platform"),
    ("toy-badhash", r"toy-badhash: failed: .*hash"),
    ("toy-broken", r"toy-broken: failed: .*(damaged|zip)"),
    ("toy-sdist", r"toy-sdist: failed: .*no wheel.*source"),
    ("toy-401", r"toy-401: failed: .*refuses"),
    ("toy-file-403", r"toy-file-403: failed: .*refuses.*403"),
    ("toy-plain; python_version < '3'", r"failed: .*condition"),
]


@pytest.mark.parametrize("package, says", FAILURES, ids=[f[0] for f in FAILURES])
def test_a_failure_has_a_reason_and_others_are_installed(both, package, says):
    server = both.serve()
    result = install(server, package, "toy-dep==1.0")
    assert result.is_error and re.search(says, result.text, re.M), result
    assert re.search(r"^toy-dep==1\.0: installed 1\.0$", result.text, re.M), result
    assert len(result.text) < 4000 and str(both.store) not in result.text
    assert module(server, "toy_dep") == "1.0"
    assert module(server, package.split("=")[0].split(";")[0].replace("-", "_")) in ("ModuleNotFoundError", "1.0" * ("good" in package))


def test_conflict(both):
    server = both.serve()
    result = install(server, "toy-low", "toy-high")
    assert result.is_error and re.search(r"exclude each other.*toy-dep", result.text), result
    assert module(server, "toy_low") == "ModuleNotFoundError"


@pytest.mark.parametrize("mode", ["401", "403", "500", "reset"])
def test_index_errors_are_not_told_as_missing_packages(both, mode):
    """Nor are they kept: when the index is well again, it works."""
    url = both.index.at(mode)
    server = both.serve(env={"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url})
    result = install(server, "toy-plain")
    assert result.is_error and "no package" not in result.text, result
    assert re.search(r"the index|no trusted", result.text) and re.search(r"40[13]|500|reach|refuse", result.text), result
    assert "2" in server.run("1+1").body


def test_the_same_again_needs_no_index(own_place):  # noqa: F811
    from layertools import Shop

    with ToyIndex() as own:
        shop = Shop(own_place, own)
        server = shop.serve()
        wanted = ("toy-good>=1.0,<2", "toy-extra[more]")
        first = install(server, *wanted)
        assert not first.is_error
        asked = len(own.requests)
        # In another order, written differently, by another session and by another server.
        assert not install(server, "Toy_Extra[more]", "toy-good >=1.0, <2", session="new").is_error
        assert len(own.requests) == asked
    other = shop.serve()
    for s in (server, other):
        start = time.monotonic()
        result = install(s, *wanted, session="new")
        assert not result.is_error and time.monotonic() - start < 10
        assert [line for line in result.text.splitlines() if "[session" not in line] == [
            line for line in first.text.splitlines() if "[session" not in line
        ]
        assert module(s, "toy_good", result.session) == "1.1" and module(s, "toy_plain", result.session) == "1.0"
    # What is new is not there.
    assert install(other, "toy-plain", "toy-dep==1.0", session="new").is_error
    shop.close()


def test_a_second_install_adds(both):
    server = both.serve()
    assert not install(server, "toy-good==1.0", "toy-pth").is_error
    server.run("import toy_good; kept = toy_good")
    asked = install(server, "toy-plain")
    assert not asked.is_error and "toy-good" not in asked.text, asked
    assert server.run("import toy_plain\nkept is toy_good and (toy_good.VERSION, toy_plain.VERSION)").body == "('1.0', '1.0')"
    # Another new session with the first set is not touched by what the first one added.
    other = install(server, "toy-good==1.0", "toy-pth", session="new")
    assert module(server, "toy_plain", other.session) == "ModuleNotFoundError"


def test_another_version_in_the_same_session(both):
    server = both.serve()
    install(server, "toy-good==1.0")
    changed = install(server, "toy-good==1.1")
    assert re.search(r"toy-good==1\.1: installed 1\.1, in place of 1\.0", changed.text), changed
    assert module(server, "toy_good") == "1.1", "nothing had loaded it"
    loaded = install(server, "toy-good==2.0")
    assert re.search(r"toy_good is loaded already.*os\._exit\(0\).*toy-good 2\.0", loaded.text), loaded
    assert server.run("toy_good.VERSION").body == "'1.1'"
    assert server.run("import subprocess\nsubprocess.run('toy-good', capture_output=True, text=True).stdout").body == "'2.0\\n'"
    server.run("open('kept', 'w').write('x')\nimport os; os._exit(0)")
    assert server.run("import toy_good\ntoy_good.VERSION, open('kept').read()").body.startswith("('2.0', 'x')")


def test_a_conflict_with_what_the_session_has(both):
    server = both.serve()
    install(server, "toy-low")  # needs toy-dep<1.1
    result = install(server, "toy-high")  # needs toy-dep>=1.2
    assert "toy-dep" in result.text, result
    has = server.call("list_installed_packages", {"session": result.session}).text
    if result.is_error:
        assert "toy-low" in result.text and "toy-dep==1.0" in has
    else:
        assert "in place of 1.0" in result.text and "toy-dep==1.2" in has, (result, has)
    assert "2" in server.run("1+1").body


# ---- from code ----


@pytest.mark.parametrize("code, name", [
    ("%pip install toy-plain", "toy_plain"), ("!pip install -q toy-dep==1.0", "toy_dep"),
    ("import sys\n!{sys.executable} -m pip install toy-plain", "toy_plain"), ("!uv pip install toy-plain toy-extra", "toy_extra"),
])  # fmt: skip
def test_from_code(shop, code, name):
    server = shop.serve()
    result = server.run(code, timeout=60)
    assert not result.is_error and module(server, name) == "1.0", result
    assert module(server, name, "new") == "ModuleNotFoundError"


def test_install_and_import_in_one_cell(both):
    server = both.serve()
    result = server.run("x = 5\n%pip install -q toy-good==1.1\nimport toy_good\n!toy-good\ntoy_good.VERSION, x", timeout=60, patience=LONG)
    assert result.body.endswith("1.1\n('1.1', 5)"), result


def test_a_failure_in_code_has_a_reason(both):
    result = both.serve().run("%pip install toy-nowhere\nprint('the cell goes on')", timeout=60, patience=LONG)
    assert "no package named toy-nowhere" in result.body and "the cell goes on" in result.body


SCRIPT = "# /// script\n# requires-python = '>=3.9'\n# dependencies = [\n#   'toy-good==1.1',\n# ]\n# ///\n"


def test_script_header(both):
    server = both.serve()
    result = server.run(SCRIPT + "import toy_good\ntoy_good.VERSION", timeout=60, patience=LONG)
    assert not result.is_error and result.body.endswith("'1.1'"), result
    asked = len(both.index.requests)
    assert server.run(SCRIPT + "toy_good.VERSION", session="new").is_error  # not imported, but installed
    assert server.run(SCRIPT + "import toy_good\ntoy_good.VERSION", session="new").body.endswith("'1.1'")
    assert len(both.index.requests) == asked
    wrong = server.run(SCRIPT.replace("toy-good", "toy-nowhere") + "print('ran')", timeout=60, session="new", patience=LONG)
    assert "toy-nowhere" in wrong.text and wrong.is_error and "ran" not in wrong.body.splitlines(), wrong


# ---- while it goes on ----


def test_others_compute_meanwhile(shop):
    server = shop.serve()
    others = [server.run("n = 0", session="new").session for _ in range(3)]
    slow = server.start("install_dependencies", {"packages": ["toy-slow"], "session": "new", "timeout": 60})
    poll(lambda: fetchers(server), "the fetching process")
    for n in range(1, 11):
        for session in others:
            assert server.run("n += 1\nn", session=session).body == str(n)
    assert not install(server, "toy-plain", session=others[0]).is_error
    assert str(slow) not in server.answers, "all that while the slow one was under way"
    server.notify("notifications/cancelled", {"requestId": slow})
    poll(lambda: not fetchers(server), "the fetching to end")


def test_the_same_at_the_same_time(shop):
    """Ten sessions ask for one thing: it is fetched once."""
    server = shop.serve()
    asked = len(shop.index.requests)
    calls = [server.start("install_dependencies", {"packages": ["toy-extra[more]"], "session": "new"}) for _ in range(10)]
    results = [server.result(call, LONG) for call in calls]
    assert not [r for r in results if r.is_error]
    assert {module(server, "toy_plain", r.session) for r in results} == {"1.0"}
    files = [path for path in shop.index.requests[asked:] if path.endswith(".whl")]
    assert len([p for p in files if "toy_extra" in p]) < 6, files  # uv looks at it as well, in pieces


def test_progress(shop):
    server = shop.serve()
    token = server.start("install_dependencies", {"packages": ["toy-slow"], "timeout": 4}, meta={"progressToken": "p"})
    result = server.result(token, LONG)
    assert result.is_error and "not finished" in result.text
    told = [n["params"] for n in server.notifications if n["method"] == "notifications/progress"]
    assert told and all(n["progressToken"] == "p" for n in told), server.notifications
    assert [n["progress"] for n in told] == sorted(n["progress"] for n in told)


@pytest.mark.parametrize("package", ["toy-slow", "toy-slowpage"])
def test_cancelled_and_late(both, package):
    server = both.serve()
    session = server.run("x = 1").session
    asked = len(both.index.requests)
    call = server.start("install_dependencies", {"packages": [package], "session": session, "timeout": 100})
    poll(lambda: len(both.index.requests) > asked and fetchers(server), "the download")
    server.notify("notifications/cancelled", {"requestId": call})
    poll(lambda: not fetchers(server), "its process to be gone")
    assert server.run("x", session=session).body == "1"
    late = install(server, package, timeout=2)
    assert late.is_error and "not finished after 2 s" in late.text, late
    assert not fetchers(server)
    assert str(call) not in server.answers
    assert not install(server, "toy-dep==1.0").is_error
    assert module(server, "toy_dep", session) == "1.0"
    assert not both.tmp()


def test_a_server_that_is_killed_leaves_nothing(shop):
    server = shop.serve()
    server.start("install_dependencies", {"packages": ["toy-slow"], "timeout": 100})
    found = poll(lambda: fetchers(server), "the fetching process")
    from boxtools import Leftovers, SOON

    left = Leftovers(server)
    server.kill()
    left.check(SOON + 2)
    assert found
    poll(lambda: not list(shop.place.tmp.iterdir()), "TMPDIR to be empty", 10)
    assert not install(shop.serve(), "toy-plain").is_error
    assert not shop.tmp()


def test_refused_specifiers(shop):
    server = shop.serve()
    session = server.run("import os; before = os.listdir('.')").session
    asked = len(shop.index.requests)
    for spec in REFUSED:
        result = install(server, "toy-plain", spec)
        assert result.is_error, spec
        if spec.strip() and len(spec) < 100 and spec.isprintable():
            assert spec.split()[0][:20] in result.text, result.text
    assert len(shop.index.requests) == asked, "the index was asked"
    assert module(server, "toy_plain", session) == "ModuleNotFoundError"
    for packages in (None, [], {}, 5, [5], [None], [["a"]], ["a"] * 101):
        result = server.call("install_dependencies", {"packages": packages})
        assert result.is_error and "packages" in result.text
