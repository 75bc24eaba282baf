"""print writes all at once where nobody can tell, and is print in all else."""

import contextlib
import io
import os
import unittest

from harness import Zygote

COUNT = """
def writes():
    with open("/proc/self/io") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("syscw"))

def count(*args, **options):
    before = writes()
    print(*args, **options)
    return writes() - before
"""

# What print does with these is compared with what the print of this Python does.
CALLS = """
class Loud:
    def __str__(self):
        print("inner")
        return "loud"

class Text(str):
    def __str__(self):
        return "sub"

class Bad:
    def __str__(self):
        raise ValueError("no text")

def tried(*args, **options):
    try:
        return print(*args, **options)
    except Exception as e:
        print("raised", type(e).__name__)

def calls():
    tried()
    tried(end="")
    tried("")
    tried("a")
    tried("a", "b", 1, 2.5, True, None, 1j, b"x")
    tried("a", "b", sep="")
    tried("a", "b", sep=None, end=None)
    tried("a", "b", sep="-", end="!\\n")
    tried("a", flush=True)
    tried("a", file=None)
    tried("a", sep=3)
    tried("a", end=b"")
    tried("a", nonsense=1)
    tried(Loud())
    tried("a", Loud(), "b", Loud())
    tried(Text("t"), Text("u"))
    tried(Text("t"))
    tried(Bad())
    tried("before", Bad(), "after")
    tried("a" * 70000, "b")
    tried("x", end="e" * 70000)
    tried(*range(1000))
    tried("\\u20ac \\U0001f600 \\0")
    tried(-1, 10 ** 30)
    tried(["list"], {"a": 1})
    tried("a", *[["b"]], sep="\\n")
"""


class TestPrint(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zygote = Zygote()

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def setUp(self):
        self.kernel = self.zygote.fork()
        self.addCleanup(self.kernel.close)

    def text(self, code):
        result = self.kernel.execute(code)
        self.assertEqual(result.status, "ok", result)
        return result.text

    def test_as_ever(self):
        expected = io.StringIO()
        names = {}
        exec(CALLS, names)
        with contextlib.redirect_stdout(expected):
            names["calls"]()
        self.assertEqual(self.text(CALLS + "calls()"), expected.getvalue())

    def test_one_write(self):
        if not os.path.exists("/proc/self/io"):
            self.skipTest("this Linux does not count system calls")
        self.text(COUNT)
        for call in ("'a'", "'a', 1, 2.5, None", "'a', 'b', sep='-', end=''", "[1, 2]", "''", "3, flush=True, file=None"):
            self.text("n = count(%s)" % call)
            self.assertEqual(self.text("print(n)"), "1\n", call)

    def test_other_streams(self):
        code = (
            "import sys\n"
            "class Stream:\n    parts = []\n    def write(self, text):\n        self.parts.append(text)\n"
            "    def flush(self):\n        self.parts.append('flush')\n"
            "old, sys.stdout = sys.stdout, Stream()\n"
            "print('a', 'b')\nprint('c', file=sys.stdout, flush=True)\n"
            "sys.stdout = old\nprint(Stream.parts)"
        )
        self.assertEqual(self.text(code), "['a', ' ', 'b', '\\n', 'c', '\\n', 'flush']\n")
        self.assertEqual(self.text("import io\nb = io.StringIO()\nprint('a', 1, file=b)\nprint(b.getvalue())"), "a 1\n\n")

    def test_without_stdout(self):
        self.assertEqual(self.text("import sys\nsys.stdout = None\nprint('a')\nsys.stdout = sys.__stdout__"), "")
        self.assertEqual(self.text("del sys.stdout\ntry: print('a')\nexcept RuntimeError as e: message = e"), "")
        self.assertEqual(self.text("print(message)"), "lost sys.stdout\n")

    def test_what_it_is(self):
        code = (
            "import builtins, inspect, pickle\n"
            "print(repr(print), print is builtins.print, pickle.loads(pickle.dumps(print)) is print)\n"
            "print(print.__name__, print.__module__, inspect.signature(print))"
        )
        self.assertEqual(
            self.text(code),
            "<built-in function print> True True\n"
            "print builtins (*args, sep=' ', end='\\n', file=None, flush=False)\n",
        )

    def test_replaced_by_the_user(self):
        self.text("import builtins\nreal = print\ndef mine(*a):\n    real('mine', *a)\nbuiltins.print = mine")
        self.assertEqual(self.text("print(1)"), "mine 1\n")
        self.text("del builtins.print")
        self.assertEqual(self.text("print(1)"), "1\n")


if __name__ == "__main__":
    unittest.main()
