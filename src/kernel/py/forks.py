"""
At-fork hooks of the standard library that make its locks anew, as other threads may hold them. In a zygote there is no
other thread and none of them is held, so the fork of a kernel leaves them out: they would copy some sixty pages.
"""

import os
import sys

NEEDLESS = "threading", "logging", "concurrent.futures.thread", "matplotlib.font_manager"  # the last clears a cache

left_out = False  # from the end of the zygote's start until a kernel runs

_hooks = []  # of those modules
_register = os.register_at_fork


def watch():
    """From now on: what these modules register."""
    _register(before=_before, after_in_child=_in_child, after_in_parent=_in_parent)
    os.register_at_fork = _register_watched


def settle(alone):
    """Before the zygote's loop. alone: it has one thread, and its hooks have been run once."""
    global left_out
    os.register_at_fork = _register
    left_out = alone


def enter():
    """In a kernel: forks by its code run all hooks."""
    global left_out
    left_out = False


def _register_watched(**hooks):
    if sys._getframe(1).f_globals.get("__name__") in NEEDLESS:
        _hooks.append(hooks)
    else:
        _register(**hooks)


def _before():
    if not left_out:
        _run("before", reversed(_hooks))


def _in_child():
    if not left_out:
        _run("after_in_child", _hooks)


def _in_parent():
    if not left_out:
        _run("after_in_parent", _hooks)


def _run(when, hooks):
    for each in hooks:
        if when in each:
            each[when]()
