"""
Unpacks a source distribution, which may be hostile: in the build sandbox, before anything of it runs there. Regular
files and directories below one directory; a link to a file of its own becomes a copy of that, all other links and
devices are refused or left out. tarfile's own filters are not in every Python, and do not bound sizes.
"""

import mmap
import os
import posixpath
import stat
import tarfile
import zlib

from . import archive
from .problem import Problem, TOO_LARGE, bad, shown
from .wheel import check_path

DEPTH_MAX = 60
TIME_MAX = 1 << 32


class Limits:
    def __init__(self, total=1 << 30, files=50000):
        self.total, self.files = total, files


class _Tree:
    """What is written, bounded meanwhile."""

    def __init__(self, root, limits):
        self.root, self.limits = root, limits
        self.bytes = self.files = 0
        os.mkdir(root)

    def count(self):
        self.files += 1
        if self.files > self.limits.files:
            raise Problem(TOO_LARGE, "it has more than %d files" % self.limits.files)

    def path(self, name):
        name = name[2:] if name.startswith("./") else name
        check_path(name)
        if name.count("/") > DEPTH_MAX:
            raise bad("a name that is too deep: %s", shown(name))
        return os.path.join(self.root, name)

    def folder(self, name):
        self.count()
        os.makedirs(self.path(name), exist_ok=True)

    def file(self, name, blocks, executable, time):
        self.count()
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.lexists(path):
            raise bad("it has %s twice", shown(name))
        with open(path, "xb") as out:
            for block in blocks:
                self.bytes += len(block)
                if self.bytes > self.limits.total:
                    raise Problem(TOO_LARGE, "it has more than %d bytes unpacked" % self.limits.total)
                out.write(block)
            os.fchmod(out.fileno(), 0o755 if executable else 0o644)
        time = int(min(max(time, 0), TIME_MAX))
        os.utime(path, (time, time))

    def copies(self, links):
        """links: (name, name of what it leads to). Those that lead nowhere are left out, as what they were."""
        for name, target in links:
            target = posixpath.normpath(target)
            if target.startswith(("/", "../")) or target == "..":
                raise bad("%s is a link that leads elsewhere", shown(name))
            source = self.path(target)
            if os.path.isfile(source):
                status = os.stat(source)
                with open(source, "rb") as file:
                    blocks = iter(lambda: file.read(archive.BLOCK), b"")
                    self.file(name, blocks, status.st_mode & 0o100, status.st_mtime)


def _tar(path, tree):
    links = []
    with tarfile.open(path, "r|gz") as tar:
        for member in tar:
            name = member.name.rstrip("/")
            if member.isdir():
                if name not in (".", ""):
                    tree.folder(name)
            elif member.issym():
                tree.path(name)
                links.append((name, posixpath.join(posixpath.dirname(name), member.linkname)))
            elif member.islnk():
                tree.path(name)
                links.append((name, member.linkname))
            elif not member.isreg():
                raise bad("%s is a device or the like", shown(name))
            elif member.sparse is not None:
                raise bad("%s is stored in a way that source distributions do not use", shown(name))
            else:
                file = tar.extractfile(member)
                blocks = iter(lambda: file.read(archive.BLOCK), b"")
                tree.file(name, blocks, member.mode & 0o100, member.mtime)
            tar.members = []  # which tarfile keeps for ever
            if len(links) > tree.limits.files:
                raise Problem(TOO_LARGE, "it has more than %d links" % tree.limits.files)
    tree.copies(links)


def _zip(path, tree):
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise bad("it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for member in archive.read_directory(data, tree.limits.files):
                if member.is_directory:
                    tree.folder(member.name.rstrip("/"))
                elif stat.S_IFMT(member.mode) not in (0, stat.S_IFREG):
                    raise bad("%s is a link, a device or the like", shown(member.name))
                else:
                    tree.file(member.name, archive.blocks(data, member), member.mode & 0o100, 0)


def unpack(path, filename, root, limits=None):
    """The directory that holds its sources."""
    tree = _Tree(root, limits or Limits())
    try:
        (_zip if filename.lower().endswith(".zip") else _tar)(path, tree)
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise bad("it cannot be unpacked: %s", shown(str(error)))
    except OSError as error:
        if error.errno is None:  # gzip's own
            raise bad("it cannot be unpacked: %s", shown(str(error)))
        if isinstance(error, (NotADirectoryError, FileExistsError, IsADirectoryError)):
            raise bad("one of its names is a file and a directory")
        raise
    names = os.listdir(root)
    if len(names) == 1 and os.path.isdir(os.path.join(root, names[0])):
        return os.path.join(root, names[0])
    return root
