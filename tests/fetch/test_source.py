"""Finding source distributions: versions, pages of an index, which one is taken."""

import json
import os
import unittest

from harness import Place, sha256
from server import Server

from cellblock_fetch import pages, source, versions
from cellblock_fetch.problem import Problem

ORDER = ["1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0a1.post2", "1.0b2", "1.0rc1", "1.0", "1.0+abc", "1.0+2", "1.0.post1.dev2",
         "1.0.post1", "1.0.1", "1.1.dev0", "1.1", "1.2.3", "1.10", "2!0.5"]  # fmt: skip
FITS = [
    ("==1.0", "1.0.0 1 1.0+abc", "1.0.1 1.0a1 1.0.post1"), ("==1.0+abc", "1.0+abc", "1.0 1.0+2"), ("==1.*", "1.0 1.9.3 1.0a1", "2.0 0.9"),
    ("!=1.0", "1.0.1", "1.0.0"), ("!=1.1.*", "1.2", "1.1 1.1.5"), (">1.0", "1.0.1", "1.0 1.0.post1 1.0+abc"), (">1.0.post1", "1.0.post2", "1.0"),
    ("<1.0", "0.9 0.9rc1", "1.0 1.0a1 1.0.dev1"), ("<1.0rc1", "1.0a1", "1.0"), ("<=1.0", "1.0 1.0+abc 1.0a1", "1.0.post1"),
    ("~=1.4.2", "1.4.2 1.4.9", "1.5 1.4.1"), ("~=1.4", "1.4 1.9", "2.0 1.3"), ("===1.0", "1.0", "1.0.0"),
    (">=1,<2", "1.5", "2.0 0.9"), ("", "1.0", ""), (">= 1 , != 1.5", "1.4", "1.5"), ("(>=1)", "1", "0"), ("nonsense", "", "1.0"), (">=x", "", "1"),
]  # fmt: skip


def link(version, requires_python="", yanked=False, ending=".tar.gz"):
    made = pages.Link("toy", version, "toy-%s%s" % (version, ending), "http://x/toy-%s%s" % (version, ending))
    made.requires_python, made.yanked = requires_python, yanked
    return made


def picked(links, wanted="", hints=(), excluded=()):
    found = source.pick(links, [versions.Specifier(wanted)], [versions.Specifier(text) for text in hints],
                        {versions.Version(text).key() for text in excluded}, versions.Version("3.11.2"))  # fmt: skip
    return found and found.version


class TestVersions(unittest.TestCase):
    def test_order(self):
        keys = [versions.Version(text).key() for text in ORDER]
        self.assertEqual(keys, sorted(keys))
        self.assertEqual(len(set(keys)), len(keys))
        for same in ("1.0 1.0.0 v1", "1.0a1 1.0-alpha.1 1.0.A1", "1.0.post1 1.0-1 1.0rev1", "1.0+a.b 1.0+A-b"):
            self.assertEqual(len({versions.Version(text).key() for text in same.split()}), 1, same)
        for bad in ("", "1.0.x", "a", "1.0+", "1" * 300):
            self.assertRaises(ValueError, versions.Version, bad)

    def test_specifiers(self):
        for text, good, bad in FITS:
            specifier = versions.Specifier(text)
            for version in good.split():
                self.assertTrue(specifier.fits(versions.Version(version)), (text, version))
            for version in bad.split():
                self.assertFalse(specifier.fits(versions.Version(version)), (text, version))

    def test_requirements(self):
        name, specifier, marker = versions.of_requirement("toy[more, x] >=1,<2 ; python_version > '3'")
        self.assertEqual((name, len(specifier.clauses), marker), ("toy", 2, True))
        self.assertIsNone(versions.of_requirement("toy @ https://x/y.tar.gz"))
        self.assertIsNone(versions.of_requirement("-r other.txt"))


class TestPick(unittest.TestCase):
    def test_the_newest_that_fits(self):
        links = [link(version) for version in ("1.0", "1.10", "1.9", "2.0a1", "rubbish")]
        self.assertEqual(picked(links), "1.10")
        self.assertEqual(picked(links, "<1.10"), "1.9")
        self.assertEqual(picked(links, ">=2.0a0"), "2.0a1")
        self.assertIsNone(picked(links, ">3"))
        self.assertEqual(picked(links, excluded=["1.10"]), "1.9")
        self.assertEqual(picked([link("2.0a1")]), "2.0a1")  # there is no other

    def test_what_others_ask_for(self):
        links = [link(version) for version in ("1.0", "1.5", "2.0")]
        self.assertEqual(picked(links, hints=["<2"]), "1.5")
        self.assertEqual(picked(links, hints=["<2", ">=1.2"]), "1.5")
        self.assertEqual(picked(links, hints=["<1.2", ">=2"]), "2.0")  # of two parents, perhaps one will do
        self.assertIsNone(picked(links, hints=[">=9"]))

    def test_yanked_and_for_other_pythons(self):
        links = [link("1.0"), link("1.1", yanked=True), link("1.2", ">=99"), link("1.3", "<3"), link("1.05", "!=3.0.*,>=2.7")]
        self.assertEqual(picked(links), "1.05")
        self.assertEqual(picked(links, "==1.1"), "1.1")
        self.assertIsNone(picked(links, "==1.2"))

    def test_of_one_version_the_tar(self):
        links = [link("1.0", ending=".zip"), link("1.0")]
        found = source.pick(links, [], [], set(), versions.Version("3.11"))
        self.assertEqual(found.filename, "toy-1.0.tar.gz")


    def test_a_wheel_needs_no_source(self):
        wheel = pages.Link("toy", "1.0", "toy-1.0-py3-none-any.whl", "http://files/toy-1.0-py3-none-any.whl")
        pick = lambda *links: source.pick(list(links), [], [], set(), versions.Version("3.11"))  # noqa: E731
        self.assertTrue(pick(link("0.9"), wheel, link("1.0")).is_wheel)
        self.assertFalse(pick(link("1.1"), wheel, link("1.0")).is_wheel)


class TestPages(unittest.TestCase):
    def test_names(self):
        for filename, version in (("toy_x-1.0.tar.gz", "1.0"), ("Toy.X-1.0-2.zip", "1.0-2"), ("toy-x-1.0.tgz", "1.0"),
                                  ("toy-1.0.tar.gz", None), ("toy-x-y-1.0.tar.gz", None), ("toy_x-1.0-py3-none-any.whl", "1.0"),
                                  ("toy_x-1.0.tar.gz.asc", None)):  # fmt: skip
            self.assertEqual(pages.version_of(filename, "toy-x"), version, filename)

    def test_html(self):
        text = """<html><head><base href="http://files/x/"></head><A HREF='toy-1.0.tar.gz#sha256=%s' data-requires-python="&gt;=3">no matter</A>
            <a href="../toy-1.1.zip#md5=00" data-yanked="why">z</a><a href="toy-2.0-py3-none-any.whl">w</a><a href=>e</a><a>n</a>
            <a href="toy%%2D3.0.tar.gz">q</a>
            <a href="other-1.0.tar.gz">o</a><a href="http://[bad">b""" % ("A" * 64)  # fmt: skip
        self.assertRaises(Problem, pages.parse, text, "text/html", "http://index/simple/toy/", "toy")
        one, two, wheel, three = pages.parse(text.partition('<a href="http://[bad')[0], "text/html", "http://index/simple/toy/", "toy")
        self.assertEqual((one.url, one.sha256, one.requires_python, one.yanked), ("http://files/x/toy-1.0.tar.gz", "a" * 64, ">=3", False))
        self.assertEqual((two.url, two.sha256, two.yanked), ("http://files/toy-1.1.zip#md5=00", None, True))
        self.assertEqual((wheel.version, wheel.is_wheel, three.version, three.is_wheel), ("2.0", True, "3.0", False))

    def test_json(self):
        entry = {"filename": "toy-1.0.tar.gz", "url": "toy-1.0.tar.gz", "hashes": {"sha256": "b" * 64}, "size": 5, "yanked": "x",
                 "requires-python": ">=3"}  # fmt: skip
        (one,) = pages.parse(json.dumps({"files": [entry]}), pages.JSON + "; charset=utf-8", "http://i/simple/toy/", "toy")
        self.assertEqual((one.url, one.sha256, one.size, one.yanked), ("http://i/simple/toy/toy-1.0.tar.gz", "b" * 64, 5, True))
        for bad in ("[]", "{}", '{"files": [{}]}', '{"files": {"a": 1}}', "[" * 100000, "nonsense", '{"files": [{"filename": 1}]}'):
            self.assertRaises(Problem, pages.parse, bad, pages.JSON, "http://i/", "toy")


class TestSource(unittest.TestCase):
    """The whole, with servers."""

    def setUp(self):
        self.place = Place(self)
        self.data = b"a source distribution" * 100
        self.server = Server(self)

    def serve(self, path, data):
        self.server.actions[path] = lambda handler: handler.answer(200, data)

    def page(self, index, name="toy", versions=("1.0",), hash=None):
        links = "".join('<a href="/files/%s-%s.tar.gz#sha256=%s">x</a>' % (name, v, hash or sha256(self.data)) for v in versions)
        self.serve("/%s/%s/" % (index, name), links.encode())
        for version in versions:
            self.serve("/files/%s-%s.tar.gz" % (name, version), self.data)

    def find(self, *lines, tool="uv", **environ):
        self.place.environ.update(environ)
        head = ["source toy", "tool %s" % tool, "retry-pause 0.01"]
        self.status = self.place.run("source", head + list(lines))
        if self.status:
            return self.place.rows("failed")[0]
        self.assertEqual(self.place.read("sdist"), self.data)
        return self.place.rows("source")[0]

    def url(self, index):
        return "%s/%s" % (self.server.url, index)

    def test_downloads(self):
        self.page("a", versions=("1.0", "1.1"))
        self.assertEqual(self.find("set UV_DEFAULT_INDEX=" + self.url("a")), ["toy", "1.1", "toy-1.1.tar.gz", sha256(self.data)])
        self.assertEqual(self.find("set UV_DEFAULT_INDEX=" + self.url("a"), "spec toy<1.1")[1], "1.0")
        limits = os.path.join(self.place.top, "limits.txt")
        with open(limits, "w") as file:
            file.write("# all of them\ntoy < 1.1 # not yet\nother==2\n")
        self.assertEqual(self.find("set UV_DEFAULT_INDEX=" + self.url("a"), "set UV_CONSTRAINT=" + limits)[1], "1.0")

    def test_a_wrong_hash(self):
        self.page("a", hash="0" * 64)
        self.assertEqual(self.find("set UV_DEFAULT_INDEX=" + self.url("a"))[:2], ["toy", "hash"])

    def test_the_first_index_that_has_it_or_all(self):
        self.page("a", versions=("1.0",))
        self.page("b", versions=("2.0",))
        lines = ["set UV_DEFAULT_INDEX=" + self.url("b"), "set UV_INDEX=" + self.url("a")]
        self.assertEqual(self.find(*lines)[1], "1.0")
        self.assertEqual(self.find(*lines, "set UV_INDEX_STRATEGY=unsafe-best-match")[1], "2.0")
        self.assertEqual(self.find(*lines, tool="pip", UV_INDEX="http://127.0.0.1:1/")[1], "2.0")
        self.assertEqual(self.find(lines[1], "set UV_DEFAULT_INDEX=" + self.url("c"))[1], "1.0")

    def test_nothing_there(self):
        self.page("a")
        for lines in (["set UV_DEFAULT_INDEX=" + self.url("c")], ["set UV_DEFAULT_INDEX=" + self.url("a"), "spec toy>1"],
                      ["set UV_DEFAULT_INDEX=" + self.url("a"), "exclude 1.0"], ["no-index 1"]):  # fmt: skip
            self.assertEqual(self.find(*lines)[:2], ["toy", "no-source"], lines)

    def test_what_has_a_wheel(self):
        for tag, kind in (("py3-none-any", "no-source"), ("cp311-cp311-win_amd64", None)):
            page = b'<a href="/files/toy-1.0.tar.gz">s</a><a href="/files/toy-1.0-%s.whl">w</a>' % tag.encode()
            self.serve("/a/toy/", page)
            self.serve("/files/toy-1.0.tar.gz", self.data)
            self.assertEqual(self.find("set UV_DEFAULT_INDEX=" + self.url("a"))[1], kind or "1.0")

    def test_find_links(self):
        folder = os.path.join(self.place.top, "links")
        os.mkdir(folder)
        with open(os.path.join(folder, "toy-3.0.tar.gz"), "wb") as file:
            file.write(self.data)
        self.assertEqual(self.find("no-index 1", "set UV_FIND_LINKS=" + folder)[1], "3.0")
        self.page("a")  # its links may lead to no file of this machine
        self.serve("/a/toy/", b'<a href="file://%s/toy-4.0.tar.gz">x</a>' % self.place.top.encode())
        self.assertEqual(self.find("set UV_DEFAULT_INDEX=" + self.url("a"))[1], "index")

    def test_by_address(self):
        self.serve("/files/main.tar.gz", self.data)
        address = self.server.url + "/files/main.tar.gz"
        self.assertEqual(self.find("url " + address)[1:3], ["-", "main.tar.gz"])
        self.assertEqual(self.find("url " + address + "#sha256=" + "0" * 64)[1], "hash")
        self.assertEqual(self.find("url " + address.replace("main.tar.gz", "main.exe"))[1], "no-source")

    def test_a_page_without_end(self):
        self.serve("/a/toy/", b"x" * (33 << 20))
        self.assertEqual(self.find("set UV_DEFAULT_INDEX=" + self.url("a"))[:2], ["toy", "too-large"])


if __name__ == "__main__":
    unittest.main()
