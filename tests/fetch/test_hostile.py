"""Wheels that somebody made to do harm: each is refused with its reason, nothing is written elsewhere or left behind."""

import os
import signal
import struct
import time
import unittest

import harness
from harness import TAG, Entry, Place, Wheel, record_line

INFO = "toy-1.0.dist-info"


class TestHostile(unittest.TestCase):
    def setUp(self):
        self.place = Place(self)

    def refused(self, wheel, kind, reason, more=()):
        self.all_refused([(wheel, kind, reason)], more)

    def each(self, kind, cases):
        self.all_refused([(wheel, kind, reason) for wheel, reason in cases])

    def all_refused(self, cases, more=()):
        """In one run, because there are many."""
        lines = [self.place.put(wheel, "wheels/%d" % i) for i, (wheel, _, _) in enumerate(cases)]
        status = self.place.unpack(*lines, more=more)
        rows = self.place.rows("failed")
        self.assertEqual((status, self.place.read("done"), self.place.result.stderr), (1, b"", b""))
        self.assertEqual(len(rows), len(cases), rows)
        for (wheel, kind, reason), row in zip(cases, rows):
            with self.subTest(wheel=row):
                self.assertEqual(row[:2], [wheel.name, kind])
                self.assertRegex(row[2], reason)
                self.assertFalse(os.path.exists(os.path.join(self.place.path, wheel.id)))
        self.assertEqual(self.place.leftovers() + self.place.outside(), [])

    def test_paths(self):
        names = ("../evil.py", "a/../../evil.py", "/tmp/evil.py", "//evil", "a//b", "./a", "a/./b", "a/..", "..", "a\\b", "C:\\x",
                 "a\nb", "a\0b", "a\x1b[31m", "a\x7f", "\u0085", "x" * 300, "toy-1.0.data/data/../../evil", "toy-1.0.data/scripts/../x",
                 "toy-1.0.data/data", "toy-1.0.data/nowhere/x", "other-1.0.data/data/x", "toy-2.0.data/data/x",
                 "/".join("d" * 10 for _ in range(150)), "a/" * 62 + "a", "a/../", "/")  # fmt: skip
        self.each("bad-file", [(Wheel(entries=[Entry(name, "" if name.endswith("/") else "x")]), "name|unknown place") for name in names])
        self.refused(Wheel(entries=[Entry(b"\xff\xfe.py", "x")]), "bad-file", "UTF-8")

    def test_modes(self):
        cases = []
        for mode, reason in ((0o120777, "symbolic link"), (0o020666, "device"), (0o060666, "device"), (0o010666, "device"),
                             (0o140777, "device"), (0o104755, "setuid"), (0o102755, "setuid"), (0o006755, "setuid"),
                             (0o040755, "directory")):  # fmt: skip
            cases.append((Wheel(entries=[Entry("a", "/etc/passwd", mode=mode)]), reason))
        cases += [(Wheel(entries=[Entry("a/", "", mode=0o120777)]), "no directory"), (Wheel(entries=[Entry("a/", "content")]), "no directory")]
        self.each("bad-file", cases)

    def test_no_zip(self):
        good = Wheel()
        wheels = []
        cases = [(b"", "empty"), (b"this is no zip file" * 100, "no zip"), (good.data[:-30], "no zip"), (good.data[:200], "no zip"),
                 (b"junk" + good.data, "damaged"), (good.data + b"junk", "no zip"), (b"PK\5\6" + bytes(18), "no directories"),
                 (good.data[:-22] + b"PK\5\6" + bytes(18), "damaged")]  # fmt: skip
        for data, reason in cases:
            wheel = Wheel()
            wheel.data = data
            wheels.append((wheel, reason))
        self.each("bad-file", wheels)

    def test_every_cut_and_flipped_byte(self):
        """Whatever is damaged: a reason, and not a crash. In this process, for speed."""
        from cellblock_fetch import archive, wheel
        from cellblock_fetch.problem import Problem

        made = Wheel(entry_points="[console_scripts]\ntoy = toy:main\n")

        def look(data):
            try:
                plan = wheel.inspect(data, made.filename, "toy", "1.0", harness.LIB, wheel.Limits())
                for member, _, _, _ in plan.files:
                    for _ in archive.blocks(data, member):
                        pass
            except Problem:
                return False
            return True

        self.assertTrue(look(made.data))
        for i in range(len(made.data)):
            self.assertFalse(look(made.data[:i]), i)
            for change in (0xFF, 1):
                data = bytearray(made.data)
                data[i] ^= change
                look(bytes(data))

    def test_lies_of_the_directory(self):
        flat = b"\0" * 100000
        self.each("bad-file", [
            (Wheel(entries=[Entry("a", flat, size=10)]), "larger than announced"),
            (Wheel(entries=[Entry("a", flat, size=200000)]), "shorter than announced|cannot be unpacked"),
            (Wheel(entries=[Entry("a", b"\0" * (12 << 20), size=9 << 20)]), "larger than announced"),
            (Wheel(entries=[Entry("a", b"\0" * (9 << 20), size=10 << 20)]), "shorter than announced"),
            (Wheel(entries=[Entry("a", flat, deflate=False, size=10)]), "damaged"),
            (Wheel(entries=[Entry("a", flat, packed=20)]), "cannot be unpacked"),
            (Wheel(entries=[Entry("a", flat, packed=1 << 24)]), "overlaps|reaches"),
            (Wheel(entries=[Entry("a", flat, crc=5)]), "checksum"),
            (Wheel(entries=[Entry("a", flat, local_name=b"b")]), "not what the zip directory says"),
            (Wheel(entries=[Entry("a", flat, method=14)]), "compressed in a way"),
            (Wheel(entries=[Entry("a", flat, flags=0x801)]), "encrypted"),
            (Wheel(entries=[Entry("a", flat, flags=0x841)]), "encrypted"),
            (Wheel(entries=[Entry("a", "x", offset=1 << 30)]), "outside"),
            (Wheel(entries=[Entry("a", "x", offset=7)]), "not what the zip directory says"),
        ])  # fmt: skip

    def test_overlapping_entries(self):
        first = Entry("a", b"\0" * 100000)
        again = [Entry("toy.py", "VALUE = 42\n\n\ndef main():\n    print('hello from', VALUE)\n", offset=0)]
        self.refused(Wheel(entries=again), "bad-file", "overlaps")
        # A quine-like bomb: each member's data has the next one's header and data in it.
        inner = first.local()
        outer = Entry("b", inner, deflate=False)
        wheel = Wheel(entries=[outer, Entry("a", first.data, offset=0)])
        at = wheel.data.index(inner)
        self.refused(Wheel(entries=[outer, Entry("a", first.data, offset=at)]), "bad-file", "overlaps")

    def test_too_many_entries_are_not_even_read(self):
        from cellblock_fetch import archive
        from cellblock_fetch.problem import Problem

        data = harness.zip_of([Entry("f%d" % i) for i in range(3)], count=3)
        self.assertEqual(len(archive.read_directory(data, 3)), 3)
        with self.assertRaisesRegex(Problem, "3 files; at most 2"):
            archive.read_directory(data, 2)
        for count in (2, 4):
            with self.assertRaisesRegex(Problem, "damaged"):
                archive.read_directory(harness.zip_of([Entry("f%d" % i) for i in range(3)], count=count), 100)

    def test_zip64(self):
        from cellblock_fetch import archive
        from cellblock_fetch.problem import Problem

        plain = harness.zip_of([Entry("a", b"x" * 50)])
        body, end = plain[:-22], plain[-22:]
        size, offset = struct.unpack("<LL", end[12:20])
        far = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, offset)
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(body), 1)
        marked = end[:8] + b"\xff\xff\xff\xff" + b"\xff" * 8 + b"\0\0"
        self.assertEqual([member.size for member in archive.read_directory(body + far + locator + marked, 10)], [50])
        many = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, size, offset)
        with self.assertRaisesRegex(Problem, "files"):
            archive.read_directory(body + many + locator + marked, 10)
        for where in (len(body) + 1, 1 << 60):
            with self.assertRaisesRegex(Problem, "damaged"):
                archive.read_directory(body + far + struct.pack("<4sLQL", b"PK\6\7", 0, where, 1) + marked, 10)

    def test_bombs(self):
        zeros = b"\0" * (90 << 20)
        wheel = Wheel(entries=[Entry("zeros.bin", zeros)])
        self.assertLess(len(wheel.data), 200000)
        self.refused(wheel, "too-large", "bytes unpacked")
        self.refused(Wheel(entries=[Entry("a", b"x" * 5000)]), "too-large", "bytes unpacked", ["max-unpacked-bytes 4000"])
        self.refused(Wheel(entries=[Entry("a", os.urandom(5000))]), "too-large", "file has", ["max-wheel-bytes 4000"])
        self.refused(Wheel(entries=[Entry("a", "x" * 100, size=1 << 31)]), "too-large", "bytes unpacked")
        many = Wheel(entries=[Entry("d/%d" % i, "", deflate=False) for i in range(60000)])
        start = time.monotonic()
        self.refused(many, "too-large", "60004 files")
        self.assertLess(time.monotonic() - start, 20)
        # Bytecode counts, too.
        self.refused(Wheel(entries=[Entry("m%d.py" % i, "") for i in range(50)]), "too-large", "files", ["max-files 60"])

    def test_names_twice(self):
        self.each("bad-file", [
            (Wheel(entries=[Entry("toy.py", "import os\n")]), "twice"),
            (Wheel(files={"toy-1.0.data/purelib/toy.py": "evil"}), "two of its files"),
            (Wheel(files={"toy-1.0.data/data/%s/toy.py" % harness.LIB: "evil"}), "two of its files"),
            (Wheel(files={"a": "file", "a/b": "below a file"}), "a file and a directory"),
            (Wheel(files={"toy-1.0.data/data/share": "f", "toy-1.0.data/data/share/x": "g"}), "a file and a directory"),
            (Wheel(files={"toy-1.0.data/data/bin/toy": "x"}, entry_points="[console_scripts]\ntoy = toy:main\n"), "two of its files"),
        ])  # fmt: skip
        self.assertEqual(self.place.unpack(self.place.put(Wheel(entries=[Entry("Toy.py", ""), Entry("TOY.py", "")]))), 0)

    def test_names_that_contradict(self):
        self.each("bad-file", [
            (Wheel(metadata="Name: other\nVersion: 1.0\n"), "METADATA names another package"),
            (Wheel(metadata="Name: toy\nVersion: 1.1\n"), "METADATA names another version"),
            (Wheel(metadata="Name: toy\nName: other\nVersion: 1.0\n"), "METADATA does not say"),
            (Wheel(metadata="\nName: toy\nVersion: 1.0\n"), "METADATA does not say"),
            (Wheel(metadata=b"Name: toy\xff\nVersion: 1.0\n"), "not UTF-8"),
            (Wheel(metadata=""), "no METADATA"),
            (Wheel(info="other-1.0.dist-info"), "names another package"),
            (Wheel(info="toy-1.1.dist-info"), "names another version"),
            (Wheel(info="toy.dist-info"), "names no version"),
            (Wheel(files={"other-1.0.dist-info/METADATA": "Name: other\nVersion: 1.0\n"}), "2 directories named"),
            (Wheel(wheel=""), "no WHEEL"),
            (Wheel(wheel="Wheel-Version: 2.0\n"), "another format"),
            (Wheel(wheel="Root-Is-Purelib: true\n"), "another format"),
            (Wheel(filename="other-1.0-py3-none-any.whl"), "names another package"),
            (Wheel(filename="toy-1.1-py3-none-any.whl"), "names another version"),
            (Wheel(filename="toy.whl"), "not the name of a wheel"),
        ])  # fmt: skip

    def test_record(self):
        right = record_line("toy.py", b"VALUE = 42\n\n\ndef main():\n    print('hello from', VALUE)\n")
        self.each("bad-file", [
            (Wheel(no_record=True), "no RECORD"),
            (Wheel(record={"toy.py": None}), "toy.py' is not in RECORD"),
            (Wheel(record={"toy.py": "toy.py,,\n"}), "no hash for 'toy.py'"),
            (Wheel(record={"toy.py": record_line("toy.py", b"", "md5")}), "cannot be relied on"),
            (Wheel(record={"toy.py": "toy.py,sha256=AAAA,3\n"}), "cannot be relied on"),
            (Wheel(record={"toy.py": "toy.py,nonsense=AAAA,3\n"}), "cannot be relied on"),
            (Wheel(record={"toy.py": "toy.py,sha256=A,3\n"}), "malformed hash"),
            (Wheel(record={"toy.py": "toy.py\n"}), "malformed"),
            (Wheel(record={"toy.py": right + record_line("toy.py", b"other")}), "two hashes"),
            (Wheel(record={"toy.py": right + record_line("gone.py", b"")}), "'gone.py', which is not in the wheel"),
            (Wheel(record={"toy.py": '"toy.py\n'}), "malformed|not in RECORD"),
            (Wheel(record={"toy.py": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1") + ",,\n"}), "not in"),
        ])  # fmt: skip
        wrong = Wheel(record={"toy.py": record_line("toy.py", b"VALUE = 666\n")})
        self.refused(wrong, "hash", "toy.py' is not what RECORD says")
        wrong = Wheel(files={"toy-1.0.data/scripts/x": "#!python\n"}, record={"toy-1.0.data/scripts/x": record_line("toy-1.0.data/scripts/x", b"")})
        self.refused(wrong, "hash", "x' is not what RECORD says")
        wrong = Wheel(record={INFO + "/METADATA": record_line(INFO + "/METADATA", b"other")})
        self.refused(wrong, "hash", "METADATA")

    def test_scripts(self):
        scripts, points = "a script named|would replace", "a script named|would replace|malformed"
        cases = [(Wheel(entry_points=b"\xff\xfe"), "malformed"), (Wheel(entry_points="no section\n"), "malformed")]
        for name in ("a/b", "", ".hidden", "-rf", "python", "python3", "python3.11", "pythonw", "sh", "activate", "activate.csh",
                     "Activate.ps1", "pip", "pip3", "env", "realpath", "ev\u0131l"):  # fmt: skip
            cases.append((Wheel(entry_points="[console_scripts]\n%s = toy:main\n" % name), points))
            if name:
                cases.append((Wheel(files={"toy-1.0.data/scripts/" + name: "#!python\n"}), scripts))
                cases.append((Wheel(files={"toy-1.0.data/data/bin/" + name: "#!python\n"}), scripts))
        for name in ("../evil", "/tmp/evil", "a\\b", "..", "."):
            cases.append((Wheel(entry_points="[console_scripts]\n%s = toy:main\n" % name), points))
        for value in ("toy", "toy:", ":main", "toy:main()", "toy;import os:main", "toy:main\n import os", "os:system('x')", "a b:c", "toy:1"):
            cases.append((Wheel(entry_points="[console_scripts]\nx = %s\n" % value), "malformed"))
        self.each("bad-file", cases)

    def test_environment(self):
        names = ("pyvenv.cfg", "bin", "lib64", "lib", "bin/python")
        self.each("bad-file", [(Wheel(files={"toy-1.0.data/data/" + name: "x"}), "would replace") for name in names])

    def test_wrong_hash(self):
        wheel = Wheel()
        line = self.place.put(wheel)
        self.assertEqual(self.place.unpack(line.replace(wheel.id[:64], "0" * 64)), 1)
        self.assertEqual(self.place.rows("failed")[0][1], "hash")
        self.assertEqual(self.place.unpack(wheel.line("file:wheels/" + wheel.filename, size=17)), 1)
        self.assertEqual(self.place.rows("failed")[0][1], "hash")
        self.assertEqual(self.place.leftovers(), [])

    def test_files_of_this_machine(self):
        wheel = Wheel()
        outside = os.path.join(self.place.top, wheel.filename)
        with open(outside, "wb") as file:
            file.write(wheel.data)
        os.symlink(outside, os.path.join(self.place.path, "wheels", wheel.filename))
        urls = ("file://" + outside, "file:wheels/../../" + wheel.filename, "file:wheels/" + wheel.filename, "file://host" + outside,
                "file:///dev/zero", "ftp://127.0.0.1/x.whl", "data:,x", "x.whl", "http:///x.whl", "http://[::1/x.whl")  # fmt: skip
        self.assertEqual(self.place.unpack(*[wheel.line(url) for url in urls]), 1)
        self.assertEqual([row[1] for row in self.place.rows("failed")], ["index"] * len(urls))
        self.assertEqual(self.place.unpack(wheel.line("file://" + outside), more=["wheel-dir " + self.place.top]), 0)

    def test_times_and_deaths_of_the_compiler(self):
        """A source that ends the compiler costs its own bytecode only."""
        files = {"toy_pkg/m%d.py" % i: "x = %d\n" % i for i in range(8)}
        wheel = Wheel(files=dict(files, **{"toy_pkg/killer.py": "KILL\n", "toy_pkg/other.py": "KILL = 1\n", "toy_pkg/sleeper.py": "SPIN\n"}))
        line = self.place.put(wheel)
        with open(os.path.join(self.place.path, "job"), "w") as file:
            file.write("cache-tag %s\nlib %s\nwheel %s\n" % (TAG, harness.LIB, line))
        pid = os.fork()
        if pid == 0:
            try:
                os.chdir(self.place.path)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                from cellblock_fetch import bytecode, fetch, job, workers

                plain = bytecode.compiled
                workers.COMPILE_SECONDS = 0.2

                def compiled(source, path):
                    if source.startswith(b"KILL"):
                        os.kill(os.getpid(), signal.SIGSEGV)
                    while source.startswith(b"SPIN"):
                        pass
                    return plain(source, path)

                bytecode.compiled = compiled
                os._exit(fetch.run(job.Job()))
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(9)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        found = [path for path in harness.files_below(self.place.tree(wheel)) if path.endswith(".pyc")]
        self.assertEqual(len(found), 9)  # the eight, and toy.py
        self.assertEqual(len(self.place.read(wheel.id, "manifest").splitlines()), len(harness.files_below(self.place.tree(wheel))))

    def test_sources_that_are_hard_to_compile(self):
        hard = {"minus": "-" * 100000 + "1", "plus": "+".join(["a"] * 50000), "dots": "a" + ".b" * 100000, "call": "f(" * 80 + ")" * 80,
                "ifs": "".join(" " * i + "if 1:\n" for i in range(95)) + " " * 95 + "pass\n", "shift": "x = 1 << 1 << 100000000000",
                "power": "x = 2 ** 2 ** 60", "string": "x = 'a' * 10 ** 12", "tuple": "x = ((1,) * 10 ** 6) * 10 ** 6",
                "lambda": "lambda: " * 20000 + "0", "not": "not " * 50000 + "1", "cookie": "# coding: evil\n", "bom": b"\xef\xbb\xbfx = 1\n",
                "int": "x = " + "9" * 100000}  # fmt: skip
        wheel = Wheel(files={"hard_%s.py" % name: text for name, text in hard.items()})
        self.assertEqual(self.place.unpack(self.place.put(wheel)), 0)
        self.assertIn("toy.%s.pyc" % TAG, os.listdir(os.path.join(self.place.tree(wheel), harness.LIB, "__pycache__")))


if __name__ == "__main__":
    unittest.main()
