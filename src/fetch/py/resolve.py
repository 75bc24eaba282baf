"""
`resolve`: what has to be fetched for the specifiers. uv says it without downloading; pip (here for machines that have
no uv) downloads. Both choose wheels only: nothing of a package may run here.
"""

import glob
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys

from . import lock
from .job import Wheel, write_file, write_lock
from .names import WheelName

WHEELS = "wheels"  # where pip puts them, below the current directory

# --only-binary is about what an index offers: a wheel that needs "x @ https://.../x.tar.gz" makes pip run that one's
# code. So that is taken out of pip, as are addresses in what a wheel needs; one in which that is not found where it
# should be is not used. And what the base environment has counts as there, but for an environment of its own to build
# in (alone).
_guarded_pip = """
import re
import sys

folder, alone = sys.argv.pop(1), sys.argv.pop(1)
if folder:
    sys.path.insert(0, folder)
asked, named = [], {}
with open("job", encoding="utf-8", errors="surrogateescape") as job:
    for line in job:
        words = line.split()
        if words[:1] == ["spec"]:
            asked += words[1:] + line.strip().split("@", 1)[1:]
        elif words[:1] == ["hash"]:
            named.setdefault(words[1], []).append(words[2])

# A wheel could make pip ask any address that this sandbox sees, and read any file: what it needs comes from the index.
from pip._internal.exceptions import InstallationError
from pip._internal.req import constructors

make_needed = constructors.install_req_from_req_string


def make_needed_by_name(req_string, comes_from=None, *others, **named):
    made = make_needed(req_string, comes_from, *others, **named)
    url = made.req and made.req.url
    if url and url not in asked:
        who = comes_from and comes_from.name
        raise InstallationError("%s needs %s: only what was asked for may have an address" % (who, made.req))
    return made


constructors.install_req_from_req_string = make_needed_by_name
from pip._internal.cli import req_command

if req_command.install_req_from_req_string is not make_needed_by_name:
    raise AttributeError("install_req_from_req_string")
from pip._internal.distributions.sdist import SourceDistribution
from pip._internal.cli.req_command import RequirementCommand
from pip._internal.operations import prepare


def refuse(it, *others, **named):
    what = getattr(it, "req", it)
    raise InstallationError("%s is source code, which is not built here: there is no wheel of it" % (what,))


SourceDistribution.prepare_distribution_metadata, prepare.unpack_vcs_link
SourceDistribution.prepare_distribution_metadata = prepare.unpack_vcs_link = refuse

# "download" has no eye for what is installed, "install" has.
make_resolver = RequirementCommand.make_resolver.__func__


def make_thrifty(cls, *others, **named):
    named["ignore_installed"] = bool(alone)
    return make_resolver(cls, *others, **named)


RequirementCommand.make_resolver = classmethod(make_thrifty)

# Where files are named by their hashes, pip prefers them; what it chose is looked at afterwards in any case.
if named:
    from pip._internal.index import package_finder
    from pip._internal.utils.hashes import Hashes

    filter_unallowed_hashes = package_finder.filter_unallowed_hashes

    def filter_named(candidates, hashes, project_name):
        its = named.get(re.sub("[-_.]+", "-", project_name).lower())
        return filter_unallowed_hashes(candidates, Hashes({"sha256": its}) if its else hashes, project_name)

    package_finder.filter_unallowed_hashes = filter_named
from pip._internal.cli.main import main

sys.argv[0] = "pip"
sys.exit(main())
"""


def run(job):
    """The exit status: that of uv or pip."""
    for spec in job.all("spec") + job.all("constraint"):
        # In a requirements file these would be options, or the environment's secrets.
        if not spec.strip() or spec.lstrip().startswith("-") or "${" in spec or not spec.isprintable():
            print("error: %r is no requirement" % spec, file=sys.stderr)
            return 2
    constraints = job.all("constraint")
    if constraints:
        write_file("constraints.txt", "".join(line + "\n" for line in constraints))
    common = ["--only-binary", ":all:"]
    if job.flag("no-index"):
        common.append("--no-index")
    if constraints:
        common += ["--constraint", "constraints.txt"]
    for folder in job.all("wheel-dir"):
        common += ["--find-links", folder]
    if job.get("cache"):
        common += ["--cache-dir", job.get("cache")]
    # What a hostile index can fill a disk with at once.
    most = job.number("max-wheel-bytes", 2 << 30)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    tool = job.get("tool", "pip")
    return _pip(job, common) if tool == "pip" else _uv(tool, job, common)


def _uv(uv, job, common):
    write_file("requirements.in", "".join(spec + "\n" for spec in job.all("spec")))
    # An earlier output is preferred where that is possible.
    write_file("pylock.toml", lock.preferring(pin.partition("==")[::2] for pin in job.all("base")))
    command = [uv, "pip", "compile", "--format", "pylock.toml", "--output-file", "pylock.toml", "--color", "never"]
    command += ["--no-header", "--no-annotate"]
    command += ["--python", job.get("python", sys.executable)] + common
    if job.flag("offline"):
        command.append("--offline")
    if job.all("constraint"):  # the option hides the variable, which pip adds to it
        for path in os.environ.get("UV_CONSTRAINT", "").split():
            command += ["--constraint", path]
    status = subprocess.run(
        command + ["requirements.in"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ).returncode
    if status:
        return status if status > 0 else 128 - status
    with open("pylock.toml", encoding="utf-8") as file:
        write_lock(lock.read(file.read(), os.getcwd(), job.hashes()))
    return 0


def _pip(job, common):
    pip = _find_pip(job.get("python", sys.executable), job.flag("alone"))
    if pip is None:
        print("error: No module named pip", file=sys.stderr)
        return 1
    shutil.rmtree(WHEELS, ignore_errors=True)  # of an earlier try
    os.mkdir(WHEELS)
    command = pip + ["download", "--dest", WHEELS, "--progress-bar", "off", "--no-color", "--no-input"]
    # Its log tells an index that refuses from a package that does not exist; what it prints does not.
    command += ["--disable-pip-version-check", "--log", "pip.log"] + common
    if job.flag("offline") and "--no-index" not in common:
        command.append("--no-index")
    status = subprocess.run(command + ["--"] + job.all("spec"), stdin=subprocess.DEVNULL).returncode
    if status:
        return status if status > 0 else 128 - status
    write_lock(_downloaded(name) for name in sorted(os.listdir(WHEELS)))
    return 0


def _downloaded(filename):
    name = WheelName(filename)
    path = os.path.join(WHEELS, filename)
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return Wheel(name.name, name.version, filename, digest.hexdigest(), os.path.getsize(path), "file:" + path)


def _find_pip(python, alone=False):
    """How to call the interpreter's pip, or the one in a wheel; None. alone: what is installed does not count."""
    folder = pip_folder(python)
    return None if folder is None else [python, "-I", "-c", _guarded_pip, folder, "alone" if alone else ""]


def pip_folder(python):
    """"" when the interpreter has pip, else the wheel that ensurepip would install; None: there is none."""
    if python == sys.executable:
        from importlib.util import find_spec

        if find_spec("pip"):
            return ""
    elif subprocess.run([python, "-I", "-c", "import pip"], stderr=subprocess.DEVNULL).returncode == 0:
        return ""
    # Debian keeps the wheel elsewhere, and may have it without ensurepip.
    folders = [os.path.join(os.path.dirname(os.__file__), "ensurepip", "_bundled"), "/usr/share/python-wheels"]
    for folder in folders:
        found = glob.glob(os.path.join(glob.escape(folder), "pip-*.whl"))
        if found:
            return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", os.path.basename(path))])
    return None
