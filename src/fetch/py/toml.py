"""
TOML for Python 3.9 and 3.10, which have no tomllib: what uv writes, not all that TOML allows (no dotted keys, no
multi-line strings). What it does not know is an error, never skipped.
"""

import re

try:
    from tomllib import loads as _loads
except ImportError:
    _loads = None

_space = re.compile(r"[ \t]*")
_gap = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_key = re.compile(r"[A-Za-z0-9_-]+")
_string = re.compile(r'"((?:[^"\\\n\x00-\x08\x0a-\x1f\x7f]|\\.)*)"' + r"|'([^'\n]*)'")
_escape = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_bare = re.compile(r"[A-Za-z0-9_+.:-]+(?: \d\d:[0-9:.]+Z?)?")
_escapes = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\", "e": "\x1b"}
DEPTH_MAX = 20


def loads(text):
    """ValueError: it is not TOML."""
    return _loads(text) if _loads else Parser(text).document()


class Parser:
    def __init__(self, text):
        self.text, self.at = text, 0

    def fail(self, what):
        raise ValueError("line %d: %s" % (self.text.count("\n", 0, self.at) + 1, what))

    def skip(self, pattern):
        self.at = pattern.match(self.text, self.at).end()

    def take(self, token):
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def want(self, token):
        if not self.take(token):
            self.fail("%r is missing" % token)

    def document(self):
        top = table = {}
        self.skip(_gap)
        while self.at < len(self.text):
            if self.take("[["):
                table = {}
                name = self.key()
                into = top.setdefault(name[0], [])
                for part in name[1:]:
                    into = into[-1].setdefault(part, [])
                into.append(table)
                self.want("]]")
            elif self.take("["):
                table = top
                for part in self.key():
                    table = table.setdefault(part, {})
                    table = table[-1] if isinstance(table, list) else table
                self.want("]")
            else:
                self.pair(table, 0)
            self.skip(_space)
            if self.at < len(self.text) and self.text[self.at] not in "#\r\n":
                self.fail("more than one thing in a line")
            self.skip(_gap)
        return top

    def key(self):
        parts = []
        while True:
            self.skip(_space)
            m = _key.match(self.text, self.at)
            if m:
                self.at = m.end()
                parts.append(m.group())
            else:
                parts.append(self.string())
            self.skip(_space)
            if not self.take("."):
                return parts

    def pair(self, table, depth):
        parts = self.key()
        self.want("=")
        self.skip(_space)
        for part in parts[:-1]:
            table = table.setdefault(part, {})
        if parts[-1] in table:
            self.fail("%s comes twice" % parts[-1])
        table[parts[-1]] = self.value(depth + 1)

    def string(self):
        m = _string.match(self.text, self.at)
        if not m or self.text.startswith(('"""', "'''"), self.at):
            self.fail("not understood")
        self.at = m.end()
        return m[2] if m[2] is not None else _escape.sub(self.unescape, m[1])

    def unescape(self, m):
        if m[1] or m[2]:
            return chr(int(m[1] or m[2], 16))
        if m[3] not in _escapes:
            self.fail("an unknown escape")
        return _escapes[m[3]]

    def value(self, depth):
        if depth > DEPTH_MAX:
            self.fail("nested too deeply")
        if self.take("["):
            return self.array(depth)
        if self.take("{"):
            return self.inline(depth)
        if self.text[self.at : self.at + 1] in ('"', "'"):
            return self.string()
        m = _bare.match(self.text, self.at)
        if not m:
            self.fail("a value is missing")
        self.at = m.end()
        word = m.group()
        if word in ("true", "false"):
            return word == "true"
        return int(word.replace("_", "")) if re.fullmatch(r"[+-]?\d[\d_]*", word) else word  # times stay text

    def array(self, depth):
        items = []
        while True:
            self.skip(_gap)
            if self.take("]"):
                return items
            items.append(self.value(depth + 1))
            self.skip(_gap)
            if not self.take(","):
                self.want("]")
                return items

    def inline(self, depth):
        table = {}
        self.skip(_gap)
        while not self.take("}"):
            self.pair(table, depth)
            self.skip(_gap)
            if not self.take(","):
                self.want("}")
                return table
            self.skip(_gap)
        return table
