"""An index whose packages and answers are hostile: what wheels, pages and servers can do to who installs from them.

    with BadIndex(marks) as index:  # a directory of the test: whatever appears in it was written by a package

Names begin with bad-; what is wrong with each stands where it is made. index.ran has what a package did by itself:
requests below /ran/. good-again 1.0 … installs, as do the packages of toyindex.
"""

import hashlib
import io
import stat
import tarfile

from toyindex import Handler, Package, ToyIndex
from wheels import Member, row, wheel, zeros

SOURCE = """
import os, sys, urllib.request
open(%(mark)r, "w").write("setup.py ran")
try:
    urllib.request.urlopen(%(url)r, timeout=5).read()
except OSError:
    pass
from setuptools import setup
setup(name=%(name)r, version="1.0")
"""

BACKEND = """
def _attack(*args, **kwargs):
    exec(open("setup.py").read().partition("from setuptools")[0])
    raise SystemExit("no")
get_requires_for_build_wheel = get_requires_for_build_sdist = prepare_metadata_for_build_wheel = build_wheel = build_sdist = _attack
"""

ATTACK = (
    "import os, signal\n"
    "try: open(%r, 'w').write('a .pth ran')\n"
    "except OSError: pass\n"
    "for p in [-1]: os.kill(p, signal.SIGKILL)\n"
)


class Raw:
    """A page or a file that is not answered as it should be: a function that gets the handler."""

    def __init__(self, answer):
        self.answer = answer


class BadHandler(Handler):
    def do_GET(self):
        index = self.server.index
        index.headers_seen.append((self.path, self.headers.get("Authorization")))
        if self.path.startswith("/ran/"):
            index.ran.append(self.path)
        raw = index.raw.get(self.path.partition("/")[2].partition("/")[2].strip("/"))
        if raw and not self.path.startswith("/hang/"):
            index.requests.append(self.path)
            try:
                raw.answer(self)
            except OSError:
                self.close_connection = True
            return
        Handler.do_GET(self)

    def head(self, status, length=None, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def drip(self, data, pause):
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.index.stopping.wait(pause):
                return


def half(data):
    """Announced whole, then the connection ends in the middle."""

    def answer(handler):
        handler.head(200, len(data), [("Content-Type", "text/html")])
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True

    return Raw(answer)


def dripping(data, pause=0.3):
    def answer(handler):
        handler.head(200, len(data), [("Content-Type", "text/html")])
        handler.drip(data, pause)

    return Raw(answer)


def redirect(to):
    return Raw(lambda handler: handler.head(302, 0, [("Location", to)]))


def huge(make):
    """A page of many megabytes: made when it is asked for."""

    def answer(handler):
        block, times = make()
        handler.head(200, len(block) * times, [("Content-Type", "text/html")])
        for _ in range(times):
            handler.wfile.write(block)

    return Raw(answer)


def page(links):
    text = "".join('<a href="%s"%s>%s</a>\n' % link for link in links)
    return Raw(lambda h: (h.head(200, len(text.encode()), [("Content-Type", "text/html")]), h.wfile.write(text.encode())))


class BadIndex(ToyIndex):
    def __init__(self, marks):
        super().__init__()
        self.server.RequestHandlerClass = BadHandler
        self.marks = str(marks)
        self.raw, self.ran, self.headers_seen = {}, [], []
        self.late = {}  # what takes a while to make: name to a function
        self.add_paths()
        self.add_contents()
        self.add_metadata()
        self.add_scripts()
        self.add_path_files()
        self.add_sources()
        self.add_answers()

    def add(self, made, attributes="", **flags):
        file_name, data = made
        package = self.packages.setdefault(flags.pop("package", None) or file_name.split("-")[0].replace("_", "-").lower(), Package())
        package.files[file_name] = data
        package.attributes[file_name] = attributes
        for key, value in flags.items():
            setattr(package, key, value)

    def mark(self, name):
        return "%s/%s" % (self.marks, name)

    def serve_raw(self, path, raw):
        self.raw[path] = raw

    # ---- where files go ----

    def add_paths(self):
        up = "../" * 12
        odd = {
            "bad-absolute": self.mark("absolute"),
            "bad-parent": up + self.mark("parent")[1:],
            "bad-parent-inside": "bad_parent_inside/../../../../bin/python",
            "bad-backslash": "..\\..\\x",
            "bad-nul": b"bad_nul.py\0.txt",
            "bad-newline": "bad\nnewline.py",
            "bad-empty-part": "bad_empty_part//x.py",
            "bad-long": "x" * 300 + ".py",
            "bad-data-parent": "bad_data_parent-1.0.data/data/" + up + self.mark("data")[1:],
            "bad-data-place": "bad_data_place-1.0.data/anywhere/x",
            "bad-data-config": "bad_data_config-1.0.data/data/pyvenv.cfg",
            "bad-data-python": "bad_data_python-1.0.data/data/bin/python",
            "bad-data-script": "bad_data_script-1.0.data/scripts/" + up + self.mark("script")[1:],
        }
        for name, path in odd.items():
            text = path if isinstance(path, str) else path.decode()
            self.add(wheel(name, members=[Member(path, "x = 1\n")], change_record=lambda r, t=text: r + row(t, b"x = 1\n")))
        kinds = {"bad-symlink": stat.S_IFLNK, "bad-device": stat.S_IFCHR, "bad-block": stat.S_IFBLK, "bad-fifo": stat.S_IFIFO,
                 "bad-socket": stat.S_IFSOCK, "bad-setuid": stat.S_IFREG | stat.S_ISUID}  # fmt: skip
        for name, kind in kinds.items():
            inside = "%s/odd" % name.replace("-", "_")
            members = [Member(inside, self.marks, kind | 0o755)]
            record = row(inside, self.marks.encode())
            if kind == stat.S_IFLNK:  # and then through it
                members.append(Member(inside + "/through", "x"))
                record += row(inside + "/through", b"x")
            self.add(wheel(name, members=members, change_record=lambda r, more=record: r + more))
        self.add(wheel("good-case", files={"good_case/Mod.py": "x = 'upper'\n", "good_case/mod.py": "x = 'lower'\n",
                                           "good_case/__init__.py": ""}))  # fmt: skip

    # ---- what is in them ----

    def add_contents(self):
        self.add(wheel("bad-hash"), bad_hash=True)
        text = {"bad_x.py": "x = 1\n"}
        self.add(wheel("bad-record-hash", files=text, change_record=lambda r: r.replace("sha256=", "sha256=AAAA", 1)))
        self.add(wheel("bad-record-lacks", files=text, members=[Member("bad_unlisted.py", "x = 2\n")]))
        self.add(wheel("bad-record-more", files=text, change_record=lambda r: r + row("bad_absent.py", b"")))
        self.add(wheel("bad-record-none", files=text, change_record=lambda r: None))
        self.add(wheel("bad-record-weak", files=text, change_record=lambda r: r.replace("sha256=", "md5=")))
        self.add(wheel("bad-twice", files={"bad_twice.py": "x = 1\n"}, members=[Member("bad_twice.py", "x = 2\n")]))
        plain = wheel("bad-cut")
        self.add((plain[0], plain[1][: len(plain[1]) // 2]))
        self.add(wheel("bad-crc", files={}, members=[Member("bad_crc.py", "x = 1\n", crc=1)],
                       change_record=lambda r: r + row("bad_crc.py", b"x = 1\n")))  # fmt: skip
        self.add(wheel("bad-encrypted", files={}, members=[Member("bad_encrypted.py", "x = 1\n", flags=1)],
                       change_record=lambda r: r + row("bad_encrypted.py", b"x = 1\n")))  # fmt: skip
        self.add(wheel("bad-local", files={}, members=[Member("bad_local.py", "x = 1\n", local=b"bad_l0cal.py")],
                       change_record=lambda r: r + row("bad_local.py", b"x = 1\n")))  # fmt: skip
        hidden = wheel("bad-hidden")
        self.add((hidden[0], hidden[1] + wheel("bad-hidden", files={"other.py": "x = 1\n"})[1] + b"tail"))
        self.late["bad-bomb"] = lambda: wheel("bad-bomb", members=[Member("bad_bomb.bin", packed=zeros(2048), size=2048 << 20, crc=0)],
                                              change_record=lambda r: r + "bad_bomb.bin,sha256=AAAA,%d\n" % (2048 << 20))  # fmt: skip
        self.late["bad-lying-bomb"] = lambda: wheel(
            "bad-lying-bomb", members=[Member("bad_bomb.bin", packed=zeros(2048), size=1000, crc=0)],
            change_record=lambda r: r + row("bad_bomb.bin", bytes(1000)))  # fmt: skip
        self.late["bad-many"] = lambda: wheel("bad-many", files={"bad_many/f%d.txt" % n: b"" for n in range(60000)})
        self.late["bad-directories"] = lambda: wheel("bad-directories", files={
            "bad_directories/%s/x.txt" % "/".join("d%d%d" % (n, m) for m in range(40)): b"" for n in range(1500)})  # fmt: skip
        self.late["bad-deep"] = lambda: wheel("bad-deep", files={"bad_deep/" + "d/" * 700 + "x.py": "x = 1\n"})
        # Of two packages with one file one wins, and that is told.
        for owner in ("first", "second"):
            files = {"good_shared.py": "owner = %r\n" % owner, "good_%s.py" % owner: "x = 1\n"}
            self.add(wheel("good-" + owner, files=files, scripts={"good-tool": "good_%s:x" % owner}))
        for n in range(10):
            self.add(wheel("good-again", "1.%d" % n, files={"good_again.py": "VERSION = '1.%d'\n" % n}))

    def add_metadata(self):
        text = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n"
        self.add(wheel("bad-other-name", metadata=text % ("toy-plain", "1.0")))
        self.add(wheel("bad-other-version", metadata=text % ("bad-other-version", "2.0")))
        self.add(wheel("bad-other-info", info="toy_plain-1.0.dist-info"))
        second, content = "bad.two.infos-1.0.dist-info/METADATA", text % ("bad-two-infos", "1.0")
        self.add(wheel("bad-two-infos", members=[Member(second, content)], change_record=lambda r: r + row(second, content.encode())))
        self.add(wheel("bad-no-metadata", metadata=""))
        self.add(wheel("bad-wheel-version", wheel_text="Wheel-Version: 9.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"))
        self.add(wheel("bad-utf8", metadata=b"Metadata-Version: 2.1\nName: bad-utf8\nVersion: 1.0\nSummary: \xff\xfe\n"))
        # The same name, written in another way everywhere: no contradiction.
        file_name, data = wheel("Good.Spelled_name", info="good_spelled_name-1.0.dist-info", files={"good_spelled.py": "x = 1\n"})
        self.add(("good_spelled_name-1.0-py3-none-any.whl", data), package="good-spelled-name")
        secret = "http://127.0.0.1:%d/ok/files/${CELLBLOCK_TEST_SECRET}/${UV_DEFAULT_INDEX}/x-1.0-py3-none-any.whl" % self.port
        self.add(wheel("bad-variable", requires=["x @ " + secret]))
        self.add(wheel("bad-file-needed", requires=["toy-host @ file://%s" % self.mark("toy_host-1.0-py3-none-any.whl")]))
        self.add(wheel("bad-url-needed", requires=["toy-plain @ http://127.0.0.1:%d/asked/toy_plain-1.0-py3-none-any.whl" % self.port]))
        self.add(wheel("bad-yanked"), attributes=' data-yanked="it was a mistake"')
        self.add(wheel("good-yanked", "1.0", files={"good_yanked.py": "VERSION = '1.0'\n"}))
        self.add(wheel("good-yanked", "1.1", files={"good_yanked.py": "VERSION = '1.1'\n"}), attributes=' data-yanked=""')

    # ---- programs ----

    def add_scripts(self):
        names = {"bad-entry-parent": "../../../../../.." + self.mark("entry"), "bad-entry-absolute": self.mark("entry"),
                 "bad-script-python": "python", "bad-script-python3": "python3.11", "bad-script-sh": "sh", "bad-script-pip": "pip",
                 "bad-script-activate": "activate"}  # fmt: skip
        for name, script in names.items():
            self.add(wheel(name, scripts={script: "os:getcwd"}))
            if name.startswith("bad-script"):
                module = (name + "-file").replace("-", "_")
                self.add(wheel(name + "-file", files={module + ".py": "", module + "-1.0.data/scripts/" + script: "#!python\n"}))
        self.add(wheel("bad-entry-code", scripts={"bad-code": "os:getcwd(); open(%r, 'w')" % self.mark("entry-code")}))
        self.add(wheel("bad-entry-text", raw_entry_points="[console_scripts\nx = y\n=\n"))

    def add_path_files(self):
        lines = {"bad-pth-raises": "import sys; raise RuntimeError('from a path file')\n",
                 "bad-pth-exits": "import sys; sys.exit('from a path file')\n",
                 "bad-pth-prints": "import sys; print('x' * 100000); sys.stdout.flush(); sys.stderr.write('noise\\n')\n",
                 "bad-pth-bytes": b"\xff\xfe\x00import x\n",
                 "bad-pth-aborts": "import os; os.abort()\n",
                 "bad-pth-sleeps": "import time; time.sleep(1000)\n",
                 "bad-pth-attacks": "import os; exec(%r)\n" % (ATTACK % self.mark("pth"))}  # fmt: skip
        for name, line in lines.items():
            module = name.replace("-", "_")
            self.add(wheel(name, files={"%s.pth" % module: line, "%s.py" % module: "VERSION = '1.0'\n"}))
        for module in ("sitecustomize", "usercustomize", "pip", "encodings", "os", "_cellblock"):
            name = "bad-module-" + module.strip("_")
            attack = "open(%r, 'w').write('a module ran')\n" % self.mark(module)
            self.add(wheel(name, files={"%s.py" % module: attack, name.replace("-", "_") + ".py": "VERSION = '1.0'\n"}))

    # ---- sources ----

    def add_sources(self):
        for name, backend in ("bad-setup", False), ("bad-backend", True):
            values = {"mark": self.mark(name), "name": name, "url": "http://127.0.0.1:%d/ran/%s" % (self.port, name)}
            top = name.replace("-", "_") + "-1.0/"
            files = {"setup.py": SOURCE % values, "PKG-INFO": "Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % name}
            if backend:
                files["attack.py"] = BACKEND
                files["pyproject.toml"] = '[build-system]\nrequires = []\nbuild-backend = "attack"\nbackend-path = ["."]\n'
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w:gz") as tar:
                for path, text in files.items():
                    member = tarfile.TarInfo(top + path)
                    member.size = len(text.encode())
                    tar.addfile(member, io.BytesIO(text.encode()))
            self.add((top[:-1] + ".tar.gz", out.getvalue()))
        self.add(wheel("bad-needs-source", requires=["bad-setup"]))

    # ---- answers ----

    def add_answers(self):
        name, data = wheel("bad-half")
        link = [("/ok/files/bad-half/" + name, "", name)]
        self.serve_raw("simple/bad-half-page", half(b"<!DOCTYPE html>" + b"<a></a>" * 1000))
        self.serve_raw("simple/bad-half", page(link))
        self.serve_raw("files/bad-half/" + name, half(data))
        self.serve_raw("simple/bad-drip-page", dripping(b"<!DOCTYPE html><html><body>" * 1000))
        self.serve_raw("simple/bad-huge-page", huge(lambda: (b'<a href="/x">bad_huge_page-0.%d.zip</a>\n' * 1000, 1280)))
        picture = Raw(lambda h: (h.head(200, 8, [("Content-Type", "image/png")]), h.wfile.write(b"\x89PNG\r\n\x1a\n")))
        self.serve_raw("simple/bad-not-html", picture)
        self.serve_raw("simple/bad-loop", redirect("/ok/simple/bad-loop/"))
        self.serve_raw("simple/bad-redirect-file", redirect("file://%s" % self.mark("page.html")))
        host, content = wheel("toy-host", files={"toy_host.py": "VERSION = 'of the host'\n"})
        with open(self.mark(host), "wb") as file:
            file.write(content)
        with open(self.mark("page.html"), "w") as file:
            file.write('<a href="file://%s">%s</a>' % (self.mark(host), host.replace("toy_host", "bad_redirect_file")))
        for bad in ("bad-link-file", "bad-link-file-hash"):
            its = host.replace("toy_host", bad.replace("-", "_"))
            content = wheel(bad)[1]
            with open(self.mark(its), "wb") as file:
                file.write(content)
            digest = "#sha256=" + hashlib.sha256(content).hexdigest() if bad.endswith("hash") else ""
            self.serve_raw("simple/" + bad, page([("file://%s%s" % (self.mark(its), digest), "", its)]))
        name, data = wheel("bad-redirect-wheel")
        self.serve_raw("simple/bad-redirect-wheel", page([("/ok/files/bad-redirect-wheel/" + name, "", name)]))
        self.serve_raw("files/bad-redirect-wheel/" + name, redirect("file://" + self.mark("bad_link_file-1.0-py3-none-any.whl")))
        self.serve_raw("simple/bad-script-link", page([("javascript:alert(1)", "", "bad_script_link-1.0-py3-none-any.whl")]))
        self.serve_raw("simple/bad-attributes", page([("/ok/files/x/bad_attributes-1.0-py3-none-any.whl", ' data-requires-python="&gt;=\x1b[31m"',
                                                       "bad_attributes-1.0-py3-none-any.whl")]))  # fmt: skip

    def prepare(self, name):
        """Makes what is made late."""
        if name in self.late:
            self.add(self.late.pop(name)())

    def elsewhere(self, other, name="good-elsewhere"):
        """A package whose page and file are redirected to another index."""
        file_name, data = wheel(name)
        other.add((file_name, data))
        self.serve_raw("simple/" + name, page([("/ok/files/%s/%s" % (name, file_name), "", file_name)]))
        self.serve_raw("files/%s/%s" % (name, file_name), redirect(other.file_url(name, file_name)))


