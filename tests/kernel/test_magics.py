"""Notebook syntax: what is rewritten, what is left alone, and what each magic does."""

import importlib.util
import os
import shutil
import unittest

import harness
from cells import CellCase


def transform(text):
    """transform.py needs nothing of the kernel."""
    spec = importlib.util.spec_from_file_location("transform", os.path.join(harness.KERNEL_PY, "transform.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.transform(text)


class TestTransform(unittest.TestCase):
    def becomes(self, text, expected):
        self.assertEqual(transform(text), expected.replace("M(", "_cellblock_magic("))
        compile(transform(text), "<test>", "exec")

    def same(self, text):
        self.assertEqual(transform(text), text)

    def test_lines(self):
        self.becomes("%matplotlib inline", "M('line', 'matplotlib', 'inline')")
        self.becomes("!ls -l | wc", "M('system', 'ls -l | wc')")
        self.becomes("!!ls", "M('output', 'ls')")
        self.becomes("x = !ls", "x = M('output', 'ls')")
        self.becomes("a.b[0] = %pwd", "a.b[0] = M('line', 'pwd', '')")
        self.becomes("a, b = !ls", "a, b = M('output', 'ls')")
        self.becomes("len?", "M('info', 'len', 1)")
        self.becomes("a.b??  # what", "M('info', 'a.b', 2)")
        self.becomes("?a.b", "M('info', 'a.b', 1)")
        self.becomes("%time?", "M('info', '%time', 1)")
        self.becomes("np.*load*?", "M('info', 'np.*load*', 1)")
        self.becomes("pip install numpy", "M('system', 'pip install numpy')")
        self.becomes("python -m pip install 'a>2'", 'M(\'system\', "python -m pip install \'a>2\'")')
        self.becomes("uv pip install x", "M('system', 'uv pip install x')")
        self.becomes("cd ..", "M('line', 'cd', '..')")

    def test_blocks(self):
        self.becomes("if x:\n    !ls\n    %time f()\nelse:\n\t!pwd",
                     "if x:\n    M('system', 'ls')\n    M('line', 'time', 'f()')\nelse:\n\tM('system', 'pwd')")

    def test_continued(self):
        self.becomes("!echo a \\\n  b\nx", "M('system', 'echo a b')\n\nx")
        self.becomes("%time f(1, \\\n 2)", "M('line', 'time', 'f(1, 2)')\n")

    def test_cell(self):
        self.becomes("%%time\nx = 1\ny", "M('cell', 'time', '', 'x = 1\\ny', 1)\n\n")
        self.becomes("# first\n\n%%bash -e\nls", "# first\n\nM('cell', 'bash', '-e', 'ls', 3)\n")
        self.becomes("%%writefile a.py\n'''\n%x\n", "M('cell', 'writefile', 'a.py', \"'''\\n%x\\n\", 1)\n\n\n")

    def test_left_alone(self):
        for text in (
            's = """\n%time x\n!ls\nf?\n"""\n$',
            "s = '''\n%%time\n'''\n$",
            "x = (a\n  % b)\n$",
            "x = a \\\n  % b\n$",
            "d = {\n 'a': 1,\n # ?\n}\n$",
            "x = 'is it?'\n$",
            "x = 5 # why?\n$",
            "x == !y",
            "f'{a}?'\n$",
            "s = 'it\\'s (\\\n  % x'\n$",
            'x = f"{d["a"]}"\n$',
            "x != y ?z",
            "print(1) % 2 $",
        ):
            self.same(text)

    def test_strings_end(self):
        self.becomes("s = 'a' # it's\n!ls", "s = 'a' # it's\nM('system', 'ls')")
        self.becomes('s = """a"""\n!ls', 's = """a"""\nM(\'system\', \'ls\')')
        self.becomes("x = [\n 1, # (\n]\n!ls", "x = [\n 1, # (\n]\nM('system', 'ls')")

    def test_prompts(self):
        self.becomes(">>> x = 1\n>>> for i in y:\n...     x\n1\n", "x = 1\nfor i in y:\n    x\n\n")
        self.becomes("In [1]: x = 1\n   ...: y", "x = 1\ny")

    def test_indented(self):
        self.becomes("    x = 1\n    if x:\n        y", "x = 1\nif x:\n    y")

    def test_never_loses_lines(self):
        for text in ("%a\n%b\n\nx", "!a \\\n b\n%%c\nd", "?x\n\n", "\n\n!ls\n"):
            self.assertEqual(transform(text).count("\n"), text.count("\n"), text)

    def test_valid_python_parses_first(self):
        """The kernel asks only for what does not parse: this is the text of its own modules."""
        for name in sorted(os.listdir(harness.KERNEL_PY)):
            if not name.endswith(".py"):
                continue
            with open(os.path.join(harness.KERNEL_PY, name)) as file:
                text = file.read()
            self.assertEqual(transform(text), text, name)


class TestPython(CellCase):
    def test_valid_python_is_untouched(self):
        self.shows('x = 7\ny = (x\n% 4)\ns = """\n%time\n!ls\n"""\nprint(y, len(s))', "3 11\n")

    def test_mixed(self):
        text = self.ok('n = 2\ns = """\n!not\n"""\nfor i in range(n):\n    !echo {i} $n\nprint(s)')
        self.assertEqual(text, "0 2\n1 2\n\n!not\n\n")

    def test_prompts(self):
        self.shows(">>> x = 2\n>>> x * 2\n4", "4")


class TestShell(CellCase):
    def test_command(self):
        self.shows("!echo one; echo two >&2", "one\ntwo\n")
        self.shows("!exit 3\n_exit_code", "3")

    def test_output(self):
        self.ok("x = !printf 'a 1\\nb 2\\n'")
        self.shows("x", "['a 1', 'b 2']")
        self.shows("x.n, x.s, x.fields(1), x.grep('b')", "('a 1\\nb 2', 'a 1 b 2', ['1', '2'], ['b 2'])")

    def test_variables(self):
        self.ok("name = 'a b'; d = {'k': 5}; import os; os.environ['SHELL_ONLY'] = 'env'")
        self.shows("!echo {name} $name {d['k'] + 1} $SHELL_ONLY ${SHELL_ONLY} $$", "a b a b 6 env env $\n")
        self.shows("!echo 'x y' | awk '{print $2}'", "y\n")
        self.shows("!echo {{name}}", "{name}\n")
        self.shows("def f(local):\n    !echo {local}\nf(3)", "3\n")

    def test_live_and_redirected(self):
        self.shows("import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as f:\n    !echo in\n"
                   "f.getvalue()", "'in\\n'")

    def test_scripts(self):
        self.shows("%%bash\nfor i in 1 2; do\n  echo $i {i}\ndone", "1 {i}\n2 {i}\n")
        self.shows("%%sh\necho $((1+1))", "2\n")
        self.shows("%%script cat\nas it is", "as it is\n")
        self.shows("%%python3\nprint('other')", "other\n")
        self.shows("%%bash --out x\necho y", "")
        self.shows("x", "'y\\n'")
        self.assertIn("exit status 3", self.fails("%%bash\nexit 3", "CalledProcessError"))
        self.assertIn("is not installed", self.fails("%%script no-such-program\n", "UsageError"))

    def test_lost_effect(self):
        self.assertIn("%cd", self.ok("!cd /"))

    def test_interrupt(self):
        import time

        self.kernel.start("!echo begun; sleep 60")
        deadline = time.monotonic() + 10
        while b"begun" not in self.kernel.raw and time.monotonic() < deadline:
            self.kernel._drain()
            time.sleep(0.01)
        self.kernel.interrupt()
        result = self.kernel.finish()
        self.assertEqual(result.status, "interrupted")
        self.assertLess(result.seconds, 5)

    def test_pagers(self):
        self.ok("open('a.txt', 'w').write('line\\n' * 500)")
        if shutil.which("less"):
            self.assertEqual(self.ok("!less a.txt").count("line"), 500)
        self.assertIn("Help on", self.ok("help(len)"))
        self.assertIn("help>", self.ok("help()"))
        self.ok("import pydoc; pydoc.help('if')")
        self.shows("import os; print(os.environ['PAGER'], os.environ['GIT_PAGER'])", "cat cat\n")


class TestTiming(CellCase):
    WALL = r"CPU times: user .*, sys: .*, total: .*\nWall time: [\d.]+ (ns|µs|ms|s)\n"

    def test_time(self):
        self.assertRegex(self.ok("%time x = 5"), "^" + self.WALL + "$")
        self.shows("x", "5")
        self.assertRegex(self.ok("%time x + 1"), "^" + self.WALL + "6$")
        self.assertRegex(self.ok("y = %time x + 1"), "^" + self.WALL + "$")
        self.shows("y", "6")
        self.assertRegex(self.ok("%%time\nz = 1\nz + 1"), "^" + self.WALL + "2$")
        self.assertRegex(self.ok("import asyncio\n%time await asyncio.sleep(0, 9)"), "^" + self.WALL + "9$")

    def test_timeit(self):
        line = r"[\d.]+ (ns|µs|ms|s) ± [\d.]+ (ns|µs|ms|s) per loop \(mean ± std\. dev\. of 2 runs, %s each\)\n"
        self.assertRegex(self.ok("%timeit -n 10 -r 2 sum(range(10))"), line % "10 loops")
        self.assertRegex(self.ok("%%timeit -n1 -r2 x = 100\nsum(range(x))"), line % "1 loop")
        self.assertIn("7 runs", self.ok("%timeit -n 5 pass"))
        self.ok("r = %timeit -n 10 -r 2 -o -q pass")
        self.shows("r.loops, len(r.timings), r.best <= r.average", "(10, 2, True)")
        self.assertIn("per loop", self.ok("def f(k):\n    %timeit -n 2 -r 2 k + 1\nf(1)"))

    def test_prun(self):
        text = self.ok("def f(): return sum(range(5))\n%prun f()")
        self.assertIn("function calls", text)
        self.assertNotIn("cellblock", text)

    def test_capture(self):
        self.shows("%%capture c\nprint('hidden')\n5", "")
        self.shows("c.stdout", "'hidden\\n'")
        self.assertEqual(self.kinds("c.show()"), ["hidden\n", "5"])
        self.shows("%%capture\nprint(1)", "")


class TestFiles(CellCase):
    def test_cd(self):
        self.ok("import os; here = os.getcwd(); os.mkdir('sub dir')")
        self.assertTrue(self.ok("%cd sub dir").endswith("sub dir\n"))
        self.assertIn("sub dir", self.ok("%pwd"))
        self.ok("%cd -")
        self.shows("os.getcwd() == here", "True")
        self.ok("d = 'sub dir'\n%cd -q {d}")
        self.assertIn("sub dir", self.ok("p = %pwd\np"))
        self.fails("%cd nowhere", "FileNotFoundError")

    def test_env(self):
        self.shows("%env A_B=c d", "env: A_B=c d\n")
        self.shows("%env A_B", "'c d'")
        self.shows("%set_env A_B x\nimport os; os.environ['A_B']", "env: A_B=x\n'x'")
        self.shows("e = %env\ntype(e), 'PATH' in e", "(<class 'dict'>, True)")

    def test_writefile_and_run(self):
        self.shows("%%writefile s.py\nimport sys\nz = 3\nif __name__ == '__main__':\n    print(sys.argv, __file__)",
                   "Writing s.py\n")
        self.shows("%run s.py a 'b c'", "['s.py', 'a', 'b c'] s.py\n")
        self.shows("z, '__file__' in globals()", "(3, False)")
        self.shows("%%writefile -a s.py\n1 / 0", "Appending to s.py\n")
        error = self.fails("%run s.py", "ZeroDivisionError")
        self.assertIn('s.py", line 5', error)
        self.assertIn("Overwriting", self.ok("%%writefile s.py\nimport sys; sys.exit(4)"))
        self.assertIn("exit code 4", self.ok("%run s"))
        self.ok("%%writefile s.py\nprint(q)")
        self.ok("q = 8")
        self.fails("%run s.py", "NameError")
        self.shows("%run -i s.py", "8\n")
        self.fails("%run nowhere.py", "FileNotFoundError")
        self.ok("%%writefile mod_run.py\nw = __name__")
        self.ok("import sys; sys.path.insert(0, '')\n%run -m mod_run")
        self.shows("w", "'__main__'")

    def test_run_notebook(self):
        self.ok("import json\njson.dump({'cells': [{'cell_type': 'code', 'source': ['x = 3\\n', 'x']}, "
                "{'cell_type': 'markdown', 'source': '# no'}, {'cell_type': 'code', 'source': '%pwd;\\n1/0'}]}, "
                "open('n.ipynb', 'w'))")
        result = self.run_cell("%run n.ipynb")
        self.assertEqual((result.text, result.name), ("3", "ZeroDivisionError"))

    def test_load(self):
        self.ok("open('l.py', 'w').write('x = 1\\n')")
        self.assertIn("x = 1\n", self.ok("%load l.py"))

    def test_autoreload(self):
        self.ok("%load_ext autoreload\n%autoreload 2")
        self.ok("%%writefile m.py\ndef f(): return 1")
        self.ok("import sys; sys.path.insert(0, '')\nimport m\nfrom m import f")
        self.shows("f(), m.f()", "(1, 1)")
        self.ok("%%writefile m.py\ndef f(): return 2000")
        self.shows("f(), m.f()", "(2000, 2000)")
        self.ok("%%writefile m.py\ndef f(: return 3")
        self.assertIn("autoreload of m failed", self.ok("f()"))


class TestNames(CellCase):
    def test_who(self):
        self.ok("b = [1, 2]; a = 1")
        self.shows("%who", "a  b  os\n")
        self.shows("%who_ls int", "['a']")
        self.assertRegex(self.ok("%whos"), r"a +int +1\nb +list +n=2\n")

    def test_reset(self):
        self.ok("x = 1")
        self.ok("x")
        self.ok("%reset -f")
        self.fails("x", "NameError")
        self.fails("_", "NameError")
        self.shows("print(__name__); display(1)", "__main__\n1")
        self.ok("ab = ac = b = 1\n%reset_selective -f ^a")
        self.shows("%who", "b\n")
        self.ok("del b")
        self.fails("b", "NameError")

    def test_history(self):
        self.ok("x = 1")
        self.assertIn("x = 1\n", self.ok("%history"))
        self.assertIn("2: x = 1", self.ok("%history -n 2"))

    def test_info(self):
        self.ok("def f(a, b=2):\n    '''Says so.'''\n    return a")
        text = self.ok("f?")
        self.assertIn("Signature: f(a, b=2)", text)
        self.assertIn("Says so.", text)
        self.assertIn("return a", self.ok("f??"))
        self.assertIn("Signature", self.ok("?f"))
        self.assertIn("not found", self.ok("nothing_here?"))
        self.assertIn("pathlib.Path"[-4:], self.ok("import pathlib\npathlib.Pa*?"))
        self.assertIn("Docstring", self.ok("x = 5\nx?"))


class TestOthers(CellCase):
    def test_quiet(self):
        for line in ("%matplotlib inline", "%config InlineBackend.figure_format = 'retina'", "%load_ext autoreload",
                     "%autoreload 2", "%matplotlib notebook", "%xmode Plain", "%precision 3", "%reload_ext autoreload"):
            self.shows(line, "")
        text = self.ok("%load_ext no_such_extension\n1")
        self.assertEqual(text.count("\n"), 1)

    def test_unknown(self):
        self.assertEqual(self.ok("%frobnicate x\n"), "%frobnicate is not available: write it as Python; "
                         "%lsmagic lists the magics that are here\n")
        self.assertIn("sqlite3", self.ok("%sql SELECT 1"))
        self.assertIn("tracemalloc", self.ok("%memit f()"))
        error = self.fails("%%cython\nx", "UsageError")
        self.assertIn("the cell was not run", error)
        self.shows("x = %frobnicate\nx is None", "%frobnicate is not available: write it as Python; %lsmagic lists the "
                   "magics that are here\nTrue")

    def test_tables(self):
        """Every entry of the tables has its handler."""
        self.ok("import sys\nm = __import__('_cellblock_kernel.magics').magics\n"
                "for table in (m.LINE, m.CELL):\n    for where in table.values(): assert callable(m.handler(where))")
        self.assertIn("%%writefile", self.ok("%lsmagic"))

    def test_cell_texts(self):
        self.shows("%%html\n<b>bold</b> text", "bold text")
        self.shows("%%markdown\n# Title", "# Title")

    def test_registered(self):
        self.ok("from IPython.core.magic import register_line_magic, register_cell_magic\n"
                "@register_line_magic\ndef twice(line): return line * 2\n"
                "@register_cell_magic\ndef upper(line, cell): print(line, cell.upper())")
        self.shows("%twice ab", "'abab'")
        self.shows("%%upper x\nabc", "x ABC\n")
        self.ok("from IPython.core.magic import Magics, magics_class, line_magic\n@magics_class\nclass M(Magics):\n"
                "    @line_magic\n    def hello(self, line): return 'hello ' + line\n"
                "get_ipython().register_magics(M)")
        self.shows("%hello you", "'hello you'")


class TestGetIPython(CellCase):
    def test_methods(self):
        self.shows("ip = get_ipython()\nip.user_ns is globals()", "True")
        self.shows("ip.run_line_magic('pwd', '') == os.getcwd()", "True")
        self.assertIn("Wall time", self.ok("ip.run_cell_magic('time', '', 'x = 3')"))
        self.shows("x", "3")
        self.shows("ip.system('echo a')", "a\n")
        self.shows("ip.getoutput('echo a')", "['a']")
        self.ok("ip.push({'pushed': 1}); ip.ex('y = pushed + 1')")
        self.shows("ip.ev('y')", "2")
        self.ok("ip.run_cell('w = 5')")
        self.shows("w", "5")
        self.shows("ip.magic('pwd') == os.getcwd()", "True")
        self.shows("hasattr(ip, 'kernel'), ip.execution_count", "(False, 13)")
        self.shows("from IPython import get_ipython as g\ng() is ip", "True")

    def test_events(self):
        self.ok("get_ipython().events.register('post_execute', lambda: print('after'))\n"
                "get_ipython().events.register('pre_run_cell', lambda info: print('before', info.raw_cell))")
        self.shows("1;", "before 1;\nafter\n")

    def test_formatters(self):
        self.ok("class A: pass\nf = get_ipython().display_formatter.formatters\n"
                "f['text/plain'].for_type(A, lambda a, p, cycle: p.text('an A'))")
        self.shows("A()", "an A")


class TestInstalling(CellCase):
    def specs(self, code, status="ok"):
        asked = []

        def install(args):
            asked.append(args)
            return status, "told"

        result = self.kernel.execute(code, install=install)
        self.assertEqual(result.status, "ok", code)
        self.text = result.text
        return asked

    def test_commands(self):
        for code, expected in {
            "pip install numpy": ["numpy"],
            "%pip install -q numpy 'pandas>=2'": ["numpy", "pandas>=2"],
            "!pip install numpy>=1.20": ["numpy>=1.20"],
            "!pip3 install --quiet --user x[extra]==1": ["x[extra]==1"],
            '!pip install -q "numpy>=2" 2>&1 | tail -1': ["numpy>=2"],
            "!pip install x > /dev/null 2>&1": ["x"],
            "!uv pip install --system x": ["x"],
            "%uv pip install x": ["x"],
            "import sys\n!{sys.executable} -m pip install x": ["x"],
            "!conda install -y -c conda-forge numpy=1.26 scipy": ["numpy==1.26", "scipy"],
            "%conda install numpy": ["numpy"],
            "!sudo pip install x": ["x"],
            "get_ipython().system('pip install x')": ["x"],
            "x = !pip install x": ["x"],
            "%pip install \"a; python_version<'4'\" b  # why": ["a; python_version<'4'", "b"],
            "p = 'name'\n%pip install {p}": ["name"],
        }.items():
            self.assertEqual(self.specs(code), [expected], code)
            self.assertEqual(self.text, "told\n")

    def test_from_code(self):
        before = "import os, subprocess, sys\n"
        for code, expected in {
            "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'a>1', '-q']);": "told\n",
            "subprocess.check_call(['pip', 'install', '--upgrade', 'a>1'], stdout=-3, stderr=-3);": "",
            "print(subprocess.check_output('pip install \"a>1\"', shell=True))": "b'told\\n'\n",
            "r = subprocess.run('pip install \"a>1\" && echo x', shell=True, capture_output=True, text=True)\n"
            "print(r.args, r.stdout.split())": "pip install \"a>1\" && echo x ['told', 'x']\n",
            "os.system('pip install \"a>1\"');": "told\n",
            "get_ipython().run_cell_magic('bash', '', '# first\\npip install -q \"a>1\"\\n\\necho pip install b')": "told\npip install b\n",
            "print([os.popen('pip install \"a>1\"').read()])": "['told\\n']\n",
        }.items():
            self.assertEqual(self.specs(before + code), [["a>1"]], code)
            self.assertEqual(self.text, expected)
        self.assertEqual(self.specs(before + "print(subprocess.call(['pip', 'install', 'a'], stderr=-3), os.system('pip install a'))",
                                    "error"), [["a"], ["a"]])  # fmt: skip
        self.assertEqual(self.text, "told\n1 256\n")

    def test_not_ours(self):
        self.ok("import os, subprocess, sys\nopen('python', 'w').write('#!/bin/sh\\necho its own')\nos.chmod('python', 0o755)")
        for code in ("subprocess.run([os.path.abspath('python'), '-m', 'pip', 'install', 'a']);",
                     "subprocess.run('echo its own; pip --version >/dev/null', shell=True);",
                     "subprocess.run(['echo', 'its own'], shell=False);",
                     "import threading\nt = threading.Thread(target=lambda: subprocess.run(['./python', '-m', 'pip', 'install', 'a']))\n"
                     "t.start(); t.join();"):  # fmt: skip
            self.assertEqual(self.specs(code), [], code)
            self.assertEqual(self.text, "its own\n")

    def test_upgrade_is_not_dropped_silently(self):
        self.assertEqual(self.specs("%pip install -U numpy"), [["numpy"]])
        self.assertIn("-U is not followed", self.text)

    def test_several(self):
        self.assertEqual(self.specs("!pip install a && pip install b && echo done"), [["a"], ["b"]])
        self.assertEqual(self.text, "told\ntold\ndone\n")
        self.assertEqual(self.specs("!pip install a && echo done", "error"), [["a"]])
        self.assertEqual(self.text, "told\n")

    def test_requirements(self):
        self.ok("open('r.txt', 'w').write('# all\\na>=1  # why\\n\\n-e .\\nb; python_version > \"3\"\\n')")
        self.assertEqual(self.specs("%pip install -r r.txt c"), [["a>=1", 'b; python_version > "3"', "c"]])

    def test_refused(self):
        for code in ("!pip install -e .", "%pip install --index-url http://x y", "!pip install", "!pip uninstall -y x"):
            self.assertEqual(self.specs(code), [], code)
            self.assertEqual(self.text.count("\n"), 1, self.text)

    def test_listing(self):
        self.ok("import os, sys\nsite = os.path.abspath('site')\nos.makedirs(site + '/listed-1.0.dist-info')\n"
                "open(site + '/listed-1.0.dist-info/METADATA', 'w').write('Name: listed\\nVersion: 1.0\\n')\n"
                "sys.path.append(site);")
        self.assertRegex(self.ok("%pip list"), r"(?m)^listed==1.0$")
        self.assertRegex(self.ok("!pip freeze"), r"(?m)^listed==1.0$")
        self.assertIn("Name: listed", self.ok("!pip show listed"))

    def test_not_an_installation(self):
        self.shows("!echo pip install x", "pip install x\n")


if __name__ == "__main__":
    unittest.main()
