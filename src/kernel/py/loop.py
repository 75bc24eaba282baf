"""
Top-level await: one event loop for the life of the kernel. It runs while a cell awaits; tasks that a cell left behind
go on when a later cell awaits again. Between cells, and in cells without await, it stands still, so that
asyncio.run() works there as in a script.
"""

import asyncio
import sys
from types import TracebackType

_loop = None


def current():
    """The loop of the session, which asyncio.get_event_loop() finds from now on."""
    global _loop
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)
    return _loop


def run_code(code, ns):
    """Run compiled code, a coroutine or not, inside the loop; returns its value."""
    if _running():
        if code.co_flags & 0x80:
            raise RuntimeError("await is not possible here: this code already runs inside the event loop of the cell")
        return eval(code, ns)
    return _run(_body(code, ns))


def _running():
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _body(code, ns):
    value = eval(code, ns)
    if code.co_flags & 0x80:
        value = await value
    else:
        await asyncio.sleep(0)  # what it started takes its first step
    return value


def _run(coroutine):
    loop = current()
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except BaseException as e:
        if task.done():
            raise
        where = _where(task.get_coro())
        _cancel(loop, task)
        raise e.with_traceback(where)


def _cancel(loop, task):
    """The loop was interrupted while the cell waited: unwind the cell."""
    task.cancel()
    try:
        loop.run_until_complete(task)
    except (asyncio.CancelledError, Exception):
        pass


def _where(coroutine):
    """A traceback of the places where a coroutine, and what it awaits, stand still."""
    frames = []
    while getattr(coroutine, "cr_frame", None) is not None:
        frames.append(coroutine.cr_frame)
        coroutine = coroutine.cr_await
    tb = None
    for frame in reversed(frames):
        tb = TracebackType(tb, frame, frame.f_lasti, frame.f_lineno)
    return tb


def tidy():
    """
    After a cell: asyncio.run() left no current loop, so ours is the current one again. An abort may have left a loop
    that counts as running: it and its tasks are given up.
    """
    global _loop
    asyncio._set_running_loop(None)
    if _loop is None or _loop.is_closed():
        return
    if not _loop.is_running():
        asyncio.set_event_loop(_loop)
        return
    for task in asyncio.all_tasks(_loop):
        task._log_destroy_pending = False
    _loop._thread_id = None
    sys.set_asyncgen_hooks(None, None)
    _loop.close()
    _loop = None
