"""WIRE_PACKAGES and WIRE_REFRESH."""

import os
import re
import tempfile
import unittest

import harness
from cells import CellCase


def ask(kernel, kind, fields=()):
    kernel.send(kind, 77, list(fields))
    frame = kernel.recv()
    return frame.type, frame.seq, frame.text(harness.WIRE_TEXT)


class TestPackages(CellCase):
    def package(self, name, version, source, top=None):
        """A folder with an installed package."""
        folder = tempfile.mkdtemp(dir=self.kernel.scratch)
        self.install(folder, name, version, source, top)
        return folder

    def install(self, folder, name, version, source, top=None):
        top = top or name.replace("-", "_").lower()
        with open(os.path.join(folder, top + ".py"), "w") as file:
            file.write(source)
        info = os.path.join(folder, "%s-%s.dist-info" % (name.replace("-", "_"), version))
        os.mkdir(info)
        with open(os.path.join(info, "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version))
        with open(os.path.join(info, "RECORD"), "w") as file:
            file.write("%s.py,,\n" % top)

    def test_list(self):
        site = self.package("Listed_One", "1.0", "x = 1")
        ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_SITE, site)])
        kind, seq, text = ask(self.kernel, harness.WIRE_PACKAGES)
        self.assertEqual((kind, seq), (harness.WIRE_PACKAGES_REPLY, 77))
        lines = text.split("\n")
        self.assertIn("Listed_One==1.0", lines)
        names = [re.sub("[-_.]+", "-", line.split("==")[0]).lower() for line in lines]
        self.assertEqual(names, sorted(set(names)))

    def test_refresh(self):
        site = self.package("Fresh-One", "1.0", "x = 1")
        self.fails("import fresh_one", "ModuleNotFoundError")
        reply = ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_SITE, site), (harness.WIRE_NAME, "Fresh-One")])
        self.assertEqual(reply, (harness.WIRE_REFRESHED, 77, ""))
        self.shows("import fresh_one; fresh_one.x", "1")
        self.assertIn("Fresh-One==1.0", ask(self.kernel, harness.WIRE_PACKAGES)[2])
        self.install(site, "other", "2", "y = 2")
        ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_SITE, site)])
        self.shows("import other; other.y", "2")

    def test_first_of_two_copies_counts(self):
        a, b = self.package("dup-name", "1", ""), self.package("Dup_Name", "2", "")
        self.ok("import sys; sys.path[1:1] = [%r, %r]" % (a, b))
        text = ask(self.kernel, harness.WIRE_PACKAGES)[2]
        self.assertIn("dup-name==1", text)
        self.assertNotIn("Dup_Name", text)

    def test_list_with_a_layer(self):
        """What an isolated session installed stands apart; without both kinds there is nothing to part."""
        base, layer = self.package("dup-name", "1", ""), os.path.join(self.kernel.scratch, "layer")
        site = os.path.join(layer, "lib", "python3", "site-packages")
        os.makedirs(site)
        self.install(base, "base-one", "1", "")
        self.install(site, "Layer_One", "1.5", "")
        self.install(site, "Dup_Name", "2", "")
        self.ok("import sys; sys.path[1:] = [%r, %r, *(p for p in sys.path[1:] if '-packages' not in p)]" % (site, base))
        names = ["base-one==1", "Dup_Name==2", "Layer_One==1.5"]
        self.assertEqual(ask(self.kernel, harness.WIRE_PACKAGES)[2].split("\n"), names)
        self.ok("import _cellblock_kernel.packages as p; p._layer = %r" % layer)
        own = ["# installed in this session", "Dup_Name==2", "Layer_One==1.5"]
        parts = own + ["# base environment", "base-one==1"]
        self.assertEqual(ask(self.kernel, harness.WIRE_PACKAGES)[2].split("\n"), parts)
        self.assertEqual(self.ok("%pip freeze"), "\n".join(parts) + "\n")
        self.ok("sys.path.remove(%r)" % base)
        self.assertEqual(ask(self.kernel, harness.WIRE_PACKAGES)[2].split("\n"), own[1:])

    def test_loaded_in_another_version(self):
        site = self.package("moving", "1", "__version__ = '1'")
        ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_SITE, site)])
        self.ok("import moving")
        os.rename(os.path.join(site, "moving-1.dist-info"), os.path.join(site, "moving-2.dist-info"))
        with open(os.path.join(site, "moving-2.dist-info", "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\nName: moving\nVersion: 2\n")
        text = ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_SITE, site), (harness.WIRE_NAME, "moving")])[2]
        self.assertIn("moving is loaded already (1): start a new session to use moving 2", text)

    def test_hostile_pth(self):
        site = self.package("fine", "1", "x = 1")
        for name, text in (("a.pth", "import sys; sys.exit(3)"), ("b.pth", "import no_such_thing")):
            with open(os.path.join(site, name), "w") as file:
                file.write(text + "\n")
        with open(os.path.join(site, "c.pth"), "wb") as file:
            file.write(b"\xff\xfe\n")
        kind, _, text = ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_SITE, site)])
        self.assertEqual(kind, harness.WIRE_REFRESHED)
        self.assertIn("SystemExit", text)
        self.shows("import fine; fine.x", "1")

    def test_executable(self):
        ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_EXECUTABLE, "/x/python"), (harness.WIRE_PREFIX, "/x")])
        self.shows("import sys; sys.executable, sys.prefix", "('/x/python', '/x')")

    def test_broken_metadata(self):
        site = self.package("fine", "1", "")
        os.mkdir(os.path.join(site, "broken-1.dist-info"))
        ask(self.kernel, harness.WIRE_REFRESH, [(harness.WIRE_SITE, site)])
        self.assertIn("fine==1", ask(self.kernel, harness.WIRE_PACKAGES)[2])

    def test_refresh_while_installing(self):
        """The server refreshes before it answers the installation that code waits for."""
        site = self.package("during", "1", "x = 3")

        def install(args):
            self.assertEqual(args, ["during"])
            self.kernel.send(harness.WIRE_REFRESH, 5, [(harness.WIRE_SITE, site)])
            return "ok", "during 1"

        result = self.kernel.execute("%pip install during\nimport during\nduring.x", install=install)
        self.assertEqual((result.status, result.text), ("ok", "during 1\n3"))


if __name__ == "__main__":
    unittest.main()
