"""Functions and classes of cells outside of their cell: pickle, inspect, doctest, multiprocessing."""

import unittest

from cells import CellCase

DEFINE = """
import math
from collections import namedtuple
FACTOR = 3
table = list(range(5))
Pair = namedtuple("Pair", "a b")
class Point:
    def __init__(self, x): self.x = x
    def double(self): return Point(self.x * 2)
def work(n, k=FACTOR):
    return math.floor(n * FACTOR + k + table[1])
def make(n): return Point(n).double()
print("defined", end="")
"""


class TestPickle(CellCase):
    def test_round_trip(self):
        self.shows(DEFINE, "defined")
        self.ok("import pickle\np = pickle.loads(pickle.dumps([Point(3), work, Point]))")
        self.shows("p[0].x, p[1](1), p[2] is Point", "(3, 7, True)")
        self.shows("import copy; copy.deepcopy(Point(4)).x", "4")


class TestSource(CellCase):
    def test_inspect(self):
        self.ok("import inspect\ndef f(a):\n    # why\n    return a")
        self.shows("print(inspect.getsource(f))", "def f(a):\n    # why\n    return a\n\n")
        self.ok("class A:\n    x = 1\n    def m(self):\n        return 2")
        self.shows("print(inspect.getsource(A))", "class A:\n    x = 1\n    def m(self):\n        return 2\n\n")
        self.ok("class B:\n    y = 1\n\n\nclass C(B): pass")
        self.shows("print(inspect.getsource(B) + inspect.getsource(C))", "class B:\n    y = 1\nclass C(B): pass\n\n")
        self.shows("print(inspect.getsource(A.m))", "    def m(self):\n        return 2\n\n")
        self.shows("inspect.getsourcelines(f)[1], inspect.signature(f)", "(2, <Signature (a)>)")
        self.fails("inspect.getsource(type('Dynamic', (), {}))")

    def test_latest_version(self):
        self.ok("import inspect\ndef f(): return 1")
        self.ok("def f(): return 2")
        self.shows("inspect.getsource(f)", "'def f(): return 2\\n'")

    def test_dataclass(self):
        self.ok("from dataclasses import dataclass\n@dataclass\nclass D:\n    a: int = 1\nD()")
        self.assertIn("a: int", self.ok("import inspect; print(inspect.getsource(D))"))

    def test_before_linecache_is_loaded(self):
        """Cells that ran before anything asked for their text have it."""
        self.ok("def f():\n    return 'early'")
        self.assertIn("early", self.ok("import linecache\nprint(linecache.getline('<cell 2>', 2))"))

    def test_doctest(self):
        self.ok('def f(x):\n    """\n    >>> f(2)\n    4\n    """\n    return x * 2\nimport doctest')
        self.shows("doctest.testmod()", "TestResults(failed=0, attempted=1)")
        text = self.ok('def f(x):\n    """\n    >>> f(2)\n    5\n    """\n    return x * 2\ndoctest.testmod();')
        self.assertIn("Expected:\n    5\nGot:\n    4\n", text)
        self.assertIn("f(2)", self.ok("doctest.run_docstring_examples(f, globals(), verbose=True)"))

    def test_unittest(self):
        text = self.ok("import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(1, 1)\n"
                       "unittest.main(argv=[''], exit=False, verbosity=2);")
        self.assertIn("Ran 1 test", text)


FORK = """
import logging, os, threading, warnings
warnings.simplefilter("ignore")  # that there are threads
def forked(code):
    ends = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(ends[1], str(eval(code)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    print(os.read(ends[0], 100).decode())
done, handler = threading.Event(), logging.NullHandler()
thread = threading.Thread(target=done.wait)
"""


class TestForks(CellCase):
    """The fork of a kernel leaves hooks of the library out; those of its code do not."""

    def test_the_main_thread(self):
        self.shows("import threading; threading.main_thread() is threading.current_thread(), threading.active_count()", "(True, 1)")

    def test_hooks(self):
        self.ok(FORK + "thread.start()")
        self.shows("forked('threading.active_count()')", "1\n")
        self.shows("threading.active_count()", "2")
        self.ok("done.set(); thread.join()")

    def test_locks(self):
        self.ok(FORK + "def hold():\n    handler.acquire()\n    done.wait()\nthread = threading.Thread(target=hold)")
        self.ok("thread.start()")
        self.shows("forked('handler.acquire()')", "None\n")  # made anew: nobody holds it
        self.ok("done.set(); thread.join()")

    def test_hooks_of_code(self):
        self.ok(FORK + "seen = []\nfor when in ('before', 'after_in_child', 'after_in_parent'):\n"
                "    os.register_at_fork(**{when: lambda when=when: seen.append(when)})")  # fmt: skip
        self.shows("forked('seen')", "['before', 'after_in_child']\n")
        self.shows("seen", "['before', 'after_in_parent']")


class TestMultiprocessing(CellCase):
    def test_methods(self):
        self.ok("import multiprocessing as mp")
        self.shows(DEFINE, "defined")
        for method in ("fork", "spawn", "forkserver"):
            with self.subTest(method):
                self.shows("with mp.get_context(%r).Pool(2) as pool:\n"
                           "    print(pool.map(work, range(3)), [p.x for p in pool.map(make, range(3))])" % method,
                           "[4, 7, 10] [0, 2, 4]\n")

    def test_redefined_between_cells(self):
        self.ok("import multiprocessing as mp\ndef f(x): return 'old'")
        code = "with mp.get_context('forkserver').Pool(1) as pool: print(pool.map(f, [1]))"
        self.shows(code, "['old']\n")
        self.ok("def f(x): return 'new', y\ny = 5")
        self.shows(code, "[('new', 5)]\n")

    def test_executor(self):
        self.ok("import multiprocessing as mp\nfrom concurrent.futures import ProcessPoolExecutor\n"
                "def sq(x): return x * x")
        self.shows("with ProcessPoolExecutor(2) as ex:\n    print(list(ex.map(sq, range(4))))", "[0, 1, 4, 9]\n")
        self.shows("if __name__ == '__main__':\n"
                   "    with ProcessPoolExecutor(2, mp_context=mp.get_context('spawn')) as ex:\n"
                   "        print(list(ex.map(sq, range(4))))", "[0, 1, 4, 9]\n")

    def test_all_in_one_cell(self):
        """As in a script: the guard is true here and false in the children."""
        self.shows("import multiprocessing as mp\ndef f(x): return x + 1\nif __name__ == '__main__':\n"
                   "    with mp.get_context('spawn').Pool(1) as p: print(p.map(f, [1]))", "[2]\n")

    def test_default_method(self):
        self.shows("import multiprocessing as mp\ndef f(q): q.put('child')\nq = mp.Queue()\n"
                   "p = mp.Process(target=f, args=(q,)); p.start(); print(q.get()); p.join(); p.exitcode", "child\n0")

    def test_output_of_children(self):
        self.shows("import multiprocessing as mp\ndef f(): print('from the child', flush=True)\n"
                   "p = mp.get_context('spawn').Process(target=f); p.start(); p.join()", "from the child\n")

    def test_error_in_a_child(self):
        error = self.fails("import multiprocessing as mp\ndef f(x):\n    return 1 / x\n"
                           "with mp.get_context('spawn').Pool(1) as p: p.map(f, [0])", "ZeroDivisionError")
        self.assertIn('File "<cell 2>", line 3, in f\n    return 1 / x', error)

    def test_lambda_is_told(self):
        self.fails("import multiprocessing as mp\nwith mp.get_context('spawn').Pool(1) as p: p.map(lambda x: x, [1])")

    def test_magic_in_the_cell(self):
        self.shows("%matplotlib inline\nimport multiprocessing as mp\ndef f(x): return -x\n"
                   "with mp.get_context('spawn').Pool(1) as p: print(p.map(f, [1]))", "[-1]\n")


if __name__ == "__main__":
    unittest.main()
