"""inspect.getsource for classes of cells: `__main__` has no file, so inspect must be told which cell has the class."""

import re

from . import state


def hook_inspect(inspect):
    """inspect has been imported."""
    original = inspect.getfile

    def getfile(object):
        try:
            return original(object)
        except (TypeError, OSError):
            if isinstance(object, type) and object.__module__ == "__main__":
                name = cell_of(object)
                if name is not None:
                    return name
            raise

    getfile.__doc__ = original.__doc__
    getfile.__module__ = "inspect"
    inspect.getfile = getfile


def cell_of(cls):
    """The name of the cell that made a class: that of its methods, else the latest one that has its name."""
    for value in vars(cls).values():
        code = getattr(getattr(value, "__func__", value), "__code__", None)
        name = getattr(code, "co_filename", None)
        if name in state.sources and getattr(value, "__module__", None) == "__main__":
            return name
    pattern = re.compile(r"^\s*class\s+%s\b" % re.escape(cls.__name__), re.M)
    for name in reversed(list(state.sources)):
        if pattern.search(state.sources[name]):
            return name
    return None
