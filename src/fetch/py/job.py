"""
The file `job`: lines of a key and its value. And what is written for the program that asked: `lock` by resolving,
`done` and `failed` by unpacking, all of them lines with tabs.
"""

import os

from .problem import one_line


class Wheel:
    """A line of `lock`: what is to be fetched. sha256 and size may be unknown: None."""

    def __init__(self, name, version, filename, sha256, size, url):
        self.name, self.version, self.filename = name, version, filename
        self.sha256, self.size, self.url = sha256, size, url

    @classmethod
    def of_line(cls, line):
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 6 or not all(parts):
            raise ValueError("a wheel in the job has not six parts")
        name, version, filename, sha256, size, url = parts
        sha256 = None if sha256 == "-" else sha256.lower()
        if sha256 and (len(sha256) != 64 or set(sha256) - set("0123456789abcdef")):
            raise ValueError("a wheel in the job has a malformed hash")
        return cls(name, version, filename, sha256, None if size == "-" else int(size), url)

    def line(self):
        size = "-" if self.size is None else str(self.size)
        parts = (self.name, self.version, self.filename, self.sha256 or "-", size, self.url)
        for part in parts:
            if not part or not part.isprintable():
                raise ValueError("the resolver's answer has a value that is empty or has control characters")
        return "\t".join(parts) + "\n"


class Job:
    def __init__(self, path="job"):
        self.values = {}
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for line in file.read().split("\n"):
                key, _, value = line.partition(" ")
                if key:
                    self.values.setdefault(key, []).append(value)

    def all(self, key):
        return self.values.get(key, [])

    def get(self, key, default=None):
        return self.values.get(key, [default])[-1]

    def number(self, key, default):
        return int(self.get(key, default))

    def flag(self, key):
        return self.get(key, "0") not in ("", "0")

    def hashes(self):
        """name: the SHA-256 of its files that may be used. Empty: any may."""
        found = {}
        for line in self.all("hash"):
            name, _, digest = line.partition(" ")
            found.setdefault(name, set()).add(digest)
        return found

    def wheels(self):
        """Each file once."""
        found = {}
        for line in self.all("wheel"):
            wheel = Wheel.of_line(line)
            found.setdefault((wheel.filename, wheel.sha256, wheel.url), wheel)
        return list(found.values())


def write_file(path, text):
    """Whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.write(text)
    os.replace(path + ".new", path)


def write_lock(wheels):
    write_file("lock", "".join(sorted(wheel.line() for wheel in wheels)))


def write_outcome(done, failed):
    """done: (wheel, id); failed: (wheel, Problem); both in the order of the job."""
    write_file("done", "".join("%s\t%s\t%s\n" % (wheel.name, wheel.version, id) for wheel, id in done))
    lines = ["%s\t%s\t%s\n" % (wheel.name, problem.kind, one_line(problem.reason)) for wheel, problem in failed]
    write_file("failed", "".join(lines))
