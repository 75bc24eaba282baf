"""
What script blocks need of TOML, for Pythons without tomllib (before 3.11): strings and lists of strings in front of the
first table. Strict: what else stands there is an error and never guessed. What tables hold is for other tools, and is
passed over.
"""

import re

_blank = re.compile(r"(?:[ \t]|#[^\n]*|\n)*")
_space = re.compile(r"[ \t]*")
_key = re.compile(r"[A-Za-z0-9_-]+|\"[A-Za-z0-9_-]*\"|'[A-Za-z0-9_-]*'")
_end = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_table = re.compile(r"(?:\[\[[^\[\]\n]+\]\]|\[[^\[\]\n]+\])[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_literal = re.compile(r"'([^'\x00-\x08\x0a-\x1f\x7f]*)'")
_basic = re.compile(r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\.)*)"')
_escape = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_plain_escapes = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def loads(text):
    """The keys in front of the first table. ValueError, with the place as tomllib writes it."""
    out = {}
    pos = _blank.match(text).end()
    while pos < len(text):
        if text[pos] == "[":
            if not _table.match(text, pos):
                raise _error("Invalid table", text, pos)
            break
        m = _key.match(text, pos)
        if m is None:
            raise _error("Invalid key", text, pos)
        key = m.group().strip("\"'")
        if key in out:
            raise _error("Cannot overwrite a value", text, pos)
        pos = _space.match(text, m.end()).end()
        if text[pos : pos + 1] == ".":
            raise _error("keys with dots can be read from Python 3.11 on: use a table", text, pos)
        if text[pos : pos + 1] != "=":
            raise _error("Expected '=' after a key in a key/value pair", text, pos)
        out[key], pos = _value(text, _space.match(text, pos + 1).end())
        m = _end.match(text, pos)
        if m is None:
            raise _error("Expected newline or end of document after a statement", text, pos)
        pos = _blank.match(text, m.end()).end()
    return out


def _value(text, pos):
    if text[pos : pos + 1] != "[":
        return _string(text, pos)
    out = []
    pos = _blank.match(text, pos + 1).end()
    while text[pos : pos + 1] != "]":
        item, pos = _string(text, pos)
        out.append(item)
        pos = _blank.match(text, pos).end()
        if text[pos : pos + 1] == ",":
            pos = _blank.match(text, pos + 1).end()
        elif text[pos : pos + 1] != "]":
            raise _error("Unclosed array", text, pos)
    return out, pos + 1


def _string(text, pos):
    if text.startswith(('"""', "'''"), pos):
        raise _error("strings of several lines can be read from Python 3.11 on", text, pos)
    if text[pos : pos + 1] not in ("'", '"'):
        raise _error("Invalid value: before Python 3.11 only strings and lists of strings can be read", text, pos)
    m = (_literal if text[pos] == "'" else _basic).match(text, pos)
    if m is None:
        raise _error("Unterminated string", text, pos)
    if text[pos] == "'":
        return m.group(1), m.end()

    def escaped(e):
        code = e.group(1) or e.group(2)
        if code is None and e.group(3) in _plain_escapes:
            return _plain_escapes[e.group(3)]
        number = int(code, 16) if code else 0xD800
        if 0xD800 <= number < 0xE000 or number > 0x10FFFF:
            raise _error("Unescaped '\\' in a string", text, m.start(1) + e.start())
        return chr(number)

    return _escape.sub(escaped, m.group(1)), m.end()


def _error(message, text, pos):
    if pos >= len(text):
        return ValueError(message + " (at end of document)")
    line = text.count("\n", 0, pos) + 1
    return ValueError("%s (at line %d, column %d)" % (message, line, pos - text.rfind("\n", 0, pos)))
