"""
Packages as people use them, from the index that this machine is set up for. Only with CELLBLOCK_TEST_NETWORK=1: what an
index has today is for nobody to promise.
"""

import os
import shutil
import subprocess
import sys
import unittest

import harness
from harness import LIB, Place
from test_resolve import find_uv

SPECS = ("numpy", "pandas", "six", "black", "cryptography", "google-cloud-core", "googleapis-common-protos", "ipykernel", "notebook")
USE = """
import sys
for path in sys.argv[1:]:
    sys.path.insert(0, path)
import cryptography.hazmat.primitives.hashes, google.api, google.cloud, ipykernel, numpy, pandas, six
from cryptography.fernet import Fernet
from google.api import http_pb2
import google.cloud.client
key = Fernet.generate_key()
assert Fernet(key).decrypt(Fernet(key).encrypt(b"x")) == b"x"
assert len(list(google.__path__)) >= 1
assert pandas.DataFrame({"a": numpy.arange(4)}).a.sum() == 6
uncached = [m for m in list(sys.modules.values()) if (getattr(m, "__file__", None) or "").startswith(tuple(sys.argv[1:]))
            and m.__file__.endswith(".py") and not __import__("os").path.exists(m.__cached__ or "")]
print("fine", len(uncached))
"""


@unittest.skipUnless(os.environ.get("CELLBLOCK_TEST_NETWORK"), "CELLBLOCK_TEST_NETWORK is not set")
class TestReal(unittest.TestCase):
    def place(self):
        place = Place(self)
        place.environ = dict(os.environ, HOME=place.path, PIP_DISABLE_PIP_VERSION_CHECK="1", UV_NO_PROGRESS="1")
        return place

    def resolve(self, place, tool, *specs):
        cache = os.path.join(place.path, "cache")
        lines = ["tool " + tool, "python " + sys.executable, "cache " + cache] + ["spec " + spec for spec in specs]
        self.assertEqual(place.run("resolve", lines, 600), 0, place.result.stderr)
        return place.rows("lock")

    @unittest.skipUnless(find_uv(), "no uv")
    def test_uv_and_pip_agree(self):
        specs = [spec for spec in SPECS if spec != "notebook"]
        by_uv = self.resolve(self.place(), find_uv(), *specs)
        by_pip = self.resolve(self.place(), "pip", *specs)
        self.assertEqual([row[:4] for row in by_uv], [row[:4] for row in by_pip])
        self.assertGreater(len(by_uv), 30)

    @unittest.skipUnless(find_uv(), "no uv")
    def test_use(self):
        place = self.place()
        self.resolve(place, find_uv(), *SPECS)
        lines = place.read("lock").decode().splitlines()
        self.assertEqual(place.unpack(*lines, seconds=600), 0, place.read("failed"))
        # What the composer does with hard links.
        union = os.path.join(place.path, "cache", "union")
        for name, version, id in place.rows("done"):
            shutil.copytree(os.path.join(place.path, id, "tree"), union, dirs_exist_ok=True, copy_function=os.link)
        os.symlink(sys.executable, os.path.join(union, "bin", "python"))
        with open(os.path.join(union, "pyvenv.cfg"), "w") as file:
            file.write("home = %s\n" % os.path.dirname(os.path.realpath(sys.executable)))
        command = [sys.executable, "-I", "-B", "-c", USE, os.path.join(union, LIB)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.stdout.decode(), "fine 0\n")
        for script in ("black", "blackd", "jupyter-notebook", "f2py", "jupyter"):
            self.assertTrue(os.access(os.path.join(union, "bin", script), os.X_OK), script)
        done = subprocess.run([os.path.join(union, "bin", "black"), "-q", "-c", "x  =  1"], stdout=subprocess.PIPE)
        self.assertEqual(done.stdout, b"x = 1\n")
        done = subprocess.run([os.path.join(union, "bin", "jupyter"), "kernelspec", "list"], stdout=subprocess.PIPE, env=place.environ)
        self.assertIn(b"python3", done.stdout)
        self.assertTrue(os.path.exists(os.path.join(union, "share", "jupyter", "kernels", "python3", "kernel.json")))
        self.assertTrue(os.path.isdir(os.path.join(union, "etc", "jupyter")))


if __name__ == "__main__":
    unittest.main()
