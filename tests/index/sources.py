"""Source distributions: good ones of every kind, and ones whose build attacks. Everything needed to build is in them or here.

    file_name, data = source("toy-src", "1.0", {"toy_src.py": "VALUE = 1\\n"})
    file_name, data = setuptools()  # a wheel: a few lines that do what old packages expect of that name
"""

import io
import tarfile

from wheels import wheel

# Makes a wheel of the files in src/; what a package's build does besides is its own before().
BACKEND = '''
import base64, hashlib, os, stat, sys, zipfile

NAME, VERSION = open("NAME").read().split()
TAG = "py3-none-any"

def write_wheel(folder, files, name=NAME, version=VERSION, tag=None):
    module = name.replace("-", "_")
    info = "%s-%s.dist-info/" % (module, version)
    files = dict(files)
    files[info + "METADATA"] = ("Metadata-Version: 2.1\\nName: %s\\nVersion: %s\\n" % (name, version)).encode() + b"".join(
        b"Requires-Dist: " + line.encode() + b"\\n" for line in open("NEEDS").read().splitlines())
    files[info + "WHEEL"] = b"Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: %s\\n" % (tag or TAG).encode()
    rows = ["%s,sha256=%s,%d\\n" % (path, base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode(), len(data))
            for path, data in files.items()]
    files[info + "RECORD"] = ("".join(rows) + info + "RECORD,,\\n").encode()
    path = os.path.join(folder, "%s-%s-%s.whl" % (module, version, tag or TAG))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data)
    return os.path.basename(path)

def sources():
    return {name: open(os.path.join("src", name), "rb").read() for name in sorted(os.listdir("src"))}

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return write_wheel(folder, sources())
'''

# A C extension, compiled by the machine's compiler.
COMPILES = '''
import subprocess, sysconfig

TAG = "cp%d%d-cp%d%d-linux_%s" % (sys.version_info[:2] * 2 + (os.uname().machine,))

def build_wheel(folder, config_settings=None, metadata_directory=None):
    out = NAME.replace("-", "_") + sysconfig.get_config_var("EXT_SUFFIX")
    subprocess.run(["cc", "-shared", "-fPIC", "-I" + sysconfig.get_path("include"), "-o", out, "src/module.c"], check=True)
    return write_wheel(folder, {out: open(out, "rb").read()})
'''
MODULE = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "%s", "", -1, methods};
PyMODINIT_FUNC PyInit_%s(void) { return PyModule_Create(&def); }
"""

# What a build can find out and do; VALUE of the module is what it found. The same code runs outside, where it must succeed.
SNOOP = '''
def tried(what):
    try:
        return what()
    except Exception as error:
        return None

def connects(port):
    import socket
    socket.create_connection(("127.0.0.1", port), 2).close()
    return True

def writes(path):
    open(path, "w").write("was here")
    return True

def snoop(aims):
    found = {
        "file": tried(lambda: open(aims["file"]).read()),
        "listed": tried(lambda: "work" in os.listdir(aims["folder"]) or None),
        "written": tried(lambda: writes(aims["write"])),
        "network": tried(lambda: connects(aims["port"])),
        "secret": tried(lambda: aims["secret"] in str(dict(os.environ)) or None),
        "process": tried(lambda: os.readlink("/proc/%d/cwd" % aims["pid"])),
        "signal": tried(lambda: os.kill(aims["pid"], 0) or True),
    }
    return {key: value for key, value in found.items() if value is not None}
'''
SNOOPS = SNOOP + '''
def build_wheel(folder, config_settings=None, metadata_directory=None):
    import json
    found = snoop(json.load(open("AIMS")))
    return write_wheel(folder, {NAME.replace("-", "_") + ".py": ("VALUE = %r\\n" % found).encode()})
'''

# What is done instead of leaving one good wheel.
HOSTILE = {
    "two": 'write_wheel(folder, sources()); return write_wheel(folder, sources(), tag="py2-none-any")',
    "none": "return 'x.whl'",
    "other": 'return write_wheel(folder, sources(), name="toy-good")',
    "version": 'return write_wheel(folder, sources(), version="9.9")',
    "link": 'os.symlink("/etc/passwd", os.path.join(folder, "%s-%s-%s.whl" % (NAME.replace("-", "_"), VERSION, TAG)))',
    "hardlink": 'name = write_wheel(".", sources()); os.link(name, os.path.join(folder, name)); return name',
    "folder": 'os.mkdir(os.path.join(folder, "%s-%s-%s.whl" % (NAME.replace("-", "_"), VERSION, TAG)))',
    "pipe": 'os.mkfifo(os.path.join(folder, "%s-%s-%s.whl" % (NAME.replace("-", "_"), VERSION, TAG)))',
    "elsewhere": 'os.rmdir(folder); os.symlink("/etc", folder)',
    "rubbish": 'open(os.path.join(folder, "%s-%s-%s.whl" % (NAME.replace("-", "_"), VERSION, TAG)), "w").write("no zip" * 99)',
    "loud": 'line = b"z" * (1 << 20); [os.write(1, line) for _ in range(64)]; raise SystemExit("error: the last word")',
    "bomb": """
    pids = []
    try:
        while len(pids) < 5000:
            pid = os.fork()
            if pid == 0:
                import time
                time.sleep(100)
                os._exit(0)
            pids.append(pid)
    except OSError:
        pass
    raise SystemExit("error: %s processes" % ("many" if len(pids) >= 5000 else "not so many"))""",
    "disk": """
    size = 0
    try:
        for i in range(100):
            with open("big%d" % i, "wb") as file:
                for _ in range(64):
                    size += file.write(bytes(1 << 20))
    except OSError:
        pass
    raise SystemExit("error: %s" % ("no limit" if size > (3 << 30) else "a limit"))""",
    "memory": """
    try:
        data = bytearray(8 << 30)
    except MemoryError:
        raise SystemExit("error: no memory")""",
    "sleeps": "import time; print('asleep', flush=True); time.sleep(1000)",
    "killer": "import signal; os.kill(-1, signal.SIGKILL)",
    "requires": "raise SystemExit('it got here')",
}


def source(name, version="1.0", files=None, backend="", needs=(), requires=(), more=None, project=None, top=None):
    """files: below src/. backend: is added to BACKEND. more: further files, by path; project: pyproject.toml instead."""
    module = name.replace("-", "_")
    files = {module + ".py": "VALUE = 'built'\nVERSION = %r\n" % version} if files is None else files
    everything = {"src/" + path: text for path, text in files.items()}
    everything.update(NAME="%s %s" % (name, version), NEEDS="\n".join(needs))
    everything["toybackend.py"] = BACKEND + backend
    if project is None:
        lines = ["[build-system]", "requires = %r" % list(requires), 'build-backend = "toybackend"', 'backend-path = ["."]']
        project = "\n".join(lines) + "\n"
    if project:
        everything["pyproject.toml"] = project
    everything.update(more or {})
    return "%s-%s.tar.gz" % (module, version), archive({"%s/%s" % (top or "%s-%s" % (module, version), path): text
                                                         for path, text in everything.items()})  # fmt: skip


def archive(files, members=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for path, text in files.items():
            data = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(path)
            member.size, member.mtime = len(data), 1700000000
            tar.addfile(member, io.BytesIO(data))
        for member in members:
            tar.addfile(member)
    return out.getvalue()


def hostile(kind):
    return source("bad-" + kind, backend="\ndef build_wheel(folder, config_settings=None, metadata_directory=None):\n    %s\n" % HOSTILE[kind])


LEGACY = '''
"""Of setuptools only what the tests need: setup.py is run, with the directory that it lies in on sys.path."""
import os, sys

class Legacy:
    def get_requires_for_build_wheel(self, settings=None):
        return ["toy-plain"]

    def build_wheel(self, folder, settings=None, metadata=None):
        import setuptools, toy_plain
        sys.path.insert(0, os.getcwd())
        exec(compile(open("setup.py").read(), "setup.py", "exec"), {"__file__": "setup.py", "__name__": "__main__"})
        import toybackend
        return toybackend.write_wheel(folder, {m + ".py": open(m + ".py", "rb").read() for m in setuptools.asked["py_modules"]})

__legacy__ = Legacy()
get_requires_for_build_wheel, build_wheel = __legacy__.get_requires_for_build_wheel, __legacy__.build_wheel
'''


def setuptools():
    files = {"setuptools/__init__.py": "asked = {}\ndef setup(**given):\n    asked.update(given)\n", "setuptools/build_meta.py": LEGACY}
    return wheel("setuptools", "99.0", files=files)


def with_setup(name, project=""):
    """As it was done before pyproject.toml, or with one that names setuptools."""
    module = name.replace("-", "_")
    setup = "import helper\nfrom setuptools import setup\nsetup(name=%r, version=helper.VERSION, py_modules=[%r])\n" % (name, module)
    more = {"setup.py": setup, "helper.py": "VERSION = '1.0'\n", module + ".py": "VALUE = 'by setup.py'\nVERSION = '1.0'\n"}
    return source(name, project=project, more=more)
