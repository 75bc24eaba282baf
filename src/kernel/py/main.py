"""The kernel's loop: take a frame, do it, answer. Imports only what the first print needs; the rest comes on demand."""

import builtins
import os
import sys
from _signal import SIGINT, default_int_handler, getsignal
from _signal import signal as set_signal

import _cellblock

from . import execute
from . import forks
from . import hooks
from . import state
from . import streams
from . import wire

REHEARSALS = 10  # since 3.11 code that has run so often is rewritten
TOUCH = "x = 1 + 1\nprint('', end='')\nx;"

_module_type = type(sys)


def run(config):
    """Serve until the server is gone. config: what the fork was told ({"nonce": ..., "home": ...})."""
    forks.enter()
    state.isolated = config["isolated"]
    if config.get("home"):
        settle(config["home"])
    streams.adopt()
    state.forked = False
    _cellblock.send(wire.READY, 0, [(wire.TEXT, "%d.%d.%d" % sys.version_info[:3])])
    if not _cellblock.pending():
        touch()
    while True:
        try:
            serve()
        except EOFError:
            os._exit(0)
        except BaseException as e:
            _report(e)


def settle(home):
    """In a sandbox without namespaces, where no directory has the same name as in the others."""
    os.environ["HOME"] = home + "/workspace"
    os.environ["TMPDIR"] = home + "/tmp"
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None


def prepare():
    """In the zygote, so that all kernels share it: the module __main__, builtins, hooks, environment."""
    main = _module_type("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    state.main = main
    state.ns = main.__dict__
    state.ns["In"] = state.In
    state.ns["Out"] = state.Out
    sys.argv = [""]
    if sys.path[:1] != [""] and not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, "")
    environment()
    _install_builtins()
    state.builtins_kept.update(builtins.__dict__)
    sys.displayhook = execute.displayhook
    sys.breakpointhook = _breakpoint
    os.register_at_fork(after_in_child=state.in_child)
    streams.open_all()


def rehearse():
    """
    The last in a zygote: what each kernel will do first. Then caches of types, rewritten bytecode and the addresses of
    library functions are there already, in memory that kernels share; each would copy a page for most of them.
    Returns whether it has one thread.
    """
    alone = _cellblock.rehearse_fork()
    state.forked = False
    for _ in range(REHEARSALS):
        _serve_exec(0, [(wire.CODE, TOUCH.encode())])
    forget()
    return alone


def environment():
    """Nothing may wait for a pager, open a window or think that it has a terminal."""
    env = os.environ
    for name in ("PAGER", "GIT_PAGER", "MANPAGER", "SYSTEMD_PAGER"):
        env[name] = "cat"
    env["MPLBACKEND"] = "Agg"
    env["GIT_TERMINAL_PROMPT"] = "0"
    env.setdefault("TERM", "dumb")
    env.pop("PYTHONUNBUFFERED", None)
    if sys.prefix != sys.base_prefix:
        activate(sys.prefix)


def activate(prefix):
    """Commands find the programs of the virtual environment first: `!python` is the Python that runs the cells."""
    env = os.environ
    paths = env.get("PATH", os.defpath).split(os.pathsep)
    folder = prefix + "/bin"
    if paths[0] != folder and os.path.isdir(folder):
        env["PATH"] = os.pathsep.join([folder] + paths)
    env["VIRTUAL_ENV"] = prefix
    if not os.path.exists(folder + "/pip"):  # another environment's pip, run by a shell, then installs into this one
        env["PIP_PYTHON"] = folder + "/python"


def serve():
    """One frame."""
    if state.waiting:
        kind, seq, fields = state.waiting.pop(0)
    else:
        kind, seq, fields = _cellblock.recv()
    if kind == wire.EXEC:
        _serve_exec(seq, fields)
    else:
        serve_other(kind, seq, fields)


def serve_other(kind, seq, fields):
    """Frames that are not code; also taken while code waits for an installation."""
    from . import packages

    packages.serve(kind, seq, fields)


def _serve_exec(seq, fields):
    """Run a cell. Exactly one RESULT is sent, whatever lands on us on the way."""
    result = None
    try:
        code = b""
        text = None
        for tag, data in fields:
            if tag == wire.CODE:
                code = data
            elif tag == wire.SCRATCH:
                state.scratch = data.decode("utf-8", "surrogateescape")
            elif tag == wire.STDIN:
                text = data
        state.seq = seq
        state.index = 0
        if text is not None:
            _cellblock.set_stdin(text)
            streams.open_stdin()
        result = execute.run(code.decode("utf-8", "surrogatepass"))
    except BaseException as e:
        result = _fallback(state.error or e)
    state.error = None
    if state.forked:
        _end_child(result)
    _cellblock.send(wire.RESULT, seq, result)
    _tidy(text is not None)


def _fallback(e):
    """Our own code failed or was hit while it built the result: a cell that replaced len or isinstance can do that."""
    builtins.__dict__.update(state.builtins_kept)
    try:
        return execute.errors_result(e)
    except BaseException:
        pass
    name = type(e).__name__
    status = "aborted" if isinstance(e, _cellblock.Abort) else "error"
    if isinstance(e, KeyboardInterrupt):
        status = "interrupted"
    try:
        text = "%s: %s" % (name, e)
    except BaseException:
        text = name
    return [(wire.STATUS, status), (wire.NAME, name), (wire.ERROR, text)]


def _end_child(result):
    """A process that user code forked ran to the end of the cell: it ends here, and the channel is its parent's."""
    status = 0
    for tag, data in result:
        if tag == wire.ERROR:
            state.stderr.write(data + "\n")
            status = 1
        elif tag == wire.EXITCODE:
            status = int(data) & 255
    os._exit(status)


def _tidy(had_stdin):
    """After the answer: what a cell may have broken for the next one."""
    try:
        streams.restore()
        if had_stdin:
            _cellblock.set_stdin(None)
            streams.open_stdin()
        state.restore_builtins()
        if state.ns.get("__builtins__") is not builtins:
            state.ns["__builtins__"] = builtins
        if sys.gettrace() is not None:
            sys.settrace(None)
        if sys.modules.get("__main__") is not state.main:
            sys.modules["__main__"] = state.main
        if getsignal(SIGINT) is not default_int_handler:
            set_signal(SIGINT, default_int_handler)
        sys.displayhook = execute.displayhook
        sys.excepthook = sys.__excepthook__
        if sys.getrecursionlimit() < 200:
            sys.setrecursionlimit(1000)
        if "asyncio" in sys.modules:
            _tidy_loop()
    except BaseException as e:
        builtins.__dict__.update(state.builtins_kept)
        _report(e)


def _tidy_loop():
    global _tidy_loop
    from .loop import tidy

    _tidy_loop = tidy  # as in execute.flush_figures
    tidy()


def _report(e):
    """A fault of our own that no result can tell: a line of the next output."""
    try:
        state.stderr.write("cellblock: after the code had run: %s: %s\n" % (type(e).__name__, e))
    except BaseException:
        pass


def _install_builtins():
    from .console import Quit, input_

    builtins.display = display
    builtins.get_ipython = get_ipython
    builtins.input = input_
    builtins.print = _cellblock.print_for(print)
    builtins.exit = Quit("exit")
    builtins.quit = Quit("quit")
    builtins._cellblock_magic = magic
    for function in (display, get_ipython):
        function.__module__ = "builtins"


def display(*objects, **options):
    """Show objects, each in the form that suits it: figures and images as images, tables as text.

    display_id=True returns a handle whose update() shows a new state; clear=True clears the output first.
    """
    from . import display as module

    return module.display(*objects, **options)


def get_ipython():
    """The object that notebook code expects: magics, the namespace, events."""
    from . import ipython_shim

    return ipython_shim.instance()


def magic(kind, *args):
    """What transform.py writes in place of a magic; takes the frame of the cell for its variables."""
    from . import magics

    return magics.call(kind, args, sys._getframe(1))


def _breakpoint(*args, **kwargs):
    from . import console

    return console.breakpoint_(sys._getframe(1), *args, **kwargs)


def touch():
    """In a kernel that waits: use once what the first cell will, so that its memory is copied from the zygote now."""
    try:
        execute.run(TOUCH)
        _tidy(False)
    except BaseException as e:
        _report(e)
    forget()


def forget():
    """Of the cells so far."""
    state.ns.pop("x", None)
    state.count = 0
    del state.In[1:]
    state.sources.clear()


def warm():
    """In a warm zygote: what a first cell needs is compiled, imported and tried here, before the fork."""
    namespace = {}
    for text in ("1+1", "print", "def f():\n    return 1", "for x in (1, 2):\n    y = x\ny;", "[x for x in range(3)]"):
        execute.run_source(text, "<cell 0>", namespace)
    from . import display as shown
    from . import errors

    shown.items([1, "a"])
    try:
        execute.run_source("f(1)", "<cell 0>", namespace)
    except TypeError as e:
        errors.text(e)
    state.transformed.clear()


# In the zygote: what it preloads is hooked there, once for all kernels.
hooks.install()
