"""
%autoreload 2: before each cell, modules of the user whose file has changed are loaded again, and names that were
imported from them are the new ones.
"""

import os
import sys

from . import execute
from . import state

_times = {}
_mode = 0


def autoreload(call):
    global _mode
    word = call.line.strip() or "now"
    modes = {"0": 0, "off": 0, "1": 1, "explicit": 1, "2": 2, "all": 2, "3": 2, "complete": 2}
    if word == "now":
        check("")
        return
    _mode = modes.get(word, 2)
    if _mode and check not in execute.before_cell:
        execute.before_cell.append(check)
    if not _mode and check in execute.before_cell:
        execute.before_cell.remove(check)
    _scan()


def _files():
    """Modules whose file is neither a library's nor the kernel's."""
    from . import errors

    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not path or name in ("__main__", "__mp_main__") or not path.endswith(".py") or errors.is_library(path):
            continue
        try:
            yield name, module, os.stat(path).st_mtime_ns
        except OSError:
            continue


def _scan():
    for name, _, time in _files():
        _times.setdefault(name, time)


def check(source):
    import importlib

    for name, module, time in _files():
        before = _times.get(name)
        _times[name] = time
        if before is None or before == time:
            continue
        old = dict(vars(module))
        try:
            importlib.reload(module)
        except Exception as e:
            print("[autoreload of %s failed: %s: %s]" % (name, type(e).__name__, e), file=sys.stderr)
            continue
        for key, value in list(state.ns.items()):
            attribute = getattr(value, "__name__", None)
            if isinstance(attribute, str) and old.get(attribute) is value and hasattr(module, attribute):
                if getattr(value, "__module__", None) == name:
                    state.ns[key] = getattr(module, attribute)
