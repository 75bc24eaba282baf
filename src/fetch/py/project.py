"""How a source distribution is built: [build-system] of its pyproject.toml, and what counts without (PEP 517, 518)."""

import os
import re

from . import toml
from .problem import bad

LEGACY = "setuptools.build_meta:__legacy__"
DEFAULT = ["setuptools>=40.8.0"]  # for setup.py: the first one that can be called in this way
FILE_MAX = 4 << 20
REQUIRES_MAX = 100

_name = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?::[^\W\d]\w*(?:\.[^\W\d]\w*)*)?")


class Project:
    def __init__(self, source):
        self.source = source
        self.requires, self.backend, self.paths = list(DEFAULT), LEGACY, []
        table = _build_system(source)
        if table is None:
            if not os.path.isfile(os.path.join(source, "setup.py")):
                raise bad("it has neither a pyproject.toml that says how to build it nor a setup.py")
            return
        requires = table.get("requires")
        if not _strings(requires) or len(requires) > REQUIRES_MAX:
            raise bad("its pyproject.toml has no list of what it needs to be built ([build-system] requires)")
        self.requires = requires
        if "build-backend" in table:
            self.backend = table["build-backend"]
            if not isinstance(self.backend, str) or not _name.fullmatch(self.backend):
                raise bad("its pyproject.toml names a malformed build-backend")
        paths = table.get("backend-path", [])
        if not _strings(paths) or (paths and "build-backend" not in table):
            raise bad("its pyproject.toml has a malformed backend-path")
        for path in paths:
            whole = os.path.realpath(os.path.join(source, path))
            if os.path.commonpath([whole, os.path.realpath(source)]) != os.path.realpath(source):
                raise bad("its backend-path leads out of it")
            self.paths.append(whole)


def _strings(value):
    return isinstance(value, list) and all(isinstance(item, str) and item.isprintable() for item in value)


def _build_system(source):
    """The table, or None."""
    try:
        with open(os.path.join(source, "pyproject.toml"), encoding="utf-8") as file:
            text = file.read(FILE_MAX)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise bad("its pyproject.toml cannot be read")
    # Only this table: before 3.11 Python knows no TOML, and toml.py not all of it.
    part = re.search(r"^[ \t]*\[[ \t]*build-system[ \t]*\][^\n]*\n((?:(?![ \t]*\[)[^\n]*(?:\n|\Z))*)", text, re.M)
    try:
        table = toml.loads(part[1]) if part else toml.loads(text).get("build-system")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if not part and "build-system" not in text:
            return None
        raise bad("its pyproject.toml cannot be understood: %s", error)
    if table is not None and not isinstance(table, dict):
        raise bad("its pyproject.toml has a malformed [build-system]")
    return table
