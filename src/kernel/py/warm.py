"""
Warming: import and exercise what sessions are likely to use, and leave no trace of it but speed. What is imported here
is shared by all kernels, so nothing may stay open, drawn, seeded or warned about.
"""

import gc
import importlib
import io
import os
import sys
import warnings

import _cellblock

from . import packages, zygote

# What sessions are likely to use and most machines import in well under a second; what is not installed is left out.
DEFAULT = "numpy", "pandas", "matplotlib.pyplot", "PIL.Image", "scipy"
STANDARD = (
    "argparse ast asyncio base64 bisect calendar collections.abc contextlib copy csv dataclasses datetime decimal enum "
    "fractions functools glob gzip hashlib heapq html http.client inspect io itertools json linecache logging math "
    "operator os.path pathlib pickle platform pprint queue random re shutil signal socket sqlite3 ssl statistics "
    "string struct subprocess tempfile textwrap threading time tokenize traceback types typing unicodedata "
    "urllib.parse urllib.request uuid zipfile concurrent.futures.thread multiprocessing.context xml.etree.ElementTree"
).split()


def warm(names, cache=None):
    """Returns what was done, as text for the log, and the address of numpy's global random state or 0.

    cache: the user's directory for caches, if the environment does not name one.
    """
    gc.disable()
    notes = []
    heap = _cellblock.prep_heap()
    environment = dict(os.environ)
    os.environ["MPLBACKEND"] = "Agg"
    if cache:  # matplotlib looks for seconds at all fonts, unless it has written them down there
        os.environ["XDG_CACHE_HOME"] = cache
    with _quiet():
        for name in STANDARD:
            _import(name, notes, optional=True)
        for name in _own_modules():
            _import(name, notes)
        loaded = [name for name in _expand(names) if _import(name, notes, name in DEFAULT)]
        for name, (exercise, times) in EXERCISES.items():
            if name in sys.modules:
                _guard(lambda: [exercise() for _ in range(times)], notes, "exercising %s" % name)
        from . import main

        if hasattr(main, "warm"):
            _guard(main.warm, notes, "a first cell")
        _guard(_clean, notes, "cleaning up")
    _restore(environment)
    threads = _cellblock.settle()
    if threads > 1:
        notes.append("%d threads run in it, which no kernel will have: what was preloaded may hang" % threads)
    if not heap:
        notes.append("its heap is not in one piece")
    return "; ".join(["preloaded %s" % (", ".join(loaded) or "nothing")] + notes), _random_state()


def seal():
    """The last Python that runs here, but for the call of the loop."""
    importlib.invalidate_caches()
    gc.collect()
    gc.freeze()
    _cellblock.fill_heap()
    _cellblock.seal_heap()


def _expand(names):
    for name in names:
        if name == "default":
            yield from DEFAULT
        elif name.startswith("dist:"):
            yield from packages.modules_of(name[5:])
        else:
            yield name


def _own_modules():
    return list(zygote.__spec__.loader.files)


def _guard(function, notes, what):
    try:
        function()
        return True
    except BaseException as e:  # a package may do anything when imported: exit, too
        notes.append("%s failed: %s: %s" % (what, type(e).__name__, str(e)[:200]))
        return False


def _import(name, notes, optional=False):
    if optional:
        try:
            importlib.import_module(name)
            return True
        except ModuleNotFoundError as e:
            if e.name == name.split(".")[0]:
                return False  # not installed
        except BaseException:
            pass  # told below, from a second attempt
    return _guard(lambda: importlib.import_module(name), notes, "importing %s" % name)


class _quiet:
    """Nothing that packages print or warn about while they load is anybody's output."""

    def __enter__(self):
        self.warnings = warnings.catch_warnings()
        self.warnings.__enter__()
        warnings.simplefilter("ignore")
        self.stdout = os.dup(1)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)

    def __exit__(self, *exc):
        try:
            sys.stdout.flush()
            _cellblock.fflush()
        except BaseException:
            pass
        os.dup2(self.stdout, 1)
        os.close(self.stdout)
        self.warnings.__exit__(*exc)


def _restore(environment):
    for name in list(os.environ):
        if name not in environment:
            del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


# ---- exercises: the first use of a package costs as much as a tenth of its import ----


def _numpy():
    import numpy as np

    a = np.arange(12.0).reshape(3, 4)
    repr(a + a.mean(axis=0))
    np.random.default_rng(1).normal(size=3)
    np.linspace(0, 1, 5)[np.array([True, False, True, True, False])]
    np.random.get_state()


def _pandas():
    import pandas as pd

    frame = pd.DataFrame({"a": range(20), "b": [x / 3 for x in range(20)], "c": list("xyzw") * 5})
    frame.groupby("c")["b"].agg(["mean", "sum"])
    repr(frame)
    str(frame.describe())
    frame._repr_html_()
    pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    pd.merge(frame, frame.head(), on="a").sort_values("b_x")
    pd.to_datetime(pd.Series(["2024-01-02", "2024-02-03"])).dt.month


def _pyplot():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2, 3], [3, 1, 2], label="a")
    axes.bar([1, 2], [2, 1])
    axes.set_title("Title")
    axes.set_xlabel("x")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")
    plt.close("all")


def _pillow():
    from PIL import Image

    Image.new("RGB", (2, 2)).save(io.BytesIO(), format="PNG")


# Since 3.11 Python rewrites code while it is new; what was run a few times is not rewritten in every kernel's copy.
EXERCISES = {
    "numpy": (_numpy, 10),
    "pandas": (_pandas, 10),
    "matplotlib.pyplot": (_pyplot, 1),
    "PIL.Image": (_pillow, 1),
}


def _clean():
    """Fonts hold their files open: a kernel would close descriptors that are its own by then (an at-fork hook does)."""
    fonts = sys.modules.get("matplotlib.font_manager")
    if fonts and hasattr(getattr(fonts, "_get_font", None), "cache_clear"):
        fonts._get_font.cache_clear()
    mathtext = sys.modules.get("matplotlib.mathtext")
    parser = getattr(mathtext, "MathTextParser", None)
    for cached in ("_parse_cached",):
        function = getattr(parser, cached, None)
        if hasattr(function, "cache_clear"):
            function.cache_clear()
    linecache = sys.modules.get("linecache")
    if linecache:
        linecache.clearcache()
    gc.collect()


def _random_state():
    try:
        generator = sys.modules["numpy"].random.mtrand._rand._bit_generator
        if type(generator).__name__ == "MT19937":
            return generator.ctypes.state_address
    except (KeyError, AttributeError):
        pass
    return 0
