"""What is installed, and what to do when that changes."""

import os
import sys

import _cellblock

from . import state
from . import wire

_layer = "/packages"  # where an isolated session has what it installed; it is told where
_pth_taken = set()
_site = None  # the directory that add_site added
changes = 0  # how often there was something new


def serve(kind, seq, fields):
    if kind == wire.PACKAGES:
        try:
            text = "\n".join(listing())
        except Exception as e:
            text = "cannot list packages: %s: %s" % (type(e).__name__, e)
        _cellblock.send(wire.PACKAGES_REPLY, seq, [(wire.TEXT, text)])
    elif kind == wire.REFRESH:
        try:
            notes = refresh(fields)
        except Exception as e:
            notes = "the new packages may need a restart of the session: %s: %s" % (type(e).__name__, e)
        _cellblock.send(wire.REFRESHED, seq, [(wire.TEXT, notes)])


def normalized(name):
    """PEP 503."""
    out = []
    for c in name.lower():
        if c in "-_.":
            if out and out[-1] != "-":
                out.append("-")
        else:
            out.append(c)
    return "".join(out)


def listing():
    """
    Sorted name==version lines of what can be imported; of two copies, the one that comes first on sys.path. Where the
    session has packages of its own, theirs come first; the comments that part the two are fine in a requirements.txt.
    """
    import importlib.metadata

    found = {}
    for dist in importlib.metadata.distributions():
        try:
            meta = dist.metadata
            name = meta["Name"] if meta is not None else None
            version = dist.version
            own = _is_below(str(dist.locate_file("")), _layer)
        except Exception:  # a broken installation must not hide the others
            continue
        if name and version:
            found.setdefault(normalized(name), ("%s==%s" % (name, version), own))
    lines = {True: [], False: []}
    for key in sorted(found):
        line, own = found[key]
        lines[own].append(line)
    if not (lines[True] and lines[False]):
        return lines[True] + lines[False]
    return ["# installed in this session"] + lines[True] + ["# base environment"] + lines[False]


def _is_below(path, folder):
    return path == folder or path.startswith(folder + "/")


def refresh(fields):
    """Make what was installed importable; returns what the user should know."""
    import importlib

    global changes, _layer
    names = []
    notes = []
    behind = _is_behind(fields)
    for tag, data in fields:
        text = data.decode("utf-8", "surrogateescape")
        if tag == wire.SITE:
            notes += add_site(text, behind)
        elif tag == wire.EXECUTABLE:
            sys.executable = text
        elif tag == wire.PREFIX:
            if state.isolated:  # what the base environment has is looked for below its own prefix
                _layer = text
            else:
                sys.prefix = sys.exec_prefix = text
            if os.path.exists(os.path.join(text, "pyvenv.cfg")):
                from . import main

                main.activate(text)
        elif tag == wire.NAME:
            names.append(text)
    if names:
        changes += 1
    importlib.invalidate_caches()
    sites = [os.fsdecode(data) for tag, data in fields if tag == wire.SITE]
    if names and (not sites or _any_loaded(sites)):  # looking closer takes importlib.metadata, 50 ms to import
        notes += loaded_notes(names)
    return "\n".join(notes)


def _any_loaded(sites):
    """Is a module loaded that one of these directories has, by its name? True when that cannot be told."""
    try:
        return any(entry.partition(".")[0] in sys.modules for path in sites for entry in os.listdir(path))
    except OSError:
        return True


def _is_behind(fields):
    """Does what a session installed come after the base environment? Yes, unless it replaces a part of that."""
    for tag, data in fields:
        if tag == wire.PREFIX and state.isolated:
            return not os.path.exists(os.path.join(os.fsdecode(data), "overrides"))
    return False


def add_site(path, behind=False):
    """site.addsitedir, but in front, and against .pth files that raise or exit. Returns lines to tell."""
    import site

    global _site
    notes = []
    before = list(sys.path)
    try:
        if path in sys.path:
            add_new_pth(site, path)
        else:
            site.addsitedir(path)
            _pth_taken.update(os.path.join(path, name) for name in os.listdir(path) if state.isolated)
    except BaseException as e:
        notes.append("a .pth file in %s failed: %s: %s" % (path, type(e).__name__, e))
    if path not in sys.path:
        sys.path.append(path)
    if state.isolated and _site != path:  # without namespaces each layer is at a path of its own
        sys.path[:] = [p for p in sys.path if p != _site]
    _site = path
    new = [p for p in sys.path if p not in before or (state.isolated and p == path)]
    old = [p for p in sys.path if p not in new]
    at = 1 if old[:1] == [""] else 0
    libraries = [i for i, p in enumerate(old) if p.endswith(("site-packages", "dist-packages"))]
    if libraries:
        at = libraries[-1] + 1 if behind else libraries[0]
    sys.path[:] = old[:at] + new + old[at:]
    return notes


def add_new_pth(site, path):
    """Take the .pth files that came into a directory since this interpreter read those that were there."""
    for name in sorted(os.listdir(path)):
        whole = os.path.join(path, name)
        if not name.endswith(".pth") or whole in _pth_taken:
            continue
        if state.isolated or os.stat(whole).st_ctime >= state.started:
            _pth_taken.add(whole)
            site.addpackage(path, name, None)


def loaded_notes(names):
    """A line for each changed distribution whose modules are loaded in another version."""
    import importlib.metadata

    notes = []
    for name in names:
        try:
            dist = importlib.metadata.distribution(name)
        except Exception:
            continue
        for module in _top_modules(dist, name):
            loaded = sys.modules.get(module)
            have = getattr(loaded, "__version__", None) if loaded is not None else None
            if loaded is None:
                continue
            if have is not None and str(have) == dist.version:
                continue
            what = " (%s)" % have if have is not None else ""
            way = "start a new session"
            if state.isolated:  # in which it would not be installed
                way = "restart Python in this session with `import os; os._exit(0)`, which keeps the files,"
            notes.append("%s is loaded already%s: %s to use %s %s" % (module, what, way, name, dist.version))
            break
    return notes


def modules_of(name):
    """The modules that a distribution is there for, without those that are private; empty when it is not there."""
    import importlib.metadata

    try:
        return [m for m in _top_modules(importlib.metadata.distribution(name), name) if not m.startswith("_")]
    except importlib.metadata.PackageNotFoundError:
        return []


def _top_modules(dist, name):
    try:
        text = dist.read_text("top_level.txt")
    except Exception:
        text = None
    if text:
        return text.split()
    tops = set()
    for file in dist.files or ():
        if file.suffix == ".py" and file.parts:
            tops.add(file.parts[0][:-3] if len(file.parts) == 1 else file.parts[0])
    return sorted(tops) or [name.replace("-", "_")]
