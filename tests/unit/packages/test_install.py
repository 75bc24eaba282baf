"""Drives packages_install (through install_tool) against the toy index, with uv where there is one, and with pip.

    test_install.py INSTALL_TOOL uv|pip [unittest arguments]

Everything runs with the python3 that runs this; a few cases with the oldest and newest other Python that is found.
Exit code 77: this machine has no such installer.
"""

import contextlib
import glob
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "index"))
from toyindex import ToyIndex  # noqa: E402

TOOL = os.path.abspath(sys.argv.pop(1))
INSTALLER = sys.argv.pop(1)
VENV_UV = os.path.join(HERE, "..", "..", "..", "build", "venv-tests", "bin", "uv")
UV = os.environ.get("CELLBLOCK_TEST_UV") or shutil.which("uv") or (os.path.exists(VENV_UV) and os.path.abspath(VENV_UV))


def ask(python, code, env=None):
    return subprocess.run([python, "-c", code], stdout=subprocess.PIPE, check=True, text=True, env=env).stdout.strip()


class Python:
    def __init__(self, path):
        self.path = path
        said = ask(path, "import sys; print(sys.executable, sys.prefix, sys.base_prefix, '%d.%d' % sys.version_info[:2])")
        self.executable, self.prefix, self.base_prefix, self.version = said.split()

    def can(self, module):
        return subprocess.run([self.path, "-c", "import " + module], stderr=subprocess.DEVNULL).returncode == 0


def find_python():
    """The one that runs this, without the virtual environment that it may be in."""
    return Python(getattr(sys, "_base_executable", None) or sys.executable)


def other_pythons(own):
    found = {}
    places = [os.path.expanduser("~/.pyenv/versions/*/bin")] + os.environ.get("PATH", "").split(":")
    for place in places:
        for path in sorted(glob.glob(os.path.join(place, "python3.[0-9]*"))):
            match = re.fullmatch(r"python3\.(\d+)", os.path.basename(path))
            if match and 9 <= int(match[1]) <= 14 and "shims" not in path and int(match[1]) not in found:
                with contextlib.suppress(Exception):
                    found[int(match[1])] = Python(path)
    rest = [found[minor] for minor in sorted(found) if found[minor].version != own.version]
    return rest[:1] + rest[1:][-1:]


class Outcome:
    def __init__(self, text):
        self.text = text
        self.asked, self.came, self.progress, self.target, self.refused = {}, {}, [], None, None
        self.ok = self.timed_out = self.cancelled = self.error = None
        for line in text.splitlines():
            word, *fields = line.split("|", 4 if line.startswith(("asked", "came", "target")) else 1)
            if word == "asked":
                self.asked[fields[1]] = (fields[0], fields[2], fields[3].replace("\\n", "\n"))
            elif word == "came":
                self.came[fields[1]] = (fields[0], fields[3])
            elif word == "progress":
                self.progress.append(fields[0])
            elif word in ("ok", "timed_out", "cancelled"):
                setattr(self, word, fields[0] == "1")
            elif word in ("error", "refused"):
                setattr(self, word, fields[0].replace("\\n", "\n"))
            elif word == "target":
                self.target = fields


class Case(unittest.TestCase):
    tool = "pip"
    python = None

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.index = cls.stack.enter_context(ToyIndex())
        cls.cache = cls.stack.enter_context(tempfile.TemporaryDirectory())

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.top = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.work, self.home = os.path.join(self.top, "work"), os.path.join(self.top, "home")
        os.mkdir(self.work)
        os.mkdir(self.home)
        self.env = {"PATH": "/usr/bin:/bin", "HOME": self.home, "PIP_INDEX_URL": self.index.url,
                    "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_CACHE_DIR": "1", "UV_CACHE_DIR": self.cache,
                    "UV_HTTP_RETRIES": "0", "PIP_RETRIES": "0"}
        if self.tool == "uv":
            local = os.path.join(self.home, ".local", "bin")
            os.makedirs(local)
            os.symlink(UV, os.path.join(local, "uv"))

    def start(self, *specs, timeout=60, python=None, prefix=(), tool=TOOL):
        python = python or self.python
        return subprocess.Popen([*prefix, tool, self.work, python.executable, python.prefix, python.base_prefix,
                                 str(int(timeout * 1000)), *specs], env=self.env, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process):
        text = process.communicate(timeout=90)[0]
        if process.returncode not in (0, 1):
            raise AssertionError("install_tool ended with %d: %s" % (process.returncode, text))
        return Outcome(text)

    def install(self, *specs, **how):
        return self.finish(self.start(*specs, **how))

    def venv(self, *path):
        return os.path.join(self.work, ".venv", *path)

    def in_venv(self, code):
        return ask(self.venv("bin", "python"), code, self.env)


class Basics(Case):
    def test_new_then_present(self):
        got = self.install("toy-good")
        self.assertTrue(got.ok, got.text)
        self.assertEqual(got.asked, {"toy-good": ("new", "2.0", "")})
        self.assertEqual(got.came, {"toy-dep==1.2": ("new", "")})
        self.assertEqual(got.target[:2], [self.venv("bin", "python"), self.venv()])
        self.assertEqual(got.target[3], "1")
        self.assertTrue(os.path.isdir(got.target[2]))
        self.assertEqual(self.in_venv("import toy_good; print(toy_good.VERSION)"), "2.0")
        with open(self.venv("pyvenv.cfg")) as f:
            self.assertIn("include-system-site-packages = true", f.read())
        got = self.install("toy-good", "toy-plain")
        self.assertTrue(got.ok, got.text)
        self.assertEqual(got.asked, {"toy-good": ("present", "2.0", ""), "toy-plain": ("new", "1.0", "")})
        self.assertEqual((got.came, got.target[3]), ({}, "0"))

    def test_half_made_environment_is_completed(self):
        os.makedirs(self.venv("lib"))
        os.makedirs(self.venv("bin"))
        got = self.install("toy-plain")
        self.assertTrue(got.ok, got.text)
        os.remove(self.venv("pyvenv.cfg"))
        got = self.install("toy-dep")
        self.assertTrue(got.ok, got.text)
        self.assertEqual(self.in_venv("import toy_dep, toy_plain; print(toy_dep.VERSION)"), "1.2")

    def test_environment_of_another_python(self):
        others = other_pythons(self.python)
        if not others:
            self.skipTest("no other Python")
        subprocess.run([others[0].path, "-m", "venv", "--without-pip", self.venv()], check=True)
        got = self.install("toy-plain")
        self.assertIn("is for Python " + others[0].version, got.error)
        self.assertIn("this session runs Python " + self.python.version, got.error)
        self.assertIn("--python", got.error)
        self.assertEqual(got.asked["toy-plain"][0], "failed")


class Everything(Basics):
    def test_good_ones_are_installed_beside_bad_ones(self):
        got = self.install("toy-good==1.0", "toy-nope", "skimage", "toy-extra[more]", "toy-badbuild", "toy-good-nope>=1")
        self.assertFalse(got.ok)
        self.assertEqual(got.error, "")
        self.assertEqual(got.asked["toy-good==1.0"], ("new", "1.0", ""))
        self.assertEqual(got.asked["toy-extra[more]"], ("new", "1.0", ""))
        self.assertIn("no package named toy-nope", got.asked["toy-nope"][2])
        self.assertIn("no package named skimage; nearest names: scikit-image", got.asked["skimage"][2])
        self.assertIn("no package named toy-good-nope", got.asked["toy-good-nope>=1"][2])
        self.assertIn("fatal error: toy.h", got.asked["toy-badbuild"][2])
        self.assertIn("toy-plain==1.0", got.came)

    def test_upgrade_tells_what_was_there(self):
        self.install("toy-good==1.0")
        got = self.install("toy-good>=1.1")
        self.assertEqual(got.asked, {"toy-good>=1.1": ("new", "2.0", "in place of 1.0")})

    def test_conflict(self):
        got = self.install("toy-low", "toy-high", "toy-plain")
        self.assertFalse(got.ok)
        for name in "toy-low", "toy-high":
            self.assertEqual(got.asked[name][0], "failed")
            self.assertIn("exclude each other", got.asked[name][2])
            self.assertIn("toy-dep<1.1", got.asked[name][2])
        self.assertEqual(got.asked["toy-plain"][0], "new")

    def test_why_it_failed(self):
        for spec, words in (("toy-good==9", "no version fits"), ("toy-newer", "there is no version for this Python"),
                            ("toy-elsewhere", "no file for this version of Python"), ("toy-badhash", "hash differs"),
                            ("toy-broken", "damaged"), ("toy-orphan", "it needs toy-nowhere"),
                            ("toy-noisy", "gcc")):
            with self.subTest(spec):
                got = self.install(spec)
                self.assertEqual(got.asked[spec][0], "failed")
                self.assertIn(words, got.asked[spec][2])
                self.assertLess(len(got.text), 6000)

    def test_other_forms(self):
        url = "toy-dep @ " + self.index.file_url("toy-dep", "toy_dep-1.0-py3-none-any.whl")
        got = self.install(url, 'toy-plain; python_version < "3"', " toy-sdist (>=1.0) ", "Toy.Pre>=1.0a0")
        self.assertEqual(got.asked[url], ("new", "1.0", ""))
        self.assertEqual(got.asked["toy-sdist (>=1.0)"], ("new", "1.0", ""))
        self.assertEqual(got.asked["Toy.Pre>=1.0a0"], ("new", "1.0a1", ""))
        self.assertIn("does not hold", got.asked['toy-plain; python_version < "3"'][2])

    def test_refused_before_anything_runs(self):
        for spec in "-r x", "./x", "file:///x", "a b", "${HOME}":
            self.assertIn("is not a package requirement", self.install("toy-plain", spec).refused)
        self.assertFalse(os.path.exists(self.venv()))

    def test_index_that_refuses_one_package(self):
        got = self.install("toy-403", "toy-plain")
        self.assertEqual(got.asked["toy-plain"][0], "new")
        self.assertIn("refuses access", got.asked["toy-403"][2])
        self.assertNotIn("no package", got.text)

    def test_index_that_refuses_or_fails(self):
        for mode, words in (("401", "refuses access"), ("403", "refuses access"), ("500", "answered with an error"),
                            ("503", "answered with an error"), ("reset", "could not be reached")):
            with self.subTest(mode):
                self.env["PIP_INDEX_URL"] = self.index.at(mode, "joe:geheim")
                got = self.install("toy-good", "toy-plain", "toy-dep")
                self.assertFalse(got.ok)
                self.assertIn(words, got.error)
                self.assertNotIn("no package named", got.text)
                self.assertNotIn("geheim", got.text)
                self.assertEqual({a[0] for a in got.asked.values()}, {"failed"})

    def test_index_that_is_not_there(self):
        self.env["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple/"
        got = self.install("toy-good", "toy-plain")
        self.assertIn("could not be reached", got.error)
        self.assertIn("PIP_INDEX_URL", got.error)

    def test_index_with_a_password(self):
        self.env["PIP_INDEX_URL"] = self.index.at("auth", "toy:secret")
        got = self.install("toy-good", "toy-nope")
        self.assertEqual(got.asked["toy-good"][0], "new")
        self.assertIn("no package named toy-nope", got.asked["toy-nope"][2])
        self.assertNotIn("secret", got.text)

    def test_index_of_a_pip_configuration(self):
        del self.env["PIP_INDEX_URL"], self.env["PIP_CONFIG_FILE"]
        os.makedirs(os.path.join(self.home, ".config", "pip"))
        with open(os.path.join(self.home, ".config", "pip", "pip.conf"), "w") as f:
            f.write("# ours\n[global]\ntimeout = 5\nindex_url = %s\n" % self.index.url)
        self.assertTrue(self.install("toy-good").ok)

    def test_environment_of_builds(self):
        self.env.update(MY_SECRET="hidden", AWS_SECRET_ACCESS_KEY="hidden", no_proxy="127.0.0.1", LC_ALL="C.UTF-8")
        self.assertTrue(self.install("toy-environ").ok)
        said = self.in_venv("import toy_environ; print(toy_environ.ENVIRON)")
        self.assertNotIn("hidden", said)
        self.assertIn("no_proxy", said)

    def test_settings_that_lead_elsewhere_are_dropped(self):
        self.env.update(PIP_TARGET=os.path.join(self.top, "elsewhere"), PIP_USER="1", UV_SYSTEM_PYTHON="1",
                        UV_PYTHON="3.1", PIP_DRY_RUN="1", UV_VENV_CLEAR="1")
        self.assertTrue(self.install("toy-good").ok)
        self.assertFalse(os.path.exists(os.path.join(self.top, "elsewhere")))

    def test_modules_in_the_working_directory_are_not_imported(self):
        for name in "pip", "venv", "sysconfig", "runpy", "os", "random", "ensurepip", "sitecustomize":
            with open(os.path.join(self.work, name + ".py"), "w") as f:
                f.write("raise SystemExit('imported %s')\n" % name)
        self.assertTrue(self.install("toy-good").ok)

    def test_timeout_keeps_what_is_done(self):
        self.install("toy-plain")
        start = time.monotonic()
        got = self.install("toy-plain", "toy-slow", timeout=2)
        self.assertLess(time.monotonic() - start, 6)
        self.assertTrue(got.timed_out)
        self.assertFalse(got.ok)
        self.assertIn("not finished after 2 s", got.error)
        self.assertEqual(got.asked["toy-slow"][0], "failed")
        self.assertIn("not finished in time", got.asked["toy-slow"][2])
        self.assertLessEqual(len(got.progress), 5)

    def test_cancel_ends_builds_that_ignore_it(self):
        pids_file = os.path.join(self.top, "pids")
        self.env["UV_TOY_PIDS" if self.tool == "uv" else "PIP_TOY_PIDS"] = pids_file
        process = self.start("toy-stubborn")
        pids = []
        for _ in range(200):
            with contextlib.suppress(OSError, ValueError):
                with open(pids_file) as f:
                    pids = [int(p) for p in f.read().split()]
            if len(pids) == 2:
                break
            time.sleep(0.1)
        self.assertEqual(len(pids), 2)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        got = self.finish(process)
        self.assertLess(time.monotonic() - start, 3)
        self.assertTrue(got.cancelled)
        self.assertFalse(got.timed_out)
        for pid in pids:
            for _ in range(20):
                if not alive(pid):
                    break
                time.sleep(0.1)
            self.assertFalse(alive(pid), "a process of the build lives on")

    def test_cancel_at_once(self):
        process = self.start("toy-plain")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        got = self.install("toy-plain")
        self.assertTrue(got.ok, got.text)

    def test_killed_in_the_middle(self):
        for delay in (0.02, 0.05, 0.1, 0.2) if self.tool == "uv" else (0.05, 0.3):
            process = self.start("toy-good")
            time.sleep(delay)
            process.kill()
            process.communicate()
            got = self.install("toy-good")
            self.assertTrue(got.ok, got.text)
            shutil.rmtree(self.venv())

    def test_lock_outlives_a_killed_server(self):
        self.index.requests.clear()
        process = self.start("toy-slow")
        for _ in range(200):
            if any("toy_slow" in path for path in self.index.requests):
                break
            time.sleep(0.1)
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as f:
            children = [int(pid) for pid in f.read().split()]
        process.kill()
        process.communicate()
        got = self.install("toy-plain", timeout=4)
        self.assertTrue(got.timed_out, got.text)
        self.assertIn("waiting for another installation", got.error)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(self.install("toy-plain").ok)

    def test_two_at_once(self):
        for _ in range(3 if self.tool == "uv" else 1):
            both = [self.start("toy-good"), self.start("toy-plain", "toy-good")]
            for got in [self.finish(p) for p in both]:
                self.assertTrue(got.ok, got.text)
            self.assertEqual(self.in_venv("import toy_good, toy_plain; print(1)"), "1")
            shutil.rmtree(self.venv())

    def test_broken_environments(self):
        with open(self.venv(), "w"):
            pass
        self.assertIn("is not a directory", self.install("toy-plain").error)
        os.remove(self.venv())
        os.symlink("/nowhere/at/all", self.venv())
        self.assertIn("leads nowhere", self.install("toy-plain").error)
        os.remove(self.venv())
        os.mkdir(self.venv())
        with open(self.venv("thesis.txt"), "w"):
            pass
        self.assertIn("is not a virtual environment", self.install("toy-plain").error)
        self.assertEqual(os.listdir(self.venv()), ["thesis.txt"])
        shutil.rmtree(self.venv())
        self.install("toy-plain")
        os.remove(self.venv("bin", "python"))
        os.symlink("/nowhere/bin/python3", self.venv("bin", "python"))
        got = self.install("toy-plain")
        self.assertIn("Remove " + self.venv(), got.error)
        self.assertIn("is gone", got.error)
        self.assertEqual(got.asked["toy-plain"][0], "failed")

    def test_moved_environment(self):
        self.install("toy-plain")
        os.rename(self.venv(), os.path.join(self.top, "other"))
        os.symlink(os.path.join(self.top, "other"), self.venv())
        self.assertTrue(self.install("toy-dep").ok)

    def test_inherited_packages_stay(self):
        site = os.path.join(self.home, ".local/lib/python%s/site-packages" % self.python.version)
        os.makedirs(site)
        wheel = os.path.join(self.top, "dep.whl")
        with open(wheel, "wb") as f:
            f.write(self.index.built("toy-dep", "toy_dep-1.0-py3-none-any.whl"))
        with zipfile.ZipFile(wheel) as z:
            z.extractall(site)
        got = self.install("toy-dep")
        self.assertEqual(got.asked, {"toy-dep": ("present", "1.0", "")}, got.text)
        got = self.install("toy-good")
        self.assertTrue(got.ok, got.text)
        self.assertNotIn("toy-dep==1.2", got.came)
        self.assertEqual(self.in_venv("import toy_dep; print(toy_dep.VERSION)"), "1.0")
        got = self.install("toy-high")
        self.assertTrue(got.ok, got.text)
        self.assertEqual(self.in_venv("import toy_dep; print(toy_dep.VERSION)"), "1.2")

    def test_session_in_an_environment_of_its_own(self):
        own = os.path.join(self.top, "own")
        if not self.python.can("ensurepip") and self.tool == "pip":
            self.skipTest("this Python has no ensurepip")
        subprocess.run([self.python.path, "-m", "venv", "--without-pip", own], check=True)
        got = self.install("toy-good", python=Python(os.path.join(own, "bin", "python")))
        self.assertTrue(got.ok, got.text)
        self.assertEqual(got.target[1], own)
        self.assertFalse(os.path.exists(self.venv()))
        self.assertNotIn("pip", " ".join(got.came))

    def test_no_right_to_write(self):
        if os.getuid() == 0 and not shutil.which("setpriv"):
            self.skipTest("root may write everywhere, and there is no setpriv")
        prefix, tool, python = (), TOOL, self.python
        if os.getuid() == 0:
            prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
            tool = shutil.copy(TOOL, self.top)
            os.chmod(self.top, 0o755)
            # setpriv itself still has capabilities when it executes: hence the shell
            usable = [p for p in (python.executable, "/usr/bin/python3") if os.path.exists(p) and not
                      subprocess.run([*prefix, "sh", "-c", "exec %s -c ''" % p], stderr=subprocess.DEVNULL).returncode]
            if not usable or (self.tool == "pip" and not Python(usable[0]).can("pip")):
                self.skipTest("no Python that is for everybody")
            python = Python(usable[0])
        self.env.update(HOME="/nonexistent", UV_CACHE_DIR="/tmp/nowhere")
        os.chmod(self.work, 0o555)
        got = self.install("toy-good", prefix=prefix, tool=tool, python=python)
        self.assertIn("no right to write to " + self.work, got.error)
        self.assertIn("--workdir", got.error)
        os.chmod(self.work, 0o755)
        got = self.install("toy-plain", python=python)
        self.assertTrue(got.ok, got.text)
        os.chmod(got.target[2], stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        got = self.install("toy-good", prefix=prefix, tool=tool, python=python)
        self.assertIn("no right to write to", got.error)
        self.assertIn("--workdir", got.error)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def load_tests(loader, tests, pattern):
    own = find_python()
    suite = unittest.TestSuite()
    for python, case in [(own, Everything)] + [(other, Basics) for other in other_pythons(own)]:
        if INSTALLER == "pip" and not python.can("pip") and not python.can("ensurepip"):
            continue
        name = "%s_%s_%s" % (case.__name__, INSTALLER, python.version.replace(".", "_"))
        suite.addTests(loader.loadTestsFromTestCase(type(name, (case,), {"tool": INSTALLER, "python": python})))
    return suite


def main():
    if INSTALLER == "uv" and not UV:
        sys.exit(77)
    result = unittest.main(exit=False).result
    bad = len(result.failures) + len(result.errors)
    print("[  PASSED  ] %d test(s)." % (result.testsRun - bad - len(result.skipped)))
    if bad:
        print("[  FAILED  ] %d test(s)." % bad)
    sys.exit(1 if bad else 0 if result.testsRun else 77)


if __name__ == "__main__":
    main()
