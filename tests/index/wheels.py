"""Wheels of every kind, good and bad, made byte by byte: Python's zipfile would not write most of what is wrong.

    file_name, data = wheel("toy-x", "1.0", {"toy_x.py": "VERSION = 1\\n"})
"""

import base64
import hashlib
import stat
import struct
import zlib

WHEEL = "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: %s\n"


class Member:
    """One entry of a zip file. What differs from the truth is said: size, crc, flags, mode, packed data."""

    def __init__(self, name, data=b"", mode=stat.S_IFREG | 0o644, packed=None, size=None, crc=None, flags=0, local=None):
        self.name = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
        data = data.encode() if isinstance(data, str) else data
        self.method = 8 if packed is not None or len(data) > 200 else 0
        self.packed = packed if packed is not None else pack(data) if self.method else data
        self.size = len(data) if size is None else size
        self.crc = zlib.crc32(data) if crc is None else crc
        self.mode, self.flags, self.local = mode, flags | 0x800, local or self.name


def pack(data):
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush()


def zeros(megabytes):
    """Deflated: one megabyte, compressed once and repeated. A thousandth of the size."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return block * megabytes + b"\3\0"


def zip_file(members, comment=b""):
    body, directory = [], []
    at = 0
    for m in members:
        common = struct.pack("<4H3L", m.flags, m.method, 0, 0x5821, m.crc, len(m.packed), m.size)
        local = b"PK\3\4\x14\0" + common + struct.pack("<2H", len(m.local), 0) + m.local + m.packed
        directory.append(b"PK\1\2\x14\3\x14\0" + common + struct.pack("<5H2L", len(m.name), 0, 0, 0, 0, m.mode << 16, at) + m.name)
        body.append(local)
        at += len(local)
    entries = b"".join(directory)
    n = min(len(members), 0xFFFF)
    end = b""
    if n == 0xFFFF:
        end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, len(members), len(members), len(entries), at)
        end += struct.pack("<4sLQL", b"PK\6\7", 0, at + len(entries), 1)
    end += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, n, n, len(entries), at, len(comment)) + comment
    return b"".join(body) + entries + end


def row(path, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return "%s,sha256=%s,%d\n" % (path, digest, len(data))


def wheel(name, version="1.0", files=None, requires=(), scripts=None, metadata=None, wheel_text=None, members=(), change_record=None,
          modes=None, info=None, extra_metadata="", tag="py3-none-any", raw_entry_points=None):
    """
    (file name, bytes). files: path to text or bytes, in RECORD; members: further ones (Member), not in it. metadata: all of METADATA;
    modes: of files; change_record: gets RECORD as it should be (None: there is none), returns the one that is written.
    """
    module = name.replace("-", "_")
    info = info or "%s-%s.dist-info" % (module, version)
    everything = {"%s.py" % module: "VERSION = %r\n" % version} if files is None else dict(files)
    if metadata is None:
        metadata = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version)
        metadata += "".join("Requires-Dist: %s\n" % r for r in requires) + extra_metadata
    everything[info + "/METADATA"] = metadata
    everything[info + "/WHEEL"] = WHEEL % tag if wheel_text is None else wheel_text
    lines = ["%s = %s\n" % pair for pair in (scripts or {}).items()]
    if lines or raw_entry_points:
        everything[info + "/entry_points.txt"] = raw_entry_points or "[console_scripts]\n" + "".join(lines)
    everything = {path: data.encode() if isinstance(data, str) else data for path, data in everything.items()}
    record = "".join(row(path, data) for path, data in everything.items()) + info + "/RECORD,,\n"
    if change_record:
        record = change_record(record)
    packed = [Member(path, data, stat.S_IFREG | (modes or {}).get(path, 0o644)) for path, data in everything.items()]
    packed += list(members)
    if record is not None:
        packed.append(Member(info + "/RECORD", record))
    return "%s-%s-%s.whl" % (module, version, tag), zip_file(packed)
