"""RECORD: the hashes that a wheel brings with it, and the list of what is installed (PEP 376, PEP 427)."""

import base64
import binascii
import csv
import hashlib
import io

from .problem import bad, shown

# Whatever is weaker can be made to fit another file.
STRONG = ("sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", "blake2b", "blake2s")
UNSIGNED = ("RECORD", "RECORD.jws", "RECORD.p7s")  # of dist-info: not in RECORD, or without a hash


def parse(data):
    """Path to (algorithm, digest in hex), None for files without a hash."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error):
        raise bad("RECORD is malformed")
    found = {}
    for row in rows:
        if not row:
            continue
        path = row[0]
        if len(row) < 2 or len(row) > 3:
            raise bad("RECORD is malformed")
        value = None
        if row[1]:
            algorithm, _, encoded = row[1].partition("=")
            try:
                digest = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            except (binascii.Error, ValueError):
                raise bad("RECORD has a malformed hash for %s", shown(path))
            value = (algorithm.lower(), digest.hex())
        if found.setdefault(path, value) != value:
            raise bad("RECORD has two hashes for %s", shown(path))
    return found


def compare(record, names, info):
    """names: the files of the wheel. Each has to be in RECORD with a good hash, and nothing else may be there."""
    free = {"%s/%s" % (info, name) for name in UNSIGNED}
    for name in names:
        if name in free:
            continue
        if name not in record:
            raise bad("%s is not in RECORD", shown(name))
        value = record[name]
        if value is None:
            raise bad("RECORD has no hash for %s", shown(name))
        if value[0] not in STRONG or len(value[1]) != 2 * hashlib.new(value[0]).digest_size:
            raise bad("RECORD has a hash for %s that cannot be relied on (%s)", shown(name), shown(value[0]))
    names = set(names)
    for path in record:
        if path not in names and path not in free:
            raise bad("RECORD names %s, which is not in the wheel", shown(path))


def installed(entries, site, path):
    """The text of RECORD after installing. entries: (path below the prefix, sha256 in hex, size); path: its own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    up = "../" * (site.count("/") + 1)

    def relative(name):
        return name[len(site) + 1 :] if name.startswith(site + "/") else up + name

    for name, digest, size in sorted(entries):
        encoded = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
        writer.writerow((relative(name), "sha256=" + encoded, size))
    writer.writerow((relative(path), "", ""))
    return out.getvalue().encode()
