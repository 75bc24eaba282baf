"""Resolving with uv and with pip against the index of the tests: both have to come to the same."""

import os
import re
import shutil
import subprocess
import sys
import unittest

import harness
from harness import Place
import toyindex
from toyindex import ToyIndex


def find_uv():
    beside = os.path.join(harness.ROOT, "build", "venv-tests", "bin", "uv")
    return beside if os.access(beside, os.X_OK) else shutil.which("uv")


class Resolving:
    tool = None

    def setUp(self):
        self.place = Place(self)
        index = ToyIndex()
        self.index = index.__enter__()
        self.addCleanup(index.__exit__)
        self.settings(self.index.url)

    def settings(self, url):
        self.place.environ.update({"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url, "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                                   "UV_NO_PROGRESS": "1", "PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"})  # fmt: skip

    def resolve(self, *specs, more=()):
        lines = ["tool " + self.tool, "python " + sys.executable, "cache " + os.path.join(self.place.path, "cache")]
        status = self.place.run("resolve", lines + list(more) + ["spec " + spec for spec in specs])
        self.said = (self.place.result.stdout + self.place.result.stderr).decode()
        return status

    def locked(self, *specs, more=()):
        self.assertEqual(self.resolve(*specs, more=more), 0, self.said)
        return [(row[0], row[1]) for row in self.place.rows("lock")]

    def unpack_all(self):
        lines = self.place.read("lock").decode().splitlines()
        self.assertEqual(self.place.unpack(*lines), 0, self.place.result)
        return self.place.rows("done")

    def test_newest_and_what_it_needs(self):
        self.assertEqual(self.locked("toy-good"), [("toy-dep", "1.2"), ("toy-good", "2.0")])
        for row in self.place.rows("lock"):
            data = self.index.built(row[0], row[2])
            self.assertEqual(row[3], harness.sha256(data))
            self.assertIn(row[4], ("-", str(len(data))))
        done = self.unpack_all()
        self.assertEqual([row[:2] for row in done], [["toy-dep", "1.2"], ["toy-good", "2.0"]])
        self.assertEqual([row[2][:64] for row in done], [row[3] for row in self.place.rows("lock")])

    def test_versions_extras_and_constraints(self):
        self.assertEqual(self.locked("toy_good<2", "toy-extra[more]"),
                         [("toy-dep", "1.2"), ("toy-extra", "1.0"), ("toy-good", "1.1"), ("toy-plain", "1.0")])  # fmt: skip
        self.assertEqual(self.locked("toy-good", more=["constraint toy-dep==1.0", "constraint toy-plain==7"])[0], ("toy-dep", "1.0"))
        self.assertEqual(self.locked('toy-plain; python_version < "3"', "toy-dep")[-1], ("toy-dep", "1.2"))

    def test_failures(self):
        cases = [("toy-sdist", "toy-sdist"), ("toy-orphan", "toy-nowhere"), ("toy-nothing", "toy-nothing"), ("toy-good==9", "toy-good"),
                 ("toy-elsewhere", "toy-elsewhere"), ("toy-newer", "toy-newer")]  # fmt: skip
        for spec, said in cases[: 2 if self.tool == "pip" else None]:  # pip takes a second for each
            with self.subTest(spec=spec):
                self.assertNotEqual(self.resolve(spec), 0)
                self.assertIn(said, self.said)
                self.assertFalse(os.path.exists(os.path.join(self.place.path, "lock")))
        self.assertNotEqual(self.resolve("toy-low", "toy-high"), 0)
        self.assertIn("toy-dep", self.said)

    def test_no_requirements(self):
        for spec in ("-r/etc/passwd", "--index-url=http://x", "toy @ ${HOME}", " -e .", ""):
            self.assertEqual(self.resolve(spec), 2)
            self.assertIn("is no requirement", self.said)
        self.assertEqual(self.index.requests, [])

    def test_credentials(self):
        self.settings(self.index.at("auth", "toy:secret"))
        self.assertEqual(self.locked("toy-plain"), [("toy-plain", "1.0")])
        self.unpack_all()
        self.assertNotIn("secret", self.said + self.place.result.stdout.decode())

    def test_local_directory(self):
        folder = os.path.join(self.place.path, "local dir")
        os.mkdir(folder)
        for name in ("toy_good-2.0", "toy_dep-1.2"):
            file = name + "-py3-none-any.whl"
            with open(os.path.join(folder, file), "wb") as out:
                out.write(self.index.built(name[: name.index("-")].replace("_", "-"), file))
        self.assertEqual(self.locked("toy-good", more=["no-index 1", "wheel-dir " + folder]), [("toy-dep", "1.2"), ("toy-good", "2.0")])
        lines = self.place.read("lock").decode().splitlines()
        self.assertEqual(self.place.unpack(*lines, more=["wheel-dir " + folder]), 0, self.place.read("failed"))
        self.assertEqual(self.index.requests, [])

    def test_source_that_a_wheel_needs(self):
        """--only-binary does not keep pip from building what a wheel needs by its address."""
        address = self.index.file_url("toy-sdist", "toy_sdist-1.0.tar.gz")
        for requirement in ("toy-sdist @ " + address, "toy-sdist @ git+" + address):
            file_name, data = toyindex.make_wheel("toy-needy", "1.0", [requirement])
            package = toyindex.Package()
            package.files[file_name], package.attributes[file_name] = data, ""
            self.index.packages["toy-needy"] = package
            for more in ([], ["no-binary"]):
                if more:
                    self.place.environ.update(PIP_NO_BINARY=":all:", UV_NO_BINARY="1")
                self.assertNotEqual(self.resolve("toy-needy"), 0)
                self.assertNotIn("Building", self.said)
                self.assertNotIn("Getting requirements to build", self.said)
                self.assertIn("may have an address" if self.tool == "pip" else "toy-", self.said)
                self.place.environ.pop("PIP_NO_BINARY", 0), self.place.environ.pop("UV_NO_BINARY", 0)
        self.assertNotEqual(self.resolve("toy-sdist @ " + address), 0)
        self.place.environ.update(PIP_NO_BINARY=":all:", UV_NO_BINARY="1")
        self.assertNotEqual(self.resolve("toy-sdist"), 0)
        if self.tool == "pip":
            self.assertNotIn("not built here", self.said)

    def test_addresses_that_a_wheel_needs(self):
        """Nobody asks them, unless the user has."""
        address = self.index.file_url("toy-plain", "toy_plain-1.0-py3-none-any.whl")
        for needed in (address, "file:///etc/toy_plain-1.0-py3-none-any.whl"):
            file_name, data = toyindex.make_wheel("toy-needy", "1.0", ["toy-plain @ " + needed])
            package = toyindex.Package()
            package.files[file_name], package.attributes[file_name] = data, ""
            self.index.packages["toy-needy"] = package
            self.assertNotEqual(self.resolve("toy-needy"), 0)
            self.assertFalse([path for path in self.index.requests if "toy_plain" in path])
            shutil.rmtree(os.path.join(self.place.path, "cache"), ignore_errors=True)  # the wheel was the other one
            if needed == address:
                for between in (" @ ", "@"):
                    self.assertEqual(self.locked("toy-needy", "toy-plain" + between + address), [("toy-needy", "1.0"), ("toy-plain", "1.0")])
                self.index.requests.clear()

    def test_host_files_on_an_index_page(self):
        """An index page that links to file: gets nothing of this machine."""
        wheel = harness.Wheel(name="toy-evil")
        path = os.path.join(self.place.top, wheel.filename)
        with open(path, "wb") as file:
            file.write(wheel.data)
        self.index.pages["toy-evil"] = b'<a href="file://%s">%s</a>' % (path.encode(), wheel.filename.encode())
        if self.resolve("toy-evil") == 0:
            row = self.place.rows("lock")[0]
            if not row[5].startswith("file:wheels/"):  # pip has made a copy already: of what its sandbox shows it
                self.assertEqual(self.place.unpack("\t".join(row)), 1)
                self.assertEqual(self.place.rows("failed")[0][1], "index")


@unittest.skipUnless(find_uv(), "no uv")
class TestUv(Resolving, unittest.TestCase):
    tool = find_uv()

    def test_base_is_preferred(self):
        base = ["base toy-dep==1.0", "base toy-plain==7"]
        self.assertEqual(self.locked("toy-good", more=base), [("toy-dep", "1.0"), ("toy-good", "2.0")])
        self.assertEqual(self.locked("toy-moved", more=base), [("toy-dep", "1.2"), ("toy-moved", "2.0")])

    def test_offline(self):
        self.assertEqual(self.locked("toy-good")[1], ("toy-good", "2.0"))
        before = len(self.index.requests)
        self.assertEqual(self.locked("toy-good", more=["offline 1"])[1], ("toy-good", "2.0"))
        self.assertNotEqual(self.resolve("toy-plain", more=["offline 1"]), 0)
        self.assertEqual(len(self.index.requests), before)

    def test_wrong_hash(self):
        """uv need not download to resolve, so that it is found afterwards."""
        if self.resolve("toy-badhash") == 0:
            self.assertEqual(self.place.unpack(*self.place.read("lock").decode().splitlines()), 1)
            self.assertEqual(self.place.rows("failed")[0][1], "hash")
        else:
            self.assertRegex(self.said, "[Hh]ash")


class TestPip(Resolving, unittest.TestCase):
    tool = "pip"

    def test_log(self):
        self.assertNotEqual(self.resolve("toy-403"), 0)
        self.assertTrue(re.search(r"403", self.place.read("pip.log").decode()))

    def test_wrong_hash(self):
        self.assertNotEqual(self.resolve("toy-badhash"), 0)
        self.assertIn("HASHES", self.said)

    def test_file_size(self):
        self.assertNotEqual(self.resolve("toy-plain", more=["max-wheel-bytes 100"]), 0)

    def test_pip_of_ensurepip(self):
        from cellblock_fetch import resolve

        with open(os.path.join(self.place.path, "x.py"), "w") as file:
            file.write("#!/bin/sh\nexec %s -S \"$@\"\n" % sys.executable)
        os.chmod(os.path.join(self.place.path, "x.py"), 0o755)
        python = os.path.join(self.place.path, "x.py")
        found = resolve.pip_folder(python)  # without site there is no pip
        if found is None:
            self.skipTest("no ensurepip")
        self.assertTrue(os.path.exists(found))
        self.tool = "pip"
        open(os.path.join(self.place.path, "job"), "w").close()
        command = resolve._find_pip(python) + ["--version"]
        said = subprocess.run(command, stdout=subprocess.PIPE, cwd=self.place.path).stdout.decode()
        self.assertIn(found, said)


if __name__ == "__main__":
    unittest.main()
