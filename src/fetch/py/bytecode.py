"""
Bytecode, compiled once here instead of by every session: a session cannot write it, its packages are read-only.

The files say that they need not be compared with their source (PEP 552), because the store's sources never change.
Compiling runs nothing of a package, but a hostile source can make the compiler crash or work for ever: it is done in
worker processes (workers.py), and a file that ends one is left uncompiled.
"""

import importlib.util
import marshal
import re
import sys

# Measured with numpy 2.4 and pandas 3.1: all of it compiled takes 4.3 s of processor time, without the tests 1.5 s
# (0.5 s are for unpacking) and 37 MB less. Of the source of 144 widely used packages 29 % is tests (pyarrow 83 %,
# scipy 41 %). Nobody imports them outside of test runs, where compiling them in memory does no harm.
_never = re.compile(r"(?:^|/)tests?/")
SOURCE_MAX = 8 << 20  # generated tables, mostly data; a larger one would hold the memory of a worker


def wanted(path, size, site):
    if not path.endswith(".py") or not path.startswith(site + "/") or size > SOURCE_MAX:
        return False
    if len(path.rpartition("/")[2].encode()) > 200:
        return False  # with the tag the name would be too long
    return not _never.search(path[len(site) + 1 :])


def path_of(path):
    """The path of the bytecode of a source, both below the prefix."""
    folder, _, name = path.rpartition("/")
    return "%s/__pycache__/%s.%s.pyc" % (folder, name[:-3], sys.implementation.cache_tag)


def compiled(source, path):
    """The content of a .pyc; path: the source's, as a session will see it. None: it does not compile."""
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, LookupError):
        return None  # a template, or for another version of Python
    return (
        importlib.util.MAGIC_NUMBER
        + (0b01).to_bytes(4, "little")  # by hash, which is not looked at
        + importlib.util.source_hash(source)
        + marshal.dumps(code)
    )
