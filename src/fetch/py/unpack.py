"""
The parts of unpacking that run in worker processes: looking at a wheel, and writing a share of its files. What is
passed in and out is plain data, because it travels as JSON.
"""

import hashlib
import mmap
import os

from . import archive, bytecode, scripts, wheel
from .problem import HASH, Problem, bad, shown

# Compiling a byte of source takes as long as unpacking so many.
COMPILE_COST = 40
FILE_COST = 20000  # and a file so many more, whatever its size
TIME = 1577836800  # of all files: 2020-01-01


def open_wheel(path):
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise bad("it is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _bytes(path):
    return path.encode("utf-8")  # as in the manifest, whatever the locale


def inspect(task):
    """Check the wheel and make its directories; answers what is to be written."""
    limits = wheel.Limits(*task["limits"])
    site = task["site"]
    with open_wheel(task["path"]) as data:
        plan = wheel.inspect(data, task["filename"], task["name"], task["version"], site, limits)
    files, directories = [], plan.directories
    for member, target, executable, script in plan.files:
        compile_it = bytecode.wanted(target, member.size, site)
        if compile_it:
            directories.add(target.rpartition("/")[0] + "/__pycache__")
        fields = [getattr(member, slot) for slot in archive.Member.__slots__]
        cost = member.size + FILE_COST + (COMPILE_COST * member.size if compile_it else 0)
        files.append([fields, target, executable, script, compile_it, plan.record[member.name], cost])
    root = task["tree"]
    os.makedirs(root)
    for directory in sorted(directories):
        os.mkdir(_bytes("%s/%s" % (root, directory)))
    made = [write(root, path, [content], executable) for path, (content, executable) in plan.made.items()]
    return {"files": files, "made": made, "info": plan.info}


def write(root, path, blocks, executable, expected=None):
    """The manifest's entry: [path, sha256, size, executable]. expected: (algorithm, digest) of the content."""
    digest, size = hashlib.sha256(), 0
    check = None
    if expected:
        check = digest if expected[0] == "sha256" else hashlib.new(expected[0])
    # Not O_EXCL: what a dead worker left is written again.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(_bytes("%s/%s" % (root, path)), flags, 0o755 if executable else 0o644)
    try:
        for block in blocks:
            digest.update(block)
            if check is not None and check is not digest:
                check.update(block)
            size += len(block)
            while block:
                block = memoryview(block)[os.write(fd, block) :]
        if check is not None and check.hexdigest() != expected[1]:
            raise Problem(HASH, "%s is not what RECORD says (its hash differs)" % shown(path))
        os.utime(fd, (TIME, TIME))
    finally:
        os.close(fd)
    return [path, digest.hexdigest(), size, bool(executable)]


def extract(task, at):
    """A share of the files. at(i) is told which file is in work: it is the one to blame when this process dies."""
    root, prefix, skip = task["tree"], task["prefix"], set(task.get("skip", ()))
    entries, compiled = [], []
    with open_wheel(task["path"]) as data:
        for i, (fields, target, executable, script, compile_it, expected, _) in enumerate(task["files"]):
            member = archive.Member()
            for slot, value in zip(archive.Member.__slots__, fields):
                setattr(member, slot, value)
            blocks = archive.blocks(data, member)
            if not script and not compile_it:
                entries.append(write(root, target, blocks, executable, expected))
                continue
            source = b"".join(blocks)
            if script:
                if hashlib.new(expected[0], source).hexdigest() != expected[1]:
                    raise Problem(HASH, "%s is not what RECORD says (its hash differs)" % shown(target))
                entries.append(write(root, target, [scripts.rewritten(source)], True))
                continue
            entries.append(write(root, target, [source], executable, expected))
            if i in skip:
                continue
            at(i)
            code = bytecode.compiled(source, "%s/%s" % (prefix, target))
            at(-1)
            if code is not None:
                compiled.append(write(root, bytecode.path_of(target), [code], False))
    return {"entries": entries, "compiled": compiled}
