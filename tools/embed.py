#!/usr/bin/env python3
"""Write the C file that carries what the server's Python processes need: the arrays of src/kernel/embed.h.

    embed.py OUT.c BOOT.py EXTENSION.so FILE.py...

The bytes stand in the C file itself, as string literals: an object file that only names its input (.incbin) is not
rebuilt when the input changes, and a literal compiles many times faster than a list of numbers.
"""

import os
import sys

LINE = 100  # input bytes in one line of output


def literal(data):
    """data as lines of C string literals; always three octal digits, so that no digit after them is swallowed."""
    plain = {byte: chr(byte) for byte in range(0x20, 0x7F) if chr(byte) not in '"\\?'}
    plain[0x0A] = "\\n"
    chars = [plain.get(byte, "\\%03o" % byte) for byte in range(256)]
    for start in range(0, len(data), LINE):
        yield '    "%s"\n' % "".join(chars[byte] for byte in data[start : start + LINE])


def blob(paths):
    """The Python files, each after its line "<name> <size>"; boot.py reads it back."""
    for path in paths:
        name, ending = os.path.splitext(os.path.basename(path))
        if ending != ".py":
            sys.exit("embed.py: %s: the name of a Python file ends in .py" % path)
        with open(path, "rb") as file:
            data = file.read()
        compile(data, path, "exec")  # a syntax error ends the build, not the first start
        yield b"%s %d\n" % (name.encode(), len(data))
        yield data


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, boot, extension, *files = sys.argv[1:]
    arrays = {
        "embed_boot": read(boot),
        "embed_blob": b"".join(blob(files)),
        "embed_ext": read(extension),
    }
    if b"\0" in arrays["embed_boot"]:
        sys.exit("embed.py: %s: a NUL would end the text early" % boot)

    with open(out + ".new", "w", encoding="ascii") as file:
        file.write('/* Made by tools/embed.py. */\n#include "kernel/embed.h"\n')
        for name, data in arrays.items():
            # A literal ends with a NUL that is not in the size.
            file.write("\nconst unsigned char %s[] =\n" % name)
            file.writelines(literal(data) if data else ['    ""\n'])
            file.write("    ;\nconst size_t %s_size = sizeof(%s) - 1;\n" % (name, name))
    os.replace(out + ".new", out)


if __name__ == "__main__":
    main()
