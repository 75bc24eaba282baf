"""
What a failed cell tells: status, and a traceback of the user's own frames. Frames of the kernel are dropped, runs of
library frames become one line, deep recursion and huge messages are cut.
"""

import sys

import _cellblock

from . import state
from . import wire

TEXT_MAX = 24000  # of a whole traceback; a message that is longer loses its middle
FRAMES_MAX = 40


def result(error):
    """The fields of the RESULT frame for this exception."""
    if isinstance(error, SystemExit):
        return _exit(error)
    if isinstance(error, _cellblock.Abort):
        return [(wire.STATUS, "aborted"), (wire.ERROR, _safe_text(error)), (wire.NAME, "Abort")]
    status = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
    fields = [(wire.STATUS, status), (wire.ERROR, _safe_text(error)), (wire.NAME, type(error).__name__)]
    missing = _missing(error) if isinstance(error, ImportError) else None
    if missing:
        fields.append((wire.TEXT, missing))
    if isinstance(error, Exception):
        # For pdb.pm() and traceback.print_last(), as in a terminal.
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
        sys.last_exc = error
    return fields


# Many distributions share these. Python names no more than this part when all of it is missing.
SHARED = frozenset(("google", "google.cloud", "azure", "azure.storage", "opentelemetry"))


def _missing(error):
    """The module that was not found: of this error, or of the one that a library made this error from."""
    for e in (error, error.__cause__):
        if isinstance(e, ModuleNotFoundError) and isinstance(e.name, str):
            try:
                return _whole_name(e) if e.name in SHARED else e.name
            except Exception:
                return e.name
    return None


def _whole_name(error):
    """google.cloud.storage, where the code says so and Python only "google"."""
    import linecache
    import re

    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    line = linecache.getline(tb.tb_frame.f_code.co_filename, tb.tb_lineno) if tb is not None else ""
    m = re.search(r"(?:import|from)\s+(%s[\w.]*)(?:\s+import\s+\(?\s*(\w+))?" % re.escape(error.name), line)
    if m is None:
        return error.name
    name = m.group(1)
    return "%s.%s" % (name, m.group(2)) if name in SHARED and m.group(2) else name


def _exit(error):
    """SystemExit as the interpreter takes it: None is 0, a number itself, anything else is printed and 1."""
    code = error.code
    if code is None:
        code = 0
    elif not isinstance(code, int):
        try:
            state.stderr.write("%s\n" % (code,))
        except Exception:
            pass
        code = 1
    return [(wire.STATUS, "exit"), (wire.EXITCODE, str(int(code) & 0xFF)), (wire.NAME, "SystemExit")]


def _safe_text(error):
    """The traceback; something shorter where memory or the stack does not suffice."""
    limit = sys.getrecursionlimit()
    try:
        if limit < 300:
            sys.setrecursionlimit(1000)
        return text(error) + _limit(error)
    except BaseException:
        try:
            return "%s: %s" % (type(error).__name__, error)
        except BaseException:
            return type(error).__name__


def _limit(error):
    if not state.isolated:
        return ""
    try:
        from . import limits

        told = limits.hint(error)
        return told + "\n" if told else ""
    except Exception:
        return ""


def text(error):
    """The whole traceback as it is shown."""
    import traceback

    if isinstance(error, _cellblock.Abort):
        where = _cut(error.__traceback__)
        te = traceback.TracebackException(type(error), error, where)
        _clean(te, set())
        return "".join(te.stack.format()) + "the code was stopped\n"
    tb = error.__traceback__
    if isinstance(error, SyntaxError) and _no_frames(tb):
        _fill_syntax(error)
        tb = None
    options = {}
    if sys.version_info >= (3, 10):
        options["compact"] = True
    te = traceback.TracebackException(type(error), error, _cut(tb), **options)
    _clean(te, set())
    if te.stack is not None and not len(te.stack):
        lines = list(te.format_exception_only())
        if te.__cause__ is not None or te.__context__ is not None or getattr(te, "exceptions", None):
            lines = list(te.format())
    else:
        lines = list(te.format())
    out = "".join(lines)
    return _bounded(out)


def _bounded(out):
    if len(out) <= TEXT_MAX:
        return out
    head = TEXT_MAX // 3
    tail = TEXT_MAX - head
    return "%s\n... %d characters left out ...\n%s" % (out[:head], len(out) - head - tail, out[-tail:])


def _no_frames(tb):
    """True when the traceback has only frames of the kernel: the cell itself did not compile."""
    while tb is not None:
        if not is_ours(tb.tb_frame.f_code.co_filename):
            return False
        tb = tb.tb_next
    return True


def _cut(tb):
    """Leave out the kernel's frames at the top, and the middle of a very deep stack."""
    while tb is not None and is_ours(tb.tb_frame.f_code.co_filename):
        tb = tb.tb_next
    parts = []
    t = tb
    while t is not None:
        parts.append(t)
        t = t.tb_next
    if len(parts) <= 3000:
        return tb
    new = None
    for t in reversed(parts[:1500] + parts[-1500:]):
        new = type(t)(new, t.tb_frame, t.tb_lasti, t.tb_lineno)
    return new


def _fill_syntax(error):
    """The line as the user wrote it, also where the compiler gave none or a magic was rewritten."""
    source = state.sources.get(error.filename)
    if source is None or not error.lineno:
        return
    lines = source.split("\n")
    if not 0 < error.lineno <= len(lines):
        return
    line = lines[error.lineno - 1] + "\n"
    if error.text is None or (error.filename in state.transformed and error.text.strip() != line.strip()):
        error.text = line
        if error.offset is None or error.offset > len(line):
            error.offset = 1
        if hasattr(error, "end_offset"):
            error.end_offset = error.offset


def is_ours(filename):
    return filename.startswith("<cellblock>")


_prefixes = None


def is_library(filename):
    """Neither a cell nor a file that the user may have written."""
    global _prefixes
    if filename in state.sources:
        return False
    if filename.startswith("<"):
        return not filename.startswith("<cell ")
    if filename.endswith((".pyx", ".pxi", ".pxd")) and not filename.startswith("/"):
        return True  # of a compiled module
    if _prefixes is None:
        import os

        here = os.__file__ or ""
        _prefixes = tuple({os.path.dirname(here) + os.sep, os.path.dirname(os.path.realpath(here)) + os.sep})
    return filename.startswith(_prefixes) or "/site-packages/" in filename or "/dist-packages/" in filename


def _clean(te, seen):
    """Rewrite the stacks of an exception and of all that belong to it."""
    import traceback

    if te is None or id(te) in seen:
        return
    seen.add(id(te))
    if te.stack is not None:
        te.stack = _stack_class(traceback)(_frames(te.stack))
    for name in ("__cause__", "__context__"):
        other = getattr(te, name)
        _clean(other, seen)
        if other is not None and other.stack is not None and not any(not isinstance(f, str) for f in other.stack):
            if list(other.format_exception_only()) == list(te.format_exception_only()):
                setattr(te, name, None)  # a library raised the same again
            else:
                _drop_stack(other)
    for other in getattr(te, "exceptions", None) or ():
        _clean(other, seen)


def _drop_stack(te):
    """Raised and caught within libraries: its message is enough."""
    if sys.version_info < (3, 10):
        te.stack = _stack_class(sys.modules["traceback"])()
        te.exc_traceback = None
    else:
        te.stack = None


def _frames(stack):
    """Frames of the user, and strings for runs of library frames."""
    out = []
    run = []
    for frame in stack:
        if is_ours(frame.filename):
            continue
        if is_library(frame.filename):
            run.append(frame)
            continue
        if run:
            out.append(_library_line(run))
            run = []
        _hide_columns(frame)
        out.append(frame)
    if run:
        out.append(_library_line(run))
    return out


def _hide_columns(frame):
    """Columns of a rewritten line point into text that is not shown."""
    text = state.transformed.get(frame.filename)
    source = state.sources.get(frame.filename)
    if text is None or source is None or not hasattr(frame, "colno") or not frame.lineno:
        return
    old, new = source.split("\n"), text.split("\n")
    if frame.lineno > len(old) or frame.lineno > len(new) or old[frame.lineno - 1] != new[frame.lineno - 1]:
        frame.colno = frame.end_colno = None


def _library_line(run):
    frame = run[-1]
    name = frame.filename
    for part in ("/site-packages/", "/dist-packages/"):
        _, found, rest = name.rpartition(part)
        if found:
            name = rest
    for prefix in _prefixes or ():
        if name.startswith(prefix):
            name = name[len(prefix) :]
    more = "" if len(run) == 1 else "%d frames, the last: " % len(run)
    return '  [library: %s"%s", line %s, in %s]\n' % (more, name, frame.lineno, frame.name)


_class = None


def _stack_class(traceback):
    """A StackSummary whose format() knows our strings and leaves out the middle of a deep stack."""
    global _class
    if _class is not None:
        return _class

    class Stack(traceback.StackSummary):
        def format(self, **options):
            items = _compress(list(self))
            out = []
            run = []
            for item in items:
                if isinstance(item, str):
                    out += _format_run(run, options)
                    run = []
                    out.append(item)
                else:
                    run.append(item)
            return out + _format_run(run, options)

    def _format_run(run, options):
        if not run:
            return []
        return traceback.StackSummary.format(traceback.StackSummary.from_list(run), **options)

    _class = Stack
    return Stack


def _key(item):
    return item if isinstance(item, str) else (item.filename, item.lineno, item.name)


def _compress(items):
    """Cut a recursion: a repeated cycle of up to 8 frames is shown once, and what is still long loses its middle."""
    if len(items) < 10:
        return items
    out = []
    i = 0
    while i < len(items):
        for period in range(1, 9):
            cycle = [_key(x) for x in items[i : i + period]]
            n = 1
            while [_key(x) for x in items[i + n * period : i + (n + 1) * period]] == cycle:
                n += 1
            if n > 3:
                out += items[i : i + period]
                what = "line" if period == 1 else "%d frames" % period
                out.append("  [Previous %s repeated %d more times]\n" % (what, n - 1))
                i += n * period
                break
        else:
            out.append(items[i])
            i += 1
    if len(out) > FRAMES_MAX:
        half = FRAMES_MAX // 2
        out = out[:half] + ["  [%d frames left out]\n" % (len(out) - 2 * half)] + out[-half:]
    return out
