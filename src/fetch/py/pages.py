"""
Which source distributions and wheels an index has: its page of a package, in HTML (PEP 503) or JSON (PEP 691), and
directories and pages of --find-links. What is read was written by somebody else: it is bounded, and only looked at.
"""

import http.client
import json
import os
import re
import time
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

from .download import BLOCK, TRIES
from .http import Transient, host_of, local_path, network
from .names import WheelName, normal
from .problem import INDEX, TIMEOUT, TOO_LARGE, Problem

PAGE_MAX = 32 << 20
LINKS_MAX = 100000
JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = JSON + ", application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
ENDINGS = (".tar.gz", ".tgz", ".zip")


class Link:
    """A source distribution, or a wheel. sha256, size: None when the page does not say."""

    def __init__(self, name, version, filename, url):
        self.name, self.version, self.filename, self.url = name, version, filename, url
        self.is_wheel = filename.endswith(".whl")
        self.sha256 = self.size = None
        self.requires_python, self.yanked = "", False


def version_of(filename, name):
    """The version in the name of a package's source distribution or wheel; None: it is none of this package."""
    if filename.endswith(".whl"):
        try:
            wheel = WheelName(filename)
        except Problem:
            return None
        return wheel.version if wheel.name == name else None
    for ending in ENDINGS:
        if filename.lower().endswith(ending):
            stem = filename[: -len(ending)]
            for m in re.finditer("-", stem):
                if normal(stem[: m.start()]) == name and re.match(r"v?\d", stem[m.end() :]):
                    return stem[m.end() :]
    return None


class _Anchors(HTMLParser):
    def __init__(self):
        HTMLParser.__init__(self)
        self.base, self.found = None, []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "a" and attributes.get("href"):
            if len(self.found) == LINKS_MAX:
                raise Problem(TOO_LARGE, "its page has more than %d links" % LINKS_MAX)
            self.found.append(attributes)


def _of_html(text, base, name):
    anchors = _Anchors()
    anchors.feed(text)
    base = urljoin(base, anchors.base or "")
    for attributes in anchors.found:
        url, fragment = urldefrag(urljoin(base, attributes["href"]))
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        version = version_of(filename, name)
        if version is None:
            continue
        m = re.search(r"(?:^|&)sha256=([0-9a-fA-F]{64})(?:&|$)", fragment)
        link = Link(name, version, filename, url if m else url + ("#" + fragment if fragment else ""))
        link.sha256 = m[1].lower() if m else None
        link.requires_python = attributes.get("data-requires-python") or ""
        link.yanked = "data-yanked" in attributes
        yield link


def _of_json(text, base, name):
    files = json.loads(text)["files"]
    for entry in files[:LINKS_MAX]:
        filename = entry["filename"]
        version = version_of(filename, name)
        if version is None:
            continue
        link = Link(name, version, filename, urldefrag(urljoin(base, entry["url"]))[0])
        hashes = entry.get("hashes") or {}
        if re.fullmatch("[0-9a-fA-F]{64}", str(hashes.get("sha256", ""))):
            link.sha256 = hashes["sha256"].lower()
        link.size = entry["size"] if isinstance(entry.get("size"), int) else None
        link.requires_python = entry.get("requires-python") or ""
        link.yanked = bool(entry.get("yanked"))
        yield link


def parse(text, kind, base, name):
    """The links of a page. kind: its Content-Type."""
    try:
        return list((_of_json if kind.partition(";")[0].strip().endswith("+json") else _of_html)(text, base, name))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Problem(INDEX, "the page of the index cannot be understood (%s)" % type(error).__name__)


class Reader:
    def __init__(self, settings, client):
        self.settings, self.client = settings, client

    def page(self, url, name):
        """Its links; None: there is no such page."""
        for attempt in range(TRIES):
            try:
                return self._page(url, name)
            except Transient as error:
                self.client.close()
                if attempt == TRIES - 1 or (error.problem.kind == TIMEOUT and attempt):
                    raise error.problem
                time.sleep(max(self.settings.pause * 2**attempt, error.after))
            except Problem as problem:
                if " answers 404 " in problem.reason + " ":
                    return None
                raise

    def _page(self, url, name):
        response = self.client.get(url, {"Accept": ACCEPT})
        data, deadline = bytearray(), time.monotonic() + self.settings.stall
        while True:
            try:
                block = response.read1(BLOCK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise network(error)
            if not block:
                break
            data += block
            if len(data) > PAGE_MAX:
                raise Problem(TOO_LARGE, "the page of %s has more than %d bytes" % (host_of(url), PAGE_MAX))
            if time.monotonic() > deadline:
                raise Problem(TIMEOUT, "the page of %s does not come to its end" % host_of(url))
        response.close()
        return parse(data.decode("utf-8", "replace"), response.headers.get("Content-Type", ""), url, name)

    def of_index(self, url, name):
        """None: it has no package of that name."""
        url = url.rstrip("/") + "/%s/" % quote(name)
        folder = local_path(url)
        if folder is None:
            return self.page(url, name)
        try:
            with open(os.path.join(folder, "index.html"), encoding="utf-8", errors="replace") as file:
                return parse(file.read(PAGE_MAX), "", url, name)
        except OSError:
            return None

    def of_find_links(self, place, name):
        """A directory, or the address of a page."""
        folder = local_path(place) if place.startswith("file:") else place if "://" not in place else None
        if folder is None:
            return self.page(place, name) or []
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        found = []
        for filename in names:
            version = version_of(filename, name)
            if version is not None:
                url = "file://" + quote(os.path.join(os.path.abspath(folder), filename))
                found.append(Link(name, version, filename, url))
        return found
