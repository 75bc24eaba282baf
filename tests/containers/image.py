"""The root of a container, made of this machine's own files: Python, a shell, a few programs, what they link."""

import os
import pathlib
import re
import shutil
import subprocess

PYTHON = "/usr/bin/python3"
PROGRAMS = ["/bin/sh", "/bin/sleep", "/bin/echo", "/bin/true", "/bin/cat", "/usr/bin/id", "/bin/ls"]
LEFT_OUT = shutil.ignore_patterns("__pycache__", "test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3", "*.a")


def libraries(path):
    """What the dynamic linker would load for a program or a library."""
    done = subprocess.run(["ldd", path], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", done.stdout)


def copy(root, source, target=None):
    """A file, at the same place; where that is below a link like /lib, below what the link leads to."""
    target = target or os.path.join(os.path.realpath(os.path.dirname(source)), os.path.basename(source))
    place = root / target.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        shutil.copy(source, place)
        for library in libraries(source):
            copy(root, library)


def make(root, programs):
    """programs: {path in the container: file}."""
    for name in ("tmp", "proc", "sys", "dev", "run", "root", "srv", "etc", "home/somebody", "var/tmp", "usr/bin", "usr/lib"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    (root / "root").chmod(0o700)
    (root / "srv").chmod(0o700)
    for link in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"):
        if os.path.islink(link) and not (root / link[1:]).is_symlink():
            (root / link[1:]).symlink_to(os.readlink(link))
            (root / os.readlink(link)).mkdir(parents=True, exist_ok=True)
    code = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    stdlib = subprocess.run([PYTHON, "-I", "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    shutil.copytree(stdlib, root / stdlib[1:], ignore=LEFT_OUT, symlinks=False, ignore_dangling_symlinks=True)
    for extension in pathlib.Path(stdlib, "lib-dynload").glob("*.so"):
        for library in libraries(str(extension)):
            copy(root, library)
    copy(root, os.path.realpath(PYTHON), PYTHON)
    for program in PROGRAMS:
        copy(root, os.path.realpath(program), program if program.startswith("/usr") else "/usr" + program)
    for target, source in programs.items():
        copy(root, str(source), target)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nsomebody:x:1000:1000::/home/somebody:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\nsomebody:x:1000:\n")
    (root / "etc" / "shadow").write_text("root:*:1:::::\n")
    (root / "etc" / "shadow").chmod(0o600)
    (root / "secret").write_text("the container's\n")
    (root / "srv" / "secret").write_text("root's\n")
