"""What can go wrong with a package: a kind for the program that asked, a reason for people."""

import errno

HASH = "hash"  # not the file that the index announces
BAD_FILE = "bad-file"  # no wheel, or one that breaks the rules
TOO_LARGE = "too-large"
NETWORK = "network"
REFUSED = "refused"  # 401, 403: credentials
INDEX = "index"  # the index answers, but wrongly
TLS = "tls"
DISK = "disk"
TIMEOUT = "timeout"
UNKNOWN = "unknown"

REASON_MAX = 300


class Problem(Exception):
    def __init__(self, kind, reason):
        Exception.__init__(self, reason)
        self.kind = kind
        self.reason = reason


def bad(format, *values):
    return Problem(BAD_FILE, format % values if values else format)


def from_error(error):
    """Any exception as a Problem."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(DISK, error.strerror)
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return Problem(TOO_LARGE, error.strerror)
    if isinstance(error, MemoryError):
        return Problem(TOO_LARGE, "not enough memory for it")
    return Problem(UNKNOWN, "%s: %s" % (type(error).__name__, error))


def one_line(text):
    """What others wrote, fit for a line of a file or a terminal."""
    text = "".join(c if c.isprintable() else "?" for c in str(text)[: REASON_MAX * 2])
    return text if len(text) <= REASON_MAX else text[: REASON_MAX - 3] + "..."


def shown(name):
    """A name out of a wheel, in quotes."""
    return "'%s'" % one_line(name[:120] if isinstance(name, str) else name[:120].decode("utf-8", "replace"))
