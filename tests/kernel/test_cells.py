"""Cells: values, semicolons, history, await, exit, standard input, and what a cell cannot break."""

import os
import time
import unittest

import harness
from cells import CellCase


class TestValues(CellCase):
    def test_last_expression(self):
        self.shows("1 + 1", "2")
        self.shows("x = 3\nx", "3")
        self.shows("x = 3", "")
        self.shows("None", "")
        self.shows("'a\\n'", "'a\\n'")
        self.shows("def f():\n    return 7\nf()", "7")
        self.shows("if True:\n    5", "")
        self.shows("1; 2", "2")
        self.shows("", "")
        self.shows("# nothing", "")
        self.shows("'only a string'", "'only a string'")

    def test_one_expression(self):
        """Compiled at once, and no different for that: see short_expression."""
        self.ok("import asyncio\nasync def f(): return 5\nx = [3, 4]")
        self.shows("(y := 6)", "6")
        self.shows("y", "6")
        self.shows("print(await f())", "5\n")
        self.shows("x[0]if(x)else(y)", "3")
        self.shows("(lambda:8)()", "8")
        self.shows("[a for a in x]", "[3, 4]")
        self.shows("\tprint(x)", "[3, 4]\n")
        self.shows("print(x)  # why", "[3, 4]\n")
        self.shows("del(y)", "")
        self.shows("assert(x)", "")
        self.shows("x:list", "")
        self.assertEqual(self.ok("print(1 is 1)").count("SyntaxWarning"), 1)
        self.assertLessEqual(self.ok("print('\\d')").count("Warning"), 1)
        self.assertLessEqual(self.ok("assert('\\d')").count("Warning: invalid"), 1)
        for code in ("print(1", "x(", "(yield)", "return(1)", "break"):
            self.fails(code, "SyntaxError")

    def test_semicolon(self):
        for code in ("1;", "1 ;  ", "1; # why", "(1);", "1;\n\n# end\n", "[1,\n 2];", "'é';"):
            self.shows(code, "")
        for code in ("1 # ;", "1\n# ;"):
            self.shows(code, "1")
        self.shows("';'", "';'")
        self.shows("x = 1; x", "1")
        self.assertEqual(self.ok("5;") + self.ok("4") + self.ok("_"), "44")

    def test_history(self):
        self.ok("6 * 7")
        self.shows("_", "42")
        self.shows("_ + 1, __", "(43, 42)")
        self.shows("Out[2], _2", "(42, 42)")
        self.shows("In[2]", "'6 * 7'")
        self.shows("print(len(In), max(Out))", "8 6\n")
        self.ok("del Out[2]")

    def test_own_underscore(self):
        self.ok("_ = 'mine'\n1")
        self.ok("2")
        self.shows("_", "'mine'")

    def test_history_is_bounded(self):
        self.ok("class Big:\n    n = 0\n    def __init__(self): Big.n += 1\n    def __del__(self): Big.n -= 1")
        for _ in range(130):
            self.ok("Big()")
        self.assertLess(int(self.ok("print(Big.n)")), 110)
        self.assertIn("Out", self.ok("print(sorted(k for k in globals() if k == 'Out'), len(Out) <= 100)"))

    def test_displayhook_of_the_user(self):
        self.shows("import sys\nsys.displayhook = lambda v: print('mine', v)\n3", "mine 3\n")
        self.shows("3", "3")

    def test_name_and_file(self):
        self.shows("if __name__ == '__main__':\n    print('main')", "main\n")
        self.fails("__file__", "NameError")
        self.shows("import __main__\n__main__.x = 5\nx", "5")

    def test_future_flags_stay(self):
        self.ok("from __future__ import annotations")
        self.shows("def f(a: Nope): pass\nf.__annotations__", "{'a': 'Nope'}")

    def test_interactivity_all(self):
        self.ok("from IPython.core.interactiveshell import InteractiveShell\n"
                "InteractiveShell.ast_node_interactivity = 'all'")
        self.assertEqual(self.kinds("1\nx = 2\n3;\nx"), ["1", "2"])
        self.ok("%config InteractiveShell.ast_node_interactivity = 'last_expr_or_assign'\n"
                "InteractiveShell.ast_node_interactivity = 'last_expr_or_assign'")
        self.shows("y = 4", "4")

    def test_huge_values(self):
        text = self.ok("list(range(10**6))")
        self.assertIn("... 999000 more]", text)
        self.assertLess(len(text), 20000)
        self.assertLess(len(self.ok("'x' * 30_000_000")), (10 << 20) + 1000)

    def test_repr_that_raises(self):
        error = self.fails("class A:\n    def __repr__(self):\n        raise ValueError('no repr')\nA()", "ValueError")
        self.assertIn("line 3, in __repr__", error)
        self.shows("1", "1")


class TestAwait(CellCase):
    def test_top_level(self):
        self.ok("import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x")
        self.shows("await f(3)", "3")
        self.shows("x = await f(4)\nx + 1", "5")
        self.ok("async def g():\n    for i in range(3):\n        yield i")
        self.shows("async for i in g():\n    print(i)", "0\n1\n2\n")
        self.shows("[i async for i in g()]", "[0, 1, 2]")
        self.shows("class C:\n    async def __aenter__(self): return 1\n    async def __aexit__(self, *e): pass\n"
                   "async with C() as c:\n    print(c)", "1\n")
        self.shows("await asyncio.gather(f(1), f(2));", "")

    def test_run(self):
        self.ok("import asyncio\nasync def f(): return 5")
        self.shows("asyncio.run(f())", "5")
        self.shows("await f()", "5")
        self.shows("asyncio.run(f())", "5")
        self.shows("asyncio.get_event_loop().run_until_complete(f())", "5")

    def test_get_event_loop(self):
        self.shows("import asyncio\nloop = asyncio.get_event_loop()\nloop.run_until_complete(asyncio.sleep(0, 4))", "4")
        self.shows("await asyncio.sleep(0, 5)", "5")

    def test_tasks_live_on(self):
        self.ok("import asyncio\nn = []\nasync def f():\n    while True:\n        n.append(1)\n"
                "        await asyncio.sleep(0.001)")
        self.ok("task = asyncio.create_task(f())")
        self.ok("await asyncio.sleep(0.05)")
        self.assertGreater(int(self.ok("print(len(n))")), 3)
        self.shows("task.cancel()", "True")

    def test_error(self):
        error = self.fails("async def f():\n    1 / 0\nawait f()", "ZeroDivisionError")
        self.assertIn("line 3, in <module>", error)
        self.assertNotIn("cellblock", error)

    def test_interrupt(self):
        self.kernel.start("import asyncio\nprint('begun')\nawait asyncio.sleep(60)")
        self.wait_for(b"begun")
        self.kernel.interrupt()
        result = self.kernel.finish()
        self.assertEqual(result.status, "interrupted")
        self.assertIn("line 3, in <module>", result.error)
        self.shows("await asyncio.sleep(0, 3)", "3")

    def wait_for(self, text):
        deadline = time.monotonic() + 10
        while text not in self.kernel.raw and time.monotonic() < deadline:
            self.kernel._drain()
            time.sleep(0.01)
        time.sleep(0.05)


class TestExit(CellCase):
    def code(self, code):
        result = self.run_cell(code)
        self.assertEqual(result.status, "exit")
        return result

    def test_codes(self):
        self.assertEqual(self.code("import sys; sys.exit()").exitcode, 0)
        self.assertEqual(self.code("sys.exit(3)").exitcode, 3)
        self.assertEqual(self.code("sys.exit(-1)").exitcode, 255)
        self.assertEqual(self.code("exit(2)").exitcode, 2)
        self.assertEqual(self.code("quit()").exitcode, 0)
        self.assertEqual(self.code("raise SystemExit").exitcode, 0)
        result = self.code("x = 1\nsys.exit('told why')")
        self.assertEqual((result.exitcode, result.text), (1, "told why\n"))
        self.shows("x", "1")
        self.assertIn("exit()", self.ok("exit"))


class TestInput(CellCase):
    def test_given(self):
        self.shows("name = input('Name: ')\nprint('Hello ' + name)", "Name: Hello Ann\n", stdin="Ann\n")
        self.shows("print(int(input()) + int(input()))", "3\n", stdin="1\n2")
        self.shows("import sys\nfor line in sys.stdin:\n    print(line.strip())", "a\nb\n", stdin="a\nb\n")
        self.shows("sys.stdin.read()", "'all of it'", stdin="all of it")
        self.shows("!cat", "to the shell", stdin="to the shell")

    def test_missing(self):
        error = self.fails("input('Name: ')", "EOFError")
        self.assertIn("`stdin` argument", error)
        self.assertIn('File "<cell 2>", line 1', error)
        self.ok("input()", stdin="left\nover\n")
        self.fails("input()", "EOFError")

    def test_getpass(self):
        self.assertIn("`stdin`", self.fails("import getpass\ngetpass.getpass()", "EOFError"))
        self.shows("getpass.getpass('')", "'secret'", stdin="secret\n")

    def test_debugger(self):
        self.assertIn("passed by", self.ok("def f():\n    breakpoint()\n    return 3\nprint(f())"))
        self.assertIn("passed by", self.ok("import pdb\npdb.set_trace()\nx = 1"))
        text = self.ok("x = 41\nbreakpoint()\nprint('after')", stdin="p x + 1\nc\n")
        self.assertIn("42", text)
        self.assertIn("after", text)
        self.run_cell("def g():\n    breakpoint()\n    y = 2\n    return y\ng()", stdin="n\n")
        self.shows("1", "1")


class TestBreakage(CellCase):
    """What a cell does to its own house does not outlive it."""

    def test_streams(self):
        for code in (
            "import sys; sys.stdout = None",
            "sys.stdout.close()",
            "sys.stderr.close(); sys.stdin.close()",
            "import io; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
            "sys.stdout.detach()",
            "import os; os.close(1)",
            "os.close(1); os.close(2); os.close(0)",
            "os.dup2(os.open('/dev/null', os.O_WRONLY), 1)",
            "sys.stdout = open('/dev/null', 'w')",
            "del sys.stdout",
            "sys.displayhook = sys.excepthook = None",
        ):
            self.assertEqual(self.run_cell(code).status, "ok", code)
            self.assertEqual(self.ok("print('a'); 1"), "a\n1", code)
        self.shows("import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('kept')", "kept\n")

    def test_builtins(self):
        self.run_cell("import builtins\nfor n in ('len', 'isinstance', 'print', 'getattr', 'type', 'str', 'repr'):\n"
                      "    delattr(builtins, n)")
        self.shows("print(len('abc'))", "3\n")
        self.run_cell("del __builtins__")
        self.shows("print(1)", "1\n")

    def test_replaced_builtins(self):
        """Not even then is a result lost."""
        error = self.fails("import builtins\nfor n in ('isinstance', 'len', 'type', 'getattr', 'str', 'list', 'zip'):\n"
                           "    setattr(builtins, n, None)\n1 / 0", "ZeroDivisionError")
        self.assertIn("line 4, in <module>", error)
        self.assertIn(self.run_cell("builtins.isinstance = builtins.repr = None\n[1]").status, ("ok", "error"))
        self.shows("print(1)", "1\n")

    def test_main(self):
        self.ok("x = 1\nimport sys\nsys.modules['__main__'] = None")
        self.shows("import __main__; __main__.x", "1")

    def test_signals(self):
        self.ok("import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
        self.shows("signal.getsignal(signal.SIGINT) is signal.default_int_handler", "True")

    def test_recursion_limit(self):
        self.run_cell("import sys; sys.setrecursionlimit(60)\ndef f(): f()\nf()")
        self.shows("1", "1")

    def test_trace(self):
        self.run_cell("import sys; sys.settrace(lambda *a: 1 / 0)")
        self.shows("1", "1")

    def test_surrogates(self):
        self.shows(r"print('\udc80'); '\ud800'", "\\udc80\n'\\ud800'")
        self.shows(r"print('a\0b')", "a\0b\n")
        self.assertIn("null bytes", self.run_cell("x = 1\0").error)

    def test_namespace(self):
        self.ok("globals().clear()")
        self.shows("1", "1")

    def test_threads(self):
        self.ok("import threading, time\ndef f():\n    time.sleep(0.05)\n    print('later')\n"
                "t = threading.Thread(target=f); t.start()")
        self.assertIn("later", self.ok("t.join()"))
        self.ok("def g():\n    1 / 0\nt = threading.Thread(target=g); t.start(); t.join()")
        self.shows("1", "1")

    def test_fork(self):
        """A child that reaches the end of the cell ends there: one result, from the parent."""
        text = self.ok("import os\npid = os.fork()\nif pid == 0:\n    print('child', flush=True)\nelse:\n"
                       "    os.waitpid(pid, 0)\n    print('parent')")
        self.assertEqual(text, "child\nparent\n")
        self.shows("1", "1")

    def test_chdir_stays(self):
        self.ok("import os; os.mkdir('d'); os.chdir('d')")
        self.assertTrue(self.ok("print(os.getcwd())").endswith("/d\n"))

    def test_output_order(self):
        text = self.ok("import os, subprocess, sys\nprint('a', end='')\nos.write(1, b'b')\nsys.stderr.write('c')\n"
                       "subprocess.run(['echo', 'd'])\ndisplay('e')\nprint('f')")
        self.assertEqual(text, "abcd\n'e'f\n")

    def test_large_output(self):
        self.assertEqual(len(self.ok("print('x' * 3_000_000)")), 3_000_001)

    def test_nonblocking_stdout(self):
        self.assertEqual(len(self.ok("import os; os.set_blocking(1, False)\nprint('x' * 1_000_000)")), 1_000_001)

    def test_warning_names_the_cell(self):
        code = "import warnings\nfor _ in range(3):\n    warnings.warn('careful')"
        text = self.ok(code)
        self.assertIn("<cell 2>:3: UserWarning: careful\n  warnings.warn('careful')", text)
        self.assertEqual(text.count("UserWarning"), 1)
        self.assertIn("<cell 3>:3", self.ok(code))

    def test_memory_error(self):
        self.assertIn("MemoryError", self.fails("x = bytearray(1 << 60)", "MemoryError"))
        self.shows("1", "1")

    def test_exit_of_the_process(self):
        result = self.run_cell("import os; os._exit(3)")
        self.assertEqual((result.status, os.WEXITSTATUS(result.died)), (None, 3))


class TestStopping(CellCase):
    """SIGINT and the abort, with the real loop: exactly one result, and the variables stay."""

    def begin(self, code):
        self.kernel.start("kept = 1\nimport time, threading\nprint('begun')\n" + code)
        while b"begun" not in self.kernel.raw:
            self.kernel._drain()
            time.sleep(0.005)
        time.sleep(0.03)

    def test_interrupt(self):
        for code in ("while True: pass", "time.sleep(60)", "threading.Event().wait()", "%time time.sleep(60)",
                     "!sleep 60", "import subprocess; subprocess.run('sleep 60', shell=True)",
                     "class A:\n    def __repr__(self): time.sleep(60)\nA()",
                     "import asyncio\nasyncio.run(asyncio.sleep(60))"):
            with self.subTest(code):
                self.begin(code)
                self.kernel.interrupt()
                result = self.kernel.finish()
                self.assertEqual(result.status, "interrupted")
                self.assertIn("KeyboardInterrupt", result.error)
                self.assertNotIn("cellblock", result.error)
                self.shows("kept", "1")

    def test_abort(self):
        for code in ("while True:\n    try: time.sleep(60)\n    except BaseException: pass",
                     "import asyncio\nasync def f():\n    while True:\n        try: await asyncio.sleep(60)\n"
                     "        except BaseException: pass\nawait f()",
                     "def f():\n    try: time.sleep(60)\n    finally: f()\nf()"):
            with self.subTest(code):
                self.begin(code)
                self.kernel.interrupt()
                time.sleep(0.03)
                self.kernel.abort()
                result = self.kernel.finish()
                self.assertIn(result.status, ("aborted", "interrupted"))
                self.shows("kept", "1")
                self.shows("import asyncio\nawait asyncio.sleep(0, 2)", "2")

    def test_any_moment(self):
        """A signal while a value is shown, an error formatted, a cell parsed: one result each, whole items."""
        self.ok("import time\nclass V:\n    def __repr__(self): return 'v' * 1000\nv = V()\ndef f(): return 1 / 0")
        for step in range(120):
            code = ("for i in range(40): display(v)\nv", "for i in range(300): print(i)\nf()", "%time f()")[step % 3]
            seq = self.kernel.start(code)
            time.sleep(step * 3e-5)
            (self.kernel.interrupt if step % 4 else self.kernel.abort)()
            result = self.kernel.finish()
            self.assertIn(result.status, ("ok", "error", "interrupted", "aborted"))
            self.assertEqual(result.frame.seq, seq)
        self.shows("1 + 1", "2")


class TestWire(unittest.TestCase):
    def test_numbers(self):
        """wire.py says what wire.h says."""
        names = {}
        with open(os.path.join(harness.KERNEL_PY, "wire.py")) as file:
            exec(file.read(), names)
        for name, value in vars(harness).items():
            if name.startswith("WIRE_"):
                self.assertEqual(names[name[5:]], value, name)


if __name__ == "__main__":
    unittest.main()
