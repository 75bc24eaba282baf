"""Magics that set something in a notebook: most have no effect here, and none does harm."""

import sys

from . import execute


def quiet(call):
    """Nothing to do."""


def matplotlib(call):
    """Figures are shown as images, whatever backend is named."""
    words = call.line.split()
    if words[:1] in (["-l"], ["--list"]):
        print("Available matplotlib backends: ['agg', 'inline']")
    elif words and words[0].strip(";,") in ("qt", "qt5", "qt6", "tk", "gtk", "gtk3", "wx", "osx", "widget", "ipympl"):
        print("(no windows here: figures are shown as images)")


def pylab(call):
    call.run(
        "import numpy\nimport matplotlib\nfrom matplotlib import pylab, mlab, pyplot\nnp = numpy\nplt = pyplot\n"
        "from pylab import *\nfrom numpy import *\n"
    )


def config(call):
    """InteractiveShell.ast_node_interactivity is heeded; the rest sets how a notebook looks."""
    name, _, value = call.line.partition("=")
    if name.strip().endswith(".ast_node_interactivity"):
        set_interactivity(value.strip().strip("\"'"))


def set_interactivity(value):
    if value in ("all", "last", "last_expr", "none", "last_expr_or_assign"):
        execute.interactivity = value


def precision(call):
    """%precision 3 or %precision %.3f: digits of floats, for numpy."""
    text = call.line.strip()
    numpy = sys.modules.get("numpy")
    if text.isdigit() and numpy is not None:
        numpy.set_printoptions(precision=int(text))


def load_ext(call):
    """Extensions that exist are loaded; one that does not load costs a line."""
    for name in call.line.split():
        if name in ("autoreload", "storemagic"):
            continue
        try:
            from . import ipython_shim

            ipython_shim.load_extension(name)
        except Exception as e:
            from . import magics

            said = magics.HINTS.get(name.rpartition(".")[2].lower())
            if said is None:
                said = "%s: %s" % (type(e).__name__, str(e).split("\n")[0][:200])
            print("%%load_ext %s has no effect: %s" % (name, said), file=sys.stderr)


def html(call):
    from . import display, state

    for mime, data in display.html_items(call.body, "HTML"):
        state.emit(mime, data)


def markdown(call):
    from . import state

    state.emit("text/plain", call.body.strip("\n"))


def svg(call):
    from . import media, state

    for mime, data in media.svg_items(call.body, "SVG"):
        state.emit(mime, data)


def javascript(call):
    print("(JavaScript was not run: there is no browser)")
