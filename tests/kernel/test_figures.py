"""matplotlib figures become images. The Python under test must have matplotlib (and Pillow, which comes with it)."""

import struct
import unittest

from cells import CellCase

PNG, JPEG = "image/png", "image/jpeg"


class TestFigures(CellCase):
    needs = ("matplotlib",)

    def setUp(self):
        super().setUp()
        self.shows("import matplotlib.pyplot as plt\n%matplotlib inline", "")

    def sizes(self, code):
        result = self.run_cell(code)
        self.assertEqual((result.status, result.error), ("ok", None))
        return [(item[1], len(item[2]), struct.unpack(">II", item[2][16:24])) for item in result.items]

    def test_show_in_a_loop(self):
        """Each once, in its place."""
        self.assertEqual(self.kinds("for i in range(3):\n    plt.plot([i, 2])\n    print(i)\n    plt.show()"),
                         ["0\n", PNG, "1\n", PNG, "2\n", PNG])

    def test_left_open(self):
        self.assertEqual(self.kinds("plt.plot([1, 2]);"), [PNG])
        self.assertEqual(self.kinds("print('no more')"), ["no more\n"])
        self.assertEqual(self.kinds("a = plt.figure(); plt.plot([1])\nb = plt.figure(); plt.plot([2])\nprint(1)"),
                         ["1\n", PNG, PNG])
        self.shows("plt.get_fignums()", "[]")

    def test_last_expression(self):
        self.assertEqual(self.kinds("fig, ax = plt.subplots()\nax.plot([1])\nfig"), [PNG])
        self.assertEqual(self.kinds("fig"), [PNG])
        self.assertEqual(self.kinds("ax.plot([2])\nfig"), [PNG])
        self.assertEqual(self.kinds("from matplotlib.figure import Figure\nf = Figure(); f.subplots(); f"), [PNG])

    def test_display(self):
        self.assertEqual(self.kinds("fig, ax = plt.subplots()\ndisplay(fig)\nprint('x')"), [PNG, "x\n"])
        self.assertEqual(self.kinds("fig, ax = plt.subplots()\ndisplay(fig)\nax.plot([1]);"), [PNG, PNG])

    def test_figure_show(self):
        self.assertEqual(self.kinds("fig, ax = plt.subplots()\nfig.show()\nprint('x')"), [PNG, "x\n"])

    def test_closed(self):
        self.assertEqual(self.kinds("plt.plot([1]); plt.savefig('a.png'); plt.close()\nos.path.exists('a.png')"),
                         ["True"])

    def test_savefig_and_left_open(self):
        self.assertEqual(self.kinds("plt.plot([1]); plt.savefig('b.png')"), [PNG])

    def test_values_in_the_way(self):
        kinds = self.kinds("plt.plot([1])")
        self.assertEqual((len(kinds), kinds[-1]), (2, PNG))
        self.assertIn("Line2D", kinds[0])

    def test_with_an_error(self):
        result = self.run_cell("plt.plot([1])\n1 / 0")
        self.assertEqual((result.status, len(result.displays)), ("error", 1))
        self.assertEqual(self.kinds("1"), ["1"])

    def test_pause(self):
        self.assertEqual(self.kinds("for i in range(4):\n    plt.plot([i]); plt.pause(0.001)"), [PNG])

    def test_clear_output(self):
        code = ("from IPython.display import clear_output\nfor i in range(3):\n    clear_output(wait=True)\n"
                "    plt.plot([i]); plt.show(); print(i)")
        self.assertEqual(self.kinds(code), [PNG, "2\n"])

    def test_size(self):
        kind, size, (width, height) = self.sizes("plt.figure(figsize=(6, 4)); plt.plot([1]);")[0]
        self.assertTrue(300 < width < 800 and 200 < height < 500, (width, height))
        kind, size, (width, height) = self.sizes("plt.figure(figsize=(60, 20)); plt.plot([1]);")[0]
        self.assertTrue(1100 < width <= 1569, (width, height))
        kind, size, (width, height) = self.sizes("plt.figure(figsize=(6, 4), dpi=900); plt.plot([1]);")[0]
        self.assertLessEqual(width, 1569)

    def test_too_many_bytes(self):
        result = self.run_cell("import numpy as np\nplt.figure(figsize=(15, 15))\n"
                               "plt.imshow(np.random.rand(1500, 1500, 3));")
        self.assertEqual(result.status, "ok", result.error)
        self.assertEqual(len(result.items), 1)
        self.assertIn(result.items[0][1], (PNG, JPEG))
        self.assertLessEqual(len(result.items[0][2]), 700 << 10)

    def test_layouts(self):
        for layout in ("constrained", "tight"):
            self.assertEqual(self.kinds("plt.subplots(2, 2, layout=%r);" % layout), [PNG])

    def test_backend(self):
        self.shows("import matplotlib; matplotlib.get_backend().lower()", "'agg'")
        self.assertEqual(self.kinds("plt.ion(); plt.plot([1]); plt.ioff(); plt.show(block=True)"), [PNG])

    def test_no_windows(self):
        for code in ("import matplotlib; matplotlib.use('TkAgg')", "plt.switch_backend('QtAgg')", "%matplotlib qt",
                     "plt.switch_backend('svg')"):
            self.assertEqual(self.kinds(code + "\nplt.plot([1]); plt.show()")[-1], PNG)

    def test_pylab(self):
        self.shows("%pylab inline\nplot([1, 2]); close(); float(sin(0))", "0.0")

    def test_animation(self):
        result = self.run_cell("from matplotlib.animation import FuncAnimation\nfrom IPython.display import HTML\n"
                               "fig, ax = plt.subplots()\nline, = ax.plot([0, 1])\n"
                               "a = FuncAnimation(fig, lambda i: line.set_ydata([i, 1]), frames=3)\n"
                               "h = HTML(a.to_jshtml()); plt.close(fig)\nh")
        self.assertEqual(result.status, "ok", result.error)
        self.assertLess(sum(len(item[-1]) for item in result.items), 5000)

    def test_interrupted(self):
        import time

        self.kernel.start("plt.plot([1]); print('begun')\nwhile True: pass")
        while b"begun" not in self.kernel.raw:
            self.kernel._drain()
            time.sleep(0.01)
        self.kernel.interrupt()
        result = self.kernel.finish()
        self.assertEqual(result.status, "interrupted")
        self.assertEqual(len(result.displays), 1)
        self.shows("plt.get_fignums()", "[]")

    def test_captured(self):
        self.assertEqual(self.kinds("%%capture c\nplt.plot([1]); plt.show()"), [])
        self.assertEqual(self.kinds("c.show()"), [PNG])

    def test_pillow(self):
        self.assertEqual(self.kinds("from PIL import Image\nImage.new('RGB', (30, 20), 'red')"), [PNG])
        kind, size, (width, height) = self.sizes("Image.new('L', (5000, 100))")[0]
        self.assertEqual(width, 1568)
        self.assertEqual(self.kinds("Image.effect_noise((1500, 1500), 90).convert('RGB')"), [JPEG])
        self.assertEqual(self.kinds("Image.new('CMYK', (3, 3))"), [PNG])


class TestWarm(CellCase):
    """The same where matplotlib was loaded before the fork."""

    needs = ("matplotlib",)

    def test_hooked(self):
        import harness

        with harness.Zygote(mode="warm", preload="matplotlib.pyplot,pandas") as zygote:
            kernel = zygote.fork()
            self.addCleanup(kernel.close)
            result = kernel.execute("import matplotlib.pyplot as plt\nfor i in range(2):\n"
                                    "    plt.plot([i]); plt.show()")
            self.assertEqual([item[1] for item in result.items], [PNG, PNG])
            result = kernel.execute("import inspect\nclass A:\n    x = 1\nprint(inspect.getsource(A))")
            self.assertEqual(result.text, "class A:\n    x = 1\n\n")


if __name__ == "__main__":
    unittest.main()
