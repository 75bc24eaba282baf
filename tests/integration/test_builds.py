"""Source distributions in isolated sessions (--allow-source-builds): what is built, of what, and what a build cannot do."""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest

from boxfixtures import can_isolate, own_place, place  # noqa: F401
from boxtools import Place
from layertools import LONG, TOOLS, Shop, add, install
from rawclient import poll, processes_with
from sources import COMPILES, HOSTILE, MODULE, SNOOP, SNOOPS, hostile, setuptools, source, with_setup
from test_layers import module
from test_layers_store import cellblock_store
from toyindex import ToyIndex, make_wheel

SECRET = "hunter2secret"
ALLOW = "--allow-source-builds"


def fill(index):
    add(index, setuptools())
    add(index, with_setup("toy-setup"))
    add(index, with_setup("toy-project", '[build-system]\nrequires = ["setuptools>=1"]\nbuild-backend = "setuptools.build_meta"\n'))
    add(index, source("toy-tree"))
    add(index, source("toy-c", files={"module.c": MODULE % ("toy_c", "toy_c")}, backend=COMPILES))
    add(index, make_wheel("toy-above", "1.0", ["toy-below<2"]))
    for version in ("1.0", "1.5", "2.0"):
        add(index, source("toy-below", version, needs=["toy-tree"]))
    for made in (source("toy-mixed", "2.0"), make_wheel("toy-mixed", "1.0"), source("toy-mixed", "0.5")):
        add(index, made)
    add(index, source("toy-mixed", "1.0", files={"toy_mixed.py": "VALUE = 'from source'\n"}))
    # The resolver names more than what is missing: an old release without wheel; with pip, a conflict.
    add(index, source("toy-many", "1.0"))
    for version in ("2.0", "2.1"):
        add(index, make_wheel("toy-many", version, ["toy-leaf>=1"]))
    add(index, source("toy-leaf"))
    # Needs itself by way of another; needs what needs to be built.
    add(index, source("toy-egg", requires=["toy-hen"]))
    add(index, source("toy-hen", requires=["toy-egg"]))
    add(index, source("toy-tool", requires=["toy-tree"], backend="\nimport toy_tree\n"))
    add(index, source("toy-lacks", requires=["toy-nowhere"]))
    add(index, source("toy-caller", requires=[f"toy-hen @ {index.file_url('toy-caller', 'asked/toy_hen-1.0-py3-none-any.whl')}"]))
    for kind in HOSTILE:
        add(index, hostile(kind))


@pytest.fixture(scope="module")
def sources_index():
    with ToyIndex() as made:
        fill(made)
        yield made


@pytest.fixture(params=TOOLS)
def both(own_place, sources_index, request):  # noqa: F811
    shop = Shop(own_place, sources_index, request.param)
    yield shop
    shop.close()


@pytest.fixture
def shop(own_place, sources_index):  # noqa: F811
    made = Shop(own_place, sources_index)
    yield made
    made.close()


@pytest.fixture
def anyone(place, sources_index):  # noqa: F811
    made = Shop(place, sources_index)
    yield made
    made.close()


def value(server, name, session):
    result = server.run(f"import {name}\n{name}.VALUE", session=session)
    assert not result.is_error, result
    return result.body


def downloads(index, name):
    return [path for path in index.requests if path.endswith(".tar.gz") and f"/{name}/" in path]


# ---- what works ----


def test_refused_by_default_and_the_answer_names_the_option(both):
    server = both.serve()
    n = len(downloads(both.index, "toy-tree"))
    result = install(server, "toy-tree", "toy-plain")
    assert result.is_error and re.search(r"toy-tree: failed: .*only source.* without --allow-source-builds", result.text), result
    assert "toy-plain: installed 1.0" in result.text
    address = both.index.file_url("toy-tree", "toy_tree-1.0.tar.gz")
    result = install(server, f"toy-tree @ {address}", session="new")
    assert result.is_error and "without --allow-source-builds" in result.text, result
    assert len(downloads(both.index, "toy-tree")) == n, "not even asked for"


def test_built_of_every_kind(both):
    server = both.serve(ALLOW)
    kinds = {"toy-setup": "'by setup.py'", "toy-tree": "'built'"}
    if both.tool == "uv":
        kinds["toy-project"] = "'by setup.py'"
    result = install(server, *kinds, "toy-plain")
    assert not result.is_error and "toy-setup: installed 1.0" in result.text, result
    for name, made in kinds.items():
        assert value(server, name.replace("-", "_"), result.session) == made
    # What was needed for building is not in the session.
    assert server.run("import setuptools\nsetuptools.asked", session=result.session).is_error
    n = len(both.index.requests)
    again = install(server, "toy-plain", *kinds, session="new")
    assert not again.is_error and len(both.index.requests) == n, "the same question needs nothing"


def test_a_c_extension(anyone):
    server = anyone.serve(ALLOW)
    result = install(server, "toy-c")
    assert not result.is_error, result
    assert server.run("import toy_c\ntoy_c.answer()").body == "42"


def test_what_a_wheel_needs_may_be_source_and_so_on(both):
    server = both.serve(ALLOW)
    result = install(server, "toy-above")
    assert not result.is_error and "toy-below==1.5" in result.text and "toy-tree==1.0" in result.text, result
    if both.tool == "pip":
        return
    result = install(server, "toy-tool", session="new")
    assert not result.is_error and value(server, "toy_tool", result.session) == "'built'", result


def test_what_is_missing_is_found_among_what_is_named(both):
    server = both.serve(ALLOW)
    n = len(downloads(both.index, "toy-many"))
    result = install(server, "toy-many")
    assert not result.is_error and "toy-many: installed 2.1" in result.text and "toy-leaf==1.0" in result.text, result
    assert len(downloads(both.index, "toy-many")) == n


def test_wheels_are_preferred(shop):
    server = shop.serve(ALLOW)
    n = len(downloads(shop.index, "toy-mixed"))
    assert "toy-mixed: installed 1.0" in install(server, "toy-mixed").text
    assert len(downloads(shop.index, "toy-mixed")) == n
    assert "toy-mixed==0.5: installed 0.5" in install(server, "toy-mixed==0.5", session="new").text
    assert "toy-mixed>1: installed 2.0" in install(server, "toy-mixed>1", session="new").text


def test_by_address(both):
    server = both.serve(ALLOW)
    # Exactly that, though the index has a wheel of the same version.
    address = both.index.file_url("toy-mixed", "toy_mixed-1.0.tar.gz")
    result = install(server, f"toy-mixed[none] @ {address} ; python_version > '3'", "toy-plain")
    assert not result.is_error and "installed 1.0" in result.text, result
    assert value(server, "toy_mixed", result.session) == "'from source'"
    more = install(server, "toy-good", session=result.session)
    assert not more.is_error and value(server, "toy_mixed", result.session) == "'from source'", more
    result = install(server, "toy-x @ git+https://127.0.0.1:1/x", session="new")
    assert result.is_error and "git is not built" in result.text, result


def test_built_once_and_kept(shop):
    server = shop.serve(ALLOW, "--resolve-ttl", "0")
    n = len(downloads(shop.index, "toy-tree"))
    install(server, "toy-tree")
    listed = cellblock_store(shop).stdout
    assert "toy_tree 1.0 (built)" in listed, listed
    sets = {line.split()[0] for line in listed.splitlines() if "(built)" in line}
    other = install(server, "toy-tree", "toy-plain", session="new")
    assert not other.is_error and len(downloads(shop.index, "toy-tree")) == n + 2, "asked for, to know its hash"
    after = {line.split()[0] for line in cellblock_store(shop).stdout.splitlines() if "(built)" in line}
    assert after == sets, "not built again"
    # Without an index what was built is enough.
    offline = shop.serve(ALLOW, "--offline")
    n = len(shop.index.requests)
    result = install(offline, "toy-tree", session="new", timeout=60)
    assert not result.is_error and len(shop.index.requests) == n, result
    missing = install(offline, "toy-c", session="new")
    assert missing.is_error and "offline" in missing.text, missing
    # Another option is another question; without it nothing that was built is given out.
    assert install(shop.serve(), "toy-tree").is_error
    verified = cellblock_store(shop, "verify")
    assert verified.returncode == 0, verified.stdout


def test_what_cannot_be_built_is_told(shop):
    server = shop.serve(ALLOW)
    add(shop.index, source("toy-fails", backend="\nprint('compiling a')\nraise SystemExit('toy.c:1: fatal error: toy.h is missing')\n"))
    result = install(server, "toy-fails", "toy-plain")
    assert re.search(r"toy-fails: failed: .*building it failed.*toy.h is missing", result.text, re.S), result
    assert "toy-plain: installed" in result.text and "/store/" not in result.text, result
    for name, words in (("toy-egg", "needed to build itself"), ("toy-lacks", "needs toy-nowhere to be built"),
                        ("toy-nowhere", "no package named"), ("toy-caller", "only what was asked for may have")):  # fmt: skip
        result = install(server, name, session="new")
        assert result.is_error and re.search(words, result.text), result
    assert not [path for path in shop.index.requests if "/asked/" in path], "an address that a source names was asked"


def test_options(shop):
    def said(*args, env=None):
        command = [shop.place.binary, "run", *args, "-c", "print('ran')"]
        environ = {k: v for k, v in {**os.environ, **shop.env, **(env or {})}.items() if v is not None}
        return subprocess.run(command, env=environ, capture_output=True, text=True)

    wrong = said(ALLOW + "=perhaps")
    assert wrong.returncode == 2 and "network" in wrong.stderr
    assert said("--local", ALLOW).returncode == 2
    assert said("--local", env={"CELLBLOCK_ALLOW_SOURCE_BUILDS": "0", "CELLBLOCK_STORE": None}).stdout == "ran\n"
    assert "--allow-source-builds=network: code of packages" in said(ALLOW + "=network").stderr


# ---- what a build cannot do ----


class Workshop:
    """A server with a session that goes on, and what a build may not reach."""

    def __init__(self, index, *options, tool="uv"):
        self.place = Place(os.geteuid())
        self.shop = Shop(self.place, index, tool)
        self.canary = self.place.work / "canary"
        self.canary.write_text(SECRET)
        self.marks = self.place.root / "marks"
        self.marks.mkdir()
        self.marks.chmod(0o777)
        credentials = index.url.replace("http://", f"http://toy:{SECRET}@")
        self.server = self.shop.serve(ALLOW, *options, env={"PIP_INDEX_URL": credentials, "UV_DEFAULT_INDEX": credentials,
                                                            "AWS_SECRET_ACCESS_KEY": SECRET, "PIP_TOY": SECRET})  # fmt: skip
        self.n = 0
        self.session = self.server.run("n = 0").session

    def aims(self, index):
        return {"file": str(self.canary), "folder": str(self.place.root), "write": str(self.marks / "x"), "port": index.port,
                "secret": SECRET, "pid": self.server.pid}  # fmt: skip

    def install(self, *packages, **arguments):
        result = install(self.server, *packages, session="new", **arguments)
        assert SECRET not in str(result.raw) and len(result.text) < 8000, result
        self.n += 1
        assert self.server.run("n += 1\nn", session=self.session).body == str(self.n), "the server answers"
        assert not list(self.marks.iterdir())
        return result

    def close(self):
        try:
            poll(lambda: not self.shop.tmp(), "work directories to be gone", 20)
            verified = cellblock_store(self.shop, "verify")
            assert verified.returncode == 0, verified.stdout
            self.shop.close()
        finally:
            self.place.remove()


@pytest.fixture(scope="module")
def workshop(can_isolate, sources_index):  # noqa: F811
    made = Workshop(sources_index)
    yield made
    made.close()


def outside(aims):
    """The same code without a sandbox."""
    scope = {}
    exec("import os\n" + SNOOP, scope)
    os.environ["CELLBLOCK_TEST_SECRET"] = aims["secret"]
    try:
        return scope["snoop"](aims)
    finally:
        del os.environ["CELLBLOCK_TEST_SECRET"]
        os.unlink(aims["write"])


def snooped(workshop, index, name):
    aims = workshop.aims(index)
    add(index, source(name, backend=SNOOPS, more={"AIMS": json.dumps(aims)}))
    result = workshop.install(name)
    assert not result.is_error, result
    return aims, eval(value(workshop.server, name.replace("-", "_"), result.session))


def test_a_build_sees_nothing(workshop, sources_index):
    aims, found = snooped(workshop, sources_index, "bad-snoop")
    assert set(outside(aims)) == {"file", "listed", "written", "network", "secret", "process", "signal"}
    assert found == {}


def test_with_the_network_a_build_sees_that_only(can_isolate, sources_index):  # noqa: F811
    open_one = Workshop(sources_index, ALLOW + "=network")
    try:
        _, found = snooped(open_one, sources_index, "bad-networker")
        assert found == {"network": True}
    finally:
        open_one.close()


@pytest.mark.parametrize("kind, words", [
    ("two", "more than one file"), ("none", "no wheel"), ("other", "another package"), ("version", "another version"),
    ("link", "a link"), ("hardlink", "a link"), ("folder", "a link, or no file"), ("pipe", "a link, or no file"),
    ("elsewhere", "the place for the wheel is gone"), ("rubbish", "no zip file"), ("loud", "the last word"),
    ("bomb", "not so many"), ("disk", "a limit|signal 9"), ("memory", "no memory"), ("killer", "No such process|no wheel"),
])  # fmt: skip
def test_what_a_build_leaves(workshop, kind, words):
    result = workshop.install(f"bad-{kind}", "toy-plain", timeout=120)
    assert result.is_error and re.search(rf"bad-{kind}: failed: .*({words})", result.text, re.S), result
    assert "toy-plain: installed 1.0" in result.text, "the others are there"


def test_a_build_that_sleeps_is_cancelled_and_told(workshop):
    """Where it is can be seen by its step: the program in the sandbox was started with it."""
    bundle = str(workshop.shop.store / "tmp")

    def building():
        for pid in processes_with(bundle):
            with contextlib.suppress(OSError):
                if b"\0build\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    return True
        return False

    server = workshop.server
    arguments = {"packages": ["bad-sleeps"], "session": "new", "timeout": 120}
    call = server.start("install_dependencies", arguments, meta={"progressToken": "b"})
    poll(building, "the build to run", LONG)
    server.wait_for(lambda: [n for n in server.notifications if "building bad-sleeps 1.0" in str(n)], "word of the build")
    server.notify("notifications/cancelled", {"requestId": call})
    poll(lambda: not processes_with(bundle), "the build to be gone", 20)
    workshop.install("toy-plain")


def test_a_build_that_takes_too_long(workshop):
    result = workshop.install("bad-sleeps", timeout=4)
    assert result.is_error and "not finished after 4 s" in result.text, result
    poll(lambda: not processes_with(str(workshop.shop.store / "tmp")), "the build to be gone", 20)
