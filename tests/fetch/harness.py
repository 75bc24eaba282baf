"""What the tests of the fetch sandbox's program share: the program, wheels good and bad, and a place to run it in."""

import base64
import hashlib
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in (os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests", "index")):
    if folder not in sys.path:
        sys.path.append(folder)

import bundle  # noqa: E402

SOURCES = os.path.join(ROOT, "src", "fetch", "py")
TAG = sys.implementation.cache_tag
LIB = "lib/python%d.%d/site-packages" % sys.version_info[:2]
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# Of the machine, not of the tests.
SETTINGS = ("PIP_", "UV_", "NETRC", "HTTP", "http", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "SSL_", "REQUESTS_", "CURL_")

_made = {}


def program():
    """The bundle, made once for each process."""
    if "path" not in _made:
        folder = tempfile.mkdtemp(prefix="cellblock-bundle-")
        _made["path"] = os.path.join(folder, "bundle.zip")
        files = [os.path.join(SOURCES, name) for name in sorted(os.listdir(SOURCES)) if name.endswith(".py")]
        with open(_made["path"], "wb") as file:
            file.write(bundle.bundle(files))
        import atexit

        atexit.register(shutil.rmtree, folder, True)
    return _made["path"]


sys.path.insert(0, program())


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def record_line(path, data, algorithm="sha256"):
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
    return "%s,%s=%s,%d\n" % (path, algorithm, digest, len(data))


class Entry:
    """A member of a zip file, everything about it a value that may lie."""

    def __init__(self, name, data=b"", mode=0o100644, deflate=True, flags=0x800, **lies):
        self.name = name if isinstance(name, bytes) else name.encode()
        self.data = data if isinstance(data, bytes) else data.encode()
        self.mode, self.flags, self.lies = mode, flags, lies
        self.method = lies.get("method", 8 if deflate and self.data else 0)
        if self.method == 8:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            self.packed = packer.compress(self.data) + packer.flush()
        else:
            self.packed = self.data
        self.crc = zlib.crc32(self.data)

    def local(self):
        name = self.lies.get("local_name", self.name)
        head = struct.pack(
            "<4s5HL2L2H", b"PK\3\4", 20, self.flags, self.method, 0, 33, self.crc, len(self.packed), len(self.data), len(name), 0
        )
        return head + name + self.packed

    def central(self, offset):
        size, packed = self.lies.get("size", len(self.data)), self.lies.get("packed", len(self.packed))
        return struct.pack(
            "<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, self.flags, self.method, 0, 33, self.lies.get("crc", self.crc), packed, size,
            len(self.name), 0, 0, 0, 0, self.mode << 16, self.lies.get("offset", offset)
        ) + self.name  # fmt: skip


def zip_of(entries, comment=b"", count=None):
    out, central = bytearray(), bytearray()
    for entry in entries:
        offset = len(out)
        if "offset" not in entry.lies:
            out += entry.local()
        central += entry.central(offset)
    count = len(entries) if count is None else count
    return bytes(out + central) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(central), len(out), len(comment)) + comment


class Wheel:
    """A wheel: good until told otherwise. record: lines instead of the right ones, by path; None leaves one out."""

    def __init__(self, name="toy", version="1.0", files=None, tag="py3-none-any", metadata=None, wheel=WHEEL, entry_points=None,
                 info=None, record=None, entries=(), filename=None, no_record=False):  # fmt: skip
        self.name, self.version = name, version
        stem = "%s-%s" % (name.replace("-", "_"), version)
        self.filename = filename or "%s-%s.whl" % (stem, tag)
        info = info or stem + ".dist-info"
        if metadata is None:
            metadata = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n\nAbout it.\n" % (name, version)
        contents = {"%s.py" % name.replace("-", "_"): "VALUE = 42\n\n\ndef main():\n    print('hello from', VALUE)\n"}
        contents.update(files or {})
        if metadata:
            contents[info + "/METADATA"] = metadata
        if wheel:
            contents[info + "/WHEEL"] = wheel
        if entry_points:
            contents[info + "/entry_points.txt"] = entry_points
        members = [Entry(path, data) for path, data in contents.items()] + list(entries)
        lines = {}
        for member in members:
            path = member.name.decode("utf-8", "replace")
            if not path.endswith("/"):
                lines[path] = record_line('"%s"' % path if "," in path else path, member.data)
        lines[info + "/RECORD"] = info + "/RECORD,,\n"
        lines.update(record or {})
        if not no_record:
            text = "".join(line for line in lines.values() if line is not None)
            members.append(Entry(info + "/RECORD", text))
        self.data = zip_of(members)

    def line(self, url, hash=None, size=None):
        size = len(self.data) if size is None else size
        return "%s\t%s\t%s\t%s\t%s\t%s" % (self.name, self.version, self.filename, hash or sha256(self.data), size, url)

    @property
    def id(self):
        return "%s-%s" % (sha256(self.data), TAG)


class Place:
    """A directory like the one in the sandbox."""

    def __init__(self, test):
        self.top = tempfile.mkdtemp(prefix="cellblock-fetch-")
        test.addCleanup(shutil.rmtree, self.top, True)
        self.path = os.path.join(self.top, "out")
        os.makedirs(os.path.join(self.path, "wheels"))
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith(SETTINGS)}
        self.environ["HOME"] = self.path

    def run(self, what, lines, seconds=120):
        with open(os.path.join(self.path, "job"), "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        command = [sys.executable, "-I", "-B", program(), what]
        self.result = subprocess.run(command, cwd=self.path, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=seconds)  # fmt: skip
        return self.result.returncode

    def put(self, wheel, folder="wheels"):
        """As pip would have downloaded it; answers its line of the lock."""
        os.makedirs(os.path.join(self.path, folder), exist_ok=True)
        with open(os.path.join(self.path, folder, wheel.filename), "wb") as file:
            file.write(wheel.data)
        return wheel.line("file:%s/%s" % (folder, wheel.filename))

    def unpack(self, *lines, more=(), seconds=120):
        head = ["cache-tag " + TAG, "lib " + LIB]
        return self.run("unpack", head + list(more) + ["wheel " + line for line in lines], seconds)

    def read(self, *path):
        with open(os.path.join(self.path, *path), "rb") as file:
            return file.read()

    def rows(self, name):
        return [line.split("\t") for line in self.read(name).decode().splitlines()]

    def tree(self, wheel):
        return os.path.join(self.path, wheel.id, "tree")

    def leftovers(self):
        """What is there that has no business there."""
        known = {"job", "wheels", "cache", "done", "failed"}
        return [name for name in os.listdir(self.path) if name not in known and not name.endswith("-" + TAG)]

    def outside(self):
        return [name for name in os.listdir(self.top) if name != "out"]


def files_below(folder):
    found = []
    for path, _, names in os.walk(folder):
        found += [os.path.relpath(os.path.join(path, name), folder) for name in names]
    return sorted(found)
