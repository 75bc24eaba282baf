"""A wheel onto the disk, its hash checked: from the network, or from a directory of --find-links."""

import hashlib
import http.client
import os
import re
import time

from . import auth, kept
from .http import Client, Proxies, Transient, local_path, network
from .problem import HASH, INDEX, NETWORK, TIMEOUT, TOO_LARGE, Problem
from .record import STRONG
from .tls import Trust

TRIES = 4
STALLS = 2  # a server that hangs is asked once more only
STAYS = NETWORK, TIMEOUT  # after these a file is kept: the next try goes on with it
RATE_MIN = 256  # bytes a second: below that a server does not send, it keeps us waiting
BLOCK = 1 << 18


class Settings:
    """What all downloads share."""

    def __init__(self, job, environ=os.environ):
        self.trust, self.credentials, self.proxies = Trust(environ), auth.Credentials(environ), Proxies()
        self.max_bytes = job.number("max-wheel-bytes", 2 << 30)
        self.stall = float(job.get("stall-seconds", 30))
        self.total = float(job.get("total-seconds", 900))
        self.hashes = job.hashes()
        self.cache, self.large = job.get("cache"), job.number("large-bytes", kept.LARGE)
        self.pause = float(job.get("retry-pause", "0.5"))
        folders = [os.path.abspath("wheels")] + job.all("wheel-dir")
        for _, url in auth.indexes(environ):
            path = local_path(url) if url.startswith("file:") else url
            if path and "://" not in path and path.startswith("/"):
                folders.append(path)
        self.folders = [os.path.realpath(folder) for folder in folders]

    def client(self):
        return Client(self.trust, self.credentials, self.proxies, self.stall)


class Download:
    """One wheel's. got, size: for the progress line; size None: not known."""

    def __init__(self, wheel, path, settings):
        self.wheel, self.path, self.settings = wheel, path, settings
        self.got, self.size = 0, wheel.size
        self.sha256 = None
        self.kept = None  # the descriptor of a file that stays if this process is ended
        self.url, _, fragment = wheel.url.partition("#")
        m = re.search(r"(?:^|&)([a-z0-9_]+)=([0-9A-Fa-f]+)", fragment)
        self.other = (m[1], m[2].lower()) if m and m[1] in STRONG else None
        self._restart()

    def _restart(self):
        self.got, self.validator = 0, None
        self.digests = [hashlib.sha256()] + ([hashlib.new(self.other[0])] if self.other else [])

    def run(self, client):
        """Raises Problem."""
        if self.size is not None and self.size > self.settings.max_bytes:
            self._too_large(self.size)
        path = local_path(self.url)
        found = kept.open_kept(self.settings.cache, self.wheel, self.settings.large) if path is None else None
        if found:
            self.path, self.kept = found
            return self._go_on(client)
        with open(self.path, "wb") as out:
            if path is not None:
                self._copy(path, out)
            else:
                self._fetch(client, out)
        self._check()

    def _go_on(self, client):
        """From where an earlier process stopped; from the start, if that leads to nothing."""
        with open(os.dup(self.kept), "r+b") as out:
            for block in iter(lambda: out.read(BLOCK), b""):
                self._count(block)
            if self.wheel.size is not None and self.got > self.wheel.size:
                self._empty(out)
            there = self.got
            try:
                if self.got != self.wheel.size:
                    self._fetch(client, out)
                return self._check()
            except Problem as problem:
                if not there or problem.kind in STAYS:
                    raise
            self._empty(out)
            self._fetch(client, out)
        self._check()

    def _empty(self, out):
        self._restart()
        out.seek(0)
        out.truncate()

    def end(self, problem):
        """When nothing of it is needed any more. problem: why it was of no use, or None."""
        if self.kept is None or not (problem and problem.kind in STAYS):
            try:
                os.unlink(self.path)
            except OSError:
                pass
        if self.kept is not None:
            os.close(self.kept)
            self.kept = None

    def _too_large(self, size):
        raise Problem(TOO_LARGE, "its file has %d bytes; at most %d are accepted" % (size, self.settings.max_bytes))

    def _check(self):
        self.sha256 = self.digests[0].hexdigest()
        wanted = [self.wheel.sha256] if self.wheel.sha256 else []
        if self.other:
            wanted += [self.other[1]]
            found = [self.sha256] * (len(wanted) - 1) + [self.digests[1].hexdigest()]
        else:
            found = [self.sha256] * len(wanted)
        if self.wheel.size is not None and self.got != self.wheel.size:
            text = "the index announces %d bytes, and %d came" % (self.wheel.size, self.got)
            raise Problem(HASH, text)
        allowed = self.settings.hashes
        if allowed and self.sha256 not in allowed.get(self.wheel.name, ()):
            raise Problem(HASH, "it has none of the hashes that were given for it")
        if found != wanted:
            raise Problem(HASH, "its hash differs")

    def _count(self, block):
        self.got += len(block)
        for digest in self.digests:
            digest.update(block)

    def _write(self, block, out):
        self._count(block)
        if self.got > self.settings.max_bytes:
            self._too_large(self.got)
        if self.wheel.size is not None and self.got > self.wheel.size:
            raise Problem(HASH, "it is longer than the %d bytes that the index announces" % self.wheel.size)
        out.write(block)

    def _copy(self, path, out):
        """Only from where wheels were said to be: an index may not name files of this machine."""
        real = os.path.realpath(path)
        if not any(real.startswith(folder.rstrip("/") + "/") for folder in self.settings.folders):
            raise Problem(INDEX, "the index leads to a file: address, which is not followed")
        try:
            fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise Problem(INDEX, "its file cannot be read: %s" % error.strerror)
        with open(fd, "rb") as file:
            for block in iter(lambda: file.read(BLOCK), b""):
                self._write(block, out)

    # ---- from the network ----

    def _fetch(self, client, out):
        deadline = time.monotonic() + self.settings.total
        tries = stalls = 0
        while True:
            try:
                return self._try(client, out, deadline)
            except Transient as error:
                client.close()
                tries += 1
                stalls += error.problem.kind == TIMEOUT
                pause = max(self.settings.pause * 2**tries, error.after)
                if tries >= TRIES or stalls >= STALLS or time.monotonic() + pause > deadline:
                    raise error.problem
                time.sleep(pause)

    def _try(self, client, out, deadline):
        headers = {}
        if self.got and self.validator:
            headers = {"Range": "bytes=%d-" % self.got, "If-Range": self.validator}
        elif self.got and self.kept is not None:  # its hash tells whether the parts are of one file
            headers = {"Range": "bytes=%d-" % self.got}
        response = client.get(self.url, headers)
        if response.status == 206:
            m = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if not headers or not m or int(m[1][:20]) != self.got:
                raise Problem(INDEX, "the server sends another part of the file than was asked for")
        else:
            self._empty(out)
        tag = response.headers.get("ETag", "")
        self.validator = tag if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', tag) else None
        length = response.length
        if length is not None:
            self.size = self.got + length
            if self.size > self.settings.max_bytes:
                self._too_large(self.size)
            if self.wheel.size is not None and self.size != self.wheel.size:
                text = "the index announces %d bytes, the server %d" % (self.wheel.size, self.size)
                raise Problem(HASH, text)
        self._receive(response, out, deadline)
        if self.size is not None and self.got < self.size:
            raise Transient(Problem(NETWORK, "the connection ended after %d of %d bytes" % (self.got, self.size)))

    def _receive(self, response, out, deadline):
        start, before = time.monotonic(), self.got
        while True:
            try:
                block = response.read1(BLOCK)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise network(error)
            if not block:
                return response.close()  # else the connection cannot be used again
            self._write(block, out)
            now = time.monotonic()
            if now > deadline:
                raise Problem(TIMEOUT, "it did not come whole within %d s" % self.settings.total)
            if now - start >= self.settings.stall:
                if self.got - before < RATE_MIN * (now - start):
                    raise Transient(Problem(TIMEOUT, "the server sends next to nothing"))
                start, before = now, self.got
