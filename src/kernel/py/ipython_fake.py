"""
The modules of IPython that notebooks import, for environments without IPython. Found last in sys.meta_path: an
installed IPython is always preferred, and nothing here is ever mixed with it.
"""

import builtins
import sys
from importlib.machinery import ModuleSpec

VERSION = (8, 24, 0)
PACKAGES = ("IPython", "IPython.core", "IPython.lib", "IPython.utils")


def find_spec(name):
    if name not in CONTENT:
        return None
    return ModuleSpec(name, Loader, origin="built in", is_package=name in PACKAGES)


class Loader:
    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        module.__dict__.update(CONTENT[module.__name__]())


def _root():
    return {
        "__version__": "%d.%d.%d" % VERSION,
        "version_info": VERSION,
        "get_ipython": builtins.get_ipython,
        "display": __import__("IPython.display").display,
        "InteractiveShell": InteractiveShell,
    }


def _display():
    from . import display as shown
    from . import ipython_objects as objects

    names = {name: getattr(objects, name) for name in objects.__all__}
    names.update(_functions())
    for kind in ("html", "markdown", "svg", "png", "jpeg", "latex", "json", "javascript", "pdf", "pretty"):
        names["display_" + kind] = lambda *objs, raw=False, **options: shown.display(*objs)
    names["set_matplotlib_formats"] = names["set_matplotlib_close"] = lambda *args, **options: None
    return names


def _functions():
    from . import display as shown

    return {
        "display": builtins.display,
        "clear_output": shown.clear_output,
        "update_display": shown.update_display,
        "publish_display_data": shown.publish_display_data,
        "DisplayHandle": shown.DisplayHandle,
    }


class InteractiveShell:
    """For InteractiveShell.ast_node_interactivity = "all" and InteractiveShell.instance()."""

    _instance = property(lambda self: builtins.get_ipython())

    @classmethod
    def instance(cls, *args, **options):
        return builtins.get_ipython()

    @classmethod
    def initialized(cls):
        return True


InteractiveShell.__module__ = "IPython.core.interactiveshell"


class Magics:
    """Base of classes with magics."""

    options_table = {}
    shell = None

    def __init__(self, shell=None, **options):
        self.shell = shell
        self.magics = {"line": {}, "cell": {}}
        for name in dir(type(self)):
            kinds = getattr(getattr(type(self), name, None), "_cellblock_magic_kinds", None)
            for kind, magic_name in kinds or ():
                self.magics[kind][magic_name] = getattr(self, name)


def _marker(*kinds):
    def decorator(argument):
        def mark(function, name=None):
            function._cellblock_magic_kinds = [(kind, name or function.__name__) for kind in kinds]
            return function

        if isinstance(argument, str):
            return lambda function: mark(function, argument)
        return mark(argument)

    return decorator


def _register(kind):
    def decorator(argument):
        def register(function, name=None):
            builtins.get_ipython().register_magic_function(function, kind, name)
            return function

        if isinstance(argument, str):
            return lambda function: register(function, argument)
        return register(argument)

    return decorator


def _set(name):
    def decorator(function):
        setattr(function, name, True)
        return function

    return decorator


def _magic():
    from . import magics

    return {
        "Magics": Magics,
        "magics_class": lambda cls: cls,
        "line_magic": _marker("line"),
        "cell_magic": _marker("cell"),
        "line_cell_magic": _marker("line", "cell"),
        "register_line_magic": _register("line"),
        "register_cell_magic": _register("cell"),
        "register_line_cell_magic": _register("line_cell"),
        "needs_local_scope": _set("needs_local_scope"),
        "no_var_expand": _set("no_var_expand"),
        "UsageError": magics.UsageError,
    }


def _formatters():
    from . import ipython_shim

    return {"BaseFormatter": type("BaseFormatter", (), {}), "DisplayFormatter": ipython_shim.DisplayFormatter}


CONTENT = {
    "IPython": _root,
    "IPython.display": _display,
    "IPython.core": dict,
    "IPython.core.display": _display,
    "IPython.core.display_functions": _functions,
    "IPython.core.getipython": lambda: {"get_ipython": builtins.get_ipython},
    "IPython.core.interactiveshell": lambda: {"InteractiveShell": InteractiveShell},
    "IPython.core.magic": _magic,
    "IPython.core.error": lambda: {"UsageError": _magic()["UsageError"]},
    "IPython.core.formatters": _formatters,
    "IPython.core.pylabtools": lambda: {"backend2gui": {}, "set_matplotlib_formats": lambda *a, **o: None},
    "IPython.lib": dict,
    "IPython.lib.display": _display,
    "IPython.utils": dict,
    "IPython.utils.capture": lambda: {"capture_output": capture_output},
    "IPython.utils.io": lambda: {"capture_output": capture_output},
}


class capture_output:
    """with capture_output() as c: ...; c.stdout"""

    def __init__(self, stdout=True, stderr=True, display=True):
        self.wanted = stdout, stderr, display

    def __enter__(self):
        import io

        from . import state, timing

        self.old = sys.stdout, sys.stderr, state.capture
        texts = io.StringIO(), io.StringIO()
        shown = []
        if self.wanted[0]:
            sys.stdout = texts[0]
        if self.wanted[1]:
            sys.stderr = texts[1]
        if self.wanted[2]:
            state.capture = shown

        class Live(timing.Captured):
            stdout = property(lambda self: texts[0].getvalue())
            stderr = property(lambda self: texts[1].getvalue())

            def __init__(self):
                self._items = shown

        return Live()

    def __exit__(self, *error):
        from . import state

        sys.stdout, sys.stderr, state.capture = self.old

