"""
multiprocessing with functions and classes of cells. fork needs nothing. A child of spawn or forkserver starts as a new
Python, which would import the main file of a script; here that file is made of the cells: imports, functions, classes
and constants, no other statement, so nothing is run twice and `if __name__ == "__main__":` needs no guard against it.
Other variables that the functions use are handed over pickled, where they can be.
"""

import os

from . import state

VALUE_MAX = 64 << 20  # of all variables that are handed over
FILES_KEPT = 4  # a child may still be on its way to an older one
_made = []  # (number of the cell, path): one file for all children of a cell, the latest first
_serial = 0

HEAD = '''\
"""What the cells of the session define, for the processes that they start."""


def _load(cells, values):
    import ast
    import linecache
    import pickle

    names = globals()
    late = []
    for filename, source, wanted in cells:
        lines = [line + "\\n" for line in source.split("\\n")]
        linecache.cache[filename] = (len(source), None, lines, filename)
        body = ast.parse(source, filename).body
        for i in wanted:
            code = compile(ast.Module([body[i]], []), filename, "exec", FLAGS, True)
            try:
                exec(code, names)
            except Exception:
                late.append(code)
    for name, data in values:
        try:
            names[name] = pickle.loads(data)
        except Exception:
            pass
    for code in late:  # a default or a decorator that needed one of the values
        try:
            exec(code, names)
        except Exception:
            pass


'''


def hook_spawn(module):
    """multiprocessing.spawn has been imported."""
    original = module.get_preparation_data

    def get_preparation_data(name):
        data = original(name)
        import sys

        if not state.forked and sys.modules.get("__main__") is state.main:
            path = main_file()
            if path is not None:
                data["init_main_from_path"] = path
                data.pop("init_main_from_name", None)
        return data

    get_preparation_data.__doc__ = original.__doc__
    module.get_preparation_data = get_preparation_data


def main_file():
    """Path of a file with the definitions of the cells so far; None when there is no place for it."""
    global _serial
    if _made and _made[0][0] == state.count and os.path.exists(_made[0][1]):
        return _made[0][1]
    if not state.scratch:
        return None
    cells, defined = _definitions()
    from . import execute

    text = [HEAD.replace("FLAGS", str(execute.future_flags)), "_load(\n    [\n"]
    text += ["        (%r, %r, %r),\n" % cell for cell in cells]
    text += ["    ],\n    [\n"]
    text += ["        (%r, %r),\n" % pair for pair in _values(defined)]
    text += ["    ],\n)\n"]
    _serial += 1
    path = os.path.join(state.scratch, "cells-%d.py" % _serial)
    try:
        os.makedirs(state.scratch, exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="surrogatepass") as f:
            f.write("".join(text))
    except OSError:
        return None
    _made.insert(0, (state.count, path))
    while len(_made) > FILES_KEPT:
        try:
            os.unlink(_made.pop()[1])
        except OSError:
            pass
    return path


def _definitions():
    """[(filename, source, numbers of statements)] and the names that they define."""
    import ast

    cells = []
    defined = set()
    for filename, source in state.sources.items():
        text = state.transformed.get(filename, source)
        try:
            body = ast.parse(text, filename).body
        except SyntaxError:  # a cell that never ran
            continue
        wanted = [i for i, node in enumerate(body) if _is_definition(ast, node)]
        if wanted:
            cells.append((filename, text, wanted))
            for i in wanted:
                defined |= _defines(ast, body[i])
    return cells, defined


def _is_definition(ast, node):
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return True
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return node.value is not None and _is_constant(ast, node.value)
    if isinstance(node, ast.Try):
        parts = node.body + [n for h in node.handlers for n in h.body] + node.orelse + node.finalbody
        return all(_is_definition(ast, n) or isinstance(n, ast.Pass) for n in parts)
    return False


def _is_constant(ast, node):
    """A literal, or a lambda."""
    if isinstance(node, ast.Lambda):
        return True
    try:
        ast.literal_eval(node)
        return True
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False


def _defines(ast, node):
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(a.asname or a.name).partition(".")[0] for a in node.names}
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    return set()


def _values(defined):
    """Pickled variables that functions and classes of cells use, and that their definitions do not make."""
    import pickle

    out = []
    left = VALUE_MAX
    for name in sorted(_used_names()):
        if name in defined or name not in state.ns or name in ("In", "Out", "_", "__", "___"):
            continue
        value = state.ns[name]
        if isinstance(value, (type(os), type(state))):
            continue
        try:
            data = pickle.dumps(value)
        except Exception:
            continue
        if len(data) <= left:
            left -= len(data)
            out.append((name, data))
    return out


def _used_names():
    """Global names in the code of everything that cells define."""
    names = set()
    todo = []
    for value in list(state.ns.values()):
        value = getattr(value, "__wrapped__", value)
        if isinstance(value, type) and value.__module__ == "__main__":
            for member in vars(value).values():
                member = getattr(member, "__func__", getattr(member, "fget", member))
                todo.append(getattr(member, "__code__", None))
        else:
            todo.append(getattr(value, "__code__", None))
    while todo:
        code = todo.pop()
        if not hasattr(code, "co_names") or code.co_filename not in state.sources:
            continue
        names.update(code.co_names)
        todo += [c for c in code.co_consts if hasattr(c, "co_names")]
    return names
