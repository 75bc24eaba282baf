"""%cd, %pwd, %env, %run, %load and %%writefile."""

import os
import sys

from . import state

_previous = None
_stack = []


def cd(call):
    global _previous
    words = call.line.strip()
    quiet = words.startswith("-q")
    if quiet:
        words = words[2:].strip()
    path = words.strip("\"'")
    if path == "-":
        if _previous is None:
            print("no directory to go back to")
            return
        path = _previous
    here = os.getcwd()
    os.chdir(os.path.expanduser(path or "~"))
    _previous = here
    if not quiet:
        print(os.getcwd())


def pwd(call):
    return os.getcwd()


def pushd(call):
    _stack.append(os.getcwd())
    cd(call)


def popd(call):
    if not _stack:
        print("no directory on the stack")
        return
    os.chdir(_stack.pop())
    print(os.getcwd())


def env(call):
    text = call.line.strip()
    if not text:
        return dict(os.environ)
    name, sign, value = text.partition("=")
    if not sign:
        name, sign, value = text.partition(" ")
    name, value = name.strip(), value.strip()
    if not sign:
        if name not in os.environ:
            print("%s is not set" % name, file=sys.stderr)
            return None
        return os.environ[name]
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    os.environ[name] = value
    print("env: %s=%s" % (name, value))
    return None


def run(call):
    """%run [-i] [-n] [-t] [-m module] file arguments"""
    import shlex
    import time

    words = shlex.split(call.line)
    flags = set()
    while words and words[0].startswith("-") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "-m":
            flags.add("m")
            break
        flags.update(word[1:])
    if not words:
        from . import magics

        raise magics.UsageError("%run needs the name of a file")
    start = time.perf_counter()
    old = sys.argv, list(sys.path)
    try:
        sys.argv = words
        if "m" in flags:
            _run_module(words[0])
        else:
            _run_file(words[0], flags)
    except SystemExit as e:
        if e.code not in (None, 0):
            if not isinstance(e.code, int):
                print(e.code, file=sys.stderr)
            print("%s ended with exit code %s" % (words[0], e.code if isinstance(e.code, int) else 1), file=sys.stderr)
    finally:
        sys.argv, sys.path[:] = old[0], old[1]
        sys.modules["__main__"] = state.main
    if "t" in flags:
        print("Wall time: %.2f s" % (time.perf_counter() - start))


def _run_module(name):
    import runpy

    state.ns.update(_without_dunders(runpy.run_module(name, run_name="__main__", alter_sys=True)))


def _run_file(name, flags):
    path = os.path.expanduser(name)
    if not os.path.exists(path) and os.path.exists(path + ".py"):
        path += ".py"
    if path.endswith(".ipynb"):
        _run_notebook(path)
        return
    with open(path, "rb") as f:
        source = f.read()
    if b"# /// script" in source:
        from . import script

        script.prepare(source.decode("utf-8", "replace").replace("\r\n", "\n"), path)
    code = compile(source, path, "exec", 0, True)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    if "i" in flags:
        state.ns["__file__"] = path
        try:
            exec(code, state.ns)
        finally:
            state.ns.pop("__file__", None)
        return
    module = type(sys)("__main__")
    module.__file__ = path
    module.__dict__["__builtins__"] = __import__("builtins")
    if "n" in flags:
        module.__name__ = os.path.splitext(os.path.basename(path))[0]
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
    finally:
        state.ns.update(_without_dunders(module.__dict__))


def _without_dunders(names):
    return {k: v for k, v in names.items() if not (k.startswith("__") and k.endswith("__"))}


def _run_notebook(path):
    """The code cells of a notebook, one after the other, here."""
    import json

    from . import execute

    with open(path, encoding="utf-8") as f:
        cells = json.load(f)["cells"]
    for n, cell in enumerate(cells, 1):
        if cell.get("cell_type") != "code":
            continue
        source = cell["source"]
        text = source if isinstance(source, str) else "".join(source)
        filename = "<cell %d, %s %d>" % (state.count, os.path.basename(path), n)
        state.sources[filename] = text
        linecache = sys.modules.get("linecache")
        if linecache is not None:
            linecache.cache[filename] = (len(text), None, [s + "\n" for s in text.split("\n")], filename)
        value = execute.run_source(text, filename, state.ns)
        if value is not None:
            execute.show(value)


def load(call):
    """IPython puts the file into the cell; here its text is shown, and %run runs it."""
    path = os.path.expanduser(call.line.split()[-1].strip("\"'")) if call.line.split() else ""
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    print(text, end="" if text.endswith("\n") else "\n")
    if call.name == "load":
        print("(shown only: %%run %s runs it)" % call.line.split()[-1], file=sys.stderr)


def writefile(call):
    line = call.expand(call.line).strip()
    append = False
    words = line.split(None, 1)
    if words and words[0] in ("-a", "--append"):
        append = True
        line = words[1] if len(words) > 1 else ""
    path = os.path.expanduser(line.strip("\"'"))
    if not path:
        from . import magics

        raise magics.UsageError("%%writefile needs the name of a file")
    there = os.path.exists(path)
    text = call.body if call.body.endswith("\n") or not call.body else call.body + "\n"
    with open(path, "a" if append else "w", encoding="utf-8", errors="surrogatepass") as f:
        f.write(text)
    print("%s %s" % ("Appending to" if append else "Overwriting" if there else "Writing", path))
