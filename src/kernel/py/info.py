"""`name?` and `name??`: what IPython's pager would say, as output."""

import re
import sys


def pinfo(call):
    return show(call.line.strip(), 1, call)


def pinfo2(call):
    return show(call.line.strip(), 2, call)


def show(name, level, call):
    name = name.strip()
    if name.startswith("%"):
        return _magic(name)
    if "*" in name:
        return _search(name, call)
    try:
        obj = eval(name, call.globals, call.locals)
    except Exception:
        import builtins

        obj = getattr(builtins, name, call)
        if obj is call:
            print("Object `%s` not found." % name)
            return None
    print("\n".join(about(obj, level)))
    return None


def about(obj, level):
    import inspect

    out = []
    is_code = inspect.isroutine(obj) or inspect.isclass(obj)
    if is_code or callable(obj):
        try:
            title = "Init signature: " if inspect.isclass(obj) else "Signature: "
            out.append(title + getattr(obj, "__name__", "") + str(inspect.signature(obj)))
        except (TypeError, ValueError):
            pass
    out.append("Type: " + type(obj).__name__)
    if not is_code:
        text = repr(obj)
        out.append("String form: " + (text if len(text) <= 500 else text[:497] + "..."))
        try:
            out.append("Length: %d" % len(obj))
        except TypeError:
            pass
    try:
        target = obj if is_code or inspect.ismodule(obj) else type(obj)
        file = inspect.getsourcefile(inspect.unwrap(target)) if level else None
        if file:
            out.append("File: " + file)
    except Exception:
        pass
    if level > 1:
        try:
            target = obj if is_code or inspect.ismodule(obj) else type(obj)
            return out + ["Source:", inspect.getsource(target).rstrip()]
        except Exception:
            out.append("(its source is not available)")
    doc = inspect.getdoc(obj)
    if doc:
        out += ["Docstring:", doc]
    return out


def _magic(name):
    from . import magics

    bare = name.lstrip("%")
    where = magics.LINE.get(bare) or magics.CELL.get(bare)
    if where is None:
        magics.unknown(name, bare)
        return None
    doc = magics.handler(where).__doc__
    print("%s: a magic%s" % (name, "; " + " ".join(doc.split()) if doc else ""))
    return None


def _search(pattern, call):
    """np.*load*?: names that match."""
    head, dot, last = pattern.rpartition(".")
    every = sorted(set(call.globals) | set(dir(sys.modules["builtins"])))
    names = dir(eval(head, call.globals, call.locals)) if dot else every
    test = re.compile(re.escape(last).replace(r"\*", ".*") + r"\Z")
    hidden = last.startswith("_")
    for name in names:
        if test.match(name) and (hidden or not name.startswith("_")):
            print(head + dot + name)
