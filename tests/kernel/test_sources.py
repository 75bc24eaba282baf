"""The build carries every file of src/kernel/py and src/kernel/ext, and the two lists of numbers are the same."""

import ast
import glob
import os
import re
import subprocess
import unittest

import harness

KERNEL = os.path.join(harness.ROOT, "src", "kernel")


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


class TestSources(unittest.TestCase):
    def test_build_lists(self):
        text = read(KERNEL, "meson.build")
        for folder, ending in (("py", "py"), ("ext", "c")):
            listed = sorted(re.findall(r"'%s/(\w+\.%s)'" % (folder, ending), text))
            there = sorted(os.path.basename(path) for path in glob.glob(os.path.join(KERNEL, folder, "*." + ending)))
            self.assertEqual(listed, there)

    def test_numbers(self):
        """wire.py has what wire.h has."""
        theirs = dict(re.findall(r"^    WIRE_([A-Z_]+) = (\d+),", read(KERNEL, "wire.h"), re.M))
        ours = dict(re.findall(r"^([A-Z_]+) = (\d+)$", read(KERNEL, "py", "wire.py"), re.M))
        self.assertEqual({name: value for name, value in ours.items() if name in theirs}, ours)
        self.assertEqual(theirs, ours)

    def test_oldest_python(self):
        """What is not there in 3.9 is no syntax error only when 3.9 runs the tests."""
        for path in glob.glob(os.path.join(KERNEL, "py", "*.py")):
            ast.parse(read(path), path, feature_version=(3, 9))

    def test_boot_is_short(self):
        """It is an argument of a process: Linux takes 128 KiB in one, and people see it in lists of processes."""
        self.assertLess(len(harness.boot()), 8000)

    def test_boot_compiles_on_python_2(self):
        pythons = glob.glob(os.path.expanduser("~/.pyenv/versions/2.7*/bin/python"))
        if not pythons:
            self.skipTest("no Python 2 here")
        code = "import sys; compile(sys.stdin.read(), 'boot', 'exec')"
        subprocess.run([pythons[0], "-c", code], input=harness.boot(), text=True, check=True)


if __name__ == "__main__":
    unittest.main()
