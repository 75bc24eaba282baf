"""What tests of packages in isolated sessions share: an index, a store of the test's own, servers on it."""

import contextlib
import os
import pathlib
import shutil
import sys

import pytest

from boxfixtures import can_isolate, own_place, place  # noqa: F401
from boxtools import Leftovers
from rawclient import PATIENCE, alive, descendants, poll

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "index"))
from toyindex import Package, ToyIndex  # noqa: E402

LONG = 3 * PATIENCE  # pip on a busy machine
TOOLS = ["uv", "pip"]
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def clean_environment():
    """Whatever this machine has set for uv, pip and this program is taken away."""
    names = [k for k in os.environ if k.startswith(("PIP_", "UV_", "CELLBLOCK_")) or k.lower().endswith("_proxy")]
    env = {k: None for k in names}
    env.update(PIP_CONFIG_FILE=os.devnull, UV_NO_CONFIG="1", PIP_RETRIES="0", UV_HTTP_RETRIES="0", NETRC=os.devnull)
    return env


def index_environment(url):
    return {"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}


def find_uv():
    return pathlib.Path(sys.executable).parent / "uv"


def path_for(tool, place):  # noqa: F811
    """PATH with uv, or without. It is given to a user in a place that the user can enter."""
    if tool == "pip":
        if any(os.access(os.path.join(part, "uv"), os.X_OK) for part in SYSTEM_PATH.split(":")):
            pytest.skip("uv is a part of this system")
        return SYSTEM_PATH
    tools = place.root / "tools"
    if not tools.exists():
        tools.mkdir()
        try:
            os.link(find_uv().resolve(), tools / "uv")
        except OSError:
            shutil.copy(find_uv(), tools / "uv")
    return f"{tools}:{SYSTEM_PATH}"


def install(server, *packages, **arguments):
    return server.call("install_dependencies", {"packages": list(packages), **arguments}, patience=LONG)


def fetchers(server):
    """The processes of a server that have to do with fetching."""
    found = []
    for pid in descendants(server.pid):
        with contextlib.suppress(OSError):
            if alive(pid) and pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "cellblock-fetch":
                found.append(pid)
    return found


class Shop:
    """Servers that share an index and a store."""

    def __init__(self, place, index, tool="uv"):  # noqa: F811
        self.place, self.index, self.tool = place, index, tool
        self.store = place.root / "store"
        self.servers = []
        self.env = {**clean_environment(), **index_environment(index.url), "CELLBLOCK_STORE": str(self.store),
                    "PATH": path_for(tool, place), "HOME": str(place.work)}  # fmt: skip
        self._give_store()

    def _give_store(self):
        """A store is made by its user, in a directory where that user may."""
        self.store.parent.chmod(0o755)
        self.store.mkdir(mode=0o711)
        if self.place.uid != os.geteuid():
            os.chown(self.store, self.place.uid, self.place.uid)

    def serve(self, *args, env=None, **options):
        server = self.place.server(*args, env={**self.env, **(env or {})}, **options)
        self.servers.append(server)
        return server

    def tmp(self):
        """Work directories that are in the store."""
        return sorted(p.name for p in (self.store / "tmp").glob("*")) if (self.store / "tmp").exists() else []

    def close(self):
        for server in self.servers:
            if server.closed:
                continue
            left = Leftovers(server)
            assert server.close() == 0
            left.check()
        assert not list(self.place.tmp.iterdir())


@pytest.fixture(scope="module")
def index():
    with ToyIndex() as i:
        add_layer_packages(i)
        yield i


def _shop(place, index, tool):  # noqa: F811
    shop = Shop(place, index, tool)
    yield shop
    shop.close()


@pytest.fixture
def shop(own_place, index):  # noqa: F811
    yield from _shop(own_place, index, "uv")


@pytest.fixture(params=TOOLS)
def both(own_place, index, request):  # noqa: F811
    """With uv, and with pip."""
    yield from _shop(own_place, index, request.param)


@pytest.fixture
def anyone(place, index):  # noqa: F811
    """For root, and for a user without privilege."""
    yield from _shop(place, index, "uv")


def add(index, made, **attributes):
    """A file for the index, under the name that it begins with."""
    file_name, data = made
    name = attributes.pop("package", None) or file_name.split("-")[0].replace("_", "-").lower()
    package = index.packages.setdefault(name, Package())
    package.files[file_name] = data
    package.attributes[file_name] = attributes.pop("attributes", "")
    for key, value in attributes.items():
        setattr(package, key, value)


def add_layer_packages(index):
    from wheels import wheel

    add(index, wheel("toy-pth", files={
        "toy_pth.pth": "toy_pth_inner\nimport sys; sys.toy_pth_ran = True\n", "toy_pth_inner/toy_by_path.py": "x = 'by a path file'\n",
    }))  # fmt: skip
    for part in ("one", "two"):
        add(index, wheel(f"toy-space-{part}", files={f"toy_space/{part}.py": f"name = {part!r}\n"}))
    add(index, wheel("toy-data", files={
        "toy_data/__init__.py": "from importlib.resources import files\ntext = files(__name__).joinpath('table.csv').read_text()\n",
        "toy_data/table.csv": "a,b\n1,2\n", "toy_data-1.0.data/data/share/toy/notes.txt": "shared\n",
        "toy_data-1.0.data/scripts/toy-shell": "#!/bin/sh\necho from a shell script\n",
        "toy_data-1.0.data/scripts/toy-python": "#!python\nimport toy_data\nprint(toy_data.text.split()[0])\n",
        "toy_data-1.0.data/headers/toy.h": "#define TOY 1\n",
    }))  # fmt: skip
    add(index, wheel("toy-syntax", files={"toy_syntax/__init__.py": "ok = 1\n", "toy_syntax/template.py": "def {{ name }}:\n"}))
