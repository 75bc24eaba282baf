"""
One request at a time, redirects followed by hand: urllib sends an Authorization header wherever it is redirected, and
has no limits on time.
"""

import http.client
import os
import socket
import ssl
import time
import urllib.request
from urllib.parse import unquote, urljoin, urlsplit

from . import auth
from .problem import INDEX, NETWORK, REFUSED, TIMEOUT, TLS, Problem, one_line

REDIRECTS_MAX = 10
_moved = (301, 302, 303, 307, 308)
_again = (408, 425, 429, 500, 502, 503, 504)


class Transient(Exception):
    """Worth another try; problem: what is said when that fails, too."""

    def __init__(self, problem, after=0.0):
        Exception.__init__(self, problem.reason)
        self.problem, self.after = problem, after


def network(error):
    """An OSError or HTTPException of a connection."""
    if isinstance(error, socket.timeout):
        return Transient(Problem(TIMEOUT, "the server does not answer"))
    if isinstance(error, http.client.HTTPException):
        return Transient(Problem(NETWORK, "the server's answer is cut or malformed (%s)" % type(error).__name__))
    text = str(error)
    if text.startswith("Tunnel connection failed"):
        return Transient(Problem(REFUSED if " 407" in text else NETWORK, "the proxy refuses: " + one_line(text)))
    return Transient(Problem(NETWORK, one_line(getattr(error, "strerror", None) or text or type(error).__name__)))


def host_of(url):
    """All of an address that is shown: the rest may be a secret."""
    parts = urlsplit(url)
    return "%s://%s" % (one_line(parts.scheme), one_line(parts.netloc.rpartition("@")[2]))


def target(url):
    """The parts of an address that may be asked."""
    try:
        parts = urlsplit(url)
        where = auth.origin(parts)
    except ValueError:
        raise Problem(INDEX, "the index gives a malformed address")
    if where[0] not in ("http", "https"):
        kind = one_line(where[0] or "relative")
        raise Problem(INDEX, "the index leads to a %s: address, which is not followed" % kind)
    if not where[1] or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise Problem(INDEX, "the index gives a malformed address")
    return parts, where


class Proxies:
    def __init__(self):
        self.known = urllib.request.getproxies_environment()
        if os.environ.get("PIP_PROXY"):
            for scheme in ("http", "https"):
                self.known[scheme] = os.environ["PIP_PROXY"]

    def of(self, where):
        """The parts of the proxy's address, or None."""
        url = self.known.get(where[0]) or self.known.get("all")
        if not url or urllib.request.proxy_bypass_environment("%s:%d" % where[1:], self.known):
            return None
        parts = urlsplit(url if "://" in url else "http://" + url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Problem(NETWORK, "a proxy of the kind %s: is not supported" % one_line(parts.scheme))
        return parts


class Client:
    """Connections of one thread. on_socket(connection): what another thread may shut down."""

    def __init__(self, trust, credentials, proxies, seconds):
        self.trust, self.credentials, self.proxies, self.seconds = trust, credentials, proxies, seconds
        self.open = {}
        self.current = None
        self.answer_by = None  # when `current` has to have answered

    def close(self):
        for connection in self.open.values():
            connection.close()
        self.open.clear()

    def cut(self):
        """From another thread: a server that sends its headers byte by byte is not waited for."""
        by, connection = self.answer_by, self.current
        if by is not None and time.monotonic() > by:
            sock = connection and connection.sock
            try:
                if sock:
                    sock.shutdown(socket.SHUT_RDWR)
            except (OSError, ValueError):
                pass

    def _connect(self, where):
        proxy = self.proxies.of(where)
        scheme, host, port = where
        if proxy is None:
            at, tunnel = where, False
        else:
            at, tunnel = auth.origin(proxy), scheme == "https"
            if at[2] is None:
                at = (at[0], at[1], 80)
        if tunnel and at[0] == "https":
            raise Problem(NETWORK, "a proxy that is itself reached by https: is not supported")
        if at[0] == "https" or tunnel:
            context = self.trust.context(host if tunnel else at[1], port if tunnel else at[2])
            connection = http.client.HTTPSConnection(at[1], at[2], timeout=self.seconds, context=context)
        else:
            connection = http.client.HTTPConnection(at[1], at[2], timeout=self.seconds)
        given = auth.of_url(proxy) if proxy else None
        if tunnel:
            connection.set_tunnel(host, port, {"Proxy-Authorization": given} if given else {})
        connection.absolute = proxy is not None and not tunnel
        connection.proxy_authorization = given if connection.absolute else None
        return connection

    def _request(self, url, parts, where, headers):
        connection = self.open.pop(where, None)
        fresh = connection is None
        while True:
            if connection is None:
                connection, fresh = self._connect(where), True
            self.current, self.answer_by = connection, time.monotonic() + self.seconds
            path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
            if connection.absolute:
                path = "%s://%s%s" % (where[0], parts.netloc.rpartition("@")[2], path)
            sent = dict(headers)
            if connection.proxy_authorization:
                sent["Proxy-Authorization"] = connection.proxy_authorization
            try:
                if connection.sock is None:
                    self._dial(connection)
                connection.request("GET", path, headers=sent)
                response = connection.getresponse()
                if time.monotonic() > self.answer_by:
                    raise socket.timeout  # headers that were cut look like ones that end
                self.open[where] = connection
                return response
            except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
                connection.close()
                if not fresh:  # the server has closed it meanwhile
                    connection = None
                    continue
                if isinstance(error, (UnicodeError, ValueError)) and not isinstance(error, OSError):
                    raise Problem(INDEX, "the index gives a malformed address")
                if time.monotonic() > self.answer_by:
                    raise Transient(Problem(TIMEOUT, "%s does not answer" % host_of(url)))
                raise network(error)
            finally:
                self.current = self.answer_by = None

    @staticmethod
    def _dial(connection):
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise Problem(TLS, "the certificate is not trusted: %s" % one_line(error.verify_message))
        except ssl.SSLError as error:
            raise Problem(TLS, "no TLS: %s" % one_line(error.reason or error))
        except socket.timeout:
            raise
        except OSError as error:
            raise network(error)

    def get(self, url, headers):
        """The response, its status 200 or 206 (when Range is in headers)."""
        parts, where = target(url)
        first, own = where, auth.of_url(parts)
        for _ in range(REDIRECTS_MAX):
            sent = {"User-Agent": "cellblock", "Accept-Encoding": "identity", "Accept": "*/*"}
            sent.update(headers)
            value = own if own and where == first else self.credentials.of(parts, first)
            if value:
                sent["Authorization"] = value
            response = self._request(url, parts, where, sent)
            if response.status in (200, 206):
                return response
            self.open.pop(where).close()  # its body is not wanted
            self._refuse(url, response)
            try:
                following = urljoin(url, response.headers.get("Location", ""))
            except ValueError:
                raise Problem(INDEX, "the index gives a malformed address")
            new_parts, new_where = target(following)
            if where[0] == "https" and new_where[0] == "http":
                raise Problem(INDEX, "%s leads from https: to http:, which is not followed" % host_of(url))
            url, parts, where = following, new_parts, new_where
        raise Problem(INDEX, "%s redirects for ever" % host_of(url))

    @staticmethod
    def _refuse(url, response):
        status = response.status
        said = "%s answers %d %s" % (host_of(url), status, one_line(response.reason or ""))
        if status in _moved and response.headers.get("Location"):
            return
        if status in (401, 403, 407):
            raise Problem(REFUSED, said)
        if status in _again:
            after = response.headers.get("Retry-After", "")
            seconds = min(float(after), 10.0) if after.isdecimal() and after.isascii() else 0.0
            raise Transient(Problem(INDEX, said), seconds)
        raise Problem(INDEX, said)


def local_path(url):
    """The path of a file: address, or None."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme.lower() != "file" or parts.netloc not in ("", "localhost"):
        return None
    return unquote(parts.path)
