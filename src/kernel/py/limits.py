"""What of an isolated session an exception met, as a line below its traceback: a limit, or that there is no network. In
a sandbox only."""

import errno


def hint(error):
    """A line, or None. Looks at the whole chain: a library may have raised its own exception from it."""
    seen = set()
    while error is not None and id(error) not in seen and len(seen) < 20:
        seen.add(id(error))
        text = _of_one(error)
        if text:
            return "[%s]" % text
        error = error.__cause__ or error.__context__
    return None


def _of_one(error):
    if isinstance(error, MemoryError):
        return "limit: the memory of this session (--memory)"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return _processes()
    if type(error).__name__ == "gaierror":
        return _network(error)
    if isinstance(error, OSError):
        told = OF_ERRNO.get(error.errno)
        return told and told(error)
    return None


def _number(name):
    import resource

    return resource.getrlimit(getattr(resource, name))[0]


def _fork(error):
    """What has no descriptor to wait for: a read that would block is the same exception."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    line = frames[-1].line or "" if frames else ""
    return _processes() if "fork" in line or "_posixsubprocess" in line else None


def _processes():
    return "limit: %d processes and threads in this session (--processes)" % _number("RLIMIT_NPROC")


def _network(error):
    """Packages first: with requests or pip that is what is mostly wanted."""
    told = (
        "no network in this session, unless the server was started with --network; packages come by "
        "install_dependencies, files can be put in by the user (`cellblock cp`, --mount)"
    )
    return told if _is_alone() else None


def _socket(error):
    """Without namespaces there is not even a socket."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    return _network(error) if frames and frames[-1].filename.endswith("socket.py") else None


def _is_alone():
    import socket

    try:
        with open("/proc/net/dev") as file:
            return [line.partition(":")[0].strip() for line in file][2:] == ["lo"]
    except OSError:  # without namespaces
        try:
            socket.socket().close()
        except OSError:
            return True
        return False


def _open_files(error):
    return "limit: %d open files of one process (--open-files)" % _number("RLIMIT_NOFILE")


def _file_size(error):
    return "limit: %s in one file (--max-file-size)" % _size(_number("RLIMIT_FSIZE"))


def _space(error):
    """Of the file system that the file is on, and whether bytes or files have run out."""
    import os

    places = [("/tmp", "--tmp-size"), ("/dev/shm", "--tmp-size"), ("/workspace", "--workspace-size")]
    path = error.filename if isinstance(error.filename, str) else ""
    full = []
    for place, option in places:
        try:
            fs = os.statvfs(place)
        except OSError:
            continue
        if fs.f_ffree == 0:
            what = "%d files and directories in %s" % (fs.f_files, place)
        elif fs.f_bavail * fs.f_frsize < 1 << 20:
            what = "%s in %s (%s)" % (_size(fs.f_blocks * fs.f_frsize), place, option)
        else:
            continue
        if path and os.path.abspath(path).startswith(place + "/"):
            return "limit: " + what
        full.append(what)
    return "limit: " + " and ".join(full) if full else None


def _size(number):
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024 or number % 1024:
            return "%d %s" % (number, unit)
        number //= 1024
    return "%d GiB" % number


OF_ERRNO = {
    errno.EACCES: _socket,
    errno.EAGAIN: _fork,
    errno.EMFILE: _open_files,
    errno.EFBIG: _file_size,
    errno.ENETUNREACH: _network,
    errno.ENOSPC: _space,
}

