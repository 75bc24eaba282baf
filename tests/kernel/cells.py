"""What the tests of notebook behaviour share: a zygote for a class, a kernel for a test."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402


class CellCase(unittest.TestCase):
    """needs: modules that the Python under test must have, else the class is skipped."""

    needs = ()

    @classmethod
    def setUpClass(cls):
        cls.zygote = harness.Zygote(cwd=os.environ.get("TMPDIR", "/tmp"))
        cls.addClassCleanup(cls.zygote.close)
        for name in cls.needs:
            kernel = cls.zygote.fork()
            found = kernel.execute("import importlib.util; print(importlib.util.find_spec(%r) is not None)" % name).text
            kernel.close()
            if "True" not in found:
                raise unittest.SkipTest("%s is not installed for %s" % (name, harness.PYTHON))

    def setUp(self):
        self.kernel = self.zygote.fork()
        self.addCleanup(self.kernel.close)
        self.run_cell("import os; os.chdir(%r)" % self.kernel.scratch)

    @property
    def version(self):
        return tuple(int(part) for part in self.zygote.hello["version"].split("."))

    def run_cell(self, code, **options):
        return self.kernel.execute(code, **options)

    def ok(self, code, **options):
        """Run it; it must end well. Returns its text."""
        result = self.kernel.execute(code, **options)
        self.assertEqual((result.status, result.error), ("ok", None), code)
        return result.text

    def shows(self, code, expected, **options):
        self.assertEqual(self.ok(code, **options), expected, code)

    def fails(self, code, name=None, **options):
        """Run it; it must raise. Returns the traceback."""
        result = self.kernel.execute(code, **options)
        self.assertEqual(result.status, "error", code)
        if name is not None:
            self.assertEqual(result.name, name, result.error)
        return result.error

    def kinds(self, code, **options):
        """What was shown, in order: text as it is, else its MIME."""
        result = self.kernel.execute(code, **options)
        self.assertEqual((result.status, result.error), ("ok", None), code)
        out = []
        for item in result.items:
            if item[0] == "text":
                out.append(item[1])
            else:
                out.append(item[2].decode() if item[1].startswith("text/") else item[1])
        return out
