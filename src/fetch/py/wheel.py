"""
What a wheel says about itself, checked before anything is written: the plan of where each file goes. Everything here
comes from somebody who may want to write elsewhere, hide something or fill the disk.
"""

import re
import stat

from . import archive, record, scripts
from .names import WheelName, normal, require_same, version_key
from .problem import Problem, TOO_LARGE, bad, shown

METADATA_MAX = 16 << 20
TOTAL_FREE = 64 << 20  # unpacked, whatever the size of the wheel
RATIO = 100  # unpacked to packed, beyond that
BIN = "bin"
DEPTH_MAX = 60  # of directories: the store takes 64


class Limits:
    def __init__(self, wheel_bytes=2 << 30, unpacked_bytes=4 << 30, files=50000):
        self.wheel_bytes, self.unpacked_bytes, self.files = wheel_bytes, unpacked_bytes, files


class Plan:
    """files: (member, path below the prefix, executable, is a script); made: path to (content, executable)."""

    def __init__(self):
        self.files, self.made = [], {}
        self.info = None  # the path of dist-info below the prefix
        self.record = {}
        self.directories = set()


def inspect(data, filename, name, version, site, limits):
    """data: the wheel's bytes; name, version: what it was asked for as; site: where packages go, below the prefix."""
    stated = WheelName(filename)
    require_same("the file's name", stated.name, stated.version, name, version)
    members = archive.read_directory(data, limits.files)
    _check_size(members, len(data), limits)
    files = _check_names(members)
    info = _find_info(files)
    _check_info(data, files, info, name, version)
    plan = Plan()
    plan.info = "%s/%s" % (site, info)
    plan.record = record.parse(_metadata(data, files, info, "RECORD"))
    record.compare(plan.record, files, info)
    entries = "%s/entry_points.txt" % info
    programs = scripts.entry_points(archive.read(data, files[entries], METADATA_MAX)) if entries in files else {}
    _place(plan, files, info, programs, site, name)
    for script, (module, attribute) in programs.items():
        plan.made["%s/%s" % (BIN, script)] = (scripts.from_entry_point(module, attribute), True)
    plan.made[plan.info + "/INSTALLER"] = (b"cellblock\n", False)
    _check_tree(plan, name, limits)
    return plan


def _check_size(members, size, limits):
    total = sum(member.size for member in members)
    most = min(limits.unpacked_bytes, TOTAL_FREE + RATIO * size)
    if total > most:
        text = "it has %d bytes unpacked; at most %d are accepted of a file of %d" % (total, most, size)
        raise Problem(TOO_LARGE, text)


def check_path(name):
    """One that stays below where it is put, and that can be shown."""
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name):
        raise bad("a name with control characters: %s", shown(name))
    if "\\" in name:
        raise bad("a name with a backslash: %s", shown(name))
    if name.startswith("/"):
        raise bad("an absolute name: %s", shown(name))
    for part in name.split("/"):
        if part in ("", ".", ".."):
            raise bad("a name that leads elsewhere: %s", shown(name))
        if len(part.encode()) > 255:
            raise bad("a name that is too long: %s", shown(name))


def _check_names(members):
    """The files by name."""
    files = {}
    for member in members:
        kind = stat.S_IFMT(member.mode)
        if member.is_directory:
            check_path(member.name[:-1])
            if member.size or kind not in (0, stat.S_IFDIR):
                raise bad("%s is no directory", shown(member.name))
            continue
        check_path(member.name)
        if kind not in (0, stat.S_IFREG):
            what = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a directory"}.get(kind, "a device or the like")
            raise bad("%s is %s", shown(member.name), what)
        if member.mode & (stat.S_ISUID | stat.S_ISGID):
            raise bad("%s would run as somebody else (setuid)", shown(member.name))
        if member.name in files:
            raise bad("it has %s twice", shown(member.name))
        files[member.name] = member
    return files


def _find_info(files):
    found = {name.partition("/")[0] for name in files if re.match(r"[^/]+\.dist-info/", name)}
    if len(found) != 1:
        raise bad("it has %s directories named .dist-info", len(found) or "no")
    return found.pop()


def _metadata(data, files, info, name):
    member = files.get("%s/%s" % (info, name))
    if member is None:
        raise bad("it has no %s", name)
    return archive.read(data, member, METADATA_MAX)


def _headers(data, what):
    """The fields before the first empty line. A field that comes twice with another value is in here as None."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise bad("%s is not UTF-8", what)
    fields = {}
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line:
            break
        key, colon, value = line.partition(":")
        if not colon or line[0] in " \t":
            continue  # goes on with the field before
        key, value = key.strip().lower(), value.strip()
        fields[key] = value if fields.setdefault(key, value) == value else None
    return fields


def _check_info(data, files, info, name, version):
    stem = info[: -len(".dist-info")]
    its_name, dash, its_version = stem.rpartition("-")
    if not dash:
        raise bad("%s names no version", shown(info))
    require_same(".dist-info", its_name, its_version, name, version)
    fields = _headers(_metadata(data, files, info, "METADATA"), "METADATA")
    if not fields.get("name") or not fields.get("version"):
        raise bad("METADATA does not say whose it is")
    require_same("METADATA", fields["name"], fields["version"], name, version)
    fields = _headers(_metadata(data, files, info, "WHEEL"), "WHEEL")
    if not re.fullmatch(r"1\.\d+", fields.get("wheel-version") or ""):
        raise bad("it is of another format of wheels (%s)", shown(fields.get("wheel-version") or ""))


def _place(plan, files, info, programs, site, name):
    """Where each file goes: a wheel's own directory has files for other places (PEP 427, "spread")."""
    stem = info[: -len(".dist-info")]
    schemes = {
        "purelib": site,
        "platlib": site,
        "scripts": BIN,
        "data": "",
        "headers": "include/site/%s/%s" % (site.split("/")[-2] if "/" in site else "python", normal(name)),
    }
    dropped = {"%s/%s" % (info, unsigned) for unsigned in record.UNSIGNED}
    dropped.add("%s/INSTALLER" % info)
    for path, member in files.items():
        top, _, rest = path.partition("/")
        executable, script = bool(member.mode & 0o111), False
        if rest and top.endswith(".data"):
            scheme, _, rest = rest.partition("/")
            if not _same_stem(top[:-5], stem) or scheme not in schemes or not rest:
                raise bad("%s goes to an unknown place", shown(path))
            target = "%s/%s" % (schemes[scheme], rest) if schemes[scheme] else rest
            script = scheme == "scripts"
            if script and rest in programs:
                continue
            executable = executable or script
        elif path in dropped:
            continue
        else:
            target = "%s/%s" % (site, path)
        if re.search(r"(?:^|/)__pycache__/[^/]+\.pyc$", path):
            continue  # Python reads it only where its source is, and then we make it
        plan.files.append((member, target, executable, script))


def _same_stem(one, other):
    one, other = one.rpartition("-"), other.rpartition("-")
    return normal(one[0]) == normal(other[0]) and version_key(one[2]) == version_key(other[2])


def _check_tree(plan, distribution, limits):
    """One file of each name, none of them where another has a directory, nothing that makes an environment."""
    targets = set(plan.made)
    for _, target, _, _ in plan.files:
        if target in targets:
            raise bad("two of its files would become %s", shown(target))
        targets.add(target)
    for target in targets:
        first, _, rest = target.partition("/")
        if target in ("pyvenv.cfg", "lib64", "lib", "include", BIN):
            raise bad("it would replace %s", shown(target))
        if first == BIN:
            scripts.check_name(rest, distribution)
        if len(target.encode()) > archive.NAME_MAX or target.count("/") > DEPTH_MAX:
            raise bad("a name that is too long: %s", shown(target))
        at = target.rfind("/")
        while at > 0 and target[:at] not in plan.directories:
            plan.directories.add(target[:at])
            at = target.rfind("/", 0, at)
        if len(plan.directories) > limits.files:
            raise Problem(TOO_LARGE, "it has more than %d directories" % limits.files)
    for directory in plan.directories:
        if directory in targets:
            raise bad("%s is a file and a directory", shown(directory))
