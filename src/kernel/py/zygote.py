"""The zygote in Python: imports and warms, then hands over to the loop in C, which returns in every kernel."""

import faulthandler
import gc
import os
import sys

import _cellblock

from . import forks

ZY_HELLO = 101
ZY_WARM = 102


def start(control, mode, preload):
    """Returns in each kernel, with what it has to know."""
    _cellblock.set_name("cellblock-zygote")
    try:
        os.setsid()  # a Ctrl-C in the server's terminal is the server's
    except OSError:
        pass  # the server did that already
    _cellblock.install_handlers()
    faulthandler.enable(2, False)  # in a kernel, 2 is the output: a crash shows where
    forks.watch()
    here = sys.path[:1] == [""]
    if here:
        del sys.path[0]  # a random.py of the user's is for the user's code
    random_state = 0
    cache = os.environ.pop("CELLBLOCK_WARM_CACHE", None)  # of isolated kernels' zygotes: warm.py
    if mode == "warm":
        from . import warm

        report, random_state = warm.warm(preload, cache)
        _cellblock.tell(control, ZY_WARM, 0, report)
    import fcntl  # noqa: F401  what every kernel and its first cell need: read and compiled once

    from . import console, main  # noqa: F401

    if here:
        sys.path.insert(0, "")
    if hasattr(main, "prepare"):
        main.prepare()
    hello = _hello()
    alone = hasattr(main, "rehearse") and main.rehearse()
    forks.settle(alone)
    if mode == "warm":
        warm.seal()
    else:
        gc.freeze()
    return _cellblock.zygote(control, hello, random_state)


def _hello():
    version = "%d.%d.%d" % sys.version_info[:3]
    return "\n".join((version, sys.executable or "", sys.prefix, sys.base_prefix, _site_packages(), _sites()))


def _site_packages():
    """Where packages get installed. From sys.path: sysconfig, which knows it better, takes longer to import."""
    for path in sys.path:
        if path.startswith(sys.prefix + "/") and path.endswith(("/site-packages", "/dist-packages")):
            return path
    return "%s/lib/python%d.%d/site-packages" % ((sys.prefix,) + sys.version_info[:2])


def _sites():
    """Where packages are, in the order of their search: what is installed for sessions has to go with it."""
    return ":".join(p for p in sys.path if p.endswith(("/site-packages", "/dist-packages")) and ":" not in p)


def enter_kernel(config):
    from . import main

    gc.enable()  # warming has switched it off
    try:
        main.run(config)
    finally:
        os._exit(0)
