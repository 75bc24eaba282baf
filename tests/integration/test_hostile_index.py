"""Hostile packages and hostile answers of an index: each is refused in words, in time, and nothing is written elsewhere.

How a package is unpacked does not depend on the tool that chose it, so those cases run once; what the tool sees runs
with uv and with pip.
"""

import os
import re
import shutil
import time

import pytest

from boxfixtures import can_isolate  # noqa: F401
from boxtools import Place
from layertools import TOOLS, BadIndex, Shop, install
from rawclient import MEMORY_FACTOR, descendants, peak_kib
from test_layers import module

SECRET = "hunter2secret"
WITHIN = 60  # seconds, generous: most take one


class Host:
    """A server on the hostile index, with a session that goes on computing, and canaries where packages aim at."""

    def __init__(self, tool):
        self.place = Place(os.geteuid())
        self.marks = self.place.root / "marks"
        self.marks.mkdir()
        os.chmod(self.marks, 0o777)
        self.index = BadIndex(self.marks)
        self.index.__enter__()
        self.shop = Shop(self.place, self.index, tool)
        self.server = self.shop.serve(env={"CELLBLOCK_TEST_SECRET": SECRET, "AWS_SECRET_ACCESS_KEY": SECRET})
        self.before = self.files()
        self.n = 0
        self.sibling = self.server.run("n = 0").session
        self.system = {path: os.stat(path).st_mtime_ns for path in ("/usr/bin", "/usr/lib", "/etc", "/bin/sh", "/usr/local/bin")}

    def files(self):
        """Everything beside the store that could have been written."""
        found = {}
        for folder in (self.marks, self.place.work, self.place.tmp):
            for path, folders, names in os.walk(folder):
                for name in folders + names:
                    whole = os.path.join(path, name)
                    status = os.lstat(whole)
                    found[whole] = (status.st_size, status.st_mtime_ns, status.st_mode)
        own = str(self.place.tmp / "cellblock-")  # the server's
        return {path: value for path, value in found.items() if not path.startswith(own)}

    def install(self, *packages, timeout=WITHIN, **arguments):
        for package in packages:
            self.index.prepare(re.split(r"[=<>\[; ]", package)[0])
        start = time.monotonic()
        result = install(self.server, *packages, timeout=timeout, session="new", **arguments)
        assert time.monotonic() - start < timeout + 10
        self.check()
        assert len(result.text) < 6000 and SECRET not in str(result.raw), result
        assert not [c for c in result.text if ord(c) < 32 and c not in "\n\t"], repr(result.text)
        return result

    def check(self):
        """Nothing was written, nothing of a package ran outside, the other session goes on."""
        assert self.files() == self.before
        assert not self.index.ran, self.index.ran
        assert not [p for p in self.index.requests if SECRET in p]
        assert {path: os.stat(path).st_mtime_ns for path in self.system} == self.system
        self.n += 1
        assert self.server.run("n += 1\nn", session=self.sibling).body == str(self.n)

    def works(self):
        """A package that nobody has asked for before is installed."""
        result = self.install(f"good-again==1.{self.n % 10}")
        assert not result.is_error and module(self.server, "good_again", result.session) == f"1.{(self.n - 1) % 10}", result

    def close(self):
        try:
            assert self.server.close() == 0
        finally:
            self.index.__exit__()
            self.place.remove()


@pytest.fixture(scope="module")
def hosts(can_isolate):  # noqa: F811
    made = {}
    yield lambda tool: made.get(tool) or made.setdefault(tool, Host(tool))
    for host in made.values():
        host.close()


@pytest.fixture
def host(hosts):
    return hosts("uv")


@pytest.fixture(params=TOOLS)
def each(hosts, request):
    return hosts(request.param)


def refused(host, package, says, **arguments):
    result = host.install(package, **arguments)
    assert result.is_error, result
    line = next((line for line in result.text.splitlines() if line.startswith(package + ": failed: ")), "")
    assert line, result
    assert re.search(says, result.text), result
    name = re.split(r"[=<>\[; ]", package)[0].replace("-", "_")
    assert module(host.server, name, result.session) == "ModuleNotFoundError"
    assert not [p for p in host.shop.tmp()], "a work directory is left"
    return result


PATHS = [
    ("bad-absolute", "absolute name"), ("bad-parent", "leads elsewhere"), ("bad-parent-inside", "leads elsewhere"),
    ("bad-backslash", "backslash"), ("bad-nul", "control characters"), ("bad-newline", "control characters"),
    ("bad-empty-part", "leads elsewhere"), ("bad-long", "too long"), ("bad-deep", "name of \\d+ bytes|too long"),
    ("bad-data-parent", "leads elsewhere"), ("bad-data-place", "unknown place"), ("bad-data-config", r"replace 'pyvenv\.cfg'"),
    ("bad-data-python", "replace 'python'"), ("bad-data-script", "leads elsewhere"), ("bad-symlink", "symbolic link"),
    ("bad-device", "device"), ("bad-block", "device"), ("bad-fifo", "device"), ("bad-socket", "device"), ("bad-setuid", "setuid"),
]  # fmt: skip

CONTENTS = [
    ("bad-hash", "hash differs"), ("bad-record-hash", "RECORD"), ("bad-record-lacks", "not in RECORD"),
    ("bad-record-more", "RECORD names"), ("bad-record-none", "RECORD"), ("bad-record-weak", "RECORD.*relied on"), ("bad-twice", "twice"),
    ("bad-cut", "zip|damaged"),
    ("bad-crc", "checksum|damaged"), ("bad-encrypted", "encrypted"), ("bad-local", "not what the zip directory says|damaged"),
    ("bad-hidden", "zip|damaged"), ("bad-bomb", "2147[0-9]+ bytes unpacked"), ("bad-lying-bomb", "larger than announced"),
    ("bad-many", "60[0-9]{3} files"), ("bad-directories", "directories"),
]  # fmt: skip

METADATA = [
    ("bad-other-name", "toy-plain|metadata|damaged"), ("bad-other-version", "2\\.0|version|damaged"),
    ("bad-other-info", "another|toy[-_]plain|damaged"), ("bad-two-infos", "dist-info|damaged"), ("bad-no-metadata", "METADATA|[Mm]etadata|damaged"),
    ("bad-wheel-version", "format|version|damaged"), ("bad-variable", "\\$\\{|URL|url|failed"), ("bad-file-needed", "."), ("bad-url-needed", "."),
]  # fmt: skip

SCRIPTS = [
    ("bad-entry-parent", "script named"), ("bad-entry-absolute", "script named"), ("bad-script-python", "replace 'python'"),
    ("bad-script-python3", r"replace 'python3\.11'"), ("bad-script-sh", "replace 'sh'"), ("bad-script-pip", "replace 'pip'"),
    ("bad-script-activate", "replace 'activate'"), ("bad-script-python-file", "replace 'python'"), ("bad-script-sh-file", "replace 'sh'"),
    ("bad-script-pip-file", "replace 'pip'"), ("bad-entry-code", "malformed"), ("bad-entry-text", "malformed"),
]  # fmt: skip


@pytest.mark.parametrize("package, says", PATHS + CONTENTS + SCRIPTS, ids=lambda v: v if v.startswith("bad-") else "_")
def test_what_unpacking_refuses(host, package, says):
    refused(host, package, says)


@pytest.mark.parametrize("package, says", METADATA, ids=lambda v: v if v.startswith("bad-") else "_")
def test_metadata(each, package, says):
    refused(each, package, says)
    assert not [path for path in each.index.requests if path.startswith("/asked/")], "an address that a wheel names was asked"


def test_it_works_after_all_that(each):
    each.works()


def test_good_packages_that_look_odd(host):
    """Case is told apart on this system; a name may be written in many ways."""
    result = host.install("good-case", "GOOD.spelled__Name")
    assert not result.is_error, result
    seen = host.server.run("import good_case.Mod, good_case.mod, good_spelled\ngood_case.Mod.x, good_case.mod.x, good_spelled.x",
                           session=result.session)  # fmt: skip
    assert seen.body == "('upper', 'lower', 1)"


def test_a_bad_dependency_takes_only_who_needs_it(host):
    host.index.add(host_wheel("bad-needs-hash", ["bad-hash"]))
    result = host.install("bad-needs-hash", "toy-plain")
    assert re.search(r"bad-needs-hash: failed: .*hash", result.text) and "toy-plain: installed 1.0" in result.text, result
    assert module(host.server, "toy_plain", result.session) == "1.0"


def host_wheel(name, requires):
    from wheels import wheel

    return wheel(name, requires=requires)


def test_one_package_overwrites_another(host):
    """One wins, always the same one, and it is told."""
    owners = set()
    for order in (("good-first", "good-second"), ("good-second", "good-first")):
        result = host.install(*order)
        assert not result.is_error and re.search(r"good_shared\.py is in two packages: that of good-(first|second) counts", result.text), result
        owners.add(host.server.run("import good_shared\ngood_shared.owner", session=result.session).body)
    assert len(owners) == 1
    # Who has one of them, alone, has the right one.
    for name in ("first", "second"):
        alone = host.install(f"good-{name}")
        assert host.server.run("import good_shared\ngood_shared.owner", session=alone.session).body == repr(name)


# ---- path files and modules with names of others ----


@pytest.mark.parametrize("package", ["bad-pth-raises", "bad-pth-exits", "bad-pth-prints", "bad-pth-bytes", "bad-pth-aborts", "bad-pth-attacks",
                                     "bad-pth-sleeps"])  # fmt: skip
def test_path_files(host, package):
    """They run in the session that asked for them and nowhere else, least of all in what fetches."""
    result = host.install(package)
    assert result.session
    if package in ("bad-pth-aborts", "bad-pth-sleeps"):
        assert "path files (.pth)" in result.text and "new session" in result.text, result
    assert "2" in host.server.run("1+1", session="new").body
    host.check()
    # The session itself answers, whatever is left of it.
    for _ in range(1 if package == "bad-pth-sleeps" else 3):
        again = host.server.run("1+1", session=result.session, timeout=1)
        assert again.body or again.is_error
    host.check()
    if package == "bad-pth-sleeps":
        return
    more = install(host.server, "good-again==1.1", session=result.session)
    host.check()
    if package in ("bad-pth-raises", "bad-pth-exits", "bad-pth-prints", "bad-pth-bytes"):
        assert not result.is_error and not more.is_error, (result, more)
        assert module(host.server, package.replace("-", "_"), result.session).splitlines()[-1] == "1.0"
        assert host.server.run("1+1", session=result.session).body == "2"


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize", "pip", "encodings", "os", "cellblock"])
def test_modules_with_the_names_of_others(host, name):
    """Nothing that fetches imports from a layer, so another install in that session is none of the package's business."""
    result = host.install(f"bad-module-{name}")
    assert not result.is_error, result
    assert host.server.run("1+1", session=result.session).body == "2"
    assert not install(host.server, "toy-plain", session=result.session).is_error
    host.check()
    assert module(host.server, "toy_plain", result.session) == "1.0"


# ---- sources ----


@pytest.mark.parametrize("package", ["bad-setup", "bad-backend", "bad-needs-source"])
def test_sources_never_run(each, package):
    refused(each, package, "bad-(setup|backend).*source|only source|no wheel")


# ---- answers ----


ANSWERS = [
    ("bad-half-page", "."), ("bad-half", "."), ("bad-not-html", "."), ("bad-loop", "."), ("bad-redirect-file", "."), ("bad-link-file", "."),
    ("bad-link-file-hash", "."), ("bad-redirect-wheel", "."), ("bad-script-link", "."), ("bad-attributes", "."),
]  # fmt: skip


@pytest.mark.parametrize("package", [a[0] for a in ANSWERS])
def test_answers_of_the_index(each, package):
    """Files of this machine are not installed, whatever leads to them."""
    result = each.install(package)
    assert result.is_error and re.search(rf"^{package}: failed: .{{5,}}", result.text, re.M), result
    assert module(each.server, package.replace("-", "_"), result.session) == "ModuleNotFoundError"
    assert module(each.server, "toy_host", result.session) == "ModuleNotFoundError"
    assert str(each.shop.store) not in result.text


def test_a_page_of_50_megabytes(each):
    result = each.install("bad-huge-page", timeout=8)
    assert result.is_error and "bad-huge-page: failed: " in result.text, result
    assert peak_kib(each.server.pid) < 300 * 1024 * MEMORY_FACTOR
    each.check()


def test_a_page_that_drips(each):
    result = each.install("bad-drip-page", timeout=2)
    assert result.is_error and "not finished after 2 s" in result.text, result
    assert not [p for p in descendants(each.server.pid) if "fetch" in (read(f"/proc/{p}/comm") or "")]


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None


def test_yanked(each):
    result = each.install("good-yanked")
    assert not result.is_error and "installed 1.0" in result.text, result
    wanted = each.install("good-yanked==1.1")
    if not wanted.is_error:
        assert module(each.server, "good_yanked", wanted.session) == "1.1"
    only = each.install("bad-yanked")
    if only.is_error:
        assert re.search(r"bad-yanked: failed: .*(yanked|version)", only.text), only
    else:
        assert module(each.server, "bad_yanked", only.session) == "1.0"


@pytest.mark.parametrize("tool", TOOLS)
def test_credentials_do_not_follow_a_redirect(can_isolate, tool):  # noqa: F811
    """To another port of the same host, which is somebody else."""
    host = Host(tool)
    try:
        with BadIndexOf(host) as other:
            host.index.elsewhere(other)
            url = host.index.at("ok", user="toy:" + SECRET)
            server = host.shop.serve(env={"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url})
            result = install(server, "good-elsewhere")
            assert not result.is_error, result
            assert module(server, "good_elsewhere") == "1.0"
            assert [h for _, h in host.index.headers_seen if h], "the index itself is told"
            assert other.headers_seen and not [h for _, h in other.headers_seen if h], other.headers_seen
            assert SECRET not in server.stderr()
            server.close()
    finally:
        host.close()


class BadIndexOf:
    """Another index, on another port."""

    def __init__(self, host):
        self.marks = host.place.root / "other"

    def __enter__(self):
        self.marks.mkdir()
        self.index = BadIndex(self.marks)
        return self.index.__enter__()

    def __exit__(self, *exc):
        self.index.__exit__()
        shutil.rmtree(self.marks)


def test_everything_is_gone_in_the_end(hosts):
    """After all that the stores hold good packages only, and the servers few descriptors."""
    for tool in TOOLS:
        host = hosts(tool)
        host.works()
        names = {line.split(" ")[-1] for path in (host.shop.store / "wheels").glob("*/manifest") for line in path.read_text().splitlines()}
        assert not [n for n in names if ".." in n or n.startswith("/") or n.startswith(("bin/python", "bin/sh"))]
        links = [p for p in (host.shop.store / "wheels").rglob("*") if p.is_symlink() or not (p.is_file() or p.is_dir())]
        assert not links
