"""
Large downloads that are kept when this process is ended before it is done: an installation that takes longer than it
may would otherwise begin anew each time. They are files in the installers' cache, named by the hash that they are to
have, which is checked in any case. Each is used by one process at a time; another one downloads for itself.
"""

import fcntl
import os
import stat

LARGE = 4 << 20  # bytes; what is smaller comes quickly


def open_kept(folder, wheel, least=LARGE):
    """(path, descriptor) of the file, locked, to be read and written; None: this one is not kept, or in use."""
    if not folder or not wheel.sha256 or (wheel.size is not None and wheel.size < least):
        return None
    path = os.path.join(folder, "downloads", wheel.sha256)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found, named = os.fstat(fd), os.lstat(path)
        if stat.S_ISREG(found.st_mode) and found.st_ino == named.st_ino:  # else somebody has just removed it
            return path, fd
    except OSError:
        pass
    os.close(fd)
    return None
