"""
Which wheels this interpreter can use, best first: PEP 425, 600 (manylinux) and 656 (musllinux). uv lists all wheels of
a version that fit; the one taken has to be the one that uv and pip would take themselves.
"""

import os
import re
import subprocess
import sys
import sysconfig

_legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def _machine():
    machine = sysconfig.get_platform().partition("-")[2].replace("-", "_").replace(".", "_") or os.uname().machine
    if sys.maxsize <= 2**32:  # a 32-bit Python on a 64-bit kernel
        machine = {"x86_64": "i686", "aarch64": "armv7l"}.get(machine, machine)
    return machine


def _glibc():
    """2.N as N, or None."""
    try:
        m = re.fullmatch(r"glibc 2\.(\d+).*", os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (AttributeError, OSError, ValueError):
        return None
    return int(m[1]) if m else None


def _musl():
    """(major, minor), or None. musl has no function that tells: its loader prints it."""
    try:
        with open("/proc/self/maps") as file:
            loader = re.search(r"(/\S*/ld-musl-[^/\s]+)", file.read())
        if not loader:
            return None
        said = subprocess.run([loader[1]], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=10).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    m = re.search(rb"^Version (\d+)\.(\d+)", said, re.M)
    return (int(m[1]), int(m[2])) if m else None


def platforms():
    machine = _machine()
    found = []
    glibc = _glibc()
    if glibc is not None:
        oldest = 5 if machine in ("x86_64", "i686") else 17
        for minor in range(glibc, oldest - 1, -1):
            found.append("manylinux_2_%d_%s" % (minor, machine))
            if minor in _legacy and (minor == 17 or machine in ("x86_64", "i686")):
                found.append("%s_%s" % (_legacy[minor], machine))
    else:
        musl = _musl()
        if musl:
            found += ["musllinux_%d_%d_%s" % (musl[0], minor, machine) for minor in range(musl[1], -1, -1)]
    return found + ["linux_%s" % machine]


def supported(version=None, flags=None, known=None):
    """The tags, best first, as tuples. The parameters are for tests."""
    major, minor = version or sys.version_info[:2]
    flags = getattr(sys, "abiflags", "") if flags is None else flags
    known = platforms() if known is None else known
    free = "t" in flags  # without the GIL: the limited API has no stable ABI there
    this = "cp%d%d" % (major, minor)
    tags = []
    for abi in [this + ("t" if free else "")] + ([] if free else ["abi3"]) + ["none"]:
        tags += [(this, abi, platform) for platform in known]
    if not free:
        for older in range(minor - 1, 1, -1):
            tags += [("cp%d%d" % (major, older), "abi3", platform) for platform in known]
    generic = ["py%d%d" % (major, minor), "py%d" % major]
    generic += ["py%d%d" % (major, older) for older in range(minor - 1, -1, -1)]
    for python in generic:
        tags += [(python, "none", platform) for platform in known]
    return tags + [(this, "none", "any")] + [(python, "none", "any") for python in generic]


class Ranking:
    def __init__(self, tags=None):
        self.place = {tag: place for place, tag in enumerate(supported() if tags is None else tags)}

    def key(self, wheel_name):
        """The smaller the better; None: not for this interpreter."""
        places = [self.place[tag] for tag in wheel_name.tags if tag in self.place]
        if not places:
            return None
        return (min(places), (-wheel_name.build[0], [-ord(c) for c in wheel_name.build[1]]))
