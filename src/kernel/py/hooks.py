"""
What to do when a module has been imported: a table, and the finder that makes it happen. Nothing is paid for a
module that is never imported. A hook is "<our module>:<function>" and gets the module.
"""

import sys

HOOKS = {
    "linecache": "execute:fill_linecache",
    "inspect": "source:hook_inspect",
    "getpass": "console:hook_getpass",
    "pdb": "console:hook_pdb",
    "multiprocessing.spawn": "mp:hook_spawn",
    "os": "pip_calls:hook_os",
    "pip": "pip_calls:hook_pip",
    "pip._internal": "pip_calls:hook_pip",
    "subprocess": "pip_calls:hook_subprocess",
    "matplotlib": "figures:hook_matplotlib",
    "matplotlib.pyplot": "figures:hook_pyplot",
    "matplotlib.figure": "figures:hook_figure",
    "pandas": "tables:hook_pandas",
    "plotly.basedatatypes": "charts:hook_plotly",
    "plotly.io._renderers": "charts:hook_plotly_io",
    "plotly.offline": "charts:hook_plotly_offline",
    "altair": "charts:hook_altair",
    "bokeh.io.showing": "charts:hook_bokeh_showing",
    "bokeh.io.output": "charts:hook_bokeh_output",
    "tqdm.notebook": "widgets:hook_tqdm",
    "ipywidgets.widgets.interaction": "widgets:hook_interaction",
    "ipywidgets.widgets.widget_output": "widgets:hook_output",
    "IPython.core.display_functions": "ipython_shim:hook_display",
    "IPython.core.display": "ipython_shim:hook_display",
    "IPython.core.getipython": "ipython_shim:hook_getipython",
    "IPython.core.interactiveshell": "ipython_shim:hook_interactiveshell",
    "IPython.core.pylabtools": "ipython_shim:hook_pylabtools",
}

_installed = False


class Finder:
    """First in sys.meta_path: finds nothing itself, but wraps the loader of a module in the table."""

    busy = set()

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in HOOKS or name in cls.busy:
            return None
        cls.busy.add(name)
        try:
            for finder in list(sys.meta_path):
                if finder is cls:
                    continue
                find = getattr(finder, "find_spec", None)
                spec = find(name, path, target) if find is not None else None
                if spec is not None:
                    break
            else:
                return None
        finally:
            cls.busy.discard(name)
        if spec.loader is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = Loader(spec.loader)
        return spec


class Loader:
    """The real loader, followed by the hook."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def create_module(self, spec):
        return self._real.create_module(spec)

    def exec_module(self, module):
        real = self._real
        module.__loader__ = real
        if module.__spec__ is not None:
            module.__spec__.loader = real
        real.exec_module(module)
        call(module.__name__, module)


class Last:
    """Last in sys.meta_path: IPython's modules for code that imports them where IPython is not installed."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "IPython" and not name.startswith("IPython."):
            return None
        from . import ipython_fake

        return ipython_fake.find_spec(name)

    @staticmethod
    def find_distributions(context=None):
        return ()


def call(name, module):
    """Run the hook of a module. A hook that fails must not make the import fail."""
    where, _, function = HOOKS[name].partition(":")
    try:
        __import__("_cellblock_kernel." + where)
        getattr(sys.modules["_cellblock_kernel." + where], function)(module)
    except Exception as e:
        try:
            sys.stderr.write("cellblock: %s is used as it is: %s: %s\n" % (name, type(e).__name__, e))
        except Exception:
            pass


def install():
    """Hook what comes, and what is there already."""
    global _installed
    if _installed:
        return
    _installed = True
    sys.meta_path.insert(0, Finder)
    sys.meta_path.append(Last)
    for name in HOOKS:
        module = sys.modules.get(name)
        if module is not None:
            call(name, module)
