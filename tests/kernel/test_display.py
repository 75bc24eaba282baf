"""display() and IPython.display, with and without IPython installed: what a model gets to see of an object."""

import base64
import struct
import unittest
import zlib

import harness
from cells import CellCase


def png(width, height, noise=False):
    """A PNG image without any library."""
    import random

    row = b"\0" + (random.Random(1).randbytes(width) if noise else b"\x80" * width)
    rows = b"".join(b"\0" + random.Random(y).randbytes(width) for y in range(height)) if noise else row * height

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


FILE = harness.WIRE_MIME_FILE


class DisplayCase(CellCase):
    def file_of(self, result):
        path = next(item[2] for item in result.items if item[0] == "display" and item[1] == FILE).decode()
        with open(path, "rb") as file:
            return file.read()


class TestDisplay(DisplayCase):
    def test_order(self):
        self.assertEqual(self.kinds("print(1)\ndisplay(2, [3])\nprint(4)\n5"), ["1\n", "2", "[3]", "4\n", "5"])

    def test_methods(self):
        self.ok("class A: pass\nclass Markdown:\n    def _repr_markdown_(self): return '**b**'\n"
                "class Latex:\n    def _repr_latex_(self): return '$x$'\n"
                "class Html:\n    def _repr_html_(self): return '<p>one</p><p>two &amp; <b>3</b></p>'\n"
                "class Both(Html):\n    def __repr__(self): return 'plain'\n"
                "class Own:\n    def _ipython_display_(self): print('own')\n"
                "class Bundle:\n    def _repr_mimebundle_(self, include=None, exclude=None):\n"
                "        return {'text/html': '<i>h</i>', 'text/plain': '<m.A object at 0x1>'}\n"
                "class Broken:\n    def _repr_html_(self): return 1 / 0\n    def __repr__(self): return '<B object>'\n"
                "class Everything:\n    def __getattr__(self, name): return lambda *a, **k: 'magic'\n"
                "    def __repr__(self): return 'E'\n"
                "class Wrapper:\n    def __getattr__(self, name): return getattr(Markdown(), name)")
        self.shows("Wrapper()", "**b**")
        self.shows("Markdown()", "**b**")
        self.shows("Latex()", "$x$")
        self.shows("Html()", "one\ntwo & 3")
        self.shows("Both()", "plain")
        self.shows("Own()", "own\n")
        self.shows("Bundle()", "h")
        self.shows("Broken()", "(Broken._repr_html_ raised ZeroDivisionError: division by zero)\n<B object>")
        self.shows("Everything()", "E")
        self.assertIn("A object at", self.ok("A()"))
        self.shows("Markdown", "<class '__main__.Markdown'>")

    def test_images(self):
        small = base64.b64encode(png(4, 3)).decode()
        self.ok("import base64\ndata = base64.b64decode('%s')\n"
                "class Png:\n    def _repr_png_(self): return data\n"
                "class Text:\n    def _repr_png_(self): return base64.b64encode(data).decode(), {}\n"
                "class Jpeg:\n    def _repr_jpeg_(self): return b'\\xff\\xd8\\xff\\xe0' + bytes(40)" % small)
        result = self.run_cell("Png()")
        self.assertEqual(result.items, [("display", "image/png", png(4, 3))])
        self.assertEqual(self.run_cell("Text()").items, result.items)
        self.assertEqual(self.run_cell("Jpeg()").status, "ok")

    def test_image_too_large(self):
        """What is over the bounds is made smaller where Pillow is, else it is a file."""
        result = self.run_cell("import random, struct, zlib\n" + PNG_SOURCE + "\n"
                               "class Png:\n    def _repr_png_(self): return png(1200, 1200, True)\nPng()")
        self.assertEqual(result.status, "ok", result.error)
        mime, data = result.items[-1][1:]
        self.assertIn(mime, (FILE, "image/jpeg", "image/png"))
        if mime != FILE:
            self.assertLess(len(data), 700 << 10)

    def test_huge_html_is_a_file(self):
        result = self.run_cell("class Big:\n    def _repr_html_(self): return '<p>word</p>' * 200000\nBig()")
        self.assertEqual(self.file_of(result), b"<p>word</p>" * 200000)
        self.assertLess(len(result.items[0][2]), 3000)
        result = self.run_cell("class Script:\n    def _repr_html_(self): return '<script>alert(1)</script>'\nScript()")
        self.assertIn(b"alert", self.file_of(result))
        self.assertNotIn("alert", result.text.replace(self.kernel.scratch, ""))

    def test_svg(self):
        result = self.run_cell("class S:\n    def _repr_svg_(self): return '<svg><text>label</text></svg>'\nS()")
        self.assertIn("label", result.text)

    def test_handle(self):
        self.assertEqual(self.kinds("h = display(0, display_id=True)\nfor i in range(1000):\n    h.update(i)\n"
                                    "print('end')"), ["0", "end\n", "999"])
        self.assertEqual(self.kinds("h.update('later')"), ["'later'"])
        self.assertEqual(self.kinds("from IPython.display import update_display\n"
                                    "display(1, display_id='x'); update_display(2, display_id='x')"), ["1", "2"])
        self.ok("from IPython.display import DisplayHandle\n"
                "assert isinstance(display(1, display_id=True), DisplayHandle)")

    def test_clear_output(self):
        self.ok("from IPython.display import clear_output")
        self.assertEqual(self.kinds("print(1); display(2)\nclear_output()\nprint(3)"), ["3\n"])
        self.assertEqual(self.kinds("for i in range(5):\n    clear_output(wait=True)\n    print(i)"), ["4\n"])
        self.assertEqual(self.kinds("print(1)\nclear_output(wait=True)"), ["1\n"])
        self.assertEqual(self.kinds("display(5)"), ["5"])

    def test_in_threads(self):
        self.assertEqual(sorted(self.kinds(
            "import threading\nts = [threading.Thread(target=display, args=(i,)) for i in range(20)]\n"
            "[t.start() for t in ts]; [t.join() for t in ts];")), sorted(map(str, range(20))))

    def test_raw(self):
        self.assertEqual(self.kinds("display({'text/plain': 'p', 'text/html': '<b>h</b>'}, raw=True)"), ["p"])

    def test_redirected_stdout_comes_first(self):
        text = self.kinds("import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('a'); display('b')")
        self.assertEqual(text, ["a\n", "'b'"])


class TestIPython(DisplayCase):
    """The same whether IPython is installed or not."""

    def setUp(self):
        super().setUp()
        self.ok("from IPython.display import *\nfrom IPython.display import display, HTML, Markdown, Latex, Audio")

    def test_texts(self):
        self.shows("HTML('<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>')", "a | b\n1 | 2")
        self.shows("HTML('<ul><li>x</li><li>y</li></ul><a href=\"http://z\">z</a>')", "- x\n- y\nz (http://z)")
        self.shows("display(Markdown('# T'))", "# T")
        self.shows("Latex('$a$')", "$a$")
        self.assertIn("x^2", self.ok("Math('x^2')"))
        self.shows("Code('a = 1', language='python')", "a = 1")
        self.assertIn('"a": 1', self.ok("JSON({'a': 1})"))
        self.shows("IFrame('http://x', 1, 1)", "IFrame: http://x")
        self.assertIn("youtube.com/embed/abc", self.ok("YouTubeVideo('abc')"))
        self.assertIn("no browser", self.ok("Javascript('alert(1)')"))
        self.shows("Pretty('as it is')", "as it is")

    def test_media(self):
        small = png(5, 5)
        with open(self.kernel.scratch + "/i.png", "wb") as file:
            file.write(small)
        for code in ("Image('i.png')", "Image(filename='i.png')", "Image(data=open('i.png', 'rb').read())"):
            self.assertEqual(self.run_cell(code).items, [("display", "image/png", small)], code)
        self.assertIn("http://x/y.png", self.ok("Image(url='http://x/y.png')"))
        self.assertIn("video: v.mp4", self.ok("open('v.mp4', 'w').close()\nVideo('v.mp4')"))
        result = self.run_cell("SVG('<svg><text>hi</text></svg>')")
        self.assertIn("hi", result.text)

    def test_audio(self):
        result = self.run_cell("try:\n    a = Audio([0.0, 0.5] * 400, rate=8000)\nexcept ImportError:\n    a = None\na")
        if result.items:  # IPython needs numpy for it
            self.assertIn("0.10 s, 8000 Hz", result.text)
            self.assertEqual(self.file_of(result)[:4], b"RIFF")

    def test_file_link(self):
        result = self.run_cell("open('r.csv', 'w').write('a')\nFileLink('r.csv')")
        self.assertEqual(result.items[-1][1], FILE)

    def test_progress(self):
        text = self.ok("for _ in ProgressBar(100): pass")
        self.assertIn("100/100", text)
        self.assertLess(text.count("/100"), 4)

    def test_only_one_copy(self):
        self.ok("import sys, IPython, IPython.core.display, IPython.core.getipython\n"
                "assert IPython.display.display is display\n"
                "assert IPython.core.display.HTML is HTML\n"
                "assert IPython.get_ipython() is get_ipython()\n"
                "import importlib.metadata\n"
                "try: real = importlib.metadata.version('ipython')\n"
                "except importlib.metadata.PackageNotFoundError: real = None\n"
                "assert (IPython.__file__ is not None) if real else not hasattr(IPython, '__file__')\n"
                "assert real is None or IPython.__version__ == real")

    def test_what_is_missing_is_missing(self):
        self.fails("import IPython.no_such_part", "ModuleNotFoundError")

    def test_interactiveshell(self):
        self.ok("from IPython.core.interactiveshell import InteractiveShell\n"
                "assert InteractiveShell.instance() is get_ipython() and InteractiveShell.initialized()")

    def test_capture(self):
        self.shows("from IPython.utils.capture import capture_output\nwith capture_output() as c:\n    print('in')\n"
                   "c.stdout", "'in\\n'")


PNG_SOURCE = '''def png(width, height, noise):
    rows = b"".join(b"\\0" + random.Random(y).getrandbits(8 * width).to_bytes(width, "big") for y in range(height))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
'''


if __name__ == "__main__":
    unittest.main()
