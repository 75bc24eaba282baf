"""
Installing from code: subprocess.run([sys.executable, "-m", "pip", "install", ...]), os.system("pip install ..."),
pip.main([...]). What programs and models write, and what could not work here: a sandbox has no network, and the
interpreter's own pip would not install where sessions look. They go the way of %pip.

Every kernel has this from its start: what it needs is imported when there is something to install.
"""

import os
import sys

from . import state

SAID_MAX = 100000  # an argument of a program is 128 KiB at most
_repeat = 'printf %s "$1"; printf %s "$2" >&2; exit "$3"'
_tools = ("pip", "uv", "conda", "mamba")


def hook_subprocess(module):
    real = module.Popen.__init__

    def __init__(self, args, *others, **named):
        command = None if others else _installation(args, named.get("shell", False))
        if command is None:
            return real(self, args, *others, **named)
        status, said, complained = _run(command)
        repeated = ["/bin/sh", "-c", _repeat, "pip", said, complained, str(status)]
        real(self, repeated, **dict(named, shell=False, executable=None))
        self.args = args

    __init__.__doc__ = real.__doc__
    __init__.__wrapped__ = real  # for inspect.signature
    module.Popen.__init__ = __init__


def hook_os(module):
    real = module.system

    def system(command):
        install = _installation(command, True)
        return real(command) if install is None else _do(install) << 8

    system.__doc__ = real.__doc__
    module.system = system


def hook_pip(module):
    """pip.main, pip._internal.main: long gone from pip's documentation, not from programs."""
    real = module.main

    def main(args=None):
        install = _installation(["pip"] + list(args or ()), False)
        return real(args) if install is None else _do(install)

    module.main = main


def _installation(args, shell):
    """The command, if it installs packages for this interpreter and can be answered; else None."""
    try:
        if isinstance(args, (str, bytes)):
            text = os.fsdecode(args) if shell else ""
        else:
            text = "" if shell else " ".join([os.fsdecode(arg) for arg in args])
        if "install" not in text or not any(tool in text for tool in _tools) or "\n" in text:
            return None
        return _checked(text if shell else args, shell)
    except (TypeError, ValueError):  # not what Popen takes, or quotes that do not end: its own affair
        return None


def _checked(args, shell):
    import shlex
    import threading

    from . import pip

    if state.forked or threading.current_thread() is not threading.main_thread():
        return None
    command = args if shell else " ".join([shlex.quote(os.fsdecode(arg)) for arg in args])
    if not pip.handles(command):
        return None
    words = shlex.split(command)
    return command if "install" in words and _is_ours(words) and (state.isolated or pip.is_plain(words)) else None


def _is_ours(words):
    """Does it mean this interpreter, not one that the program has made or found?"""
    tool = next((word for word in words if word != "sudo" and not word.startswith("-")), "")
    if "/" not in tool or tool == sys.executable:
        return True
    folder, name = os.path.split(tool)
    return folder == os.path.dirname(sys.executable) and name.startswith(("pip", "python"))


def _do(command):
    from . import pip

    return pip.command(command, None)


def _run(command):
    """The exit status, and what was said to standard output and standard error."""
    import io

    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    try:
        status = _do(command)
        return status, sys.stdout.getvalue()[:SAID_MAX], sys.stderr.getvalue()[:SAID_MAX]
    finally:
        sys.stdout, sys.stderr = kept
