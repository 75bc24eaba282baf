"""What the modules of the kernel share: one kernel is one process, so this is one module of plain variables."""

import builtins
import sys
import time

import _cellblock

from . import wire

started = time.time()  # of the zygote
main = None  # the module __main__, where cells live
ns = None  # its dictionary

seq = 0  # the EXEC frame that runs or ran last
count = 0  # number of the cell, from 1: what "<cell N>", In and Out count
index = 0  # display items of this execution so far
isolated = False  # does the code run in a sandbox?
scratch = None  # directory for files that are not the user's own

forked = False  # this process is a child that user code forked: the channel is not ours

clear_pending = False  # clear_output(wait=True): clear before the next output
at_end = []  # functions to call once when the cell has run, before its result (late updates of displays)
capture = None  # a list while %%capture collects what is displayed
error = None  # what the cell raised, until its result is made
waiting = []  # frames that arrived while an answer was awaited

In = [""]
Out = {}
sources = {}  # "<cell N>" -> its text, for tracebacks and inspect
transformed = {}  # "<cell N>" -> the Python it became, where that differs

builtins_kept = {}

IN_KEPT = 1000
OUT_KEPT = 100


def in_child():
    """After a fork by user code: the child must leave the channel alone."""
    global forked
    forked = True


def emit(mime, data):
    """Show one item at this place of the output."""
    global index
    if capture is not None:
        capture.append((mime, data))
        return
    if forked:
        if mime == "text/plain":
            sys.stdout.write(data + "\n")
        return
    flush_foreign()
    if clear_pending:
        do_clear()
    index += 1
    mark = index
    if type(data) is str and len(data) > wire.TEXT_MAX // 4:
        data = bound(data)
    try:
        _cellblock.send(wire.DISPLAY, seq, [(wire.INDEX, str(mark)), (wire.MIME, mime), (wire.DATA, data)])
    finally:  # a SIGINT in between must not part the item from its place
        _cellblock.mark(mark)


def emit_file(path):
    emit(wire.MIME_FILE, path)


def clear(wait=False):
    global clear_pending
    flush_foreign()
    if wait:
        clear_pending = True
    else:
        do_clear()


def do_clear():
    global clear_pending, index
    clear_pending = False
    if forked:
        return
    index += 1
    mark = index
    try:
        _cellblock.send(wire.CLEAR, seq, [(wire.INDEX, str(mark))])
    finally:
        _cellblock.mark(mark)


def flush_foreign():
    """Text that waits in a stream the user put in place of ours comes first."""
    out = getattr(sys, "stdout", None)
    if out is not stdout and out is not None:
        try:
            out.flush()
        except Exception:
            pass


def restore_builtins():
    """Builtins that a cell deleted, or made unusable; others may have been replaced on purpose."""
    have = builtins.__dict__
    if _cellblock.same(builtins_kept, have):
        return
    for name, value in builtins_kept.items():
        if name not in have or (callable(value) and not callable(have[name])):
            have[name] = value


def bound(text):
    """Text of at most TEXT_MAX bytes: what is longer loses its middle."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= wire.TEXT_MAX:
        return data
    half = wire.TEXT_MAX // 2 - 100
    note = "\n... %d bytes left out ...\n" % (len(data) - 2 * half)
    return data[:half] + note.encode() + data[-half:]


stdout = None  # the streams on 1 and 2, made by streams.py
stderr = None
