"""Drives fetch_start (through fetch_tool) against the toy index, with uv where there is one, and with pip.

    test_fetch.py FETCH_TOOL uv|pip [unittest arguments]

Exit code 77: this machine has no such installer, or no sandbox can be had on it.
"""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "index"))
from toyindex import ToyIndex  # noqa: E402

TOOL = os.path.abspath(sys.argv.pop(1))
INSTALLER = sys.argv.pop(1)
VENV_UV = os.path.join(HERE, "..", "..", "..", "build", "venv-tests", "bin", "uv")
UV = os.environ.get("CELLBLOCK_TEST_UV") or shutil.which("uv") or (os.path.exists(VENV_UV) and os.path.abspath(VENV_UV))
NO_SANDBOX = ("namespace", "pivot_root", "user ids", "CAP_", "Landlock")

ASK = """
import os, sys
print(sys.executable, "%d.%d.%d" % sys.version_info[:3], sys.prefix, sys.base_prefix,
      ":".join(p for p in sys.path if p.endswith("-packages") and os.path.isdir(p)), sep="\\n")
"""


def find_base():
    """The interpreter that runs this, without the virtual environment that it may be in."""
    python = getattr(sys, "_base_executable", None) or sys.executable
    said = subprocess.run([python, "-I", "-c", ASK], stdout=subprocess.PIPE, check=True, text=True).stdout
    return said.split("\n")[:5]


class Outcome:
    def __init__(self, text):
        self.text = text
        self.asked, self.came, self.progress = {}, {}, []
        self.error = self.notes = self.set = self.tree = self.refused = None
        self.ok = self.timed_out = self.cancelled = None
        for line in text.splitlines():
            word, *fields = line.split("|", 4 if line.startswith(("asked", "came", "set")) else 1)
            if word in ("asked", "came"):
                getattr(self, word)[fields[1]] = (fields[0], fields[2], fields[3].replace("\\n", "\n"))
            elif word == "progress":
                self.progress.append(fields[0])
            elif word in ("ok", "timed_out", "cancelled"):
                setattr(self, word, fields[0] == "1")
            elif word in ("error", "notes", "refused"):
                setattr(self, word, fields[0].replace("\\n", "\n"))
            elif word == "set":
                self.set, self.tree = fields[:2]

    def reason(self, spec):
        return self.asked[spec][2]


def pids_of(word):
    """Processes that have the word in their arguments: all that work on a store are given its path."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            with open(path, "rb") as file:
                if word.encode() in file.read():
                    found.append(int(path.split("/")[2]))
    return found


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.index = cls.stack.enter_context(ToyIndex())
        cls.base = find_base()

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def setUp(self):
        self.top = tempfile.mkdtemp(dir="/var/tmp")
        self.addCleanup(self.remove, self.top)
        os.chmod(self.top, 0o755)
        self.store, self.home = os.path.join(self.top, "store"), os.path.join(self.top, "home")
        os.mkdir(self.home, 0o700)
        self.index.requests.clear()
        self.env = {"PATH": "/usr/bin:/bin", "HOME": self.home, "PIP_INDEX_URL": self.index.url, "PIP_RETRIES": "0",
                    "UV_HTTP_RETRIES": "0"}
        if INSTALLER == "uv":
            self.env["PATH"] = os.path.dirname(UV) + ":/usr/bin:/bin"
        else:
            self.env["PATH"] = self.hide_uv()

    def hide_uv(self):
        """A PATH without uv."""
        return ":".join(p for p in ("/usr/bin", "/bin") if not os.path.exists(p + "/uv")) or "/nowhere"

    @staticmethod
    def remove(top):
        for folder, _, _ in os.walk(top):
            with contextlib.suppress(OSError):
                os.chmod(folder, 0o755)
        shutil.rmtree(top, ignore_errors=True)

    def command(self, specs, layer=None, times=1, ttl=600000, offline=False, timeout=60000):
        return [TOOL, self.store, str(ttl), str(int(offline)), str(timeout), str(times), layer or "-", *self.base, *specs]

    def fetch(self, *specs, **how):
        done = subprocess.run(self.command(specs, **how), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=self.env, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("secret", done.stdout)
        return Outcome(done.stdout)

    def good(self, *specs, **how):
        got = self.fetch(*specs, **how)
        self.assertTrue(got.ok, got.text)
        self.assert_clean()
        return got

    def assert_clean(self):
        self.assertEqual(os.listdir(os.path.join(self.store, "tmp")), [])

    def site(self, got):
        return glob.glob(got.tree + "/lib/python3.*/site-packages")[0]

    def run_in(self, got, code):
        python = got.tree + "/bin/python"
        done = subprocess.run([python, "-I", "-c", code], stdout=subprocess.PIPE, check=True, text=True)
        return done.stdout.strip()

    def requests(self):
        return len(self.index.requests)


class Fetching(Case):
    def test_packages_with_what_they_need(self):
        got = self.good("toy-good")
        self.assertEqual(got.asked, {"toy-good": ("new", "2.0", "")})
        self.assertEqual(got.came, {"toy-dep==1.2": ("new", "1.2", "")})
        self.assertEqual(self.run_in(got, "import toy_good, toy_dep; print(toy_good.VERSION, toy_dep.VERSION)"), "2.0 1.2")
        script = subprocess.run([got.tree + "/bin/toy-good"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(script.stdout, "2.0\n")
        cached = glob.glob(self.site(got) + "/__pycache__/toy_good.*.pyc")
        self.assertEqual(len(cached), 1)

    def test_the_same_again_needs_no_index(self):
        first = self.good("toy-good", "toy-plain")
        n = self.requests()
        again = self.good("Toy_Plain", "toy.good")
        self.assertEqual(self.requests(), n)
        self.assertEqual(again.set, first.set)
        self.assertEqual(list(again.asked), ["Toy_Plain", "toy.good"])
        self.assertEqual(again.came, first.came)
        offline = self.good("toy-plain", "toy-good", ttl=0, offline=True)
        self.assertEqual((self.requests(), offline.set), (n, first.set))
        self.assertTrue(self.good("toy-plain", "toy-good", ttl=0).ok)
        self.assertGreater(self.requests(), n)

    def test_a_wheel_of_another_set_is_there_once(self):
        first = self.good("toy-good")
        more = self.good("toy-good", "toy-plain")
        inodes = {os.stat(self.site(got) + "/toy_good.py").st_ino for got in (first, more)}
        self.assertEqual((len(inodes), first.set == more.set), (1, False))

    def test_offline_says_so(self):
        got = self.fetch("toy-plain", offline=True)
        self.assertIn("works offline (--offline)", got.error)
        self.assertEqual(got.asked["toy-plain"][0], "failed")

    def test_forms_of_requirements(self):
        got = self.good("toy-extra[more]", "toy-good>=1.0,<2", "toy-pre")
        self.assertEqual({spec: said[1] for spec, said in got.asked.items()},
                         {"toy-extra[more]": "1.0", "toy-good>=1.0,<2": "1.1", "toy-pre": "1.0a1"})
        got = self.fetch("toy-plain; python_version < '3'")
        self.assertIn("does not hold", got.reason("toy-plain; python_version < '3'"))
        for bad in "--index-url=http://127.0.0.1", "./here", "toy-plain @ file:///etc/x.whl", "toy ${HOME}":
            done = subprocess.run(self.command([bad]), stdout=subprocess.PIPE, text=True, env=self.env)
            self.assertIn("refused|", done.stdout)

    def test_by_address(self):
        spec = "toy-plain @ " + self.index.file_url("toy-plain", "toy_plain-1.0-py3-none-any.whl")
        got = self.good(spec)
        self.assertEqual(got.asked[spec][:2], ("new", "1.0"))
        spec = "toy-environ @ " + self.index.file_url("toy-environ", "toy_environ-1.0.tar.gz")
        got = self.fetch(spec)
        self.assertFalse(got.ok)
        self.assertNotIn("toy_environ.py", str([files for _, _, files in os.walk(self.store)]))

    @unittest.skipUnless(INSTALLER == "pip", "takes pip")
    def test_an_old_uv(self):
        path = os.path.join(self.top, "uv")
        with open(path, "w") as file:
            file.write("#!/bin/sh\necho \"error: unexpected argument '--format' found\" >&2\nexit 2\n")
        os.chmod(path, 0o755)
        self.env["PATH"] = self.top + ":" + self.env["PATH"]
        self.good("toy-plain")

    def test_what_is_there(self):
        layer = self.good("toy-good==1.1")
        n = self.requests()
        got = self.good("toy-good", "toy-dep==1.2", layer=layer.set)
        self.assertEqual((got.set, self.requests()), (None, n))
        self.assertEqual({said[0] for said in got.asked.values()}, {"present"})
        got = self.good("toy-good>=1", layer=layer.set)
        self.assertEqual(got.asked["toy-good>=1"][:2], ("present", "1.1"))
        self.assertIsNone(got.set)

    def test_a_layer_grows(self):
        layer = self.good("toy-low")
        more = self.good("toy-good", layer=layer.set)
        self.assertEqual((more.asked["toy-good"], more.came), (("new", "2.0", ""), {}))  # with the old toy-dep
        self.assertEqual(self.run_in(more, "import toy_low, toy_good, toy_dep; print(toy_dep.VERSION)"), "1.0")
        other = self.good("toy-good==1.0", layer=more.set)
        self.assertEqual(other.asked["toy-good==1.0"], ("new", "1.0", "in place of 2.0"))
        self.assertEqual(self.run_in(other, "import toy_low, toy_good; print(toy_good.VERSION)"), "1.0")

    def test_a_layer_is_not_broken(self):
        layer = self.good("toy-low")
        got = self.fetch("toy-high", layer=layer.set)
        self.assertIsNone(got.set)
        self.assertIn("exclude each other", got.reason("toy-high"))
        self.assertIn("toy-low", got.reason("toy-high"))

    def test_many_at_once_are_one(self):
        self.good("toy-good")
        alone = self.requests()
        self.store += "-other"
        n = self.requests()
        done = subprocess.run(self.command(["toy-good"], times=20), stdout=subprocess.PIPE, text=True, env=self.env)
        sets = {line.split("|")[1] for line in done.stdout.splitlines() if line.startswith("set|")}
        self.assertEqual((len(sets), done.stdout.count("ok|1\n"), done.returncode), (1, 20, 0))
        self.assertLess(self.requests() - n, 1.6 * alone)  # uv looks at some files twice, or not


class Failures(Case):
    def fails(self, spec, *words, other="toy-plain"):
        """The one is said to fail, the other is there nevertheless."""
        got = self.fetch(spec, other)
        self.assertFalse(got.ok)
        for word in words:
            self.assertIn(word, got.reason(spec))
        self.assertEqual(got.asked[other][:2], ("new", "1.0"), got.text)
        self.assertIn("1.0", self.run_in(got, "import toy_plain; print(toy_plain.VERSION)"))
        self.assert_clean()

    def test_no_such_package(self):
        self.fails("toy-nowhere", "no package named toy-nowhere")

    def test_needs_what_does_not_exist(self):
        self.fails("toy-orphan", "it needs toy-nowhere")

    def test_no_such_version(self):
        self.fails("toy-good>=9", "no version fits")

    def test_other_python(self):
        self.fails("toy-newer", "no version for this Python")

    def test_other_platform(self):
        self.fails("toy-elsewhere", "toy-elsewhere")

    def test_source_only(self):
        self.fails("toy-sdist", "only source", "not built in isolated sessions")

    @unittest.skipUnless(INSTALLER == "uv", "the same with pip")
    def test_built(self):
        self.env.update(FETCH_TOOL_BUILDS="1", PIP_TOY_SECRET="hunter2", UV_TOY_SECRET="hunter2")
        self.fails("toy-badbuild", "building it failed", "toy.h: No such file")
        got = self.good("toy-environ", "toy-sdist")
        said = self.run_in(got, "import toy_environ, toy_sdist; print(toy_sdist.VALUE, toy_environ.ENVIRON)")
        self.assertIn("built", said)
        self.assertNotIn("hunter2", said)
        self.assertEqual(self.good("toy-sdist", "toy-environ", offline=True).set, got.set)
        del self.env["FETCH_TOOL_BUILDS"]
        self.assertFalse(self.fetch("toy-sdist").ok)

    def test_wrong_hash(self):
        self.fails("toy-badhash", "is not the one that was announced: its hash differs")

    def test_no_zip(self):
        self.fails("toy-broken", "toy-broken")

    def test_refused(self):
        self.fails("toy-403", "refuses access")

    def test_file_refused(self):
        self.fails("toy-file-403", "403")

    def test_conflict(self):
        got = self.fetch("toy-low", "toy-high", "toy-plain")
        self.assertIn("exclude each other", got.reason("toy-low"))
        self.assertIn("toy-high", got.reason("toy-low"))

    def test_index_fails(self):
        for mode, words in ("500", "error"), ("reset", "not be reached"), ("401", "refuses access"):
            self.env["PIP_INDEX_URL"] = self.index.at(mode)
            got = self.fetch("toy-plain", "toy-good")
            self.assertFalse(got.ok)
            said = (got.error or "") + got.reason("toy-plain")
            self.assertIn(words, said, got.text)
            self.assertNotIn("no package named", said)


class Settings(Case):
    def write(self, path, text, mode=0o600):
        path = os.path.join(self.home, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def test_personal_files(self):
        del self.env["PIP_INDEX_URL"]
        self.write(".config/pip/pip.conf", "[global]\nindex-url = %s\n" % self.index.url)
        self.good("toy-plain")

    def test_old_personal_file(self):
        del self.env["PIP_INDEX_URL"]
        self.write(".pip/pip.conf", "[global]\nindex-url = %s\n" % self.index.url)
        self.good("toy-plain")

    def test_named_file(self):
        del self.env["PIP_INDEX_URL"]
        self.env["PIP_CONFIG_FILE"] = self.write("deep/settings", "[install]\nindex-url = %s\n" % self.index.url)
        if INSTALLER == "pip":  # of another command
            self.write("deep/settings", "[global]\nindex-url = %s\n" % self.index.url)
        self.good("toy-plain")

    @unittest.skipUnless(INSTALLER == "uv", "uv's own")
    def test_uv_toml(self):
        del self.env["PIP_INDEX_URL"]
        self.write(".config/uv/uv.toml", '[[index]]\nurl = "%s"\ndefault = true\n' % self.index.url)
        self.good("toy-plain")

    def test_credentials_in_the_address(self):
        self.env["PIP_INDEX_URL"] = self.index.at("auth", "toy:secret")
        self.good("toy-good")  # fetch() looks for the password in all that is printed
        for folder, _, files in os.walk(self.store):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(b"secret", file.read(), os.path.join(folder, name))

    def test_wrong_credentials(self):
        self.env["PIP_INDEX_URL"] = self.index.at("auth", "toy:secretive")
        got = self.fetch("toy-plain", "toy-good")
        self.assertIn("refuses access", (got.error or "") + got.reason("toy-plain"))

    def test_netrc(self):
        self.env["PIP_INDEX_URL"] = self.index.at("auth")
        self.write(".netrc", "machine 127.0.0.1\nlogin toy\npassword secret\n")
        self.good("toy-good")

    def test_find_links(self):
        wheels = os.path.join(self.home, "my wheels" if INSTALLER == "uv" else "wheels")
        os.mkdir(wheels, 0o755)
        for package in "toy-good", "toy-dep":
            for name, data in self.index.packages[package].files.items():
                with open(os.path.join(wheels, name), "wb") as file:
                    file.write(data)
        self.env.update({"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_INDEX": "1"})
        self.env["UV_FIND_LINKS" if INSTALLER == "uv" else "PIP_FIND_LINKS"] = wheels
        n = self.requests()
        got = self.good("toy-good")
        self.assertEqual((got.asked["toy-good"][1], self.requests()), ("2.0", n))

    def test_constraints(self):
        path = self.write("constraints.txt", "toy-good<2\n", 0o644)
        self.env["UV_CONSTRAINT" if INSTALLER == "uv" else "PIP_CONSTRAINT"] = path
        self.assertEqual(self.good("toy-good").asked["toy-good"][1], "1.1")
        self.write("constraints.txt", "toy-good<1.1\n", 0o644)
        self.assertEqual(self.good("toy-good").asked["toy-good"][1], "1.0")

    def test_another_index_is_another_question(self):
        self.good("toy-plain")
        self.env["PIP_INDEX_URL"] = self.index.at("404")
        self.assertFalse(self.fetch("toy-plain").ok)

    def test_settings_that_lead_elsewhere_are_left_out(self):
        self.env.update({"PIP_TARGET": self.home, "PIP_DEST": self.home, "PIP_CACHE_DIR": self.home, "UV_TARGET": self.home,
                         "UV_CACHE_DIR": self.home, "PIP_CERT": "/nonexistent/ca.pem", "TMPDIR": self.home})
        if INSTALLER == "uv":
            del self.env["PIP_CERT"]
        self.good("toy-good")
        self.assertEqual(os.listdir(self.home), [])


class Ends(Case):
    def start(self, *specs, **how):
        process = subprocess.Popen(self.command(specs, **how), stdout=subprocess.PIPE, text=True, env=self.env)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for_download(self, n):
        self.assertTrue(wait_for(lambda: any("/files/toy-slow" in path for path in self.index.requests[n:])))

    def assert_gone(self):
        self.assertTrue(wait_for(lambda: not pids_of(self.store + "/")), pids_of(self.store + "/"))

    def test_cancelled(self):
        n = self.requests()
        process = self.start("toy-slow")
        self.wait_for_download(n)
        process.send_signal(signal.SIGINT)
        got = Outcome(process.communicate(timeout=30)[0])
        self.assertEqual((process.returncode, got.cancelled, got.ok), (0, True, False))
        self.assertIn("cancelled", got.reason("toy-slow"))
        self.assert_gone()
        self.assert_clean()
        self.good("toy-plain")

    def test_out_of_time(self):
        got = self.fetch("toy-slow", timeout=3000)
        self.assertTrue(got.timed_out)
        self.assertIn("not finished after 3 s", got.error)
        self.assert_gone()
        self.assert_clean()

    def test_killed(self):
        n = self.requests()
        process = self.start("toy-slow", "toy-plain")
        self.wait_for_download(n)
        process.kill()
        self.assert_gone()
        self.good("toy-plain")  # removes what the other one left

    def test_damaged_set(self):
        first = self.good("toy-good")
        path = self.site(first) + "/toy_good.py"
        os.chmod(path, 0o644)
        with open(path, "a") as file:
            file.write("VERSION = 'poisoned'\n")
        again = self.good("toy-good")
        self.assertNotEqual(again.set, first.set)
        self.assertEqual(self.run_in(again, "import toy_good; print(toy_good.VERSION)"), "2.0")

    def test_damaged_layer(self):
        first = self.good("toy-good")
        path = self.site(first) + "/toy_good.py"
        os.chmod(path, 0o644)
        with open(path, "a") as file:
            file.write("VERSION = 'poisoned'\n")
        again = self.good("toy-plain", layer=first.set)
        self.assertEqual(self.run_in(again, "import toy_good, toy_plain; print(toy_good.VERSION)"), "2.0")

    def test_damaged_answer(self):
        first = self.good("toy-plain")
        for path in glob.glob(self.store + "/answers/*"):
            with open(path, "r+b") as file:
                file.seek(0, os.SEEK_END)
                file.truncate(file.tell() // 2)
        self.assertNotEqual(self.good("toy-plain").set, first.set)


def main():
    if INSTALLER == "uv" and not UV:
        sys.exit(77)
    Case.setUpClass()
    case = Case()
    case.setUp()
    got = case.fetch("toy-plain")
    case.doCleanups()
    Case.tearDownClass()
    if got.error and any(word in got.error for word in NO_SANDBOX):
        print("no sandbox here: %s" % got.error)
        sys.exit(77)
    result = unittest.main(exit=False).result
    bad = len(result.failures) + len(result.errors)
    print("[  PASSED  ] %d test(s)." % (result.testsRun - bad - len(result.skipped)))
    if bad:
        print("[  FAILED  ] %d test(s)." % bad)
    sys.exit(1 if bad else 0 if result.testsRun else 77)


if __name__ == "__main__":
    main()
