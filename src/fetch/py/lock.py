"""A pylock.toml (PEP 751) that uv wrote for this interpreter, to the wheels to fetch."""

import os
import re
from urllib.parse import quote, unquote, urljoin, urlsplit

from . import toml
from .job import Wheel
from .names import WheelName, normal
from .problem import Problem, BAD_FILE
from .tags import Ranking

_strong = ("sha512", "sha384", "sha256", "blake2b")


def read(text, base, hashes):
    """base: the directory that relative paths start from. hashes: files that are better than any other (Job.hashes)."""
    ranking = Ranking()
    wheels = []
    for package in toml.loads(text).get("packages", []):
        wheels.append(_choose(package, ranking, base, hashes))
    return wheels


def preferring(pins):
    """The text of one that names only versions. pins: (name, version), of letters that need no quoting."""
    packages = "".join('    { name = "%s", version = "%s" },\n' % pin for pin in pins)
    return 'lock-version = "1.0"\ncreated-by = "cellblock"\npackages = [\n%s]\n' % packages


def _choose(package, ranking, base, hashes):
    name = normal(package["name"])
    if "archive" in package:
        candidates = [_wheel(package, package["archive"], base)]
    else:
        candidates = [_wheel(package, entry, base) for entry in package.get("wheels", [])]
    best = None
    for wheel in candidates:
        try:
            key = ranking.key(WheelName(wheel.filename))
        except Problem:
            continue
        if key is None:
            continue
        key = (wheel.sha256 is not None and wheel.sha256 not in hashes.get(name, [wheel.sha256]), key)
        if best is None or key < best[0]:
            best = (key, wheel)
    if best is None:
        raise Problem(BAD_FILE, "%s has no wheel for this Python and platform" % name)
    return best[1]


def _wheel(package, entry, base):
    if entry.get("url"):
        url = entry["url"]
    else:
        path = entry["path"]
        url = "file://" + quote(os.path.normpath(os.path.join(base, path)))
    filename = entry.get("name") or unquote(urlsplit(url).path.rpartition("/")[2])
    version = package.get("version")
    if version is None:  # a direct reference: the file's name has it
        version = WheelName(filename).version
    hashes = {key.lower(): value for key, value in (entry.get("hashes") or {}).items()}
    sha256 = hashes.get("sha256")
    if sha256 is None:
        # An index with another kind of hash: it travels with the address, as on index pages (PEP 503).
        for kind in _strong:
            if kind in hashes and "#" not in url and re.fullmatch("[0-9A-Fa-f]+", hashes[kind]):
                url = urljoin(url, "#%s=%s" % (kind, hashes[kind]))
                break
    return Wheel(normal(package["name"]), version, filename, sha256, entry.get("size"), url)
