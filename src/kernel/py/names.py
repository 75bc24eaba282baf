"""Magics about the variables of the session and its history."""

import re
import sys

from . import execute
from . import state

OURS = frozenset(("In", "Out", "_", "__", "___", "_exit_code"))


def user_names(call=None):
    """Names that cells made, sorted."""
    words = call.line.split() if call is not None else []
    out = []
    for name, value in sorted(state.ns.items()):
        if name in OURS or name.startswith("__") or re.match(r"_\d+$", name):
            continue
        if words and type(value).__name__ not in words:
            continue
        out.append(name)
    return out


def who(call):
    names = user_names(call)
    print("  ".join(names) if names else "no variables yet")


def who_ls(call):
    return user_names(call)


def whos(call):
    names = user_names(call)
    if not names:
        print("no variables yet")
        return
    rows = [("Variable", "Type", "Data/Info")]
    for name in names:
        value = state.ns[name]
        rows.append((name, type(value).__name__, _about(value)))
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    for row in rows:
        print("%-*s   %-*s   %s" % (widths[0], row[0], widths[1], row[1], row[2]))


def _about(value):
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            return "shape %s" % (shape,)
        if isinstance(value, (list, tuple, dict, set, frozenset)):
            return "n=%d" % len(value)
        text = repr(value)
    except Exception as e:
        return "%s in repr" % type(e).__name__
    text = text.replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "..."


def reset(call):
    words = set(call.line.split())
    what = words & {"in", "out", "dhist", "array"}
    if "in" in what:
        state.In[:] = [""] * len(state.In)
    if "out" in what or not what:
        _forget_values()
    if not what:
        for name in list(state.ns):
            if name not in ("__name__", "__doc__", "__builtins__", "__package__", "__loader__", "__spec__"):
                del state.ns[name]
        state.ns.update(In=state.In, Out=state.Out)


def _forget_values():
    for n in list(state.Out):
        state.ns.pop("_%d" % n, None)
    state.Out.clear()
    execute._last[:] = [None] * 3
    for name in ("_", "__", "___"):
        state.ns.pop(name, None)


def reset_selective(call):
    pattern = call.line.replace("-f", "", 1).strip() or "."
    for name in user_names():
        if re.search(pattern, name):
            del state.ns[name]


def xdel(call):
    name = call.line.replace("-n", "", 1).strip()
    value = state.ns.pop(name, None)
    for n in [n for n, kept in state.Out.items() if kept is value]:
        del state.Out[n]
        state.ns.pop("_%d" % n, None)


def history(call):
    numbered = "-n" in call.line.split()
    wanted = [w for w in call.line.split() if not w.startswith("-")]
    lines = list(enumerate(state.In))[1:-1]
    if wanted:
        keep = set()
        for word in wanted:
            first, dash, last = word.partition("-")
            if first.isdigit():
                keep.update(range(int(first), int(last) + 1 if dash and last.isdigit() else int(first) + 1))
        lines = [pair for pair in lines if pair[0] in keep]
    for n, text in lines:
        print("%d: %s" % (n, text) if numbered else text)


def save(call):
    """%save file 1-3 5: the cells with these numbers."""
    words = call.line.split()
    words = [w for w in words if not w.startswith("-")]
    if len(words) < 2:
        print("%save needs a file and numbers of cells")
        return
    name = words[0] if words[0].endswith((".py", ".ipy")) else words[0] + ".py"
    out = []
    for word in words[1:]:
        first, dash, last = word.partition("-")
        for n in range(int(first), int(last or first) + 1):
            if 0 < n < len(state.In):
                out.append(state.In[n])
    with open(name, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")
    print("Wrote %s" % name)


def lsmagic(call):
    from . import magics

    print("line magics: " + " ".join("%" + n for n in sorted(set(magics.LINE) | set(magics.own_line))))
    print("cell magics: " + " ".join("%%" + n for n in sorted(set(magics.CELL) | set(magics.own_cell))))


def traceback_(call):
    error = getattr(sys, "last_value", None)
    if error is None:
        print("no error so far")
        return
    from . import errors

    print(errors.text(error), end="")
