"""
sys.stdin, sys.stdout and sys.stderr of a kernel. stdout and stderr share one pipe and hold nothing back: each write
of a program is one write(2), so that what subprocesses and C code write comes in its true order.
"""

import io
import os
import sys

import _cellblock

from . import state

_base_write = io.FileIO.write


class Output(io.FileIO):
    """The raw end of sys.stdout or sys.stderr. It cannot be closed: code that closes sys.stdout only loses its text."""

    def write(self, data):
        if state.clear_pending and not state.forked:
            state.do_clear()
        try:
            done = _base_write(self, data)
        except OSError as e:
            done = _recover(self, e, data)
        size = len(data) if type(data) is bytes else memoryview(data).nbytes
        if done == size:
            return done
        return _write_rest(self, data, done)

    def close(self):
        pass


def _recover(stream, error, data):
    """Code closed descriptor 1 or 2: bring it back and write again."""
    if not restore_fds():
        raise error
    return _base_write(stream, data)


def _write_rest(stream, data, done):
    """A signal cut the write short, or user code made the pipe non-blocking."""
    view = memoryview(data).cast("B")
    done = done or 0
    while done < len(view):
        n = _base_write(stream, view[done:])
        if n is None:
            import select

            select.select([], [stream.fileno()], [], 1)
        else:
            done += n
    return done


_saved = None  # descriptor of the pipe that user code does not know
_saved_id = None


def open_all():
    """In the zygote: they only know the numbers of descriptors, behind which each kernel has files of its own."""
    _open_output()
    open_stdin()


def adopt():
    """In a kernel: 1 is its pipe now."""
    global _saved, _saved_id
    import fcntl

    try:
        _saved = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 901)
    except OSError:  # a small limit of open files: as in ext/kernel.c
        _saved = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 20)
    _saved_id = _identity(_saved)
    if state.stdout.seekable():  # so was what the zygote had there, and the stream remembers it
        _open_output()


def _open_output():
    state.stdout = sys.stdout = sys.__stdout__ = _text(1, "<stdout>")
    state.stderr = sys.stderr = sys.__stderr__ = _text(2, "<stderr>")
    _cellblock.print_to(state.stdout)


def _text(fd, name):
    raw = Output(fd, "wb", closefd=False)
    raw.name = name
    stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
    stream.mode = "w"
    return stream


def open_stdin():
    """A fresh sys.stdin on descriptor 0, whatever was read from the old one."""
    raw = io.FileIO(0, "rb", closefd=False)
    raw.name = "<stdin>"
    stream = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", errors="surrogateescape")
    stream.mode = "r"
    sys.stdin = sys.__stdin__ = stream
    global stdin
    stdin = stream


stdin = None


def _identity(fd):
    st = os.fstat(fd)
    return st.st_dev, st.st_ino


def restore_fds():
    """Put the pipe back on 1 and 2 where code closed or redirected them. True when something was done."""
    if _cellblock.streams_intact() or _saved is None:  # None: in a zygote
        return False
    done = False
    for fd in (1, 2):
        try:
            if _identity(fd) == _saved_id:
                continue
        except OSError:
            pass
        os.dup2(_saved, fd)
        done = True
    return done


def restore():
    """After a cell: the streams are ours again, and open."""
    sys.stdout = state.stdout
    sys.stderr = state.stderr
    sys.stdin = stdin
    sys.__stdout__ = state.stdout
    sys.__stderr__ = state.stderr
    try:
        state.stdout.closed
        state.stderr.closed
    except ValueError:  # detached
        _open_output()
    if stdin.closed:
        open_stdin()
    restore_fds()
