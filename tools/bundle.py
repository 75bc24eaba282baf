#!/usr/bin/env python3
"""Write the C file that carries the program of the fetch sandbox: the array of src/fetch/bundle.h.

    bundle.py OUT.c [OUT.zip] FILE.py...

The program is one zip file, which Python runs as it is: __main__.py at the top, the other files in a package. The same
sources give the same bytes.
"""

import io
import os
import sys
import zipfile

import embed

PACKAGE = "cellblock_fetch"


def bundle(paths):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        files = {"%s/__init__.py" % PACKAGE: b""}
        for path in paths:
            name, data = os.path.basename(path), embed.read(path)
            compile(data, path, "exec")  # a syntax error ends the build, not the first use
            files[name if name == "__main__.py" else "%s/%s" % (PACKAGE, name)] = data
        for name in sorted(files):
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.external_attr = 0o100644 << 16
            member.create_system = 3
            archive.writestr(member, files[name], zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out, *paths = sys.argv[1:]
    data = bundle([path for path in paths if path.endswith(".py")])
    for path in paths:
        if path.endswith(".zip"):
            with open(path, "wb") as file:
                file.write(data)
    with open(out + ".new", "w", encoding="ascii") as file:
        file.write('/* Made by tools/bundle.py. */\n#include "fetch/bundle.h"\n')
        file.write("\nconst unsigned char fetch_bundle[] =\n")
        file.writelines(embed.literal(data))
        file.write("    ;\nconst size_t fetch_bundle_size = sizeof(fetch_bundle) - 1;\n")
    os.replace(out + ".new", out)


if __name__ == "__main__":
    main()
