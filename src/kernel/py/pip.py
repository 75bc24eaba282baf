"""
%pip, !pip, !uv pip, !conda and a bare `pip install`: installing goes the way of install_dependencies, through the
server; listing is answered here; what cannot be done says how it can.
"""

import re
import shlex
import sys
import threading

import _cellblock

from . import state
from . import wire

_starts = re.compile(
    r"(?:sudo\s+(?:-\S+\s+)*)?(?:\S*/)?(?:python[\d.]*\s+-m\s+|\{?sys\.executable\}?\s+-m\s+)?"
    r"(?P<tool>pip[\d.]*|uv\s+pip|uv|conda|mamba|micromamba)\s+"
    r"(?P<verb>install|add|uninstall|remove|list|freeze|show|update|upgrade|check)\b"
)
_joined = re.compile(r"""\s*(?:&&|;|\|\|)\s*(?=(?:[^"']|"[^"]*"|'[^']*')*$)""")  # outside of quotes
# What people put behind an installation to hear less of it.
_filtered = re.compile(r"\s+(?:\d?>>?\s*(?:&\d|\S+)|&>\s*\S+|\|\s*(?:tail|head|grep|cat|tee|wc)\b[^|]*)\s*$")

# Options that change nothing here: with a value, and without.
VALUE_IGNORED = frozenset(
    "--progress-bar --timeout --retries --cache-dir --log --root-user-action -c --channel -n --name --python".split()
)
IGNORED = frozenset(
    "-q -qq -qqq -v -U -y --quiet --verbose --upgrade --yes --user --no-cache-dir --no-cache --break-system-packages "
    "--disable-pip-version-check --no-input --no-warn-script-location --prefer-binary --system --no-color -qU -Uq "
    "--upgrade-strategy=eager --no-python-version-warning --exact --override-channels --force".split()
)


def handles(command):
    """Is there an installation in this shell command?"""
    return any(_starts.match(part) for part in _joined.split(command.strip()))


def is_plain(words):
    """Are there only options that make no difference here?"""
    known = IGNORED | VALUE_IGNORED | frozenset(("-U", "--upgrade", "-qU", "-Uq", "-r", "--requirement", "-m"))
    return all(word.partition("=")[0] in known or word in known for word in words if word.startswith("-"))


def line(call):
    """%pip ..., %conda ..., %uv pip ..."""
    command(call.name + " " + call.line, call)


def command(text, call):
    """Run a command that has installations in it, part by part; returns an exit status."""
    status = 0
    for part in _joined.split(text.strip().split("  #")[0]):
        if not part:
            continue
        m = _starts.match(part)
        if m is None:
            from . import command as shell

            status = shell.run([shell.shell_path(), "-c", part])
            continue
        rest = part[m.end() :]
        quiet = False
        while True:
            f = _filtered.search(rest)
            if f is None:
                break
            rest = rest[: f.start()]
            quiet = True
        try:
            words = shlex.split(rest, comments=True)
        except ValueError as e:
            _say("cannot read this command: %s" % e)
            return 2
        status = _do(m.group("tool").split()[0], m.group("verb"), words, quiet)
        if status:
            break
    return status


def _say(text):
    print(text, file=sys.stderr)


def _do(tool, verb, words, quiet):
    if verb in ("install", "add", "update", "upgrade"):
        return _install(tool, words)
    if verb in ("list", "freeze"):
        from . import packages

        print("\n".join(packages.listing()))
        return 0
    if verb == "show":
        return _show([w for w in words if not w.startswith("-")])
    if verb == "check":
        print("(not checked here: the tool that installs checks what it installs)")
        return 0
    _say("%s is not available: packages that are not imported do no harm; a version is replaced by installing another"
         % verb)
    return 1


def _install(tool, words):
    specs = []
    while words:
        word = words.pop(0)
        name, sign, value = word.partition("=")
        if word in ("-U", "--upgrade", "-qU", "-Uq"):
            _say('(%s is not followed: to replace what is there, name a version, as in "numpy>=2")' % word)
            continue
        if word in IGNORED or (name in VALUE_IGNORED and sign):
            continue
        if word in VALUE_IGNORED:
            words[:1] = []
        elif word in ("-r", "--requirement", "--file"):
            if not words:
                _say("%s needs a file" % word)
                return 2
            if not _read_requirements(words.pop(0), specs):
                return 1
        elif word.startswith("-r") and len(word) > 2:
            if not _read_requirements(word[2:], specs):
                return 1
        elif word.startswith("-"):
            _say(_refusal(word))
            return 2
        else:
            specs.append(_spec(tool, word))
    if not specs:
        _say("nothing to install: name packages, as in `pip install numpy`")
        return 2
    return install(specs)


def _refusal(word):
    if word in ("-e", "--editable"):
        return "pip %s is not available: add the folder to sys.path instead" % word
    if word.startswith(("-i", "--index-url", "--extra-index-url", "-f", "--find-links")):
        return "pip %s is not available: the index is the one that the server was started with" % word
    return "pip %s is not available: only requirements such as numpy or 'numpy>=2' can be installed" % word


def _spec(tool, word):
    """conda writes name=version."""
    if tool in ("conda", "mamba", "micromamba"):
        word = word.rpartition("::")[2]
        m = re.fullmatch(r"([\w.-]+)=([\w.*]+)(?:=[\w.*]+)?", word)
        if m is not None:
            return "%s==%s" % m.groups()
    return word


def _read_requirements(path, specs):
    try:
        with open(path, encoding="utf-8") as f:
            lines = f.read().replace("\\\n", " ").split("\n")
    except OSError as e:
        _say("cannot read %s: %s" % (path, e.strerror))
        return False
    for text in lines:
        text = re.sub(r"(^|\s)#.*", "", text).strip()
        text = re.sub(r"\s--hash=\S+", "", text).strip()
        if not text:
            continue
        if text.startswith("-"):
            _say("%s: `%s` is left out" % (path, text))
            continue
        specs.append(text)
    return True


def install(specs):
    """Install, and tell what happened; returns an exit status."""
    answer = ask(specs)
    if answer.text:
        print(answer.text, file=sys.stdout if answer.ok else sys.stderr)
    if answer.notes:
        print(answer.notes)
    return 0 if answer.ok else 1


class Answer:
    """What came of an installation. new: is there something that was not there before?"""

    def __init__(self, ok, text, notes="", new=False):
        self.ok, self.text, self.notes, self.new = ok, text, notes, new


def ask(specs):
    """Ask the server, and wait for its answer."""
    if threading.current_thread() is not threading.main_thread() or state.forked:
        return Answer(
            False, "packages can be installed only from the main thread of the session: use install_dependencies"
        )
    if len(specs) > _cellblock.PACKAGES_MAX:
        return Answer(False, "%d packages at once: %d are the most" % (len(specs), _cellblock.PACKAGES_MAX))
    from . import packages

    _cellblock.send(wire.INSTALL, state.seq, [(wire.ARG, spec) for spec in specs])
    while True:
        kind, seq, fields = _cellblock.recv()
        if kind == wire.INSTALL_REPLY and seq == state.seq:
            break
        if kind in (wire.EXEC, wire.INSTALL_REPLY):
            if kind == wire.EXEC:
                state.waiting.append((kind, seq, fields))
            continue
        packages.serve(kind, seq, fields)
    status, text, new = "", "", False
    for tag, data in fields:
        if tag == wire.STATUS:
            status = data.decode()
        elif tag == wire.TEXT:
            text = data.decode("utf-8", "replace")
        elif tag == wire.NAME:
            new = True
    notes = packages.refresh(fields)  # some may be installed even when others failed
    return Answer(status == "ok", text, notes, new)


def _show(names):
    import importlib.metadata

    status = 0
    for name in names:
        try:
            dist = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            _say("WARNING: Package(s) not found: %s" % name)
            status = 1
            continue
        meta = dist.metadata
        for key in ("Name", "Version", "Summary", "Home-page", "Author", "License"):
            if meta[key]:
                print("%s: %s" % (key, meta[key]))
        print("Location: %s" % dist.locate_file(""))
        print("Requires: %s" % ", ".join(re.split(r"[ ;<>=!~\[(]", r)[0] for r in dist.requires or ()))
    return status
