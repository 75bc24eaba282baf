"""What asks a person at a terminal: input, getpass, exit, the debugger. There is nobody here: stdin is given or not."""

import sys

NO_STDIN = "no input: pass the `stdin` argument with the lines that the code reads"


def input_(prompt="", /):
    """Read a line from standard input: from the `stdin` argument of this execution."""
    out = sys.stdout
    if prompt is not None and str(prompt) and out is not None:
        out.write(str(prompt))
        out.flush()
    stream = sys.stdin
    if stream is None:
        raise RuntimeError("input(): lost sys.stdin")
    line = stream.readline()
    if not line:
        raise EOFError(NO_STDIN)
    return line[:-1] if line.endswith("\n") else line


input_.__name__ = input_.__qualname__ = "input"
input_.__module__ = "builtins"


class Quit:
    """exit and quit: end the cell, as sys.exit does, and leave the streams alone."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return "Use %s() to end the code here; variables are kept" % self.name

    def __call__(self, code=None):
        raise SystemExit(code)


def hook_getpass(module):
    """getpass has been imported."""

    def getpass(prompt="Password: ", stream=None, *, echo_char=None):
        try:
            return input_(prompt)
        except EOFError:
            raise EOFError(NO_STDIN) from None

    module.getpass = module.unix_getpass = module.fallback_getpass = getpass


def hook_pdb(module):
    """pdb has been imported: without lines to read, a breakpoint is passed by."""
    original = module.set_trace

    def set_trace(*args, **kwargs):
        if not _has_input():
            return _skipped(sys._getframe(1), "pdb.set_trace()")
        module.Pdb(**_pdb_options()).set_trace(sys._getframe(1))

    set_trace.__doc__ = original.__doc__
    module.set_trace = set_trace

    run = module.Pdb.interaction

    def interaction(self, *args, **kwargs):
        if not _has_input():
            print("the debugger has nothing to read (%s)" % NO_STDIN)
            self.set_quit()
            return None
        return run(self, *args, **kwargs)

    module.Pdb.interaction = interaction


def _pdb_options():
    return {"nosigint": True}


def breakpoint_(frame, *args, **kwargs):
    """sys.breakpointhook."""
    if not _has_input():
        return _skipped(frame, "breakpoint()")
    import pdb

    pdb.Pdb(**_pdb_options()).set_trace(frame)


def _has_input():
    stream = sys.stdin
    try:
        return bool(stream.buffer.peek(1))
    except (AttributeError, ValueError, OSError):
        return False


def _skipped(frame, what):
    while frame is not None and frame.f_code.co_filename.startswith("<cellblock>"):
        frame = frame.f_back
    where = "%s:%d" % (frame.f_code.co_filename, frame.f_lineno) if frame is not None else "?"
    print("%s at %s passed by: the debugger has nothing to read (%s)" % (what, where, NO_STDIN))
