"""The steps of a build: unpacking hostile source distributions, pyproject.toml, calling a backend, looking at the wheel."""

import io
import os
import subprocess
import sys
import tarfile
import unittest

from harness import Entry, Place, Wheel, program, zip_of

from cellblock_fetch import project, sdist
from cellblock_fetch.problem import Problem

BACKEND = """
import os, sys
assert os.getcwd() == os.path.realpath(os.path.dirname(__file__)), os.getcwd()
assert not [name for name in sys.modules if name == "pip"]
def get_requires_for_build_wheel(settings=None):
    return ["more>=1"]
def build_wheel(folder, settings=None, metadata=None):
    print("home is", os.environ["HOME"])
    open(os.path.join(folder, "made.whl"), "w").write(open("data").read())
    return "made.whl"
"""
OWN = '[build-system]\nrequires = ["one", "two>=2"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def member(name, kind=tarfile.REGTYPE, data=b"", link="", mode=0o644, size=None):
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    made.size = len(data) if size is None else size
    return made, data


def tar_of(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
        for made, data in members:
            tar.addfile(made, io.BytesIO(data) if data else None)
    return out.getvalue()


def files_of(**files):
    return tar_of(*[member("toy-1.0/" + name.replace("__", "."), data=text.encode()) for name, text in files.items()])


class Case(unittest.TestCase):
    def setUp(self):
        self.place = Place(self)

    def put(self, data, filename="toy-1.0.tar.gz"):
        path = os.path.join(self.place.top, filename)
        with open(path, "wb") as file:
            file.write(data)
        return path


class TestUnpack(Case):
    def unpack(self, data, filename="toy-1.0.tar.gz", **limits):
        self.root = os.path.join(self.place.path, "source")
        return sdist.unpack(self.put(data, filename), filename, self.root, sdist.Limits(**limits) if limits else None)

    def refused(self, data, words, filename="toy-1.0.tar.gz", **limits):
        with self.assertRaises(Problem) as caught:
            self.unpack(data, filename, **limits)
        self.assertIn(words, caught.exception.reason)
        self.assertEqual(sorted(self.place.outside()), [filename])

    def test_a_good_one(self):
        source = self.unpack(tar_of(member("toy-1.0", tarfile.DIRTYPE), member("toy-1.0/run", data=b"#!", mode=0o4755),
                                    member("./toy-1.0/a/b", data=b"b")))  # fmt: skip
        self.assertEqual(os.path.basename(source), "toy-1.0")
        self.assertEqual(os.stat(source + "/run").st_mode & 0o7777, 0o755)
        with open(source + "/a/b", "rb") as file:
            self.assertEqual(file.read(), b"b")

    def test_a_zip(self):
        source = self.unpack(zip_of([Entry("toy-1.0/a", b"a" * 300), Entry("toy-1.0/b/", b"", 0o40755)]), "toy-1.0.zip")
        self.assertEqual(sorted(os.listdir(source)), ["a", "b"])

    def test_without_a_directory_of_its_own(self):
        self.assertEqual(self.unpack(tar_of(member("a", data=b"1"), member("b", data=b"2"))), self.root)

    def test_names_that_lead_elsewhere(self):
        for name in ("/etc/x", "../x", "toy/../../x", "toy/./x", "toy//x", "toy\\x", "toy/\x01x"):
            self.setUp()
            self.refused(tar_of(member(name, data=b"x")), "name")

    def test_links_become_copies_or_are_refused(self):
        source = self.unpack(tar_of(member("t/a/file", data=b"content"), member("t/b/link", tarfile.SYMTYPE, link="../a/file"),
                                    member("t/hard", tarfile.LNKTYPE, link="t/a/file"), member("t/gone", tarfile.SYMTYPE, link="nowhere"),
                                    member("t/folder", tarfile.SYMTYPE, link="a")))  # fmt: skip
        for name in ("b/link", "hard"):
            self.assertFalse(os.path.islink(os.path.join(source, name)))
            with open(os.path.join(source, name), "rb") as file:
                self.assertEqual(file.read(), b"content")
        self.assertEqual(sorted(os.listdir(source)), ["a", "b", "hard"])
        for target in ("/etc/passwd", "../../../etc/passwd", "../../x"):
            self.setUp()
            self.refused(tar_of(member("t/a", tarfile.SYMTYPE, link=target), member("t/a/x", data=b"x")), "leads elsewhere")

    def test_a_link_is_not_followed_by_a_later_member(self):
        self.refused(tar_of(member("t/a", tarfile.SYMTYPE, link="b"), member("t/a/x", data=b"x"), member("t/b/y", data=b"y"),
                            member("t/a/x", data=b"z")), "twice")  # fmt: skip

    def test_devices(self):
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
            self.setUp()
            self.refused(tar_of(member("t/x", kind)), "a device")
        self.setUp()
        self.refused(zip_of([Entry("t/x", b"/etc", 0o120777)]), "a link", "toy-1.0.zip")

    def test_sizes(self):
        self.refused(tar_of(member("t/x", data=bytes(1 << 20))), "unpacked", total=1 << 19, files=10)
        self.setUp()
        self.refused(tar_of(*[member("t/%d" % i) for i in range(20)]), "files", total=1 << 20, files=10)
        self.setUp()
        self.refused(tar_of(*[member("t/%d" % i, tarfile.SYMTYPE, link="x") for i in range(20)]), "links", total=1 << 20, files=10)
        self.setUp()
        self.refused(tar_of(member("/".join("d" * 100), data=b"x")), "too deep")

    def test_damage(self):
        good = tar_of(member("t/x", data=os.urandom(5000)))
        for data in (b"", b"rubbish" * 99, good[:-3000], good[:50], good[:100] + b"\0" * 50 + good[150:]):
            self.setUp()
            self.refused(data, "unpacked")
        self.setUp()
        self.refused(b"", "empty", "toy-1.0.zip")
        self.setUp()
        self.refused(tar_of(member("t/a", data=b"1"), member("t/a/b", data=b"2")), "a file and a directory")


class TestProject(Case):
    def read(self, text=None, setup=False):
        for name, content in (("pyproject.toml", text), ("setup.py", "" if setup else None)):
            path = os.path.join(self.place.path, name)
            if os.path.exists(path):
                os.unlink(path)
            if content is not None:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
        return project.Project(self.place.path)

    def test_what_counts_without(self):
        for text in (None, "[tool.x]\na = 1\n"):
            found = self.read(text, setup=True)
            self.assertEqual((found.backend, found.requires, found.paths), (project.LEGACY, project.DEFAULT, []))
            self.assertRaises(Problem, self.read, text)

    def test_build_system(self):
        found = self.read(OWN)
        self.assertEqual((found.backend, found.requires, len(found.paths)), ("backend", ["one", "two>=2"], 1))
        found = self.read('[build-system]\nrequires = [ # these\n  "one",\n  \'two; python_version<"3"\',\n]\n[project]\nname = "x"\n')
        self.assertEqual((found.backend, found.requires), (project.LEGACY, ["one", 'two; python_version<"3"']))
        # What toy TOML cannot read is elsewhere.
        found = self.read('[project]\ndescription = """\nmany\nlines"""\na.b.c = 1979-05-27\n' + OWN + '[tool.x]\ny = """z"""\n')
        self.assertEqual(found.backend, "backend")

    def test_malformed(self):
        for text in ("[build-system]\n", "[build-system]\nrequires = 'x'\n", "[build-system]\nrequires = [1]\n", OWN.replace('"."', '".."'),
                     OWN.replace('"."', '"/"'), OWN.replace('"backend"', '"../x"'),
                     OWN.replace('"backend"', '"a;b"'), "[build-system]\nrequires ="):  # fmt: skip
            self.assertRaises(Problem, self.read, text, True)


class TestSteps(Case):
    def step(self, *arguments, good=True):
        command = [sys.executable, "-I", "-B", program(), *arguments]
        done = subprocess.run(command, cwd=self.place.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.place.environ, universal_newlines=True)  # fmt: skip
        self.assertEqual(done.returncode == 0, good, done.stdout)
        self.said = done.stdout

    def fresh(self):
        self.setUp()
        self.path = self.put(files_of(pyproject__toml=OWN, backend__py=BACKEND, data="content"))

    def test_a_backend_of_its_own(self):
        self.fresh()
        self.step("describe", self.path, "toy-1.0.tar.gz")
        self.assertEqual(self.place.read("requires"), b"one\ntwo>=2\n")
        self.fresh()
        self.step("ask", self.path, "toy-1.0.tar.gz")
        self.assertEqual(self.place.read("requires"), b"more>=1\n")
        self.fresh()
        self.step("build", self.path, "toy-1.0.tar.gz")
        self.assertEqual(self.place.read("dist", "made.whl"), b"content")
        self.assertIn("home is %s" % os.path.realpath(self.place.path), self.said)

    def test_describing_runs_nothing(self):
        path = self.put(files_of(pyproject__toml=OWN, backend__py="open('../../ran', 'w')", setup__py="open('../../ran', 'w')"))
        self.step("describe", path, "toy-1.0.tar.gz")
        self.assertNotIn("ran", os.listdir(self.place.path) + self.place.outside())

    def test_what_fails_says_why(self):
        for backend, words in (("raise SystemExit('no compiler')", "no compiler\n"), ("1/0", "ZeroDivisionError"),
                               ("build_wheel = None", "TypeError"), ("", "build_wheel")):  # fmt: skip
            self.setUp()
            path = self.put(files_of(pyproject__toml=OWN, backend__py=backend))
            self.step("build", path, "toy-1.0.tar.gz", good=False)
            self.assertIn(words, self.said)

    def test_malformed_wishes(self):
        for wishes in ("['a\\nb']", "[1]", "['']"):
            self.setUp()
            path = self.put(files_of(pyproject__toml=OWN, backend__py="def get_requires_for_build_wheel(s): return %s" % wishes))
            self.step("ask", path, "toy-1.0.tar.gz", good=False)
            self.assertIn("malformed", self.said)

    def check(self, wheel, name, version, words=None):
        self.step("check", self.put(wheel.data, wheel.filename), name, version, good=words is None)
        self.assertIn(words or "", self.said)

    def test_the_wheel(self):
        self.check(Wheel("toy", "1.0"), "toy", "1.0.0")
        self.check(Wheel("toy", "1.0"), "Toy", "-")
        self.check(Wheel("toy", "1.0"), "other", "1.0", "another package")
        self.check(Wheel("toy", "1.0"), "toy", "1.1", "another version")
        self.check(Wheel("toy", "1.0", tag="cp311-cp311-win_amd64"), "toy", "1.0", "another Python or platform")
        self.check(Wheel("toy", "1.0", metadata="Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"), "toy", "1.0", "another package")


if __name__ == "__main__":
    unittest.main()
