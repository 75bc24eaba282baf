"""What is kept for later sessions, and settings: answers again, offline, --packages, damage, full disks, secrets."""

import base64
import os
import re
import shutil
import subprocess
import sys

import pytest

from boxfixtures import can_isolate, own_place, place  # noqa: F401
from boxtools import SYSTEM_PYTHON, as_user
from layertools import LONG, Shop, add, anyone, both, index, install, shop  # noqa: F401
from rawclient import poll
from test_layers import module
from toyindex import ToyIndex, make_wheel

SECRET = "hunter2secret"


@pytest.fixture
def own_index():
    with ToyIndex() as i:
        yield i


@pytest.fixture
def own_shop(own_place, own_index):  # noqa: F811
    """A shop whose index may be changed and switched off."""
    made = Shop(own_place, own_index)
    yield made
    made.close()


def cellblock_store(shop, *arguments):  # noqa: F811
    command = [*as_user(shop.place.uid), shop.place.binary, "store", *arguments]
    env = {k: v for k, v in {**os.environ, **shop.env}.items() if v is not None}
    return subprocess.run(command, env=env, capture_output=True, text=True)


# ---- again ----


def test_answers_are_kept_for_a_while(own_shop):
    add(own_shop.index, make_wheel("toy-grows", "1.0"))
    server = own_shop.serve()
    assert "installed 1.0" in install(server, "toy-grows").text
    add(own_shop.index, make_wheel("toy-grows", "1.1"))
    asked = len(own_shop.index.requests)
    assert "installed 1.0" in install(server, "toy-grows", session="new").text
    assert len(own_shop.index.requests) == asked
    always = own_shop.serve("--resolve-ttl", "0")
    assert "installed 1.1" in install(always, "toy-grows", session="new").text
    assert len(own_shop.index.requests) > asked
    asked = len(own_shop.index.requests)
    again = install(always, "toy-grows", session="new")
    assert "installed 1.1" in again.text and len(own_shop.index.requests) > asked, "it asks each time"
    # What was asked for last counts for all.
    assert "installed 1.1" in install(server, "toy-grows", session="new").text


def test_a_failure_is_not_kept(own_shop):
    server = own_shop.serve()
    assert install(server, "toy-afterwards").is_error
    add(own_shop.index, make_wheel("toy-afterwards", "1.0"))
    assert not install(server, "toy-afterwards").is_error


def test_other_settings_are_another_question(own_shop):
    """The answer of one index is not given to who asks another."""
    with ToyIndex() as other:
        add(other, make_wheel("toy-good", "3.0"))
        assert "installed 2.0" in install(own_shop.serve(), "toy-good").text
        url = other.url
        result = install(own_shop.serve(env={"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}), "toy-good")
        assert "installed 3.0" in result.text, result


def test_offline(both):
    install(both.serve(), "toy-good==1.1")
    asked = len(both.index.requests)
    server = both.serve("--offline", "--resolve-ttl", "0")
    result = install(server, "toy-good==1.1")
    assert not result.is_error and module(server, "toy_good") == "1.1", result
    missing = install(server, "toy-plain", session="new")
    assert missing.is_error and re.search(r"toy-plain: failed: .*offline", missing.text, re.S), missing
    assert "UV_OFFLINE" not in missing.text and "no toy-plain that would do" in missing.text
    needed = install(server, "toy-extra[more]", "toy-good==1.1", session="new")
    assert needed.is_error and "no toy-extra that would do" in needed.text, needed
    assert len(both.index.requests) == asked


def test_find_links_and_constraints(both):
    folder = both.place.root / "wheels"
    folder.mkdir()
    for made in (make_wheel("toy-local", "1.0", ["toy-dep"]), make_wheel("toy-good", "1.5", ["toy-dep"])):
        (folder / made[0]).write_bytes(made[1])
    limits = both.place.root / "limits.txt"
    limits.write_text("toy-dep<1.1\n")
    env = {"PIP_FIND_LINKS": str(folder), "UV_FIND_LINKS": str(folder), "PIP_CONSTRAINT": str(limits), "UV_CONSTRAINT": str(limits)}
    server = both.serve(env=env)
    result = install(server, "toy-local", "toy-good<2")
    assert not result.is_error and "toy-dep==1.0" in result.text and "toy-good<2: installed 1.5" in result.text, result
    assert server.run("import toy_local, toy_dep\ntoy_local.VERSION, toy_dep.VERSION").body == "('1.0', '1.0')"
    # Another content of the file is another question.
    limits.write_text("# none any more, and a longer line\n")
    assert "toy-dep==1.2" in install(server, "toy-local", "toy-good<2", session="new").text


def test_settings_of_pip_hold_for_uv(own_shop):
    config = own_shop.place.root / "pip.conf"
    config.write_text(f"[global]\nindex-url = {own_shop.index.url}\n")
    server = own_shop.serve(env={"PIP_CONFIG_FILE": str(config), "PIP_INDEX_URL": None, "UV_DEFAULT_INDEX": None})
    assert not install(server, "toy-plain").is_error


def test_store_of_another_user_and_of_nobody(anyone):
    """Root's sessions and those of a user without privilege: both work, in a store of their own."""
    server = anyone.serve()
    assert not install(server, "toy-good==1.1").is_error
    assert server.run("import subprocess\nsubprocess.run('toy-good', capture_output=True, text=True).stdout").body == "'1.1\\n'"
    again = install(anyone.serve(), "toy-good==1.1")
    assert not again.is_error
    listed = cellblock_store(anyone)
    assert listed.returncode == 0 and "toy_good 1.1" in listed.stdout and " yes " in listed.stdout, listed
    assert cellblock_store(anyone, "verify").returncode == 0
    for path, folders, names in os.walk(anyone.store / "wheels"):
        for name in folders + names:
            status = os.lstat(os.path.join(path, name))
            assert status.st_uid == anyone.place.uid and not status.st_mode & 0o022, (path, name, oct(status.st_mode))


# ---- --packages ----


def prepared(shop, text, name="requirements.txt", env=None, **files):  # noqa: F811
    for other, content in files.items():
        (shop.place.root / f"{other}.txt").write_text(content)
    path = shop.place.root / name
    path.write_text(text)
    return shop.serve("--packages", path, env=env)


def test_packages_of_a_requirements_file(both):
    text = "# what we need\ntoy-good==1.1  # this\n-r more.txt\ntoy-plain ; python_version >= '3'\ntoy-extra[more] \\\n  >=1.0\n"
    server = prepared(both, text, more="toy-space-one\n\ntoy-pth\n")
    for session in ("new", "new"):
        code = "import toy_good, toy_plain, toy_space.one, toy_by_path\n!toy-good\ntoy_good.VERSION"
        result = server.run(code, session=session, timeout=60, patience=LONG)
        assert result.body == "1.1\n'1.1'", result
    assert "toy-good==1.1" in server.call("list_installed_packages").text
    asked = len(both.index.requests)
    again = install(server, "toy-good==1.1", "toy-plain")
    assert len(re.findall("already there", again.text)) == 2 and len(both.index.requests) == asked, again
    more = install(server, "toy-space-two")
    assert not more.is_error
    assert server.run("import toy_space.one, toy_space.two\ntoy_space.one.name, toy_space.two.name").body == "('one', 'two')"
    assert module(server, "toy_good", server.run("1", session="new").session) == "1.1"
    # The second server has it at once, from the store.
    assert prepared(both, text, more="toy-space-one\n\ntoy-pth\n").run("import toy_good\ntoy_good.VERSION").body == "'1.1'"
    assert len([p for p in both.index.requests[asked:] if "toy-good" in p or "toy_good" in p]) == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the interpreter has no tomllib")
def test_packages_of_a_project(shop):
    server = prepared(shop, '[project]\nname = "x"\nversion = "1"\ndependencies = ["toy-good==1.1", "toy-extra[more]"]\n', "pyproject.toml")
    assert server.run("import toy_good, toy_plain\ntoy_good.VERSION", timeout=60).body == "'1.1'"


@pytest.mark.parametrize("text, says", [
    ("toy-good==1.1\n-e .\n", r"line 2.*-e"), ("toy-good\n./here\n", r"line 2.*\./here"), ("-r nowhere.txt\n", "nowhere.txt"),
    ("--index-url http://127.0.0.1:1/\n", "line 1.*--index-url"), ("toy-plain --hash=sha256:00\n", "line 1.*--hash"),
    ("-r requirements.txt\n", "too many files"), ("toy-nowhere\n", "no package named toy-nowhere"),
])  # fmt: skip
def test_packages_that_cannot_be_had(shop, text, says):
    """Every call says so, and what a session would do without them is not tried."""
    server = prepared(shop, text)
    for _ in range(2):
        result = server.run("print('ran')", timeout=30)
        assert result.is_error and re.search(says, result.text) and "ran" not in result.text.split(), result
    assert install(server, "toy-plain").is_error


def test_packages_when_the_index_is_back(own_shop):
    own_shop.index.packages["toy-good"].page_status = 500
    server = prepared(own_shop, "toy-good==1.1\n")
    first = server.run("import toy_good\ntoy_good.VERSION", timeout=30)
    assert first.is_error and re.search("requirements.txt.*index answered with an error", first.text, re.S), first
    own_shop.index.packages["toy-good"].page_status = 200
    poll(lambda: server.run("import toy_good\ntoy_good.VERSION", session="new", timeout=30).body == "'1.1'", "the packages", 30)


# ---- damage ----


def damage_truncate(path):
    os.truncate(path, 3)


def damage_change(path):
    with open(path, "r+b") as f:
        f.write(b"VERSION = 'of somebody else'\n")


def damage_remove(path):
    os.unlink(path)


def damage_empty(path):
    shutil.rmtree(os.path.dirname(path))


@pytest.mark.parametrize("tree", ["sets", "wheels"])
@pytest.mark.parametrize("damage", [damage_truncate, damage_change, damage_remove, damage_empty], ids=lambda d: d.__name__[7:])
def test_damage_is_found_and_mended(own_shop, damage, tree):
    server = own_shop.serve()
    assert not install(server, "toy-good==1.1", "toy-plain").is_error
    server.close()
    for path in list((own_shop.store / tree).rglob("toy_plain.py")):
        for parent in (path, path.parent, path.parent.parent):
            os.chmod(parent, 0o777)
        damage(path)
    asked = len(own_shop.index.requests)
    server = own_shop.serve()
    result = install(server, "toy-good==1.1", "toy-plain")
    assert not result.is_error, result
    assert module(server, "toy_plain") == "1.0" and module(server, "toy_good") == "1.1"
    if tree == "sets" or damage in (damage_truncate, damage_change):  # of links to one file both are damaged
        assert len(own_shop.index.requests) > asked or damage in (damage_remove, damage_empty)
    # What nobody has looked at yet is found by a set that is made of it, or by verify.
    more = install(server, "toy-plain", "toy-extra", session="new")
    assert not more.is_error and module(server, "toy_plain", more.session) == "1.0", more
    cellblock_store(own_shop, "verify")
    assert cellblock_store(own_shop, "verify").returncode == 0
    assert "toy_plain.py" in " ".join(str(p) for p in (own_shop.store / "wheels").rglob("*.py"))


def test_an_answer_that_is_garbage(own_shop):
    server = own_shop.serve()
    install(server, "toy-plain")
    for path in (own_shop.store / "answers").iterdir():
        os.chmod(path, 0o644)
        path.write_bytes(os.urandom(300))
    assert not install(server, "toy-plain", session="new").is_error
    for path in (own_shop.store / "sets").glob("*/manifest"):
        os.chmod(path.parent, 0o755)
        os.chmod(path, 0o644)
        path.write_bytes(b"\0\xff" * 100)
    result = install(server, "toy-plain", session="new")
    assert not result.is_error and module(server, "toy_plain", result.session) == "1.0", result


def test_a_store_that_is_deleted(own_shop):
    """While no session uses it; the server goes on."""
    server = own_shop.serve()
    install(server, "toy-plain", session="new")
    for name in ("wheels", "answers"):
        subprocess.run(["chmod", "-R", "u+w", own_shop.store / name], check=True)
        shutil.rmtree(own_shop.store / name)
    result = install(server, "toy-plain", session="new")
    assert not result.is_error or "store" in result.text, result
    assert "2" in server.run("1+1").body
    server.close()
    subprocess.run(["chmod", "-R", "u+w", own_shop.store], check=True)
    shutil.rmtree(own_shop.store)
    again = own_shop.serve()
    assert not install(again, "toy-plain").is_error and module(again, "toy_plain") == "1.0"


# ---- where it cannot be ----


def test_a_store_that_cannot_be_made(shop):
    """A session that installs nothing works; an install says what is wrong and with what."""
    blocked = shop.place.root / "file"
    blocked.write_text("")
    command = [shop.place.binary, "stdio", "--python", SYSTEM_PYTHON, "--store", blocked / "store"]
    env = {k: v for k, v in {**os.environ, **shop.env}.items() if v is not None}
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, env=env, capture_output=True, text=True)
    if ended.returncode != 0:
        assert str(blocked) in ended.stderr, ended
        return
    server = shop.serve("--store", blocked / "store")
    assert server.run("1+1").body == "2"
    result = install(server, "toy-plain")
    assert result.is_error and re.search(r"store.*(directory|file)", result.text), result


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
@pytest.mark.parametrize("how, says", [("size=256k", r"disk is full|No space"), ("size=4k,nr_inodes=40", r"disk is full|No space"),
                                       ("ro", r"Read-only file system")])  # fmt: skip
def test_a_full_or_read_only_disk(shop, how, says):
    script = f"mount -t tmpfs -o {how},mode=0755 none '{shop.store}' && exec \"$@\""
    if subprocess.run(["unshare", "-m", "true"]).returncode != 0:
        pytest.skip("no mount namespace can be had")
    try:
        server = shop.serve("--log-level", "error", prefix=["unshare", "-m", "sh", "-c", script, "sh"])
    except (AssertionError, OSError) as e:
        assert re.search(says, str(e)), e  # it does not start, and says why
        return
    assert server.run("1+1").body == "2"
    result = install(server, "toy-good==1.1", "toy-data", "toy-pth", "toy-extra[more]")
    assert result.is_error and re.search(says, result.text), result
    assert server.run("1+1").body == "2"


# ---- secrets ----


def test_credentials_stay_where_they_are(own_place, own_index):  # noqa: F811
    for tool in ("uv", "pip"):
        own_index.authorization = "Basic " + base64.b64encode(b"toy:" + SECRET.encode()).decode()
        made = Shop.again(own_place, own_index, tool)
        url = own_index.at("auth", user="toy:" + SECRET)
        server = made.serve("--log-level", "debug", env={"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url})
        told = []
        good = install(server, "toy-good==1.1", "toy-plain")
        assert not good.is_error, good
        told += [good, install(server, "toy-nowhere"), install(server, "toy-badhash"), install(server, "toy-500"),
                 install(server, "toy-slow", timeout=2)]  # fmt: skip
        bad = own_index.at("401", user="toy:" + SECRET)
        refused = made.serve("--log-level", "debug", env={"PIP_INDEX_URL": bad, "UV_DEFAULT_INDEX": bad})
        told.append(install(refused, "toy-plain"))
        assert told[-1].is_error and "refuses access" in told[-1].text
        seen = server.run("import os, glob\nprint(dict(os.environ))\n"
                          "for p in glob.glob('/proc/self/environ') + glob.glob('/packages/**', recursive=True):\n"
                          "    print(open(p, errors='replace').read() if os.path.isfile(p) and os.path.getsize(p) < 10**5 else p)")  # fmt: skip
        told.append(seen)
        encoded = base64.b64encode(b"toy:" + SECRET.encode()).decode()
        for secret in (SECRET, encoded):
            assert not [r for r in told if secret in str(r.raw)]
            for s in (server, refused):
                assert secret not in s.stderr(), s.stderr()
                assert not [line for line in s.lines if secret.encode() in line]
            holding = subprocess.run(["grep", "-rl", "--exclude-dir=cache", secret, made.store], capture_output=True, text=True).stdout
            assert not holding, holding
        assert not install(server, "toy-good==1.1", "toy-plain", session="new").is_error
        made.close()
