"""Tracebacks: only the user's frames, with their source, and never too much of them."""

import os
import unittest

from cells import CellCase


class TestErrors(CellCase):
    def test_user_frames_with_source(self):
        self.ok("def f(n):\n    return 1 / n  # here")
        error = self.fails("\nf(0)", "ZeroDivisionError")
        self.assertIn('File "<cell 3>", line 2, in <module>\n    f(0)\n', error)
        self.assertIn('File "<cell 2>", line 2, in f\n    return 1 / n  # here\n', error)
        self.assertTrue(error.startswith("Traceback (most recent call last):\n"))
        self.assertTrue(error.endswith("ZeroDivisionError: division by zero\n"))
        self.assertNotIn("cellblock", error)

    def test_library_frames_are_one_line(self):
        error = self.fails("import json\njson.loads('{')", "JSONDecodeError")
        self.assertIn('[library: 3 frames, the last: "json/decoder.py", line', error)
        self.assertEqual(error.count('File "'), 1)

    def test_callback_through_a_library(self):
        error = self.fails("import functools\ndef f(a, b):\n    raise ValueError('x')\n"
                           "class A:\n    @functools.cached_property\n    def p(self): return f(1, 2)\nA().p")
        self.assertIn("in f\n", error)
        self.assertIn("in <module>\n", error)

    def test_files_of_the_user(self):
        self.ok("%%writefile mod.py\ndef g():\n    raise RuntimeError('in a file')")
        error = self.fails("import mod\nmod.g()", "RuntimeError")
        self.assertIn('mod.py", line 2, in g\n    raise RuntimeError(\'in a file\')', error)

    def test_chained(self):
        error = self.fails("try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('v') from e", "ValueError")
        self.assertIn("direct cause", error)
        self.assertIn("ZeroDivisionError", error)
        error = self.fails("try:\n    1 / 0\nexcept Exception:\n    raise ValueError('v')", "ValueError")
        self.assertIn("During handling", error)
        self.assertNotIn("ZeroDivision", self.fails("try:\n    1/0\nexcept Exception:\n    raise ValueError from None"))

    def test_chain_within_a_library_is_short(self):
        error = self.fails("from urllib.request import urlopen\nurlopen('http://127.0.0.1:1/')", "URLError")
        self.assertEqual(error.count("Traceback"), 1, error)
        self.assertIn("ConnectionRefusedError", error)

    def test_syntax(self):
        error = self.fails("x = 1\nx = = 2", "SyntaxError")
        self.assertIn('File "<cell 2>", line 2\n', error)
        self.assertIn("x = = 2\n", error)
        self.assertIn("^", error)
        self.assertNotIn("Traceback", error)
        self.assertIn("IndentationError", self.fails("if 1:\nprint(1)", "IndentationError"))
        self.fails("def f(:\n    !ls\n", "SyntaxError")
        self.assertIn("'return' outside function", self.fails("return 1", "SyntaxError"))
        self.assertIn("import a$", self.fails("import a$", "SyntaxError"))

    def test_syntax_in_other_code(self):
        error = self.fails("eval('1 +')", "SyntaxError")
        self.assertIn('File "<cell 2>", line 1, in <module>', error)
        self.ok("open('bad.py', 'w').write('x = = 1\\n')")
        error = self.fails("import bad", "SyntaxError")
        self.assertIn("bad.py", error)

    def test_recursion(self):
        error = self.fails("def f(n):\n    return f(n + 1)\nf(0)", "RecursionError")
        self.assertLess(len(error), 1500)
        self.assertIn("more times]", error)
        error = self.fails("def a(n): return b(n)\ndef b(n): return c(n)\ndef c(n): return a(n)\na(0)",
                           "RecursionError")
        self.assertLess(len(error), 1500)
        error = self.fails("import sys; sys.setrecursionlimit(20000)\nf(0)", "RecursionError")
        self.assertLess(len(error), 1500)

    def test_deep_but_not_recursive(self):
        code = "\n".join("def f%d(): f%d()" % (i, i + 1) for i in range(200)) + "\ndef f200(): 1 / 0\nf0()"
        error = self.fails(code)
        self.assertLess(error.count('File "'), 60)
        self.assertIn("frames left out", error)
        self.assertIn("in f200", error)

    def test_huge_message(self):
        error = self.fails("raise ValueError('x' * 10_000_000)", "ValueError")
        self.assertLess(len(error), 30000)
        self.assertIn("characters left out", error)
        self.assertIn('File "<cell 2>", line 1', error)

    def test_message_that_raises(self):
        code = "class E(Exception):\n    def __str__(self): raise RuntimeError\n    __repr__ = __str__\nraise E"
        error = self.fails(code, "E")
        self.assertRegex(error, r"\nE: <[^>]+>\n")

    def test_no_class_of_the_usual_kind(self):
        error = self.fails("class E(BaseException): pass\nraise E('odd')", "E")
        self.assertIn("E: odd", error)

    def test_notes_and_groups(self):
        if self.version < (3, 11):
            self.skipTest("Python 3.11")
        error = self.fails("e = ValueError('v')\ne.add_note('a note')\nraise e")
        self.assertIn("a note", error)
        error = self.fails("raise ExceptionGroup('many', [ValueError('one'), TypeError('two')])", "ExceptionGroup")
        self.assertIn("ValueError: one", error)
        self.assertIn("TypeError: two", error)

    def test_missing_module(self):
        result = self.run_cell("import nowhere.at_all")
        self.assertEqual(result.name, "ModuleNotFoundError")
        self.assertEqual(result.frame.fields[-1], (14, b"nowhere"))

    def test_missing_module_of_a_shared_namespace(self):
        """Python says "google"; what was asked for is in the code. An empty namespace stands for none at all."""
        self.ok("import sys, types\nfor n in ('google', 'azure'):\n    sys.modules[n] = None")
        for code, name in (
            ("import google.cloud.storage as gcs", "google.cloud.storage"),
            ("x = 1\nfrom google.cloud import storage", "google.cloud.storage"),
            ("from google.cloud.storage import Client", "google.cloud.storage"),
            ("from google import genai, auth", "google.genai"),
            ("import azure.storage.blob", "azure.storage.blob"),
            ("import importlib\nimportlib.import_module('google')", "google"),
        ):
            with self.subTest(code):
                result = self.run_cell(code)
                self.assertEqual(result.name, "ModuleNotFoundError")
                self.assertEqual(result.frame.text(14), name)

    def test_missing_module_that_a_library_needs(self):
        code = "try:\n    import nowhere\nexcept ImportError as e:\n    raise ImportError('pip install nowhere') from e"
        result = self.run_cell(code)
        self.assertEqual((result.name, result.frame.text(14)), ("ImportError", "nowhere"))
        self.assertIsNone(self.run_cell("raise ImportError('x')").frame.text(14))
        self.assertIsNone(self.run_cell("raise ModuleNotFoundError('x')").frame.text(14))

    def test_error_in_a_magic(self):
        error = self.fails("x = 0\n%time 1 / x", "ZeroDivisionError")
        self.assertIn('File "<cell 2>", line 2, in <module>\n    %time 1 / x\n', error)
        self.assertNotIn("_cellblock", error)
        error = self.fails("%%time\ny = 1\n1 / 0", "ZeroDivisionError")
        self.assertIn('File "<cell 3>", line 3, in <module>\n    1 / 0\n', error)

    def test_variables_survive(self):
        self.fails("kept = 5\n1 / 0")
        self.shows("kept", "5")

    def test_last_error(self):
        self.fails("1 / 0")
        self.shows("import sys\nsys.last_value", "ZeroDivisionError('division by zero')")
        self.assertIn('File "<cell 2>", line 1', self.ok("%tb"))

    def test_print_exc(self):
        text = self.ok("import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()")
        self.assertIn('File "<cell 2>", line 3, in <module>\n    1 / 0', text)

    def test_deleted_directory(self):
        self.ok("import os, shutil; os.mkdir('gone'); os.chdir('gone'); shutil.rmtree(os.getcwd())")
        self.assertIn("ZeroDivisionError", self.fails("1 / 0"))
        os.chdir("/")


if __name__ == "__main__":
    unittest.main()
