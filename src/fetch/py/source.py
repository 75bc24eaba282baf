"""
`source`: finds and downloads the source distribution of a package. Neither uv nor pip can do that without running what
is in it, so the pages of the index are read here. Nothing of it is unpacked or run in this sandbox.
"""

import os
import re
import subprocess
import sys
import threading
import time
from urllib.parse import unquote, urlsplit

from . import auth, toml
from .download import Download, Settings
from .job import Wheel, write_file
from .names import WheelName, normal
from .pages import ENDINGS, Link, Reader, version_of
from .problem import INDEX, Problem, one_line
from .resolve import pip_folder
from .tags import Ranking
from .versions import Specifier, Version, of_requirement

FILE = "sdist"  # what was downloaded
NO_SOURCE = "no-source"
CONSTRAINTS_MAX = 4 << 20


def run(job):
    """Writes `source` (name, version, file name, sha256) and the file; or `failed`, as unpacking does."""
    environ = _environment(job)
    name = normal(job.get("source"))
    try:
        settings = Settings(job, environ)
        settings.cache = None  # the file is to lie here
        client = settings.client()
        threading.Thread(target=_watch, args=(client,), daemon=True).start()
        url = job.get("url")
        link = _of_url(name, url) if url else _choose(job, name, environ, Reader(settings, client))
        download = Download(Wheel(name, link.version, link.filename, link.sha256, link.size, link.url), FILE, settings)
        print("Downloading %s" % one_line(link.filename), flush=True)
        download.run(client)
    except Problem as problem:
        write_file("failed", "%s\t%s\t%s\n" % (name, problem.kind, one_line(problem.reason)))
        return 1
    write_file("source", "%s\t%s\t%s\t%s\n" % (name, link.version, one_line(link.filename), download.sha256))
    return 0


def _watch(client):
    """A server that sends its headers byte by byte is not waited for."""
    while True:
        time.sleep(1)
        client.cut()


def _environment(job):
    """With pip, settings that are uv's only do not count; `set` has pip's, as variables of uv."""
    environ = dict(os.environ)
    if job.get("tool", "pip") == "pip":
        environ = {key: value for key, value in environ.items() if not key.startswith("UV_")}
        environ["UV_CONFIG_FILE"] = os.devnull
    for line in job.all("set"):
        key, _, value = line.partition("=")
        environ[key] = value
    return environ


def _of_url(name, url):
    filename = unquote(urlsplit(url).path.rpartition("/")[2])
    if not filename.lower().endswith(ENDINGS):
        raise Problem(NO_SOURCE, "%s is no source distribution" % one_line(filename))
    link = Link(name, version_of(filename, name) or "-", filename, url)
    m = re.search(r"#(?:.*&)?sha256=([0-9a-fA-F]{64})(?:&|$)", url)
    if m:
        link.sha256, link.url = m[1].lower(), url.partition("#")[0]
    return link


# ---- where to look ----


def _split(text):
    """Addresses, without the names that uv's may have."""
    for word in text.split():
        m = re.match(r"[A-Za-z0-9_.-]+=(.+)", word)
        yield m[1] if m else word


def _of_uv_file(environ):
    """(indexes, default or None, --find-links) of uv's file."""
    indexes, default, links = [], None, []
    for path in auth.uv_files(environ):
        try:
            with open(path, encoding="utf-8") as file:
                settings = toml.loads(file.read())
        except (OSError, ValueError):
            continue
        for table in (settings.get("pip", {}), settings):
            for index in table.get("index", []):
                if isinstance(index, dict) and index.get("url") and not index.get("explicit"):
                    if index.get("default"):
                        default = default or index["url"]
                    else:
                        indexes.append(index["url"])
            default = default or table.get("index-url")
            indexes += table.get("extra-index-url", [])
            links += table.get("find-links", [])
    return indexes, default, links


def places(job, environ):
    """(indexes, the most important first; whether only the first that has the name counts; --find-links)."""
    indexes, default, links = _of_uv_file(environ)
    named = list(_split(environ.get("UV_INDEX", ""))) + list(_split(environ.get("UV_EXTRA_INDEX_URL", "")))
    indexes = named + indexes
    set_default = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL")
    default = next(_split(set_default)) if set_default and set_default.strip() else default
    if not job.flag("no-index"):
        indexes.append(default or _of_tool(job))
    else:
        indexes = []
    links = [word for word in re.split(r"[\s,]+", environ.get("UV_FIND_LINKS", "")) if word] + links
    first = job.get("tool", "pip") != "pip" and environ.get("UV_INDEX_STRATEGY", "first-index") == "first-index"
    return indexes, first, links


_pip_index = """
import sys

sys.path[:0] = sys.argv[1:]
from pip._internal.models.index import PyPI

print(PyPI.simple_url)
"""


def _of_tool(job):
    """The index that uv or pip uses when nothing is set up."""
    tool = job.get("tool", "pip")
    if tool != "pip":
        command = [tool, "help", "--no-pager", "pip", "compile"]
    else:
        python = job.get("python", sys.executable)
        command = [python, "-I", "-c", _pip_index] + [folder for folder in [pip_folder(python)] if folder]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    m = re.search(rb"https://[a-z0-9.-]+/simple", said)
    if not m:
        raise Problem(INDEX, "no index is set up, and %s does not tell its own" % os.path.basename(tool))
    return m[0].decode()


def _links(job, name, environ, reader):
    indexes, first, folders = places(job, environ)
    found, known = [], False
    for folder in folders:
        found += reader.of_find_links(folder, name)
    for index in dict.fromkeys(indexes):
        links = reader.of_index(index, name)
        if links is not None:
            found, known = found + links, True
            if first:
                break
    if not known and not found:
        raise Problem(NO_SOURCE, "no index has a package named %s" % name)
    return found


# ---- which one ----


def _constraints(environ, name):
    """What the person's own constraints say of the package."""
    for path in environ.get("UV_CONSTRAINT", "").split():
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read(CONSTRAINTS_MAX)
        except OSError:
            continue
        for line in text.replace("\\\n", " ").splitlines():
            parsed = of_requirement(re.sub(r"(^|\s)(#|--hash).*", "", line))
            if parsed and normal(parsed[0]) == name and not parsed[2]:
                yield parsed[1]


def pick(links, wanted, hints, excluded, python):
    """The link to take, or None. hints: what others that are about to be installed ask for, perhaps not all at once."""
    best = None
    names_pre = any(specifier.names_pre for specifier in wanted + hints)
    for link in links:
        try:
            version = Version(link.version)
        except ValueError:
            continue
        if not all(specifier.fits(version) for specifier in wanted) or version.key() in excluded:
            continue
        exact = any(("==", version.text) in specifier.clauses for specifier in wanted + hints)
        if (link.yanked and not exact) or not Specifier(link.requires_python).fits(python):
            continue
        met = sum(specifier.fits(version) for specifier in hints)
        if hints and not met:
            continue
        place = (met, names_pre or not version.is_pre, version.key(), link.is_wheel, link.filename.endswith(".gz"))
        if best is None or place > best[0]:
            best = (place, link)
    return best[1] if best else None


def _choose(job, name, environ, reader):
    wanted = [parsed[1] for parsed in map(of_requirement, job.all("spec")) if parsed]
    wanted += _constraints(environ, name)
    hints = [Specifier(text) for text in job.all("hint")]
    excluded = set()
    for text in job.all("exclude"):
        try:
            excluded.add(Version(text).key())
        except ValueError:
            pass
    ranking = Ranking()
    links = _links(job, name, environ, reader)
    links = [link for link in links if not link.is_wheel or ranking.key(WheelName(link.filename)) is not None]
    link = pick(links, wanted, hints, excluded, Version("%d.%d.%d" % sys.version_info[:3]))
    if link is None:
        raise Problem(NO_SOURCE, "there is no source distribution of it that fits either")
    if link.is_wheel:
        raise Problem(NO_SOURCE, "there is a wheel of %s" % one_line(link.version))
    return link
