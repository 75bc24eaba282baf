"""
Reads zip files that may be hostile. zipfile is not used: it takes what comes (a file that begins in another one, sizes
that are not true, names cut at NUL, any number of entries), and it differs from one Python to the next.

What is accepted: one directory at the very end (and a comment), members that are stored or deflated, that lie apart
from each other, and whose own headers say what the directory says.
"""

import struct
import zlib

from .problem import Problem, TOO_LARGE, bad, shown

_end = struct.Struct("<4s4H2LH")
_end64 = struct.Struct("<4sQ2H2L4Q")
_locator = struct.Struct("<4sLQL")
_entry = struct.Struct("<4s4B4HL2L5H2L")
_local = struct.Struct("<4s5HL2L2H")
_sizes = struct.Struct("<LL")

STORED, DEFLATED = 0, 8
ENCRYPTED = 0x1 | 0x40 | 0x2000
UTF8 = 0x800
NAME_MAX = 960  # bytes; the store takes 1023, and bytecode has longer names than its source
BLOCK = 1 << 20
WHOLE_MAX = 8 << 20  # a member up to this size is unpacked in one piece


class Member:
    __slots__ = ("name", "mode", "method", "crc", "packed", "size", "header", "start")

    @property
    def is_directory(self):
        return self.name.endswith("/")


def _find_end(data):
    """(position of the end record, entries, size and offset of the directory)."""
    lowest = max(len(data) - _end.size - 0xFFFF, 0)
    at = len(data)
    while True:
        at = data.rfind(b"PK\5\6", lowest, at + 3)
        if at < 0:
            raise bad("it is no zip file, or its end is missing")
        if at + _end.size <= len(data):
            _, disk, start_disk, here, entries, size, offset, comment = _end.unpack_from(data, at)
            if at + _end.size + comment == len(data):
                break
    if 0xFFFF in (here, entries) or 0xFFFFFFFF in (size, offset):
        if at >= _locator.size and data[at - _locator.size : at - _locator.size + 4] == b"PK\6\7":
            _, disk, position, _ = _locator.unpack_from(data, at - _locator.size)
            if position + _end64.size > at or data[position : position + 4] != b"PK\6\6":
                raise bad("its zip directory is damaged")
            at = position
            _, _, _, _, disk, start_disk, here, entries, size, offset = _end64.unpack_from(data, at)
    if disk or start_disk or here != entries or offset + size != at:
        raise bad("its zip directory is damaged")
    return entries, size, offset


def _sizes64(member, extra):
    """Sizes and position that need 64 bits stand in an extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field, at = extra[at + 4 : at + 4 + size], 0
            for name in ("size", "packed", "header"):
                if getattr(member, name) == 0xFFFFFFFF:
                    if at + 8 > len(field):
                        break
                    setattr(member, name, struct.unpack_from("<Q", field, at)[0])
                    at += 8
            return
        at += 4 + size


def _decode(raw, flags):
    try:
        return raw.decode("utf-8")  # wheels are in UTF-8, whether the flag says so or not
    except UnicodeDecodeError:
        if flags & UTF8:
            raise bad("the name %s is not UTF-8", shown(raw))
        return raw.decode("cp437")


def read_directory(data, most):
    """The members in the order of the directory. data: the file, as bytes or mmap; most: how many are accepted."""
    entries, size, at = _find_end(data)
    if entries > most:
        raise Problem(TOO_LARGE, "it has %d files; at most %d are accepted" % (entries, most))
    end = at + size
    members = []
    for _ in range(entries):
        if at + _entry.size > end or data[at : at + 4] != b"PK\1\2":
            raise bad("its zip directory is damaged")
        fields = _entry.unpack_from(data, at)
        flags, method = fields[5], fields[6]
        names, extras, comments, disk, _, attributes, header = fields[12:]
        member = Member()
        member.method, member.crc, member.packed, member.size = method, fields[9], fields[10], fields[11]
        member.header, member.mode = header, attributes >> 16
        at += _entry.size
        if at + names + extras + comments > end:
            raise bad("its zip directory is damaged")
        raw = data[at : at + names]
        if names > NAME_MAX:
            raise bad("a name of %d bytes", names)
        member.name = _decode(raw, flags)
        _sizes64(member, data[at + names : at + names + extras])
        at += names + extras + comments
        _check_entry(member, flags, disk)
        _check_local(data, member, raw, flags)
        members.append(member)
    if at != end:
        raise bad("its zip directory is damaged")
    _check_apart(members, end - size)
    return members


def _check_entry(member, flags, disk):
    if flags & ENCRYPTED:
        raise bad("%s is encrypted", shown(member.name))
    if member.method not in (STORED, DEFLATED):
        raise bad("%s is compressed in a way that wheels do not use (%d)", shown(member.name), member.method)
    if disk or (member.method == STORED and member.packed != member.size):
        raise bad("its zip directory is damaged")


def _check_local(data, member, raw, flags):
    if member.header + _local.size > len(data):
        raise bad("%s lies outside of the file", shown(member.name))
    signature, _, its_flags, method, _, _, _, _, _, names, extras = _local.unpack_from(data, member.header)
    start = member.header + _local.size
    if (
        signature != b"PK\3\4"
        or method != member.method
        or (its_flags ^ flags) & ENCRYPTED
        or data[start : start + names] != raw
    ):
        raise bad("%s is not what the zip directory says", shown(member.name))
    member.start = start + names + extras


def _check_apart(members, end):
    """Overlapping members are how few bytes become very many."""
    last = 0
    for member in sorted(members, key=lambda member: member.header):
        if member.header < last:
            raise bad("%s overlaps another file", shown(member.name))
        last = member.start + member.packed
    if last > end:
        raise bad("a file reaches into the zip directory")


def blocks(data, member):
    """Its content, piece by piece: exactly as many bytes as announced, or a Problem."""
    start, end = member.start, member.start + member.packed
    crc, size = 0, 0
    if member.method == STORED:
        source = (data[at : min(at + BLOCK, end)] for at in range(start, end, BLOCK))
    elif member.size <= WHOLE_MAX:
        source = _inflate_small(data, member)
    else:
        source = _inflate(data, start, end, member)
    for block in source:
        size += len(block)
        if size > member.size:
            raise bad("%s is larger than announced", shown(member.name))
        crc = zlib.crc32(block, crc)
        yield block
    if size != member.size:
        raise bad("%s is shorter than announced", shown(member.name))
    if crc != member.crc:
        raise bad("%s is damaged (its checksum differs)", shown(member.name))


def _inflate_small(data, member):
    inflater = zlib.decompressobj(-15)
    try:
        block = inflater.decompress(data[member.start : member.start + member.packed], member.size + 1)
    except zlib.error:
        raise bad("%s cannot be unpacked", shown(member.name))
    if len(block) <= member.size and not inflater.eof:
        raise bad("%s cannot be unpacked", shown(member.name))
    yield block


def _inflate(data, at, end, member):
    inflater = zlib.decompressobj(-15)
    rest = b""
    try:
        while not inflater.eof:
            if not rest and at < end:
                rest = data[at : min(at + BLOCK, end)]
                at += len(rest)
            block = inflater.decompress(rest, BLOCK)
            if not block and not rest and at >= end:
                break
            rest = inflater.unconsumed_tail
            yield block
    except zlib.error:
        raise bad("%s cannot be unpacked", shown(member.name))
    if not inflater.eof:
        raise bad("%s cannot be unpacked", shown(member.name))


def read(data, member, most):
    """The whole of a member that must not be larger than most."""
    if member.size > most:
        raise Problem(TOO_LARGE, "%s has %d bytes" % (shown(member.name), member.size))
    return b"".join(blocks(data, member))
