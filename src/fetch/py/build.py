"""
The steps of a build, each in a sandbox of its own that has no network, no settings and none of the user's files:

    describe SDIST NAME     what has to be there before its build backend can be asked; runs nothing of it
    ask SDIST NAME          what the backend wants besides (get_requires_for_build_wheel)
    build SDIST NAME        dist/*.whl (build_wheel)
    check WHEEL NAME VERSION    is that wheel what was to be built? Runs nothing of it

NAME is the file's own. The last two but one run the package's code, and its backend's, by the interpreter of an
environment that has what was asked for. The current directory is a private one; `requires` is what the program outside
reads, which takes nothing in it for granted.
"""

import importlib
import os
import sys

from . import sdist, tags, wheel
from .archive import NAME_MAX
from .job import write_file
from .names import WheelName, normal
from .problem import bad, shown
from .project import Project
from .unpack import open_wheel

DIST = "dist"


def _open_project(path, filename):
    return Project(sdist.unpack(path, filename, os.path.abspath("source")))


def _write_requires(requires):
    for line in requires:
        if not isinstance(line, str) or not line.isprintable() or not line.strip():
            raise bad("what it needs to be built is malformed: %s", shown(str(line)))
    write_file("requires", "".join(line + "\n" for line in requires))


def describe(path, filename):
    _write_requires(_open_project(path, filename).requires)


def _backend(project):
    """The object whose functions are the hooks, in the surroundings that PEP 517 promises."""
    for name in ("home", "tmp"):
        os.mkdir(name)
        os.environ["HOME" if name == "home" else "TMPDIR"] = os.path.abspath(name)
    # Not this program's own modules, nor the current directory.
    sys.path[:] = project.paths + [entry for entry in sys.path[1:]]
    sys.argv[:] = ["setup.py"]
    os.chdir(project.source)
    module, _, attributes = project.backend.partition(":")
    found = importlib.import_module(module)
    for attribute in attributes.split(".") if attributes else ():
        found = getattr(found, attribute)
    return found


def ask(path, filename):
    here = os.getcwd()
    hook = getattr(_backend(_open_project(path, filename)), "get_requires_for_build_wheel", None)
    requires = hook(None) if hook else []
    os.chdir(here)
    _write_requires(list(requires))


def build(path, filename):
    dist = os.path.abspath(DIST)
    os.mkdir(dist)
    _backend(_open_project(path, filename)).build_wheel(dist, None, None)


def check(path, name, version):
    """version: - where the file's name does not tell."""
    filename = os.path.basename(path)
    if len(filename.encode()) > NAME_MAX:
        raise bad("its name is too long")
    stated = WheelName(filename)
    if normal(stated.name) != normal(name):
        raise bad("it is of another package: %s", shown(filename))
    if tags.Ranking().key(stated) is None:
        raise bad("it is for another Python or platform: %s", shown(filename))
    site = "lib/python%d.%d/site-packages" % sys.version_info[:2]
    with open_wheel(path) as data:
        wheel.inspect(data, filename, name, stated.version if version == "-" else version, site, wheel.Limits())


STEPS = {"describe": describe, "ask": ask, "build": build, "check": check}
