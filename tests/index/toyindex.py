"""A package index for tests: PEP 503 pages and wheels made on the spot, on a loopback port that the kernel chooses.

    with ToyIndex() as index:
        subprocess.run([..., "--index-url", index.url])

index.url is a healthy index. index.at("401") is one whose every answer is 401; likewise "403", "500", "reset" (the
connection is closed without an answer), "hang" (accepts, never answers) and "auth" (healthy for user toy, password
secret). index.requests has the paths that were asked for, index.built(name) the bytes of a file.

Packages:
    toy-good 1.0, 1.1, 2.0   needs toy-dep; imports as toy_good, has a console script
    toy-dep 1.0, 1.2         toy-plain 1.0: neither needs anything
    toy-extra 1.0            extra [more] needs toy-plain
    toy-low, toy-high        need toy-dep<1.1 and toy-dep>=1.2: a conflict
    toy-moved 1.0, 2.0       need toy-dep<1.1 and toy-dep>=1.2
    toy-orphan               needs toy-nowhere, which does not exist
    toy-newer                only for Python 99 (Requires-Python)
    toy-elsewhere            only a wheel for another platform
    toy-pre                  only 1.0a1
    toy-badhash              its hash is wrong
    toy-broken               its wheel is no zip file
    toy-sdist, toy-badbuild  source only: builds with a backend of its own; fails to build
    toy-noisy                source only: the build prints many lines, then fails
    toy-environ              source only: its module has the environment that it was built in
    toy-stubborn             source only: its build ignores SIGTERM, starts a process and sleeps
    toy-slow, toy-slowpage   the wheel, the page comes a byte at a time
    toy-late 1.0, 2.0        the wheel comes LATE seconds after it was asked for
    toy-401, toy-403, toy-500    their page, toy-file-403 its wheel, is refused so
Run as a program it prints its URL and serves until its standard input ends.
"""

import base64
import hashlib
import io
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LATE = 4
WHEEL = "Wheel-Version: 1.0\nGenerator: toyindex\nRoot-Is-Purelib: true\nTag: {tag}\n"

# The whole build backend of the source packages: needs nothing from anywhere.
BACKEND = '''
import base64, hashlib, os, signal, subprocess, sys, time, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    behave = open("BEHAVE").read().strip()
    if behave == "fail":
        print("compiling toy.c", flush=True)
        raise SystemExit("toy.c:1:10: fatal error: toy.h: No such file or directory")
    if behave == "noisy":
        for i in range(20000):
            print("compiling part %d of toy" % i)
        raise SystemExit("error: command 'gcc' failed with exit code 1")
    if behave == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import signal, time\\n"
                                  "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\ntime.sleep(300)"])
        where = os.environ.get("PIP_TOY_PIDS") or os.environ.get("UV_TOY_PIDS")
        with open(where, "w") as f:
            f.write("%d %d" % (os.getpid(), child.pid))
        time.sleep(300)
    name = open("NAME").read().strip()
    info = name + "-1.0.dist-info/"
    module = "ENVIRON = %r\\n" % dict(os.environ) if behave == "environ" else "VALUE = 'built'\\n"
    files = {name + ".py": module,
             info + "METADATA": "Metadata-Version: 2.1\\nName: %s\\nVersion: 1.0\\n" % name,
             info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    hash = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    rows = ["%s,sha256=%s,%d" % (f, hash(text), len(text)) for f, text in files.items()] + [info + "RECORD,,"]
    files[info + "RECORD"] = "\\n".join(rows) + "\\n"
    out = name + "-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, out), "w") as z:
        for f, text in files.items():
            z.writestr(f, text)
    return out

def build_sdist(directory, config_settings=None):
    raise NotImplementedError
'''


def make_wheel(name, version, requires=(), tag="py3-none-any", extra_metadata="", script=False):
    module = name.replace("-", "_")
    info = "%s-%s.dist-info/" % (module, version)
    metadata = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)
    metadata += "".join("Requires-Dist: %s\n" % r for r in requires) + extra_metadata
    files = {module + ".py": "VERSION = %r\n\ndef main():\n    print(VERSION)\n" % version,
             info + "METADATA": metadata, info + "WHEEL": WHEEL.format(tag=tag)}
    if script:
        files[info + "entry_points.txt"] = "[console_scripts]\n%s = %s:main\n" % (name, module)
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append("%s,sha256=%s,%d\n" % (path, digest, len(text)))
    files[info + "RECORD"] = "".join(rows) + info + "RECORD,,\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for path, text in files.items():
            z.writestr(zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0)), text)
    return "%s-%s-%s.whl" % (module, version, tag), out.getvalue()


def make_sdist(name, behave):
    module = name.replace("-", "_")
    top = "%s-1.0/" % module
    files = {"PKG-INFO": "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % name, "BEHAVE": behave, "NAME": module,
             "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "toybackend"\nbackend-path = ["."]\n',
             "toybackend.py": BACKEND}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(top + path)
            member.size = len(text.encode())
            member.mtime = 1700000000
            tar.addfile(member, io.BytesIO(text.encode()))
    return module + "-1.0.tar.gz", out.getvalue()


class Package:
    def __init__(self):
        self.files = {}       # file name -> bytes
        self.attributes = {}  # file name -> attributes of its link
        self.bad_hash = False
        self.page_status = 200
        self.file_status = 200
        self.slow_page = self.slow_file = False
        self.late_file = 0


def build_packages():
    packages = {}

    def add(made, package=None, attributes="", **flags):
        file_name, data = made
        name = package or file_name.split("-")[0].replace("_", "-")
        p = packages.setdefault(name, Package())
        p.files[file_name] = data
        p.attributes[file_name] = attributes
        for key, value in flags.items():
            setattr(p, key, value)

    for version in "1.0", "1.1", "2.0":
        add(make_wheel("toy-good", version, ["toy-dep"], script=True))
    add(make_wheel("toy-dep", "1.0"))
    add(make_wheel("toy-dep", "1.2"))
    add(make_wheel("toy-plain", "1.0"))
    add(make_wheel("toy-extra", "1.0", ['toy-plain; extra == "more"'], extra_metadata="Provides-Extra: more\n"))
    add(make_wheel("toy-low", "1.0", ["toy-dep<1.1"]))
    add(make_wheel("toy-high", "1.0", ["toy-dep>=1.2"]))
    add(make_wheel("toy-moved", "1.0", ["toy-dep<1.1"]))
    add(make_wheel("toy-moved", "2.0", ["toy-dep>=1.2"]))
    add(make_wheel("toy-orphan", "1.0", ["toy-nowhere"]))
    add(make_wheel("toy-newer", "1.0", extra_metadata="Requires-Python: >=99\n"),
        attributes=' data-requires-python="&gt;=99"')
    add(make_wheel("toy-elsewhere", "1.0", tag="cp311-cp311-win_amd64"))
    add(make_wheel("toy-pre", "1.0a1"))
    add(make_wheel("toy-badhash", "1.0"), bad_hash=True)
    add(("toy_broken-1.0-py3-none-any.whl", b"this is no zip file" * 100))
    add(make_sdist("toy-sdist", "build"))
    add(make_sdist("toy-badbuild", "fail"))
    add(make_sdist("toy-noisy", "noisy"))
    add(make_sdist("toy-environ", "environ"))
    add(make_sdist("toy-stubborn", "stubborn"))
    add(make_wheel("toy-slow", "1.0"), slow_file=True)
    add(make_wheel("toy-slowpage", "1.0"), slow_page=True)
    for version in "1.0", "2.0":
        add(make_wheel("toy-late", version), late_file=LATE)
    for status in 401, 403, 500:
        add(make_wheel("toy-%d" % status, "1.0"), page_status=status)
    add(make_wheel("toy-file-403", "1.0"), file_status=403)
    return packages


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        index = self.server.index
        index.requests.append(self.path)
        mode, _, rest = self.path.lstrip("/").partition("/")
        if mode == "hang":
            index.stopping.wait(300)
            self.close_connection = True
        elif mode == "reset":
            self.close_connection = True
        elif mode.isdigit():
            self.answer(int(mode), b"refused by the toy index")
        elif mode == "auth" and self.headers.get("Authorization") != index.authorization:
            self.answer(401, b"who are you?", [("WWW-Authenticate", 'Basic realm="toy"')])
        else:
            self.serve(index, mode, rest)

    def serve(self, index, mode, rest):
        kind, _, name = rest.strip("/").partition("/")
        if kind == "files":
            package, _, file_name = name.partition("/")
            p = index.packages.get(package)
            data = p and p.files.get(file_name)
            if data is None:
                self.answer(404, b"no such file")
            elif p.file_status != 200:
                self.answer(p.file_status, b"refused")
            elif not index.stopping.wait(p.late_file):
                self.answer(200, data, slow=p.slow_file)
            return
        p = index.packages.get(name)
        if kind == "simple" and name in index.pages:
            self.answer(200, index.pages[name], [("Content-Type", "text/html")])
        elif kind != "simple" or p is None:
            self.answer(404, b"no such page")
        elif p.page_status != 200:
            self.answer(p.page_status, b"refused")
        else:
            self.answer(200, self.page(mode, name, p), [("Content-Type", "text/html")], slow=p.slow_page)

    @staticmethod
    def page(mode, name, p):
        lines = ["<!DOCTYPE html><html><body>"]
        for file_name, data in p.files.items():
            digest = hashlib.sha256(b"other" if p.bad_hash else data).hexdigest()
            lines.append('<a href="/%s/files/%s/%s#sha256=%s"%s>%s</a>'
                         % (mode, name, file_name, digest, p.attributes[file_name], file_name))
        return "\n".join(lines + ["</body></html>"]).encode()

    def answer(self, status, body, headers=(), slow=False):
        try:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if not slow:
                self.wfile.write(body)
                return
            for i in range(len(body)):
                self.wfile.write(body[i:i + 1])
                self.wfile.flush()
                if self.server.index.stopping.wait(0.2):
                    return
        except OSError:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass


class ToyIndex:
    def __init__(self):
        self.packages = build_packages()
        self.pages = {}  # of packages that the test makes up: name -> HTML
        self.requests = []
        self.authorization = "Basic dG95OnNlY3JldA=="  # toy:secret
        self.stopping = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.index = self
        self.port = self.server.server_address[1]

    def at(self, mode, user=""):
        return "http://%s127.0.0.1:%d/%s/simple/" % (user and user + "@", self.port, mode)

    @property
    def url(self):
        return self.at("ok")

    def file_url(self, package, file_name):
        return "http://127.0.0.1:%d/ok/files/%s/%s" % (self.port, package, file_name)

    def built(self, package, file_name):
        return self.packages[package].files[file_name]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()


def main():
    with ToyIndex() as index:
        print(index.url, flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
