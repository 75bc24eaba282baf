"""Tags, versions, TOML, lock files."""

import unittest

import harness  # noqa: F401
from cellblock_fetch import job, lock, names, tags, toml
from cellblock_fetch.problem import Problem

PYLOCK = """
lock-version = "1.0"  # comment
created-by = "uv"
requires-python = ">=3.11.2"

[[packages]]
name = "Good.One"
version = "2.0"
marker = "platform_python_implementation != 'PyPy'"
wheels = [
    { url = "https://h/a/good_one-2.0-cp39-abi3-manylinux2014_x86_64.whl", upload-time = 2026-09-30T14:43:49Z, size = 11, hashes={sha256 = "aa"} },
    { url = "https://h/a/good_one-2.0-cp311-abi3-manylinux_2_28_x86_64.whl", size = 12, hashes = { sha256 = "bb" } },
    { url = "https://h/a/good_one-2.0-py3-none-any.whl", hashes = { sha256 = "cc" } },
    { url = "https://h/a/good_one-2.0-cp311-cp311-win_amd64.whl", hashes = { sha256 = "dd" } },
]

[[packages]]
name = "direct"
archive = { url = "https://host/x/direct-1.0%2Bcpu-py3-none-any.whl", hashes = { sha512 = "ee" } }

[[packages]]
name = 'local'
version = "1.0"
wheels = [{ path = "some dir/local-1.0-py3-none-any.whl", hashes = {} }]
"""


class TestTags(unittest.TestCase):
    known = ["manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"]

    def test_order(self):
        found = tags.supported((3, 11), "", self.known)
        self.assertEqual(found[0], ("cp311", "cp311", "manylinux_2_28_x86_64"))
        order = [("cp311", "cp311", "linux_x86_64"), ("cp311", "abi3", self.known[0]), ("cp311", "none", self.known[0]),
                 ("cp310", "abi3", self.known[0]), ("cp32", "abi3", self.known[-1]), ("py311", "none", self.known[0]),
                 ("py3", "none", self.known[0]), ("py310", "none", self.known[0]), ("cp311", "none", "any"), ("py311", "none", "any"),
                 ("py3", "none", "any"), ("py30", "none", "any")]  # fmt: skip
        places = [found.index(tag) for tag in order]
        self.assertEqual(places, sorted(places))
        self.assertEqual(len(set(found)), len(found))

    def test_without_the_lock(self):
        found = tags.supported((3, 13), "t", self.known)
        self.assertEqual(found[0][1], "cp313t")
        self.assertFalse([tag for tag in found if tag[1] == "abi3"])

    def test_same_as_pip(self):
        try:
            from pip._vendor.packaging.tags import sys_tags
        except ImportError:
            self.skipTest("no pip")
        theirs = [(tag.interpreter, tag.abi, tag.platform) for tag in sys_tags()]
        ours = tags.supported()
        # Versions of packaging differ in where they put generic tags with a platform: nobody makes such wheels.
        late = {tag for tag in ours if tag[0][:2] == "cp" and tag[1:] == ("none", "any")}  # unknown to older versions
        self.assertEqual(set(theirs) | late, set(ours))
        # Nor is a plain linux_ platform at the same place in all of them; no index takes such wheels.
        theirs, ours = [[tag for tag in found if tag[0][:2] == "cp" and tag not in late and tag[2][:6] != "linux_"]
                        for found in (theirs, ours)]  # fmt: skip
        self.assertEqual(theirs, ours)

    def test_ranking(self):
        ranking = tags.Ranking(tags.supported((3, 11), "", self.known))
        order = ["a-1-2b-cp311-cp311-linux_x86_64", "a-1-2-cp311-cp311-linux_x86_64", "a-1-1-cp311-cp311-linux_x86_64",
                 "a-1-cp311-cp311-linux_x86_64", "a-1-cp39-abi3-manylinux2014_x86_64", "a-1-py2.py3-none-any"]  # fmt: skip
        keys = [ranking.key(names.WheelName(name + ".whl")) for name in order]
        self.assertEqual(keys[2:], sorted(keys[2:]))
        self.assertLess(keys[1], keys[2])
        self.assertIsNone(ranking.key(names.WheelName("a-1-cp312-cp312-linux_x86_64.whl")))


class TestNames(unittest.TestCase):
    def test_versions(self):
        for one, other in (("1.0", "1"), ("1.0.0", "1.0"), ("01.2", "1.2"), ("1.0a1", "1.0-alpha.1"), ("1.0c1", "1.0rc1"), ("v1.0", "1.0"),
                           ("1.0-1", "1.0.post1"), ("1.0.dev", "1.0.dev0"), ("1.0+Ubuntu_1", "1.0+ubuntu.1"), ("2024.01.02", "2024.1.2"),
                           ("0!1", "1"), ("1.0pre", "1.0rc0"), ("weird_1", "weird-1")):  # fmt: skip
            self.assertEqual(names.version_key(one), names.version_key(other), one)
        for one, other in (("1.0", "1.1"), ("1", "10"), ("1.0", "1.0+a"), ("1!1", "1"), ("1.0a1", "1.0b1"), ("1.0", "1.0.dev1"),
                           ("1.0.post1", "1.0"), ("0", "0.0.1"), ("1" * 300, "1" * 301)):  # fmt: skip
            self.assertNotEqual(names.version_key(one), names.version_key(other), one)

    def test_wheel_names(self):
        for bad in ("a.whl", "a-1-py3-none.whl", "a-1-b-c-py3-none-any.whl", "a--py3-none-any.whl", "x/a-1-py3-none-any.whl", "a.zip"):
            with self.assertRaises(Problem):
                names.WheelName(bad)


class TestToml(unittest.TestCase):
    def test_ours_and_pythons(self):
        text = PYLOCK + '[a.b]\n"x y" = "\\u00e4\\n\\"\\\\"\nempty = {}\nlist = [[1, -2], [true, false,],\n # c\n ]\n'
        found = toml.Parser(text).document()
        self.assertEqual(found["a"]["b"]["x y"], 'ä\n"\\')
        self.assertEqual(found["a"]["b"]["list"], [[1, -2], [True, False]])
        self.assertEqual(len(found["packages"]), 3)
        self.assertEqual(found["packages"][0]["wheels"][0]["size"], 11)
        loaded = toml.loads(text)
        loaded["packages"][0]["wheels"][0]["upload-time"] = found["packages"][0]["wheels"][0]["upload-time"]
        self.assertEqual(loaded, found)

    def test_errors(self):
        for text in ('a = "', "a = ", "= 1", "a = 1 b = 2", "a = [1", "a = {b = 1", 'a = """x"""', 'a = "\\q"', "a", "[a", "a = " + "[" * 100000,
                     "a = 1\na = 2"):  # fmt: skip
            with self.assertRaises(ValueError):
                toml.Parser(text).document()


class TestLock(unittest.TestCase):
    def test_choice(self):
        ranking = tags.Ranking(tags.supported((3, 11), "", TestTags.known))
        found = [lock._choose(package, ranking, "/base", {}) for package in toml.loads(PYLOCK)["packages"]]
        self.assertEqual([(wheel.name, wheel.version, wheel.sha256, wheel.size) for wheel in found],
                         [("good-one", "2.0", "bb", 12), ("direct", "1.0+cpu", None, None), ("local", "1.0", None, None)])  # fmt: skip
        self.assertEqual(found[1].url, "https://host/x/direct-1.0%2Bcpu-py3-none-any.whl#sha512=ee")
        self.assertEqual(found[2].url, "file:///base/some%20dir/local-1.0-py3-none-any.whl")
        with self.assertRaisesRegex(Problem, "no wheel for this Python"):
            lock._choose({"name": "x", "version": "1", "wheels": [{"url": "https://h/x-1-cp27-cp27m-win32.whl"}]}, ranking, "/", {})
        with self.assertRaises(Problem):
            lock._choose({"name": "x", "version": "1", "sdist": {"url": "https://h/x-1.tar.gz"}}, ranking, "/", {})

    def test_lines(self):
        wheel = job.Wheel("a", "1", "a-1-py3-none-any.whl", None, None, "https://h/a b")
        self.assertEqual(wheel.line(), "a\t1\ta-1-py3-none-any.whl\t-\t-\thttps://h/a b\n")
        self.assertEqual(job.Wheel.of_line(wheel.line()).line(), wheel.line())
        for url in ("https://h/a\tb", "https://h/a\nb", ""):
            with self.assertRaises(ValueError):
                job.Wheel("a", "1", "a", None, None, url).line()
        for line in ("a\tb", "a\t1\tf\txyz\t-\tu", "a\t1\tf\t-\tmany\tu", "a\t1\tf\t-\t-\t"):
            with self.assertRaises(ValueError):
                job.Wheel.of_line(line)


if __name__ == "__main__":
    unittest.main()
