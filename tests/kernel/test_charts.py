"""Charts and widgets that are made for a browser: an image, or a line and a file; never their HTML or JSON."""

import unittest

import harness
from cells import CellCase

FILE = harness.WIRE_MIME_FILE


class ChartCase(CellCase):
    def chart(self, code, *words):
        """One image, or a short text with these words and a file with a page of HTML; a list of what was shown."""
        result = self.run_cell(code)
        self.assertEqual((result.status, result.error), ("ok", None), code)
        shown = [item for item in result.items if item[0] == "display"]
        kinds = [item[1] for item in shown]
        if kinds == ["image/png"]:
            return kinds
        self.assertEqual(kinds, ["text/plain", FILE])
        for word in words:
            self.assertIn(word, result.text)
        self.assertLess(len(result.text), 500)
        with open(shown[1][2], "rb") as file:
            self.assertIn(b"<html", file.read().lower())
        return kinds


class TestPlotly(ChartCase):
    needs = ("plotly",)

    def test_figures(self):
        self.ok("import plotly.graph_objects as go\nfig = go.Figure(go.Bar(y=[1, 2]), layout={'title': 'A title'})")
        for code in ("fig", "fig.show()", "display(fig)", "import plotly.io as pio; pio.show(fig)",
                     "from plotly.offline import iplot, init_notebook_mode\ninit_notebook_mode()\niplot(fig)"):
            self.chart(code, "plotly figure", "bar", "A title")


class TestAltair(ChartCase):
    needs = ("altair", "pandas")

    def test_chart(self):
        self.ok("import altair as alt, pandas as pd\n"
                "c = alt.Chart(pd.DataFrame({'a': [1, 2], 'b': [3, 4]})).mark_bar().encode(x='a', y='b')")
        for code in ("c", "display(c)", "c.show()", "c | c"):
            self.chart(code, "altair")


class TestBokeh(ChartCase):
    needs = ("bokeh",)

    def test_figure(self):
        self.shows("from bokeh.plotting import figure, show, output_notebook\noutput_notebook()", "")
        self.ok("p = figure(title='T'); p.line([1, 2], [3, 4]);")
        for code in ("show(p)", "p", "display(p)", "import bokeh.io; bokeh.io.show(p)"):
            self.chart(code, "bokeh", "'T'", "Line")


class TestWidgets(CellCase):
    needs = ("ipywidgets",)

    def test_interact_calls_once(self):
        self.ok("from ipywidgets import interact, interactive, fixed\nimport ipywidgets as widgets")
        for code in ("interact(f, x=(0, 10), y=['u', 'v']);", "interact(f, x=5, y=fixed('u'));",
                     "interactive(f, x=5, y='u')", "@interact(x=5, y='u')\ndef g(x, y): f(x, y)"):
            text = self.ok("def f(x, y): print('called', x, y)\nprint('before')\n" + code)
            self.assertTrue(text.startswith("before\n"), text)
            self.assertEqual(text.count("called 5 u"), 1, text)
        self.assertIn("(3, 4)", self.ok("@interact(x=3)\ndef h(x): return x, 4"))

    def test_widgets(self):
        self.ok("import ipywidgets as widgets")
        self.assertIn("value=7", self.ok("widgets.IntSlider(value=7, description='n')"))
        self.assertIn("'n'", self.ok("_"))
        self.assertEqual(self.ok("widgets.VBox([widgets.Label('L'), widgets.HTML('<b>H</b>')])"), "L\nH")
        self.shows("out = widgets.Output()\nwith out:\n    print('inside')\nout", "inside\n")


class TestTqdm(CellCase):
    needs = ("tqdm",)

    def test_bars(self):
        for module in ("tqdm", "tqdm.notebook", "tqdm.auto", "tqdm.autonotebook"):
            text = self.ok("from %s import tqdm, trange\nfor _ in tqdm(range(5), desc='bar'): pass" % module)
            self.assertIn("bar: 100%", text)
            self.assertIn("\r", text)
            self.assertNotIn("Warning", text)


class TestSympy(CellCase):
    needs = ("sympy",)

    def test_formulas(self):
        self.ok("import sympy\nx = sympy.symbols('x')")
        self.assertIn("x^{2}", self.ok("x ** 2"))
        self.ok("sympy.init_printing()")
        self.assertNotEqual(self.ok("x ** 2 / 2"), "")


if __name__ == "__main__":
    unittest.main()
