"""Warming: what is preloaded is there at once, and nothing else is left of it."""

import os
import shutil
import subprocess
import tempfile
import time
import unittest

import harness
from harness import Zygote
from stub import MAIN

STUB = {"main": MAIN}

PACKAGES = {
    "noisy": "import os, sys, warnings\nprint('to stdout', flush=True); os.write(1, b'to 1')\nwarnings.warn('careful')\n"
    "value = 7",
    "leaver": "import sys; sys.exit(3)",
    "broken": "1 / 0",
    "stopper": "raise KeyboardInterrupt",
    "needy": "import no_such_dependency",
    "setter": "import os; os.environ['SET_BY_IMPORT'] = '1'; os.environ.pop('HOME', None); os.environ['LANG'] = 'xx'",
    "threaded": "import threading, time; t = threading.Thread(target=time.sleep, args=(1000,), daemon=True); t.start()",
    "fileholder": "file = open('/etc/passwd')",
}


class TestWarm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="cellblock-test-")
        for name, text in PACKAGES.items():
            with open(os.path.join(cls.folder, name + ".py"), "w") as file:
                file.write(text + "\n")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def warm(self, preload, **options):
        env = {"PYTHONPATH": self.folder, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        zygote = Zygote(mode="warm", preload=preload, env=env, replace=STUB, **options)
        self.addCleanup(zygote.close)
        return zygote

    def text(self, zygote, code):
        kernel = zygote.fork()
        result = kernel.execute(code)
        kernel.close()
        self.assertEqual(result.status, "ok", result)
        return result.text

    def test_preloaded(self):
        zygote = self.warm("noisy,json.tool")
        self.assertEqual(zygote.warm_report, "preloaded noisy, json.tool")
        self.assertEqual(self.text(zygote, "import sys; print('noisy' in sys.modules, sys.modules['noisy'].value)"),
                         "True 7\n")

    def test_no_holes(self):
        """What is left of the heap when warming is over is not where kernels put their objects."""
        code = (
            "import _cellblock\n_cellblock.prep_heap()\n"
            "many = [object() for _ in range(300000)]\n"
            "del many[::50]\n"
            "done = _cellblock.fill_heap()\n"
            "new = [object() for _ in range(1000)]\n"
            "print(done, len({id(x) >> 12 for x in new}))"
        )
        with Zygote(replace=STUB) as zygote:
            done, pages = map(int, self.text(zygote, code).split())
        self.assertEqual(done, 32)
        self.assertLess(pages, 20)

    def test_no_holes_of_another_allocator(self):
        code = "import _cellblock\nprint(_cellblock.prep_heap(), _cellblock.fill_heap())"
        for allocator in ("malloc", "pymalloc_debug"):
            with Zygote(replace=STUB, env={"PYTHONMALLOC": allocator}) as zygote:
                self.assertEqual(self.text(zygote, code), "True 0\n", allocator)

    def test_nothing_to_preload(self):
        zygote = self.warm("")
        self.assertEqual(zygote.warm_report, "preloaded nothing")
        self.assertEqual(self.text(zygote, "print(1)"), "1\n")

    def test_failures(self):
        """A package may do anything when it is imported: the zygote says so and goes on."""
        zygote = self.warm("leaver,broken,stopper,needy,missing,noisy")
        for part in (
            "preloaded noisy;",
            "importing leaver failed: SystemExit: 3",
            "importing broken failed: ZeroDivisionError",
            "importing stopper failed: KeyboardInterrupt",
            "importing needy failed: ModuleNotFoundError: No module named 'no_such_dependency'",
            "importing missing failed: ModuleNotFoundError",
        ):
            self.assertIn(part, zygote.warm_report + ";")
        self.assertEqual(self.text(zygote, "print(1)"), "1\n")

    def test_environment_is_restored(self):
        zygote = self.warm("setter")
        code = "import os; print(os.environ.get('SET_BY_IMPORT'), os.environ['LANG'], os.environ.get('MPLBACKEND'))"
        self.assertEqual(self.text(zygote, code), "None C.UTF-8 %s\n" % os.environ.get("MPLBACKEND"))

    def test_warnings_come_again(self):
        """What was ignored while warming is not ignored, or counted as told, later."""
        code = "import warnings, importlib, noisy, sys\nwith warnings.catch_warnings(record=True) as w:\n"
        code += " warnings.simplefilter('default'); importlib.reload(noisy)\nprint(len(w))"
        self.assertIn("1\n", self.text(self.warm("noisy"), code))

    def test_threads_are_reported(self):
        zygote = self.warm("threaded")
        self.assertIn("2 threads run in it", zygote.warm_report)
        self.assertEqual(self.text(zygote, "import threading; print(threading.active_count())"), "1\n")

    def test_files_stay_with_their_owners(self):
        """A kernel does not close what a library holds: the library might close that number again."""
        self.assertEqual(self.text(self.warm("fileholder"), "import fileholder; print(len(fileholder.file.read()) > 0)"),
                         "True\n")

    def test_garbage_collection(self):
        code = "import gc; print(gc.isenabled(), gc.get_freeze_count() > 1000, gc.get_debug())"
        self.assertEqual(self.text(self.warm(""), code), "True True 0\n")

    def test_no_files_are_made(self):
        with tempfile.TemporaryDirectory() as folder:
            self.text(self.warm("default", cwd=folder), "print(1)")
            self.assertEqual(os.listdir(folder), [])


def installed(*names):
    code = "import %s" % ", ".join(names)
    return subprocess.run([harness.PYTHON, "-c", code], stderr=subprocess.DEVNULL).returncode == 0


class TestPackages(unittest.TestCase):
    """With the real ones, where the Python under test has them."""

    @classmethod
    def setUpClass(cls):
        if not installed("numpy", "pandas", "matplotlib"):
            raise unittest.SkipTest("numpy, pandas or matplotlib are not installed for %s" % harness.PYTHON)
        cls.zygote = Zygote(mode="warm", preload="default", replace=STUB)

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def text(self, code):
        kernel = self.zygote.fork()
        result = kernel.execute(code)
        kernel.close()
        self.assertEqual(result.status, "ok", result)
        return result.text

    def test_report(self):
        self.assertRegex(self.zygote.warm_report, "^preloaded numpy, pandas, matplotlib.pyplot")
        self.assertNotIn("failed", self.zygote.warm_report)
        self.assertNotIn("threads", self.zygote.warm_report)

    def test_random_differs(self):
        code = "import numpy as np; print(np.random.rand(), np.random.normal(), np.random.default_rng().random())"
        parts = [self.text(code).split() for _ in range(4)]
        for numbers in zip(*parts):
            self.assertEqual(len(set(numbers)), 4)

    def test_random_is_numpys_own(self):
        """Reseeded by pointer, the generator is still what numpy makes of a seed."""
        code = "import numpy as np; np.random.seed(5); print(np.random.rand(), np.random.normal(), np.random.normal())"
        expected = subprocess.check_output([harness.PYTHON, "-c", code], text=True)
        self.assertEqual(self.text("import numpy as np; np.random.rand(700)\n" + code), expected)

    def test_random_is_random(self):
        code = "import numpy as np; x = np.random.rand(20000); print(x.mean(), x.std())"
        mean, deviation = map(float, self.text(code).split())
        self.assertAlmostEqual(mean, 0.5, delta=0.02)
        self.assertAlmostEqual(deviation, 12**-0.5, delta=0.02)

    def test_threads_of_blas(self):
        """The zygote has one thread; each kernel multiplies with as many as it would have without a zygote."""
        self.assertEqual(len(os.listdir("/proc/%d/task" % self.zygote.process.pid)), 1)
        code = "import numpy as np, os; a = np.ones((600, 600)); b = a @ a; print(b[0, 0], len(os.listdir('/proc/self/task')))"
        expected = subprocess.check_output([harness.PYTHON, "-c", code], text=True)
        for _ in range(5):
            self.assertEqual(self.text(code), expected)

    def test_clean(self):
        code = "import matplotlib, matplotlib.pyplot as plt, warnings\nprint(plt.get_fignums(), plt.get_backend().lower())\n"
        code += "d = [k for k in matplotlib.rcParams if k not in ('backend', 'backend_fallback') and "
        code += "matplotlib.rcParams[k] != matplotlib.rcParamsOrig[k]]\nprint(d)"
        self.assertEqual(self.text(code), "[] agg\n[]\n")

    def test_no_descriptors_of_fonts(self):
        names = {os.readlink("/proc/%d/fd/%s" % (self.zygote.process.pid, fd))
                 for fd in os.listdir("/proc/%d/fd" % self.zygote.process.pid)}
        self.assertFalse([name for name in names if name.endswith((".ttf", ".otf", ".json"))], names)

    def test_figure(self):
        code = "import matplotlib.pyplot as plt, io; plt.plot([1, 2]); plt.title('$x^2$'); b = io.BytesIO(); "
        code += "plt.savefig(b); print(b.getvalue()[:4])"
        for _ in range(2):
            self.assertEqual(self.text(code), "b'\\x89PNG'\n")

    def test_cheap(self):
        """Forking it is no import: compared with the import itself, on the same machine."""
        begin = time.monotonic()
        subprocess.check_call([harness.PYTHON, "-c", "import numpy, pandas"])
        imported = time.monotonic() - begin
        times = []
        for _ in range(10):
            begin = time.monotonic()
            kernel = self.zygote.fork()
            times.append(time.monotonic() - begin)
            kernel.close()
        self.assertLess(min(times), imported / 10)


if __name__ == "__main__":
    unittest.main()
