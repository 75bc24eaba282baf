"""
Runs inside of the fetch sandbox, in its writable directory: resolves with uv or pip, fetches and unpacks wheels, or
fetches a source distribution. And inside of build sandboxes, where such a one is built (build.py).

What is said here about wheels holds for hostile ones: nothing of a package is run or imported, and what the program
itself decides from a wheel is a path below the directory that it unpacks to, never more. The sandbox is what holds if
that is wrong.
"""

import os
import sys

USAGE = "usage: resolve|unpack|source, with the file `job` in the current directory; or a step of build.py"


def run(arguments):
    """Does not return: threads that still wait for a dead server are not waited for."""
    status = 1
    try:
        sys.stdout.reconfigure(errors="backslashreplace")
        from .job import Job

        if arguments == ["resolve"]:
            from . import resolve

            status = resolve.run(Job())
        elif arguments == ["unpack"]:
            from . import fetch

            status = fetch.run(Job())
        elif arguments == ["source"]:
            from . import source

            status = source.run(Job())
        elif arguments and arguments[0] in ("describe", "ask", "build", "check"):
            from . import build

            build.STEPS[arguments[0]](*arguments[1:])
            status = 0
        else:
            print(USAGE, file=sys.stderr)
            status = 2
    except BaseException as error:
        from .problem import Problem

        if isinstance(error, Problem):
            print("error: %s" % error.reason, file=sys.stderr)
        elif isinstance(error, SystemExit):  # a setup.py's way to say it
            print(error.code, file=sys.stderr)
        else:
            import traceback

            traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(status)
