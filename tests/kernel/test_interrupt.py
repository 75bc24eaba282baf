"""SIGINT and the abort: what ends a cell, keeps the variables, and leaves nothing for the next one."""

import time
import unittest

from harness import Zygote
from stub import MAIN

PREPARE = "import time, threading, asyncio, socket, os, subprocess, re, functools\nkept = 1\ndef f(): pass"

# Everything here is stopped by SIGINT.
STOPPABLE = {
    "loop": "while True: pass",
    "sleep": "time.sleep(100)",
    "lock": "a = threading.Lock(); a.acquire(); a.acquire()",
    "socket": "a, b = socket.socketpair(); a.recv(1)",
    "read": "os.read(os.pipe()[0], 1)",
    "join": "t = threading.Thread(target=time.sleep, args=(1,)); t.start(); threading.Event().wait()",
    "asyncio": "asyncio.run(asyncio.sleep(100))",
    "subprocess": "subprocess.run(['sleep', '100'])",
    "callback": "sorted(range(10), key=lambda x: time.sleep(100))",
    "callback in C": "functools.reduce(lambda a, b: time.sleep(100), range(5))",
    "generator": "def g():\n while True: yield 1\nfor x in g(): pass",
}

# Catches everything: the abort ends it.
STUBBORN = {
    "call": "while True:\n try: f()\n except BaseException: pass",
    "bare except": "while True:\n try:\n  while True: f()\n except: continue",
    "sleep": "while True:\n try: time.sleep(100)\n except BaseException: pass",
    "nested": "def g():\n while True:\n  try: time.sleep(100)\n  except BaseException: pass\n"
    "while True:\n try: g()\n except BaseException: pass",
    "finally": "def g():\n try: time.sleep(100)\n finally:\n  while True:\n   try: f()\n   except BaseException: pass\ng()",
    "ignored": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\ntry:\n while True: f()\n"
    "except KeyboardInterrupt: pass",
    "asyncio callback": "def g():\n loop.call_soon(g)\nloop = asyncio.new_event_loop(); loop.call_soon(g); loop.run_forever()",
    "asyncio task": "async def g():\n while True:\n  try: await asyncio.sleep(100)\n  except BaseException: pass\nasyncio.run(g())",
    "callback": "def g(x):\n while True:\n  try: time.sleep(100)\n  except BaseException: pass\nsorted([1, 2], key=g)",
    "callback in C": "import ctypes\nC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)\n"
    "def g(a, b):\n while True:\n  try: time.sleep(100)\n  except BaseException: pass\n"
    "ctypes.CDLL(None).qsort((ctypes.c_int * 4)(4, 3, 2, 1), 4, 4, C(g))",
    "generator": "def g():\n while True:\n  try:\n   yield f()\n  except BaseException: pass\nfor x in g(): pass",
    "with": "class C:\n def __enter__(self): pass\n def __exit__(self, *a): return True\n"
    "while True:\n with C(): f()",
    "recursion": "def g(n):\n try:\n  f()\n  if n: g(n - 1)\n  while True: f()\n except BaseException: g(5)\ng(5)",
    "no call": "x = 0\nwhile True:\n try: x += 1\n except BaseException: x = 0",
}


class TestInterrupt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zygote = Zygote(replace={"main": MAIN})
        cls.kernel = cls.zygote.fork()
        cls.kernel.execute(PREPARE)

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def setUp(self):
        if self.kernel.closed:
            type(self).kernel = self.zygote.fork()
            self.kernel.execute(PREPARE)

    def begin(self, code):
        self.kernel.start("print('begun', flush=True)\n" + code)
        deadline = time.monotonic() + 10
        while not self.kernel.raw and time.monotonic() < deadline:
            time.sleep(0.002)
            self.kernel._drain()
        time.sleep(0.02)

    def end(self):
        try:
            return self.kernel.finish(timeout=8)
        except TimeoutError:
            self.kernel.close()
            raise

    def check_kept(self):
        """The variables are there, and nothing hits the cells that follow."""
        for _ in range(3):
            result = self.kernel.execute("for i in range(3000): f()\ntime.sleep(0.001)\nprint(kept)")
            self.assertEqual((result.status, result.text), ("ok", "1\n"))

    def test_interrupt(self):
        for name, code in STOPPABLE.items():
            with self.subTest(name):
                self.begin(code)
                self.kernel.interrupt()
                self.assertEqual(self.end().status, "interrupted")
                self.check_kept()

    def test_abort(self):
        for name, code in STUBBORN.items():
            if name == "no call" and self.zygote.hello["version"].startswith("3.10."):
                continue  # Python 3.10 itself never looks for signals there
            with self.subTest(name):
                self.begin(code)
                self.kernel.interrupt()
                time.sleep(0.03)
                self.kernel.abort()
                result = self.end()
                # What catches everything may also end as if it had ended by itself: the server knows why.
                self.assertIn(result.status, ("aborted", "ok", "interrupted"))
                self.kernel.execute("import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
                                    "asyncio.events._set_running_loop(None)")
                self.check_kept()

    def test_abort_is_told(self):
        self.begin(STUBBORN["call"])
        self.kernel.abort()
        self.assertEqual(self.end().status, "aborted")

    def test_late_signals(self):
        """Signals that come when the cell is over do nothing, to the kernel or to the next cell."""
        type(self).kernel = self.zygote.fork()  # one thread: another may be woken for a signal, and later
        self.kernel.execute(PREPARE)
        for _ in range(30):
            self.assertEqual(self.kernel.execute("pass").status, "ok")
            self.kernel.interrupt()
            self.kernel.abort()
            result = self.kernel.execute("f(); print(kept)")
            self.assertEqual((result.status, result.text), ("ok", "1\n"))

    def test_signals_at_the_end_of_a_cell(self):
        """Whenever a signal comes, the cell gets exactly one result and the kernel lives."""
        for step in range(60):
            self.kernel.start("for i in range(2000): f()")
            time.sleep(step * 2e-5)
            (self.kernel.abort if step % 2 else self.kernel.interrupt)()
            self.assertIn(self.end().status, ("ok", "interrupted", "aborted"))
        time.sleep(0.05)
        self.check_kept()

    def test_twice(self):
        self.begin(STUBBORN["sleep"])
        for _ in range(5):
            self.kernel.abort()
        self.assertEqual(self.end().status, "aborted")
        self.check_kept()

    def test_with_threads(self):
        """The exception is the main thread's; others go on."""
        self.begin("stop = []\ndef g():\n while not stop: f()\n"
                   "t = threading.Thread(target=g, daemon=True); t.start()\n" + STUBBORN["call"])
        self.kernel.abort()
        self.assertEqual(self.end().status, "aborted")
        self.assertEqual(self.kernel.execute("print(t.is_alive()); stop.append(1); t.join()").text, "True\n")
        self.check_kept()

    def test_handler_of_python(self):
        """asyncio and others look for it to decide whether they may have their own."""
        code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
        self.assertEqual(self.kernel.execute(code).text, "True\n")

    def test_own_handler(self):
        self.kernel.execute("import signal; got = []; signal.signal(signal.SIGINT, lambda *a: got.append(1))")
        self.begin("while not got: f()")
        self.kernel.interrupt()
        self.assertEqual(self.end().status, "ok")
        self.kernel.execute("signal.signal(signal.SIGINT, signal.default_int_handler)")
        self.begin("while True: f()")
        self.kernel.interrupt()
        self.assertEqual(self.end().status, "interrupted")

    def test_tracing_ends(self):
        self.begin(STUBBORN["nested"])
        self.kernel.abort()
        self.end()
        self.assertEqual(self.kernel.execute("import sys; print(sys.gettrace())").text, "None\n")

    def test_waiting_for_the_server(self):
        """recv in a cell is broken off; the frame that was awaited does no harm later."""
        for stop, status in ((self.kernel.interrupt, "interrupted"), (self.kernel.abort, "aborted")):
            self.begin("_cellblock.recv()")
            stop()
            self.assertEqual(self.end().status, status)
            self.check_kept()


class TestKernelCode(unittest.TestCase):
    """Abort waits while the kernel's own code is the innermost frame."""

    MAIN = MAIN + '''
import builtins
def careful(n):
    done = []
    for i in range(n):
        done.append(i)
    builtins.steps.append(len(done))
builtins.steps = []
builtins.careful = careful
'''

    def test_kernel_code_is_whole(self):
        with Zygote(replace={"main": self.MAIN}) as zygote:
            kernel = zygote.fork()
            for _ in range(5):
                kernel.start("while True:\n try: careful(20000)\n except BaseException: pass")
                time.sleep(0.05)
                kernel.abort()
                self.assertEqual(kernel.finish().status, "aborted")
            self.assertEqual(kernel.execute("print(set(steps))").text, "{20000}\n")


if __name__ == "__main__":
    unittest.main()
