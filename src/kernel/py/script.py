"""
Code that says in a comment what it needs (PEP 723, inline script metadata):

    # /// script
    # requires-python = ">=3.11"
    # dependencies = ["requests<3"]
    # ///

It is installed before the code runs, in the way of %pip; where that fails the code is not run. Nothing is said when
all is there. This module is loaded only for code that has the first line of a block in it.
"""

import re
import sys

# The expression that PEP 723 gives.
_block = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
# PEP 440, as far as it makes sense for versions of Python: operator, numbers, .*, and what comes before a release.
_clause = re.compile(
    r"\s*(~=|==|!=|<=|>=|<|>)\s*v?(\d{1,9}(?:\.\d{1,9})*)(\.\*)?"
    r"([-_.]?(?:alpha|beta|a|b|preview|pre|c|rc)[-_.]?\d*|[-_.]?dev\d*)?\s*",
    re.I,
)
_place = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_not_python = re.compile(r"\s*%%(?!(?:time|timeit|capture|prun)\b)")  # the block is of a file that is written

_there = {}  # dependencies -> number of the change of packages after which they were found installed


class ScriptError(Exception):
    """A script block that does not hold here: its code was not run."""


ScriptError.__module__ = "builtins"


def prepare(source, filename):
    """Install what the code names."""
    if _not_python.match(source):
        return
    blocks = [m for m in _block.finditer(source) if m.group("type") == "script"]
    if not blocks:
        return
    if len(blocks) > 1:
        line = source.count("\n", 0, blocks[1].start()) + 1
        raise _syntax("a second script block: the code may have one only", filename, line, 1)
    data = _read(source, blocks[0], filename)
    python, dependencies = data.get("requires-python"), data.get("dependencies", [])
    if python is not None and not isinstance(python, str):
        raise ScriptError("requires-python in the script block has to be a string, as in \">=3.9\"")
    if not isinstance(dependencies, list) or not all(isinstance(d, str) for d in dependencies):
        raise ScriptError("dependencies in the script block have to be a list of strings, as in [\"requests<3\"]")
    if python is not None and not holds(python, sys.version_info[:3]):
        here = "%d.%d.%d" % sys.version_info[:3]
        raise ScriptError("the code was not run: it requires Python %s, and this is Python %s" % (python, here))
    if dependencies:
        _install(dependencies, data)


def _read(source, block, filename):
    """The block as a dictionary."""
    try:
        from tomllib import loads
    except ImportError:  # before Python 3.11
        from .smalltoml import loads

    lines = block.group("content").split("\n")
    text = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    try:
        return loads(text)
    except ValueError as e:
        message = str(e)
        first = source.count("\n", 0, block.start("content")) + 1
        line, column = first + len(lines) - 2, 1  # what is missing at the end
        m = _place.search(message)
        if m is not None:
            message = message[: m.start()]
            if m.group(1):
                line, column = min(line, first + int(m.group(1)) - 1), int(m.group(2)) + 2
        raise _syntax("the script block is no TOML: " + message, filename, line, column) from None


def _syntax(message, filename, line, column):
    return SyntaxError(message, (filename, line, column, None))


def holds(spec, version):
    """Does this version of Python (numbers) meet a specifier such as ">=3.9,<4"?"""
    for part in spec.split(","):
        if not part.strip():
            continue
        m = _clause.fullmatch(part)
        sign, number, star, early = m.groups() if m is not None else ("", "", "", "")
        asked = [int(n) for n in number.split(".")] if number else []
        if not asked or (star and (early or sign not in ("==", "!="))) or (sign == "~=" and len(asked) < 2):
            raise ScriptError("requires-python %r in the script block is no version specifier" % spec)
        if not _clause_holds(sign, asked, star, early, list(version)):
            return False
    return True


def _clause_holds(sign, asked, star, early, version):
    have, want = version + [0], asked + [0] * (len(version) - len(asked)) + [-1 if early else 0]
    have[-1:-1] = [0] * (len(want) - len(have))
    if star:
        return (have[: len(asked)] == asked) == (sign == "==")
    if sign == "~=":
        return have >= want and have[: len(asked) - 1] == asked[:-1]
    return {
        "==": have == want,
        "!=": have != want,
        "<=": have <= want,
        ">=": have >= want,
        "<": have < want,
        ">": have > want,
    }[sign]


def _install(dependencies, data):
    from . import packages
    from . import pip

    key = tuple(dependencies)
    if _there.get(key) == packages.changes:
        return
    answer = pip.ask(dependencies)
    if answer.ok:
        _there.clear()
        _there[key] = packages.changes
        if answer.new:
            print(answer.text)
    if answer.notes:
        print(answer.notes)
    if not answer.ok or answer.new:
        tool = data.get("tool")
        uv = tool.get("uv") if isinstance(tool, dict) else None
        for name in ("sources", "index"):
            if isinstance(uv, dict) and name in uv:
                print("(tool.uv.%s is not followed: packages are those of the index)" % name, file=sys.stderr)
    if not answer.ok:
        raise ScriptError("the code was not run, for what it needs could not be installed:\n" + answer.text)
