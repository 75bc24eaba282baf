"""
Who we are to whom. Credentials stand in the addresses of the index (pip's and uv's variables, uv's file), in uv's
variables for named indexes, in netrc and in the address of a file itself. They go to the scheme, host and port that
they were given for and nowhere else, wherever an index's links or redirects lead.
"""

import base64
import netrc
import os
import re
from urllib.parse import unquote, urlsplit

from . import toml

_one = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_many = ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")
_ports = {"http": 80, "https": 443}


def origin(parts):
    """ValueError: a malformed port."""
    return (parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _ports.get(parts.scheme.lower()))


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode("utf-8")).decode("ascii")


def of_url(parts):
    """The Authorization that an address carries, or None."""
    if parts.username is None and parts.password is None:
        return None
    return basic(unquote(parts.username or ""), unquote(parts.password or ""))


def uv_files(environ):
    if environ.get("UV_CONFIG_FILE"):
        return [environ["UV_CONFIG_FILE"]]
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "/"), ".config")
    return [os.path.join(home, "uv", "uv.toml"), "/etc/uv/uv.toml"]


def _of_uv_file(path):
    """(name or None, address) of the indexes in uv.toml."""
    try:
        with open(path, encoding="utf-8") as file:
            settings = toml.loads(file.read())
    except (OSError, ValueError):
        return  # uv itself complains about it
    for table in (settings, settings.get("pip", {})):
        for index in table.get("index", []):
            if isinstance(index, dict):
                yield index.get("name"), index.get("url", "")
        for key in ("index-url", "extra-index-url", "find-links"):
            value = table.get(key, [])
            for url in [value] if isinstance(value, str) else value:
                yield None, url


def indexes(environ):
    """(name or None, address) of every index and --find-links that is set up."""
    for variable in _one + _many:
        value = environ.get(variable, "")
        # uv separates --find-links by commas, too.
        for word in re.split(r"[\s,]+" if variable == "UV_FIND_LINKS" else r"\s+", value):
            m = re.match(r"([A-Za-z0-9_.-]+)=(.+)", word) if variable in ("UV_INDEX", "UV_DEFAULT_INDEX") else None
            if word:
                yield (m[1], m[2]) if m else (None, word)
    for path in uv_files(environ):
        yield from _of_uv_file(path)


class Credentials:
    def __init__(self, environ=os.environ):
        self.known = []  # (origin, path, authorization)
        for name, url in indexes(environ):
            try:
                parts = urlsplit(url)
                where = origin(parts)
            except ValueError:
                continue
            value = of_url(parts)
            if name and value is None:
                prefix = "UV_INDEX_%s_" % re.sub("[^A-Z0-9]", "_", name.upper())
                user, password = environ.get(prefix + "USERNAME"), environ.get(prefix + "PASSWORD")
                value = basic(user or "", password or "") if user or password else None
            if value and where[0] in _ports and where[1]:
                self.known.append((where, parts.path, value))
        self.netrc = None
        try:
            self.netrc = netrc.netrc(environ.get("NETRC") or os.path.join(environ.get("HOME", "/"), ".netrc"))
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            pass

    def of(self, parts, first):
        """The Authorization for an address. first: the origin that was asked first: who was redirected is not it."""
        where = origin(parts)
        best = None
        for known, path, value in self.known:
            if known != where:
                continue
            # Of several at one place, the one with the most of the path in common.
            size = len(os.path.commonprefix([path, parts.path]))
            if best is None or size > best[0]:
                best = (size, value)
        if best:
            return best[1]
        # netrc knows hosts only: nobody may get its passwords unencrypted, or by another port, through a redirect.
        if self.netrc and where[1] and (where == first or (where[0] == "https" and where[2] == 443)):
            found = self.netrc.authenticators(where[1])
            if found:
                return basic(found[0] or "", found[2] or "")
        return None
