"""Good wheels: where everything goes, and what is written beside it."""

import csv
import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import unittest

import harness
from harness import LIB, TAG, Entry, Place, Wheel

SOURCE = "def f():\n    return 1\n"


class TestUnpack(unittest.TestCase):
    def setUp(self):
        self.place = Place(self)

    def unpack(self, wheel):
        status = self.place.unpack(self.place.put(wheel))
        self.assertEqual((status, self.place.read("failed")), (0, b""), self.place.result)
        self.assertEqual(self.place.rows("done"), [[wheel.name, wheel.version, wheel.id]])
        self.assertEqual(self.place.leftovers() + self.place.outside(), [])
        return self.place.tree(wheel)

    def manifest(self, wheel):
        rows = [line.split(" ", 3) for line in self.place.read(wheel.id, "manifest").decode().splitlines()]
        return {row[3]: row[:3] for row in rows}

    def test_layout_manifest_and_record(self):
        files = {"toy_pkg/__init__.py": SOURCE, "toy_pkg/dätä, more.txt": "x", "toy_pkg/empty": "",
                 "toy-1.0.data/purelib/pure.py": SOURCE, "toy-1.0.data/platlib/plat.so": b"\x7fELF",
                 "toy-1.0.data/data/share/toy/a.json": "{}", "toy-1.0.data/data/etc/toy.conf": "a",
                 "toy-1.0.data/headers/toy.h": "int a;", "toy-1.0.data/scripts/run-toy": "#!python -E\nimport toy\ntoy.main()\n",
                 "toy-1.0.data/scripts/plain": "#!/bin/sh\necho plain\n"}  # fmt: skip
        wheel = Wheel(files=files, entry_points="[console_scripts]\ntoy = toy:main\n[gui_scripts]\ntoyg = toy:main [x]\n[other]\na = b\n")
        tree = self.unpack(wheel)
        python = "python%d.%d" % sys.version_info[:2]
        expected = {LIB + "/" + name for name in (
            "toy.py", "__pycache__/toy.%s.pyc" % TAG, "toy_pkg/__init__.py", "toy_pkg/__pycache__/__init__.%s.pyc" % TAG,
            "toy_pkg/dätä, more.txt", "toy_pkg/empty", "pure.py", "__pycache__/pure.%s.pyc" % TAG, "plat.so",
            "toy-1.0.dist-info/METADATA", "toy-1.0.dist-info/WHEEL", "toy-1.0.dist-info/entry_points.txt",
            "toy-1.0.dist-info/RECORD", "toy-1.0.dist-info/INSTALLER")}  # fmt: skip
        expected |= {"share/toy/a.json", "etc/toy.conf", "include/site/%s/toy/toy.h" % python,
                     "bin/run-toy", "bin/plain", "bin/toy", "bin/toyg"}  # fmt: skip
        self.assertEqual(set(harness.files_below(tree)), expected)
        manifest = self.manifest(wheel)
        self.assertEqual(set(manifest), expected)
        lines = self.place.read(wheel.id, "manifest").decode().splitlines()
        self.assertEqual([line.split(" ", 3)[3] for line in lines], sorted(expected))
        for path, (digest, size, executable) in manifest.items():
            with open(os.path.join(tree, path), "rb") as file:
                data = file.read()
            self.assertEqual((digest, size), (hashlib.sha256(data).hexdigest(), str(len(data))), path)
            status = os.stat(os.path.join(tree, path))
            self.assertEqual(status.st_mtime, 1577836800)
            self.assertEqual(executable == "x", bool(status.st_mode & 0o111), path)
            self.assertEqual(executable == "x", path.startswith("bin/"), path)
        text = self.place.read(wheel.id, "tree", LIB, "toy-1.0.dist-info", "RECORD").decode()
        recorded = {os.path.normpath(os.path.join(LIB, row[0])): row for row in csv.reader(io.StringIO(text))}
        self.assertEqual(set(recorded), {path for path in expected if not path.endswith(".pyc")})
        for path, row in recorded.items():
            if not path.endswith("RECORD"):
                data = self.place.read(wheel.id, "tree", path)
                self.assertEqual(harness.record_line("", data).strip(), ",%s,%s" % (row[1], row[2]))

    def test_scripts_run_from_anywhere(self):
        files = {"toy-1.0.data/scripts/run-toy": "#!python\nimport sys\nprint('ran', sys.argv[1:])\n"}
        wheel = Wheel(files=files, entry_points="[console_scripts]\ntoy = toy:main\ntoy-cls=toy:Thing.call\n",
                      entries=[Entry("thing.py", "")])  # fmt: skip
        tree = self.unpack(wheel)
        os.symlink(sys.executable, os.path.join(tree, "bin", "python"))
        with open(os.path.join(tree, "pyvenv.cfg"), "w") as file:
            file.write("home = %s\n" % os.path.dirname(os.path.realpath(sys.executable)))
        moved = os.path.join(self.place.path, "moved to")
        os.rename(tree, moved)
        os.symlink(os.path.join(moved, "bin", "toy"), os.path.join(self.place.path, "link"))
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.path.join(moved, LIB)}
        for command, said in (([os.path.join(moved, "bin", "toy")], "hello from 42\n"), (["./link"], "hello from 42\n"),
                              ([os.path.join(moved, "bin", "run-toy"), "a b", "-c"], "ran ['a b', '-c']\n")):  # fmt: skip
            done = subprocess.run(command, cwd=self.place.path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.stdout.decode(), said)

    def test_bytecode(self):
        wheel = Wheel(files={"broken.py": "def (:\n", "latin.py": b"# -*- coding: latin-1 -*-\nA = '\xe4'\n", "null.py": b"a\0b",
                             "toy_pkg/tests/test_a.py": SOURCE, "deep.py": "(" * 5000,
                             "n" * 240 + ".py": SOURCE, "__pycache__/toy.%s.pyc" % TAG: b"evil",
                             "toy_pkg/__pycache__/gone.%s.pyc" % TAG: b"evil"})  # fmt: skip
        tree = self.unpack(wheel)
        caches = [path for path in harness.files_below(tree) if path.endswith(".pyc")]
        self.assertEqual(caches, ["%s/__pycache__/%s.%s.pyc" % (LIB, name, TAG) for name in ("latin", "toy")])
        path = os.path.join(tree, LIB, "__pycache__", "toy.%s.pyc" % TAG)
        with open(path, "rb") as file:
            data = file.read()
        self.assertEqual(data[:8], importlib.util.MAGIC_NUMBER + b"\1\0\0\0")
        code = "import sys; sys.path.insert(0, %r); import toy, latin; print(toy.__cached__, toy.VALUE, ascii(latin.A))"
        done = subprocess.run([sys.executable, "-I", "-B", "-v", "-c", code % os.path.join(tree, LIB)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)  # fmt: skip
        self.assertEqual(done.stdout.decode(), "%s 42 '\\xe4'\n" % path)
        self.assertIn(b"code object from '%s'" % path.encode(), done.stderr)  # and not from the source

    def test_paths_in_bytecode(self):
        wheel = Wheel()
        self.place.unpack(self.place.put(wheel), more=["prefix /some where"])
        self.assertIn(b"/some where/%s/toy.py" % LIB.encode(), self.place.read(wheel.id, "tree", LIB, "__pycache__", "toy.%s.pyc" % TAG))

    def test_modes(self):
        wheel = Wheel(entries=[Entry("tool.sh", "#!/bin/sh\n", mode=0o100755), Entry("toy_dir/", mode=0o042755), Entry("x.txt", "x", mode=0)])
        tree = self.unpack(wheel)
        self.assertTrue(os.access(os.path.join(tree, LIB, "tool.sh"), os.X_OK))
        self.assertEqual(os.stat(os.path.join(tree, LIB, "x.txt")).st_mode & 0o7777 & ~0o22, 0o644 & ~0o22)

    def test_names_that_are_the_same(self):
        wheel = Wheel(name="Toy.Good_one", version="1.0.post1", info="toy_good_one-1.0.0.post1.dist-info",
                      metadata="Name: toy-good.ONE\nVersion: 1.0-1\n", filename="Toy_Good_One-1.0.post1-py3-none-any.whl")  # fmt: skip
        wheel.name = "toy-good-one"
        self.unpack(wheel)

    def test_stronger_hashes_and_signatures(self):
        data = b"x" * 100
        info = "toy-1.0.dist-info/"
        wheel = Wheel(entries=[Entry("a.bin", data), Entry("b.bin", data), Entry(info + "RECORD.jws", "{}")],
                      record={"a.bin": harness.record_line("a.bin", data, "sha512"), info + "RECORD.jws": None,
                              "b.bin": harness.record_line("b.bin", data, "blake2b")})  # fmt: skip
        tree = self.unpack(wheel)
        self.assertFalse(os.path.exists(os.path.join(tree, LIB, info, "RECORD.jws")))

    def test_large_members(self):
        noise, flat = os.urandom(9 << 20), b"abc" * (4 << 20)
        wheel = Wheel(entries=[Entry("noise.bin", noise), Entry("flat.bin", flat), Entry("stored.bin", flat, deflate=False)])
        tree = self.unpack(wheel)
        for name, data in (("noise", noise), ("flat", flat), ("stored", flat)):
            with open(os.path.join(tree, LIB, name + ".bin"), "rb") as file:
                self.assertTrue(file.read() == data)

    def test_entry_point_wins_over_script(self):
        wheel = Wheel(files={"toy-1.0.data/scripts/toy": "#!python\nprint('no')\n"}, entry_points="[console_scripts]\ntoy = toy:main\n")
        tree = self.unpack(wheel)
        with open(os.path.join(tree, "bin", "toy")) as file:
            self.assertIn("from toy import main", file.read())

    def test_names_that_look_reserved(self):
        points = "".join("%s = toy:main\n" % name for name in ("python-argcomplete-check", "activate-global-toy", "pipx", "shx"))
        self.unpack(Wheel(entry_points="[console_scripts]\n" + points))

    def test_pip_may_be_pip(self):
        self.unpack(Wheel(name="pip", entry_points="[console_scripts]\npip = pip:main\npip3.11 = pip:main\n"))

    def test_many_at_once_and_one_that_fails(self):
        wheels = [Wheel(name="toy%d" % i) for i in range(12)]
        lines = [self.place.put(wheel) for wheel in wheels]
        bad = Wheel(name="bad", no_record=True)
        self.assertEqual(self.place.unpack(*lines, self.place.put(bad), lines[0]), 1)
        self.assertEqual(len(self.place.rows("done")), 12)
        self.assertEqual([row[:2] for row in self.place.rows("failed")], [["bad", "bad-file"]])
        self.assertEqual(self.place.leftovers(), [])
        self.assertFalse(os.path.exists(os.path.join(self.place.path, bad.id)))

    def test_nothing_to_do(self):
        self.assertEqual(self.place.unpack(), 0)

    def test_wrong_interpreter(self):
        line = self.place.put(Wheel())
        self.assertEqual(self.place.run("unpack", ["cache-tag cpython-27", "lib " + LIB, "wheel " + line]), 1)
        self.assertIn(b"bytecode", self.place.result.stderr)

    def test_other_locale(self):
        self.place.environ["LC_ALL"] = "C"
        self.unpack(Wheel(files={"dätä.txt": "x"}))


if __name__ == "__main__":
    unittest.main()
