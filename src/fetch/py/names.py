"""Names and versions of distributions: equal or not (PEP 503, PEP 440), and what the name of a wheel says (PEP 427)."""

import re

from .problem import bad, shown

_version = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_n>\d*))?"
    r"(?:-(?P<post_dash>\d+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_n>\d*))?"
    r"(?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_n>\d*))?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.I | re.A,
)
_pre = {"alpha": "a", "a": "a", "beta": "b", "b": "b"}  # all others are release candidates


def normal(name):
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _number(text):
    return int(text[:30] or "0")


def version_parts(text):
    """(epoch, release, (a, b or rc; number), post, dev, local); parts that it has not are None. None: no version."""
    m = _version.fullmatch(text.strip())
    if m is None or len(text) > 200:
        return None
    pre = (_pre.get(m["pre"].lower(), "rc"), _number(m["pre_n"])) if m["pre"] else None
    post = _number(m["post_dash"] or m["post_n"] or "") if m["post"] or m["post_dash"] else None
    dev = _number(m["dev_n"]) if m["dev"] else None
    local = re.split(r"[-_.]", m["local"].lower()) if m["local"] else None
    return _number(m["epoch"] or ""), [_number(part) for part in m["release"].split(".")], pre, post, dev, local


def version_key(text):
    """Two versions are the same if this is; what is no version by PEP 440 is compared as text."""
    parts = version_parts(text)
    if parts is None:
        return text.strip().lower().replace("_", "-")
    epoch, release, pre, post, dev, local = parts
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    key = "%d!%s" % (epoch, ".".join(map(str, release)))
    if pre:
        key += "%s%d" % pre
    if post is not None:
        key += ".post%d" % post
    if dev is not None:
        key += ".dev%d" % dev
    if local:
        key += "+" + ".".join(str(_number(part)) if part.isdigit() else part for part in local)
    return key


class WheelName:
    """name, version, build and tags: (interpreter, abi, platform) of each that the file is for."""

    def __init__(self, filename):
        if not filename.endswith(".whl") or "/" in filename:
            raise bad("%s is not the name of a wheel", shown(filename))
        parts = filename[:-4].split("-")
        if len(parts) not in (5, 6) or not all(parts):
            raise bad("%s is not the name of a wheel", shown(filename))
        self.name, self.version = normal(parts[0]), parts[1]
        build = re.match(r"(\d*)(.*)", parts[2] if len(parts) == 6 else "", re.S)
        self.build = (int(build[1][:18] or "-1"), build[2])
        pythons, abis, platforms = [part.split(".") for part in parts[-3:]]
        self.tags = [(python, abi, platform) for python in pythons for abi in abis for platform in platforms]


def require_same(what, name, version, wanted_name, wanted_version):
    if normal(name) != normal(wanted_name):
        raise bad("%s names another package: %s", what, shown(name))
    if version_key(version) != version_key(wanted_version):
        raise bad("%s names another version: %s", what, shown(version))
