"""pandas: what a model sees of tables. The Python under test must have pandas."""

import unittest

from cells import CellCase


class TestTables(CellCase):
    needs = ("pandas",)

    def setUp(self):
        super().setUp()
        self.ok("import pandas as pd")

    def test_frame(self):
        self.shows("pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})", "   a  b\n0  1  x\n1  2  y")
        self.shows("print(pd.DataFrame({'a': [1]}))", "   a\n0  1\n")

    def test_long(self):
        text = self.ok("pd.DataFrame({'a': range(100000)})")
        self.assertIn("[100000 rows x 1 columns]", text)
        self.assertLess(text.count("\n"), 20)

    def test_wide(self):
        self.ok("wide = pd.DataFrame([[i * 1.5 for i in range(12)]] * 3, columns=['column_%d' % i for i in range(12)])")
        for code in ("wide", "print(wide)"):
            text = self.ok(code).rstrip("\n")
            self.assertEqual(len(text.split("\n")), 4, text)
            self.assertIn("column_6", text)
        text = self.ok("pd.DataFrame([range(300)] * 2)")
        self.assertIn("...", text)
        self.assertIn("[2 rows x 300 columns]", text)

    def test_never_too_much(self):
        text = self.ok("pd.DataFrame([['x' * 45] * 20] * 60)")
        self.assertLess(len(text), 13000)

    def test_options_of_the_user_hold(self):
        self.ok("pd.set_option('display.max_rows', None)")
        self.assertEqual(self.ok("pd.DataFrame({'a': range(200)})").count("\n"), 200)
        self.ok("pd.set_option('display.max_rows', 4)")
        self.assertIn("[200 rows", self.ok("pd.DataFrame({'a': range(200)})"))

    def test_series_and_others(self):
        self.assertIn("dtype: int64", self.ok("pd.Series([1, 2])"))
        self.assertIn("Index(", self.ok("pd.Index(['a'])"))
        self.assertIn("object at", self.ok("pd.DataFrame({'a': [1]}).groupby('a')"))

    def test_error(self):
        error = self.fails("pd.DataFrame({'a': [1]})['b']", "KeyError")
        self.assertEqual(error.count("Traceback"), 1, error)
        self.assertNotIn(".pyx", error)
        self.assertIn("KeyError: 'b'", error)

    def test_multiprocessing(self):
        self.ok("import multiprocessing as mp\ndf = pd.DataFrame({'a': [1, 2]})\ndef f(i): return int(df.a[i])")
        self.shows("with mp.get_context('spawn').Pool(1) as p: print(p.map(f, [0, 1]))", "[1, 2]\n")


class TestStyler(CellCase):
    needs = ("pandas", "jinja2")

    def test_styler(self):
        self.ok("import pandas as pd\ndf = pd.DataFrame({'a': [1.234, 2.5], 'b': ['x', 'y']})")
        self.shows("df.style.format({'a': '{:.1f} %'})", "       a  b\n0  1.2 %  x\n1  2.5 %  y")
        self.assertIn("2.5", self.ok("df.style.highlight_max(subset=['a'])"))
        self.assertIn("x", self.ok("display(df.style)"))


if __name__ == "__main__":
    unittest.main()
