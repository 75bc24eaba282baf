"""
Runs one cell: parse, compile, exec, show the last expression's value, figures, and what the RESULT frame says.

The common case is plain Python that parses: one parse, one or two compiles, no tokenizer. Only a cell that is no
Python is given to transform.py.
"""

import sys
from _ast import AnnAssign, Assign, AugAssign, Expr, Expression, Load, Module, Name

from _cellblock import run as run_in_cell

from . import state
from . import wire

ONLY_AST = 0x400
TOP_LEVEL_AWAIT = 0x2000
CO_COROUTINE = 0x80

OK = [(wire.STATUS, "ok")]
SIMPLE = frozenset((int, float, bool, complex, str))
SOURCES_KEPT = 500
SHORT = 200  # characters

future_flags = 0  # of every `from __future__ import` so far: they hold for later cells, as in a terminal
interactivity = "last_expr"  # or all, last, none, last_expr_or_assign: which expressions of a cell are shown
before_cell = []  # functions to call before a cell: (source)
after_cell = []  # ... and after it, with the cell's exception or None


def run(source):
    """Run it all; returns the fields of the RESULT frame."""
    if "\r" in source:
        source = source.replace("\r\n", "\n").replace("\r", "\n")
    if source[:1] == "\ufeff":
        source = source[1:]
    state.count = n = state.count + 1
    filename = "<cell %d>" % n
    remember(filename, source, n)
    state.error = guarded(run_cell, source, filename)
    if state.error is None:
        return OK
    return _failed(state.error)


def guarded(function, *args):
    """Call it as user code: signals are for it. Returns what it raised, or None."""
    try:
        run_in_cell(function, *args)
    except BaseException as e:
        return e
    return None


def run_cell(source, filename):
    if before_cell:
        for function in list(before_cell):
            function(source)
    if "# /// script" in source:
        from . import script

        script.prepare(source, filename)
    state.ns.pop("__warningregistry__", None)  # else line 1 of this cell is the same place as line 1 of an earlier one
    value = run_source(source, filename, state.ns)
    if value is not None:
        show(value)
    finish(None)


def finish(error):
    """What follows a cell: open figures, late updates of displays, callbacks."""
    if "matplotlib.pyplot" in sys.modules:
        flush_figures(error)
    if state.at_end:
        todo = state.at_end[:]
        del state.at_end[:]
        for function in todo:
            function()
    if after_cell:
        for function in list(after_cell):
            function(error)
    state.flush_foreign()


def flush_figures(error):
    global flush_figures
    from .figures import flush

    flush_figures = flush  # an import that finds what it looks for takes longer than to see that there is no figure
    flush(error)


def _failed(error):
    """The cell raised: what is still to be shown, and the fields of the RESULT."""
    state.restore_builtins()
    if isinstance(error, Exception) or isinstance(error, SystemExit):
        late = guarded(finish, error)
        if late is not None and not isinstance(late, Exception):
            error = late
    else:
        del state.at_end[:]
        if "matplotlib.pyplot" in sys.modules:
            from . import figures

            guarded(figures.flush, error)
    return errors_result(error)


def errors_result(error):
    from . import errors

    return errors.result(error)


def remember(filename, source, n):
    """Keep the text for tracebacks, inspect and In."""
    sources = state.sources
    sources[filename] = source
    linecache = sys.modules.get("linecache")
    if linecache is not None:
        linecache.cache[filename] = (len(source), None, [s + "\n" for s in source.split("\n")], filename)
    if n > SOURCES_KEPT:
        old = "<cell %d>" % (n - SOURCES_KEPT)
        sources.pop(old, None)
        state.transformed.pop(old, None)
        if linecache is not None:
            linecache.cache.pop(old, None)
    In = state.In
    In.append(source)
    if n > state.IN_KEPT:
        In[n - state.IN_KEPT] = ""


def fill_linecache(linecache):
    """linecache has been imported: give it the cells so far."""
    for filename, source in state.sources.items():
        linecache.cache[filename] = (len(source), None, [s + "\n" for s in source.split("\n")], filename)


def parse(source, filename):
    """The tree of a cell, and the Python text that it is the tree of."""
    flags = ONLY_AST | TOP_LEVEL_AWAIT | future_flags
    try:
        return compile(source, filename, "exec", flags, True), source
    except SyntaxError:
        from . import transform

        text = transform.transform(source)
        if text == source:
            raise
    state.transformed[filename] = text
    return compile(text, filename, "exec", flags, True), text


def run_source(source, filename, ns):
    """Run a cell's text in ns; returns the value to show, or None."""
    global future_flags
    if len(source) < SHORT and "\n" not in source and interactivity == "last_expr":
        code = short_expression(source, filename)
        if code is not None:
            return run_code(code, ns, "asyncio" in sys.modules and _wants_loop(source))
    tree, text = parse(source, filename)
    body = tree.body
    if not body:
        return None
    if "__future__" in text:
        future_flags |= _future_of(tree, filename)
    in_loop = "asyncio" in sys.modules and _wants_loop(text)
    if "get_event_loop(" in text:
        from . import loop

        loop.current()
    if interactivity != "last_expr":
        return _run_nodes(tree, text, filename, ns, in_loop)
    last = body[-1]
    if type(last) is not Expr:
        run_code(compile(tree, filename, "exec", TOP_LEVEL_AWAIT | future_flags, True), ns, in_loop)
        return None
    body.pop()
    if body:
        run_code(compile(tree, filename, "exec", TOP_LEVEL_AWAIT | future_flags, True), ns, in_loop)
    code = compile(Expression(last.value), filename, "eval", TOP_LEVEL_AWAIT | future_flags, True)
    value = run_code(code, ns, in_loop)
    if value is not None and ";" in text and ends_quiet(text, last):
        return None
    return value


def short_expression(source, filename):
    """
    The code of a cell that is one expression on one line, like `print(x)` or `df.head()`; None when it may be
    something else. It is compiled at once: a tree of Python objects in between doubles the time. Only where nothing is
    lost by a vain attempt: not what looks like a statement, and no backslash, which can bring a warning each time.
    """
    head = source.partition("(")[0]
    if " " in head or "=" in head or ";" in source or "\\" in source or "get_event_loop(" in source:
        return None
    try:
        return compile(source, filename, "eval", TOP_LEVEL_AWAIT | future_flags, True)
    except Exception:
        return None


def run_code(code, ns, in_loop=False):
    if code.co_flags & CO_COROUTINE or in_loop:
        from . import loop

        return loop.run_code(code, ns)
    return eval(code, ns)


def _run_nodes(tree, text, filename, ns, in_loop):
    """As run_source, for an interactivity that was set to something else than the default."""
    body = tree.body
    mode = interactivity
    if mode == "last_expr_or_assign" and isinstance(body[-1], (Assign, AnnAssign, AugAssign)):
        target = body[-1].targets[0] if isinstance(body[-1], Assign) else body[-1].target
        if isinstance(target, Name):
            node = Name(target.id, Load(), lineno=target.lineno, col_offset=target.col_offset)
            node.end_lineno, node.end_col_offset = body[-1].end_lineno, body[-1].end_col_offset
            shown = Expr(node, lineno=target.lineno, col_offset=target.col_offset)
            shown.end_lineno, shown.end_col_offset = node.end_lineno, node.end_col_offset
            body.append(shown)
    value = None
    for i, node in enumerate(body):
        is_last = i == len(body) - 1
        if type(node) is Expr and mode != "none" and (is_last or mode == "all"):
            code = compile(Expression(node.value), filename, "eval", TOP_LEVEL_AWAIT | future_flags, True)
            value = run_code(code, ns, in_loop)
            if ends_quiet(text, node, body[i + 1] if not is_last else None):
                value = None
            if not is_last and value is not None:
                show(value)
        else:
            value = None
            code = compile(Module([node], []), filename, "exec", TOP_LEVEL_AWAIT | future_flags, True)
            run_code(code, ns, in_loop)
    return value


def _future_of(tree, filename):
    """Flags of the `from __future__ import` lines of a tree."""
    import __future__

    code = compile(tree, filename, "exec", TOP_LEVEL_AWAIT | future_flags, True)
    flags = 0
    for name in __future__.all_feature_names:
        flags |= getattr(__future__, name).compiler_flag
    return code.co_flags & flags


def _wants_loop(text):
    """Does plain code start tasks, as it can in a notebook, where the loop always runs?"""
    if "create_task(" not in text and "ensure_future(" not in text and "get_running_loop(" not in text:
        return False
    return ".run(" not in text and "run_until_complete(" not in text and "Runner(" not in text


def ends_quiet(text, node, following=None):
    """Is this expression followed by a semicolon, as in `plt.plot(x);`?"""
    lines = text.encode("utf-8", "surrogatepass").split(b"\n")
    rest = lines[node.end_lineno - 1 :]
    rest[0] = rest[0][node.end_col_offset :]
    if following is not None:
        rest = rest[: following.lineno - node.end_lineno + 1]
        if following.lineno == node.end_lineno:
            return True
        rest.pop()
    for line in rest:  # only brackets, semicolons and comments can be left
        if b";" in line.split(b"#", 1)[0]:
            return True
    return False


def show(value):
    """The value of an expression of the cell: through sys.displayhook, as in a terminal."""
    hook = sys.displayhook
    if hook is displayhook or hook is None:
        displayhook(value)
    else:
        hook(value)


def displayhook(value):
    if value is None:
        return
    keep_value(value)
    if type(value) in SIMPLE:
        state.emit("text/plain", repr(value))
        return
    from . import display

    display.show_value(value)


_last = [None, None, None]  # what _, __ and ___ were set to: a user's own _ is left alone


def keep_value(value):
    ns = state.ns
    n = state.count
    Out = state.Out
    if value is Out:
        return
    Out[n] = value
    ns["_%d" % n] = value
    if len(Out) > state.OUT_KEPT:
        for old in sorted(Out)[: len(Out) - state.OUT_KEPT]:
            del Out[old]
            ns.pop("_%d" % old, None)
    names = ("_", "__", "___")
    for name, mine in zip(names, _last):
        if name in ns and ns[name] is not mine:
            return
    _last[:] = [value] + _last[:2]
    for name, mine in zip(names, _last):
        ns[name] = mine
