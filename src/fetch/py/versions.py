"""Which of two versions is newer, and which ones a specifier means (PEP 440)."""

import re

from .names import version_parts

_clause = re.compile(r"(===|==|~=|!=|<=|>=|<|>)\s*([A-Za-z0-9_.+!*-]+)")
_ranks = {"a": 0, "b": 1, "rc": 2}
_before, _none, _never = -1, 3, 1 << 100  # in place of what a version does not have


class Version:
    """ValueError: it is none by PEP 440."""

    def __init__(self, text):
        self.text = text
        parts = version_parts(text)
        if parts is None:
            raise ValueError("not a version")
        self.epoch, self.release, self.pre, self.post, self.dev, self.local = parts

    @property
    def is_pre(self):
        return self.pre is not None or self.dev is not None

    def public(self):
        release = list(self.release)
        while len(release) > 1 and release[-1] == 0:
            release.pop()
        if self.pre is not None:
            pre = (_ranks[self.pre[0]], self.pre[1])
        else:  # 1.0.dev1 comes before 1.0a1, 1.0.post1.dev1 does not
            pre = (_before if self.dev is not None and self.post is None else _none, 0)
        post = _before if self.post is None else self.post
        return (self.epoch, tuple(release), pre, post, _never if self.dev is None else self.dev)

    def key(self):
        local = tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in self.local or ())
        return self.public(), local

    def begins_with(self, other):
        size = len(other.release)
        release = list(self.release) + [0] * (size - len(self.release))
        return self.epoch == other.epoch and tuple(release[:size]) == tuple(other.release)

    def same_release(self, other):
        return self.public()[:2] == other.public()[:2]


def _fits(version, operator, text):
    if operator == "===":
        return version.text.strip().lower() == text.lower()
    if text.endswith(".*"):
        return version.begins_with(Version(text[:-2])) == (operator == "==")
    other = Version(text)
    if operator in ("==", "!="):
        same = version.public() == other.public() and (not other.local or version.key() == other.key())
        return same == (operator == "==")
    if operator == "~=":
        prefix = Version(text)
        prefix.release = other.release[:-1]
        return version.public() >= other.public() and version.begins_with(prefix)
    if operator == ">=":
        return version.public() >= other.public()
    if operator == "<=":
        return version.public() <= other.public()
    same = version.same_release(other)
    if operator == "<":
        return version.public() < other.public() and (other.is_pre or not (version.is_pre and same))
    return version.public() > other.public() and (other.post is not None or version.post is None or not same)


class Specifier:
    """`>=1,<2` and the like; what cannot be read lets nothing through."""

    def __init__(self, text):
        self.clauses = _clause.findall(text)
        rest = re.sub(r"[\s,()]", "", _clause.sub("", text))
        self.good = not rest
        # Who names an alpha wants alphas.
        self.names_pre = any(self._is_pre(operator, value) for operator, value in self.clauses)

    @staticmethod
    def _is_pre(operator, value):
        try:
            return operator != "!=" and Version(value.replace(".*", "")).is_pre
        except ValueError:
            return False

    def fits(self, version):
        try:
            return self.good and all(_fits(version, operator, text) for operator, text in self.clauses)
        except ValueError:
            return False


def of_requirement(text):
    """(name, Specifier, has a marker) of a requirement as PEP 508 writes it; None: it is none, or has an address."""
    requirement, semicolon, _ = text.partition(";")
    m = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^@]*)$", requirement)
    return (m[1], Specifier(m[2]), bool(semicolon)) if m else None
