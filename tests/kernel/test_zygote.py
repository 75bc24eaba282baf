"""The zygote: start, refusals, forks, ends. With the stub, so that nothing here depends on the kernel's Python."""

import glob
import os
import resource
import signal
import socket
import subprocess
import time
import unittest

import harness
from harness import ZY_EXITED, ZY_FAILED, ZY_FORK, Zygote
from stub import MAIN

STUB = {"main": MAIN}
FATAL = signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL  # faulthandler's


def output(kernel, code):
    result = kernel.execute(code)
    assert result.status == "ok", result
    return result.text


class TestStart(unittest.TestCase):
    def test_hello(self):
        with Zygote(replace=STUB) as zygote:
            facts = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable); print(sys.prefix)"
            expected = subprocess.check_output([harness.PYTHON, "-c", facts], text=True).split("\n")
            found = [zygote.hello[key] for key in ("version", "executable", "prefix")]
            self.assertEqual(found, expected[:3])
            self.assertTrue(zygote.hello["site_packages"].startswith(zygote.hello["prefix"]))
            self.assertRegex(zygote.hello["site_packages"], "(site|dist)-packages$")

    def test_venv(self):
        with harness.tempfile.TemporaryDirectory() as folder:
            venv = os.path.join(folder, "v")
            subprocess.check_call([harness.PYTHON, "-m", "venv", "--without-pip", venv])
            with Zygote(python=os.path.join(venv, "bin", "python"), replace=STUB) as zygote:
                self.assertEqual(zygote.hello["prefix"], venv)
                self.assertNotEqual(zygote.hello["base_prefix"], venv)
                self.assertTrue(zygote.hello["site_packages"].startswith(venv + "/lib/python3."))

    def test_old_python(self):
        """One that is too old says so, what it is, and what to do."""
        found = 0
        for version in ("2.7", "3.6", "3.7", "3.8"):
            for python in glob.glob(os.path.expanduser("~/.pyenv/versions/%s*/bin/python" % version)):
                found += 1
                zygote = Zygote(python=python, replace=STUB, hello=False)
                packet = zygote.expect(ZY_FAILED)
                zygote.close()
                self.assertIn("is Python %s" % version, packet.text)
                self.assertIn("needs CPython 3.9 or newer", packet.text)
                self.assertIn("--python", packet.text)
                self.assertEqual(zygote.process.returncode, 3)
        if not found:
            self.skipTest("no old Python here")

    def refused(self, change):
        """The text of ZY_FAILED from a start with this line in front of the boot text."""
        boot = harness.boot
        harness.boot = lambda: change + "\n" + boot()
        try:
            zygote = Zygote(replace=STUB, hello=False)
            packet = zygote.expect(ZY_FAILED)
            zygote.close()
        finally:
            harness.boot = boot
        self.assertEqual(zygote.process.returncode, 3)
        return packet.text

    def test_other_implementations(self):
        self.assertIn("not CPython but pypy", self.refused("import sys; sys.implementation.name = 'pypy'"))
        self.assertIn("free-threaded", self.refused("import sys; sys.abiflags = 't'"))

    def test_extension_that_does_not_load(self):
        text = self.refused("import sys, os; os.ftruncate(int(sys.argv[3]), 100)")
        self.assertIn("cannot load the kernel's extension module", text)

    def test_kernel_source_that_fails(self):
        zygote = Zygote(replace={"main": "import no_such_module"}, hello=False)
        packet = zygote.expect(ZY_FAILED)
        zygote.close()
        self.assertIn("no_such_module", packet.text)
        self.assertIn("<cellblock>/main.py", packet.text)

    def test_no_user_code_in_the_zygote(self):
        """Modules of the working directory are the user's: they load in kernels, never while the zygote starts."""
        with harness.tempfile.TemporaryDirectory() as folder:
            for name in ("random", "typing", "json", "struct", "traceback", "_signal", "importlib"):
                with open(os.path.join(folder, name + ".py"), "w") as file:
                    file.write("open('ran', 'a').write(__name__)\n")
            with open(os.path.join(folder, "mine.py"), "w") as file:
                file.write("value = 42\n")
            for mode in ("bare", "warm"):
                with Zygote(mode=mode, replace=STUB, cwd=folder) as zygote:
                    self.assertEqual(output(zygote.fork(), "import mine; print(mine.value)"), "42\n")
                    self.assertFalse(os.path.exists(os.path.join(folder, "ran")))

    def test_ends_with_the_server(self):
        zygote = Zygote(replace=STUB)
        kernel = zygote.fork()
        kernel.start("import time; time.sleep(100)")
        pidfd = os.pidfd_open(kernel.pid)
        zygote.control.close()
        self.assertEqual(zygote.process.wait(5), 0)
        self.assertTrue(harness.select.select([pidfd], [], [], 5)[0], "the kernel lives on")
        os.close(pidfd)
        zygote.close()

    def test_kernels_die_with_the_zygote(self):
        zygote = Zygote(replace=STUB)
        kernel = zygote.fork()
        pidfd = os.pidfd_open(kernel.pid)
        zygote.process.kill()
        self.assertTrue(harness.select.select([pidfd], [], [], 5)[0], "the kernel lives on")
        os.close(pidfd)
        zygote.close()

    def test_not_in_the_servers_group(self):
        with Zygote(replace=STUB) as zygote:
            self.assertEqual(os.getsid(zygote.process.pid), zygote.process.pid)
            os.kill(zygote.process.pid, signal.SIGINT)
            zygote.fork()

    def test_ignored_signals_get_their_default_back(self):
        old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with Zygote(replace=STUB) as zygote:
                text = output(zygote.fork(), "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_DFL)")
                self.assertEqual(text, "True\n")
        finally:
            signal.signal(signal.SIGHUP, old)


class TestPackets(unittest.TestCase):
    def ends(self, data, fds=()):
        with Zygote(replace=STUB) as zygote:
            socket.send_fds(zygote.control, [data], list(fds))
            self.assertEqual(zygote.process.wait(5), 4)

    def test_malformed(self):
        head = harness.ZY_MSG
        good = "0123456789abcdef"
        for data in (
            b"x",
            head.pack(ZY_FORK, 1, 0, 0, 0, 0, 0, 0)[:-1],
            head.pack(ZY_FORK, 1, 0, 0, 0, 0, 16, 0),  # a text that is not there
            head.pack(ZY_FORK, 1, 0, 0, 0, 0, 0, 0) + b"text that is not announced",
            head.pack(ZY_FORK, 1, 0, 0, 0, 0, 16, 0) + good.encode(),  # no descriptors
            head.pack(99, 1, 0, 0, 0, 0, 0, 0),
        ):
            with self.subTest(data=data):
                self.ends(data)

    def test_malformed_with_descriptors(self):
        head = harness.ZY_MSG
        null = os.open("/dev/null", os.O_RDWR)
        self.addCleanup(os.close, null)
        good = b"0123456789abcdef"
        for kernel, text, zero, n in (
            (0, good, 0, 2),
            (1, good[:-1] + b"G", 0, 2),
            (1, good + b"0", 0, 2),
            (1, good, 1, 2),
            (1, good, 0, 1),
            (1, good, 0, 3),
        ):
            with self.subTest(kernel=kernel, text=text, zero=zero, n=n):
                self.ends(head.pack(ZY_FORK, kernel, 0, 0, 0, 0, len(text), zero) + text, [null] * n)


class TestKernels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zygote = Zygote(replace=STUB)

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def fork(self, **options):
        kernel = self.zygote.fork(**options)
        self.addCleanup(kernel.close)
        return kernel

    def test_descriptors(self):
        kernel = self.fork()
        text = output(kernel, "import os\nfor n in sorted(map(int, os.listdir('/proc/self/fd'))):\n"
                      " try: print(n, os.readlink('/proc/self/fd/%d' % n), os.get_inheritable(n))\n"
                      " except OSError: pass")
        lines = [line.split() for line in text.splitlines()]
        self.assertEqual([line[0] for line in lines], ["0", "1", "2", "900", "901"], text)
        self.assertEqual(lines[0][1], "/dev/null")
        self.assertEqual(lines[1][1], lines[2][1])
        self.assertTrue(lines[1][1].startswith("pipe:"))
        self.assertEqual([line[2] for line in lines], ["True"] * 3 + ["False"] * 2)

    def test_leaked_descriptors_are_closed(self):
        """What the host of the server leaked into it reaches no kernel."""
        fd = os.open("/etc/passwd", os.O_RDONLY)
        os.set_inheritable(fd, True)
        popen = subprocess.Popen
        try:
            subprocess.Popen = lambda *args, pass_fds, **options: popen(*args, pass_fds=pass_fds + [fd], **options)
            zygote = Zygote(replace=STUB)
        finally:
            subprocess.Popen = popen
            os.close(fd)
        with zygote:
            names = glob.glob("/proc/%d/fd/*" % zygote.process.pid)
            self.assertNotIn("/etc/passwd", [os.readlink(name) for name in names])

    def test_process(self):
        kernel = self.fork()
        self.assertEqual(os.getsid(kernel.pid), kernel.pid)
        self.assertEqual(os.getpgid(kernel.pid), kernel.pid)
        with open("/proc/%d/comm" % kernel.pid) as file:
            self.assertEqual(file.read(), "cellblock-kerne\n")
        with open("/proc/%d/comm" % self.zygote.process.pid) as file:
            self.assertEqual(file.read(), "cellblock-zygot\n")
        code = "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n.value)"
        self.assertEqual(output(kernel, code), "9\n")

    def test_mark(self):
        mark = 12345 << 24 | 7
        kernel = self.fork(mark=mark)
        expected = (harness.MARK_BASE + mark,) * 2
        rttime = 15
        self.assertEqual(resource.prlimit(kernel.pid, rttime), expected)
        kernel.start("import subprocess; subprocess.run(['sleep', '100'])")
        time.sleep(0.3)
        with open("/proc/%d/task/%d/children" % (kernel.pid, kernel.pid)) as file:
            child = int(file.read().split()[0])
        self.assertEqual(resource.prlimit(child, rttime), expected)
        os.kill(child, signal.SIGKILL)
        kernel.finish()

    def test_a_mark_that_is_refused(self):
        """A hard limit can only go down: the kernel says so and ends, and its zygote goes on."""
        code = "import resource; resource.setrlimit(15, (5, 5))"
        first = self.fork(mark=1 << 24)
        self.assertEqual(resource.prlimit(first.pid, 15)[1], harness.MARK_BASE + (1 << 24))
        zygote = Zygote(replace={"main": code + "\n" + MAIN})
        self.addCleanup(zygote.close)
        kernel = zygote.fork(mark=1 << 24, ready=False)
        if os.geteuid() == 0 and kernel.recv() is not None:
            self.skipTest("this user may raise limits")
        self.assertEqual(harness.describe(kernel.wait().status), "exit 70")
        self.assertIn(b"setrlimit(RLIMIT_RTTIME)", kernel.read_pipe())
        self.assertIsNone(zygote.process.poll())

    def test_signals(self):
        text = output(self.fork(), "print(open('/proc/self/status').read())")
        masks = {key: int(value, 16) for key, value in harness.re.findall(r"(Sig(?:Blk|Ign|Cgt)):\s*(\w+)", text)}

        def bit(*numbers):
            return sum(1 << number - 1 for number in numbers)

        self.assertEqual(masks["SigBlk"], 0)
        standard = bit(*range(1, 32))  # a real-time signal may be ignored by whoever started the tests
        self.assertEqual(masks["SigIgn"] & standard, bit(signal.SIGPIPE, signal.SIGXFSZ))
        self.assertEqual(masks["SigCgt"], bit(signal.SIGINT, harness.ABORT, *FATAL))

    def test_exit_status(self):
        for code, expected in (
            ("import os; os._exit(7)", "exit 7"),
            ("import os; os.kill(os.getpid(), 9)", "signal 9"),
            ("import os; os.abort()", "signal 6"),
            ("import ctypes; ctypes.string_at(0)", "signal 11"),
        ):
            result = self.fork().execute(code)
            self.assertIsNone(result.status)
            self.assertEqual(harness.describe(result.died), expected)

    def test_segfault_has_a_traceback_and_no_core(self):
        code = "import ctypes\n\ndef f():\n ctypes.string_at(0)\nf()"
        with harness.tempfile.TemporaryDirectory() as folder:
            old = resource.getrlimit(resource.RLIMIT_CORE)
            resource.setrlimit(resource.RLIMIT_CORE, (old[1], old[1]))
            try:
                with Zygote(replace=STUB, cwd=folder) as zygote:
                    result = zygote.fork().execute(code)
            finally:
                resource.setrlimit(resource.RLIMIT_CORE, old)
            self.assertEqual(harness.describe(result.died), "signal 11")
            self.assertIn("Segmentation fault", result.text)
            self.assertRegex(result.text, r'File "<cell 1>", line 4 in f')
            self.assertEqual(os.listdir(folder), [])

    def test_peak_memory(self):
        kernel = self.fork()
        kernel.execute("x = b'x' * (50 << 20)")
        kernel.channel.shutdown(socket.SHUT_RDWR)
        self.assertGreater(kernel.wait().value, 50 << 10)

    def test_pidfd(self):
        kernel = self.fork()
        self.assertFalse(harness.select.select([kernel.pidfd], [], [], 0)[0])
        kernel.kill()
        self.assertTrue(harness.select.select([kernel.pidfd], [], [], 5)[0])

    def test_many_ends_at_once(self):
        kernels = [self.fork() for _ in range(20)]
        for kernel in kernels:
            kernel.kill()
        for kernel in kernels:
            packet = kernel.wait()
            self.assertEqual((packet.op, packet.pid, packet.status), (ZY_EXITED, kernel.pid, 9))
        with open("/proc/%d/task/%d/children" % ((self.zygote.process.pid,) * 2)) as file:
            alive = file.read().split()
        self.assertFalse({str(kernel.pid) for kernel in kernels} & set(alive))

    def test_random_differs(self):
        code = "import random, uuid, os; print(random.random(), uuid.uuid4(), os.urandom(4))"
        texts = {output(self.fork(), code) for _ in range(4)}
        self.assertEqual(len(texts), 4)

    def test_arguments_are_gone(self):
        text = output(self.fork(), "import sys; print(sys.argv, getattr(sys, 'orig_argv', [sys.executable])[1:])")
        self.assertEqual(text, "[''] []\n")

    def test_working_directory_first(self):
        self.assertEqual(output(self.fork(), "import sys; print(repr(sys.path[0]))"), "''\n")

    def test_threads_and_processes_work(self):
        """What a fork must leave in order: locks, threads, thread pools, processes, imports."""
        code = """
import threading, subprocess, concurrent.futures, multiprocessing, logging, weakref, asyncio
done = []
thread = threading.Thread(target=lambda: (__import__("decimal"), done.append(1)))
thread.start(); thread.join()
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    done += pool.map(abs, [-2, -3])
done.append(subprocess.run(["true"]).returncode)
with multiprocessing.get_context("fork").Pool(2) as pool:
    done += pool.map(abs, [-4])
logging.getLogger("x").debug("y")
async def f():
    await asyncio.sleep(0)
    return 5
done.append(asyncio.run(f()))
print(threading.current_thread() is threading.main_thread(), threading.active_count(), done)
"""
        self.assertEqual(output(self.fork(), code), "True 1 [1, 2, 3, 0, 4, 5]\n")

    def test_import_lock(self):
        """Skipping what os.fork does in the parent must not leave a lock taken, or one too many released."""
        code = "import _imp; print(_imp.lock_held()); _imp.acquire_lock(); _imp.release_lock(); print(_imp.lock_held())"
        kernel = self.fork()
        self.assertEqual(output(kernel, code), "False\nFalse\n")
        text = "import os\npid = os.fork()\nif pid == 0: os._exit(3)\nprint(os.waitpid(pid, 0)[1] >> 8)"
        self.assertEqual(output(kernel, text), "3\n")
        code = "import threading; t = threading.Thread(target=__import__, args=('fractions',)); t.start(); t.join(5)"
        code += "; print(t.is_alive())"
        self.assertEqual(output(kernel, code), "False\n")


if __name__ == "__main__":
    unittest.main()
