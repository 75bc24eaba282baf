"""
Programs that come with a wheel: made from its entry points, or found in it and written for "the Python that it is
installed for". Where the tree will be mounted is not known, so they look for `python` in their own directory.
"""

import configparser
import re

from .names import normal
from .problem import bad, shown

# sh runs the second line and never comes to the third; for Python both are a string.
HEADER = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"
' '''
"""

BODY = """import sys

from %(module)s import %(first)s

if __name__ == "__main__":
    if sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit(%(attribute)s())
"""

_name = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+ -]{0,199}(?<! )")
_dotted = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_reference = re.compile(r"([\w.]+)\s*:\s*([\w.]+)\s*(?:\[[\w\s,.-]*\])?")
# The interpreter, what makes an environment one, and what the header calls.
_reserved = re.compile(
    r"python[w\d.]*|(?:de)?activate(?:\.\w+|_this\.py)?|Activate\.ps1|sh|bash|dash|env|dirname|realpath"
)
_pip = re.compile(r"pip[\d.]*|easy_install(?:-[\d.]+)?")
_owners = {"pip": re.compile(r"pip[\d.]*"), "setuptools": re.compile(r"easy_install(?:-[\d.]+)?")}


def check_name(name, distribution):
    """Whatever the wheel puts into bin/ has such a name."""
    if not _name.fullmatch(name):
        raise bad("it has a script named %s", shown(name))
    if _reserved.fullmatch(name):
        raise bad("it would replace %s", shown(name))
    if _pip.fullmatch(name):
        owner = _owners.get(normal(distribution))
        if owner is None or not owner.fullmatch(name):
            raise bad("it would replace %s", shown(name))


def entry_points(data):
    """entry_points.txt to {script: (module, attribute)}."""
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#", ";"), strict=False)
    parser.optionxform = str
    try:
        parser.read_string(data.decode("utf-8"))
    except (UnicodeDecodeError, configparser.Error):
        raise bad("entry_points.txt is malformed")
    found = {}
    for section in ("console_scripts", "gui_scripts"):
        if not parser.has_section(section):
            continue
        for name, value in parser.items(section):
            m = _reference.fullmatch(value.strip())
            if not m or not _dotted.fullmatch(m[1]) or not _dotted.fullmatch(m[2]):
                raise bad("the entry point %s is malformed", shown(name))
            found[name] = (m[1], m[2])
    return found


def from_entry_point(module, attribute):
    text = BODY % {"module": module, "first": attribute.partition(".")[0], "attribute": attribute}
    return HEADER + text.encode("utf-8")


def rewritten(data):
    """A script of the wheel: `#!python` in its first line means the interpreter that it is installed for."""
    line, newline, rest = data.partition(b"\n")
    if not re.match(rb"#!python[w]?(?:[ \r]|$)", line):
        return data
    return HEADER + rest
