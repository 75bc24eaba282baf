"""Downloads: from good servers and from bad ones, and who gets which credentials."""

import base64
import fcntl
import os
import time
import unittest

import harness
import server
from harness import Place, Wheel

FAST = ["stall-seconds 20", "total-seconds 100", "retry-pause 0.01"]


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


class TestDownload(unittest.TestCase):
    def setUp(self):
        self.place = Place(self)
        self.server = server.Server(self)
        self.wheel = Wheel()
        self.path = "/files/" + self.wheel.filename
        self.good = lambda handler: handler.answer(200, self.wheel.data)
        self.server.actions["/good"] = self.server.actions[self.path] = self.good

    def fetch(self, *actions, path=None, more=(), size=None, hash=None, base=None):
        """actions: of the first requests; the last one of all others."""
        path = path or self.path
        if actions:
            left = list(actions)
            self.server.actions[path] = lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)
        status = self.place.unpack(self.wheel.line((base or self.server.url) + path, size=size, hash=hash), more=list(FAST) + list(more))
        self.assertEqual(self.place.leftovers() + self.place.outside(), [])
        rows = self.place.rows("failed")
        self.assertEqual(status, len(rows), self.place.result)
        for text in (self.place.result.stdout, self.place.result.stderr, self.place.read("failed")):
            self.assertNotIn(b"s3cret", text)
        return tuple(rows[0][1:]) if rows else ("ok", "")

    def fails(self, kind, reason, *actions, **options):
        found = self.fetch(*actions, **options)
        self.assertEqual(found[0], kind, found)
        self.assertRegex(found[1], reason)

    def succeeds(self, *actions, **options):
        self.assertEqual(self.fetch(*actions, **options), ("ok", ""))

    # ---- what comes ----

    def test_good(self):
        self.succeeds()
        self.assertEqual(self.place.rows("done"), [["toy", "1.0", self.wheel.id]])
        self.assertEqual(self.server.seen("Authorization"), [None])

    def test_nothing_known_beforehand(self):
        self.succeeds(size="-", hash="-")
        self.assertEqual(self.place.rows("done"), [["toy", "1.0", self.wheel.id]])
        self.succeeds(lambda h: h.raw(b"HTTP/1.0 200 OK\r\n\r\n" + self.wheel.data), size="-", hash="-")

    def test_other_hashes(self):
        import hashlib

        right = hashlib.sha512(self.wheel.data).hexdigest()
        for value, kind in ((right, "ok"), (right[::-1], "hash")):
            line = self.wheel.line("%s%s#sha512=%s" % (self.server.url, self.path, value), hash="-")
            self.assertEqual(self.place.unpack(line), kind != "ok")

    def test_files_that_are_named_by_their_hashes(self):
        right, wrong = "hash toy " + self.wheel.id[:64], "hash toy " + "0" * 64
        for hash in ("-", None):
            self.succeeds(hash=hash, more=[wrong, right])
            for more in ([wrong], [right.replace("toy", "other")]):
                self.fails("hash", "none of the hashes that were given", hash=hash, more=more)

    def test_chunked(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (self.wheel.data[:500], self.wheel.data[500:]))
        self.succeeds(lambda h: h.raw(head + chunks + b"0\r\n\r\n"))
        self.fails("network", "cut or malformed", lambda h: h.raw(head + chunks[:-100]))
        self.fails("network", "cut or malformed|ended", lambda h: h.raw(head + b"nonsense\r\n" + chunks))

    def test_wrong_hash_and_length(self):
        other = Wheel(files={"a.py": ""}).data
        self.fails("hash", "the server %d" % len(other), lambda h: h.answer(200, other))
        flipped = bytes([self.wheel.data[0] ^ 1]) + self.wheel.data[1:]
        self.fails("hash", "its hash differs", lambda h: h.answer(200, flipped))
        self.fails("hash", "longer than the", lambda h: h.raw(b"HTTP/1.0 200 OK\r\n\r\n" + self.wheel.data * 2))
        self.assertEqual(len(self.server.requests), 3)  # none of it is worth another try
        self.fails("network", "ended after 100", lambda h: h.raw(b"HTTP/1.0 200 OK\r\n\r\n" + self.wheel.data[:100]))

    def test_too_large(self):
        most = ["max-wheel-bytes 500"]
        self.fails("too-large", "at most 500", more=most)
        self.assertEqual(self.server.requests, [])
        self.fails("too-large", "at most 500", more=most, size="-")
        self.fails("too-large", "at most 500", lambda h: h.raw(b"HTTP/1.0 200 OK\r\n\r\n" + self.wheel.data), more=most, size="-")

    def test_transient_errors(self):
        for status in (500, 502, 503, 429):
            before = len(self.server.requests)
            self.succeeds(lambda h: h.answer(status, b"", ("Retry-After", "0")), self.good)
            self.assertEqual(len(self.server.requests), before + 2)
        self.succeeds(lambda h: h.raw(b""), lambda h: h.raw(b"no HTTP at all\r\n\r\n"), self.good)

    def test_lasting_errors(self):
        for status, kind in ((500, "index"), (404, "index"), (410, "index"), (401, "refused"), (403, "refused"), (304, "index"),
                             (206, "index")):  # fmt: skip
            self.fails(kind, "answers %d|another part" % status, lambda h: h.answer(status, b""))
        self.fails("network", "malformed", lambda h: h.raw(b"\0" * 100000))
        self.fails("network", "malformed", lambda h: h.raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"))
        self.fails("network", "malformed", lambda h: h.raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100000 + b"\r\n\r\n"))

    def test_nobody_there(self):
        quiet = server.Server(self)
        quiet.stop()
        self.fails("network", "refused", base=quiet.url)

    def test_half_closed(self):
        """The rest only is fetched where the server can do that."""
        half = len(self.wheel.data) // 2

        def cut(handler):
            handler.answer(200, self.wheel.data[:half], ("ETag", '"abc"'), length=len(self.wheel.data))
            handler.close_connection = True

        def rest(handler):
            part = "bytes %d-%d/%d" % (half, len(self.wheel.data) - 1, len(self.wheel.data))
            handler.answer(206, self.wheel.data[half:], ("Content-Range", part))

        self.succeeds(cut, rest)
        self.assertEqual(self.server.seen("Range"), [None, "bytes=%d-" % half])
        self.assertEqual(self.server.seen("If-Range"), [None, '"abc"'])
        self.succeeds(cut, self.good)
        self.fails("network", "ended after %d of %d" % (half, len(self.wheel.data)), cut)
        wrong = "bytes 0-%d/%d" % (half, len(self.wheel.data))
        self.fails("index", "another part", cut, lambda h: h.answer(206, self.wheel.data[:half], ("Content-Range", wrong)))

    def test_goes_on_where_an_earlier_process_stopped(self):
        cache = os.path.join(self.place.path, "cache")
        kept = os.path.join(cache, "downloads", harness.sha256(self.wheel.data))
        more, size, half = ["cache " + cache, "large-bytes 1"], len(self.wheel.data), len(self.wheel.data) // 2

        def cut(handler):
            handler.answer(200, self.wheel.data[:half], length=size)
            handler.close_connection = True

        def rest(handler):
            start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
            handler.answer(206, self.wheel.data[start:], ("Content-Range", "bytes %d-%d/%d" % (start, size - 1, size)))

        self.fails("network", "ended after", cut, more=more)
        self.assertEqual(os.path.getsize(kept), half)
        self.server.requests.clear()
        self.succeeds(rest, more=more)
        self.assertEqual(self.server.seen("Range"), ["bytes=%d-" % half])
        self.assertFalse(os.path.exists(kept))
        # A whole one, one of somebody's making, one that is longer, one that cannot be gone on with, a link.
        for data, asked in ((self.wheel.data, []), (b"x" * half, ["bytes=%d-" % half, None]), (b"x" * (size + 1), [None]),
                            (b"x" * size, [None])):  # fmt: skip
            with open(kept, "wb") as file:
                file.write(data)
            self.server.requests.clear()
            self.succeeds(lambda h: rest(h) if h.headers.get("Range") else self.good(h), more=more)
            self.assertEqual(self.server.seen("Range"), asked)
        os.symlink(os.path.join(self.place.path, "elsewhere"), kept)
        self.succeeds(self.good, more=more)
        self.assertTrue(os.path.islink(kept))
        os.unlink(kept)
        self.fails("hash", "differs", lambda h: h.answer(200, b"y" * size), more=more)
        self.assertFalse(os.path.exists(kept))
        with open(kept, "wb") as file:  # in use by another process
            fcntl.flock(file, fcntl.LOCK_EX)
            self.succeeds(self.good, more=more)

    # ---- what does not come ----

    def slow(self, action):
        start = time.monotonic()
        self.fails("timeout", "does not answer|next to nothing", action, more=["stall-seconds 0.5"])
        self.assertLess(time.monotonic() - start, 60)

    def test_slow(self):
        self.slow(lambda h: self.server.stopping.wait(60))
        self.slow(lambda h: (h.answer(200, b"", length=len(self.wheel.data)), h.drip(self.wheel.data)))
        self.slow(lambda h: h.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10000))
        self.slow(lambda h: h.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 10) or self.server.stopping.wait(60))

    def test_slow_but_sound(self):
        """As long as something comes it is waited for, up to a whole."""
        data = self.wheel.data

        def steady(handler):
            handler.answer(200, b"", length=len(data))
            for i in range(0, len(data), 100):
                handler.wfile.write(data[i : i + 100])
                self.server.stopping.wait(0.2)

        self.succeeds(steady, more=["stall-seconds 5"])
        self.fails("timeout", "within 1 s", steady, more=["total-seconds 1"])

    def test_one_that_hangs_does_not_hold_the_others(self):
        other = Wheel(name="other")
        self.server.actions["/hang"] = lambda h: self.server.stopping.wait(60)
        self.server.actions["/other"] = lambda h: h.answer(200, other.data)
        lines = [self.wheel.line(self.server.url + "/hang"), other.line(self.server.url + "/other")]
        self.assertEqual(self.place.unpack(*lines, more=FAST + ["stall-seconds 4"]), 1)
        self.assertEqual([row[:2] for row in self.place.rows("failed")], [["toy", "timeout"]])
        self.assertEqual(self.place.rows("done"), [["other", "1.0", other.id]])

    # ---- redirects ----

    def redirect(self, to, status=302):
        return lambda handler: handler.answer(status, b"", ("Location", to))

    def test_redirects(self):
        for status in (301, 302, 303, 307, 308):
            self.succeeds(self.redirect("/good", status))
        self.succeeds(self.redirect("../good"))
        self.fails("index", "for ever", self.redirect(self.path))
        for to in ("file:///etc/passwd", "ftp://127.0.0.1/x", "gopher:x", "http://", "http://[::1", "http://127.0.0.1:99999/",
                   "http://127.0.0.1:x/", "http://127.0.0.1/a\x01b"):  # fmt: skip
            self.fails("index", "not followed|malformed|for ever", self.redirect(to))
        self.fails("index", "302", lambda h: h.answer(302, b""))

    def test_redirects_with_credentials(self):
        other = server.Server(self)
        other.actions["/good"] = self.good
        other.actions["/back"] = self.redirect(self.server.url + "/good")
        self.place.environ["PIP_INDEX_URL"] = "http://me:s3cret@%s/simple/" % self.server.host
        self.succeeds(self.redirect(other.url + "/good"))
        self.succeeds(self.redirect(other.url + "/back"))
        self.assertEqual(self.server.seen("Authorization"), [basic("me:s3cret")] * 3)
        self.assertEqual(other.seen("Authorization"), [None] * 2)
        # What a redirect brings with it is not used, either.
        self.succeeds(self.redirect("http://you:pw@%s/good" % other.host))
        self.assertEqual(other.seen("Authorization"), [None] * 3)
        self.assertNotIn("s3cret", "".join(map(str, other.requests)))

    # ---- credentials ----

    def test_credentials_of_the_index(self):
        host = self.server.host
        for name, value in (("PIP_INDEX_URL", "http://me:s3cret%%40@%s/simple" % host), ("UV_DEFAULT_INDEX", "http://me:s3cret%%40@%s/x" % host),
                            ("UV_INDEX", "a=http://other.invalid/x b=http://me:s3cret%%40@%s/x" % host),
                            ("PIP_EXTRA_INDEX_URL", "http://other.invalid http://me:s3cret%%40@%s/x" % host)):  # fmt: skip
            with self.subTest(name=name):
                self.server.requests.clear()
                self.place.environ[name] = value
                self.succeeds()
                self.assertEqual(self.server.seen("Authorization"), [basic("me:s3cret@")])
                del self.place.environ[name]

    def test_credentials_of_a_named_index(self):
        self.place.environ.update(UV_INDEX="my-own=%s/simple" % self.server.url, UV_INDEX_MY_OWN_USERNAME="me", UV_INDEX_MY_OWN_PASSWORD="s3cret")
        self.succeeds()
        self.assertEqual(self.server.seen("Authorization"), [basic("me:s3cret")])

    def test_credentials_in_the_address(self):
        line = self.wheel.line("http://me:s3cret@%s%s" % (self.server.host, self.path))
        self.assertEqual(self.place.unpack(line), 0)
        self.assertEqual(self.server.seen("Authorization"), [basic("me:s3cret")])

    def test_credentials_of_a_uv_file(self):
        path = os.path.join(self.place.top, "out", "wheels", "uv.toml")
        with open(path, "w") as file:
            file.write('[[index]]\nname = "x"\nurl = "http://me:s3cret@%s/simple"\n[pip]\nsystem = true\n' % self.server.host)
        self.place.environ["UV_CONFIG_FILE"] = path
        self.succeeds()
        self.assertEqual(self.server.seen("Authorization"), [basic("me:s3cret")])

    def test_credentials_of_others(self):
        """The same host at another port is somebody else; of two indexes at one place, that with the longer path."""
        port = int(self.server.host.rpartition(":")[2])
        self.place.environ["PIP_INDEX_URL"] = "http://me:s3cret@127.0.0.1:%d/x" % (port ^ 1)
        self.place.environ["UV_DEFAULT_INDEX"] = "https://me:s3cret@%s/x" % self.server.host
        self.succeeds()
        self.place.environ["PIP_EXTRA_INDEX_URL"] = "http://a:a@%s/other http://b:b@%s/files/x" % (self.server.host, self.server.host)
        self.succeeds()
        self.assertEqual(self.server.seen("Authorization"), [None, basic("b:b")])

    def test_netrc(self):
        other = server.Server(self)
        other.actions["/good"] = self.good
        path = os.path.join(self.place.top, "out", "wheels", "netrc")
        with open(path, "w") as file:
            file.write("machine 127.0.0.1 login me password s3cret\n")
        self.place.environ["NETRC"] = path
        self.succeeds(self.redirect(other.url + "/good"))
        self.assertEqual(self.server.seen("Authorization"), [basic("me:s3cret")])
        self.assertEqual(other.seen("Authorization"), [None])  # netrc knows no ports: a redirect to one gets nothing

    # ---- proxies and TLS ----

    def test_proxy(self):
        proxy = server.Server(self)
        proxy.otherwise = self.good
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "PIP_PROXY"):
            with self.subTest(name=name):
                proxy.requests.clear()
                self.place.environ[name] = "http://me:s3cret@" + proxy.host
                self.succeeds(base="http://name.invalid")
                self.assertEqual(proxy.paths(), ["http://name.invalid" + self.path])
                self.assertEqual(proxy.seen("Proxy-Authorization"), [basic("me:s3cret")])
                del self.place.environ[name]
        self.place.environ.update(http_proxy=proxy.url, no_proxy="127.0.0.1")
        self.succeeds()
        self.assertEqual(len(self.server.requests), 1)
        self.place.environ.update(https_proxy=proxy.url)
        proxy.requests.clear()
        self.fails("refused", "the proxy refuses", base="https://name.invalid")
        self.assertEqual(proxy.paths()[0], "name.invalid:443")
        self.place.environ.update(http_proxy="socks5://127.0.0.1:9", no_proxy="")
        self.fails("network", "socks5", base="http://name.invalid")

    def test_tls(self):
        certificate = server.certificate(self)
        if certificate is None:
            self.skipTest("no openssl")
        safe = server.Server(self, certificate)
        safe.actions[self.path] = self.good
        self.fails("tls", "not trusted", base=safe.url)
        self.assertEqual(safe.requests, [])
        for name, value in (("SSL_CERT_FILE", certificate), ("PIP_CERT", certificate), ("REQUESTS_CA_BUNDLE", certificate),
                            ("PIP_TRUSTED_HOST", "127.0.0.1"), ("UV_INSECURE_HOST", safe.host)):  # fmt: skip
            with self.subTest(name=name):
                self.place.environ[name] = value
                self.succeeds(base=safe.url)
                del self.place.environ[name]
        self.place.environ["SSL_CERT_FILE"] = certificate
        safe.actions[self.path] = self.redirect(self.server.url + "/good")
        self.fails("index", "from https: to http:", base=safe.url)
        self.fails("tls", "no TLS", base="https://" + self.server.host)

    def test_connections_are_used_again(self):
        wheels = [Wheel(name="toy%d" % i) for i in range(30)]
        for wheel in wheels:
            self.server.actions["/" + wheel.filename] = lambda h, data=wheel.data: h.answer(200, data)
        lines = [wheel.line("%s/%s" % (self.server.url, wheel.filename)) for wheel in wheels]
        self.assertEqual(self.place.unpack(*lines, more=FAST), 0, self.place.result)
        self.assertEqual(len(self.server.requests), 30)


if __name__ == "__main__":
    unittest.main()
