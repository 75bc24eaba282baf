"""Code as people and models write it: notebook code, whether IPython is installed or not."""

import pytest


@pytest.mark.parametrize(
    "code, shown",
    [
        ("!echo hi", "hi"),
        ("!echo $((1+1))", "2"),
        ("x = 'v'\n!echo {x} $x", "v v"),
        ("out = !printf 'a\\nb\\n'\nout", "['a', 'b']"),
        ("%%bash\necho one\necho two", "one\ntwo"),
        ("%%sh\necho $((2*3))", "6"),
        ("%pwd", "/"),
        ("%env MARK=5\nimport os; print(os.environ['MARK'])", "5"),
        ("%%capture out\nprint('x')", ""),
        ("%who", ""),
        ("%cd /\nimport os; os.getcwd()", "'/'"),
        ("def f():\n    !echo inside\nf()", "inside"),
        ("for i in range(2):\n    !echo n{i}", "n0\nn1"),
        ("%%writefile w.txt\nline 1\nline 2", "w.txt"),
        ("len?", "len"),
        ("?len", "len"),
        ("import json\njson.dumps??", "def dumps"),
    ],
    ids=lambda v: v[:24],
)
def test_magics_do_what_they_do_in_ipython(server, code, shown):
    result = server.run(code)
    assert not result.is_error, result
    assert shown in result.body


@pytest.mark.parametrize(
    "code",
    [
        "%matplotlib inline",
        "%matplotlib notebook",
        "%config InlineBackend.figure_format = 'retina'",
        "%load_ext autoreload\n%autoreload 2",
        "%reload_ext tensorboard",
        "%precision 3",
        "%xmode Plain",
        "%colors NoColor",
    ],
)
def test_settings_do_no_harm(server, code):
    result = server.run(code + "\n1 + 1")
    assert not result.is_error and result.body.splitlines()[-1] == "2"
    assert len(result.body.splitlines()) <= len(code.splitlines()) + 1


def test_timing_magics(server):
    assert "time" in server.run("%time sum(range(1000))").body.lower()
    assert "499500" in server.run("%time sum(range(1000))").body
    assert "time" in server.run("%%time\nx = sum(range(1000))\nx").body.lower()
    assert "loop" in server.run("%timeit -n 10 -r 2 sum(range(100))").body
    assert "loop" in server.run("%%timeit -n 10 -r 2\nsum(range(100))").body
    assert "499500" in server.run("x").body


def test_run_and_writefile(server, work):
    server.run("%%writefile script.py\nimport sys\nvalue = 6 * 7\nprint('ran', __name__, sys.argv[1:])")
    assert (work / "script.py").read_text().startswith("import sys")
    assert "ran __main__ ['a', 'b']" in server.run("%run script.py a b").body
    assert "42" in server.run("value").body
    server.run("%%writefile -a script.py\n# more")
    assert (work / "script.py").read_text().rstrip().endswith("# more")


def test_shell_status_and_order(server):
    result = server.run("print('a')\n!echo b; echo c >&2\nprint('d')")
    assert result.body.split() == ["a", "b", "c", "d"]
    assert not server.run("!exit 3").is_error
    assert "3" in server.run("_exit_code").body
    assert "not found" in server.run("!no_such_command_here").body


def test_unknown_magic_is_told(server):
    result = server.run("%no_such_magic x")
    assert "no_such_magic" in result.text and len(result.body.splitlines()) < 8
    result = server.run("%%no_such_cell_magic\nstuff")
    assert "no_such_cell_magic" in result.text
    result = server.run("%%javascript\nalert(1)")
    assert "javascript" in result.text.lower()


def test_percent_and_bang_in_real_python(server):
    """What is Python stays Python."""
    assert server.run("a = 7\nb = 4\n(a\n%b)").body == "3"
    assert server.run("x = '''\n%time\n!ls\n'''\nx").body == "'\\n%time\\n!ls\\n'"
    assert server.run("'%d' % 5").body == "'5'"
    assert server.run("a != b").body == "True"
    assert server.run("s = 'what?'\ns").body == "'what?'"
    assert server.run("x = [1,\n# !ls\n2]\nx").body == "[1, 2]"


def test_semicolon_hides_the_value(server):
    assert "5" not in server.run("5;").body
    assert "'a;'" in server.run("'a;'").body


def test_history_variables(server):
    server.run("10 + 1")
    server.run("20 + 2")
    assert server.run("_").body == "22"
    server.run("30 + 3")
    assert server.run("__").body == "22"
    assert "'10 + 1'" in server.run("In[1]").body
    assert server.run("Out[1]").body == "11"
    server.run("_ = 'mine'")
    server.run("5")
    assert server.run("_").body == "'mine'"


def test_display_without_import(server):
    assert "5" in server.run("display(5)").body


def test_ipython_display_without_ipython(science_server):
    server = science_server  # the interpreter of the tests, which has no IPython
    code = "import importlib.metadata as m\nany(d.metadata['Name'].lower() == 'ipython' for d in m.distributions())"
    assert "False" in server.run(code).body
    for code, shown in (
        ("from IPython.display import display, HTML, Markdown, Latex\ndisplay(Markdown('**b**'))", "**b**"),
        ("from IPython.display import Latex\nLatex('$x^2$')", "x^2"),
        ("from IPython.display import JSON\nJSON({'a': 1})", "a"),
        ("from IPython.display import Code\nCode('x = 1')", "x = 1"),
        ("from IPython.display import Pretty\nPretty('p')", "p"),
        ("import IPython\nIPython.__version__", ""),
        ("from IPython import get_ipython\nget_ipython() is not None", "True"),
        ("from IPython.core.display import HTML\nHTML('<b>x</b>')", "x"),
    ):
        result = server.run(code)
        assert not result.is_error and shown in result.body, (code, result)


def test_html_is_no_flood(server):
    result = server.run("from IPython.display import HTML\nHTML('<div>' + 'x' * 5_000_000 + '</div>')")
    assert not result.is_error and len(result.text) < 3000 and result.links
    assert len(server.read(result.links[0]["uri"])) > 4_999_999


def test_image_objects(server, work):
    import zlib
    import struct

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    png = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * 3) * 2))
        + chunk(b"IEND", b"")
    )
    (work / "i.png").write_bytes(png)
    assert server.run("from IPython.display import Image\nImage('i.png')").images == [png]
    assert server.run("Image(filename='i.png')").images == [png]
    assert server.run("Image(data=open('i.png', 'rb').read())").images == [png]
    assert server.run("display(Image('i.png'), Image('i.png'))").images == [png, png]
    result = server.run("Image('none.png')")  # where IPython is installed, its own class notices only when shown
    assert result.is_error or "FileNotFoundError" in result.body


def test_broken_image_data_is_no_image(server):
    result = server.run(
        "class P:\n    def _repr_png_(self): return b'not a png'\n    def __repr__(self): return 'plain'\nP()"
    )
    assert not result.images and not result.is_error


def test_get_ipython(server):
    assert "True" in server.run("get_ipython() is not None").body
    assert "hi" in server.run("get_ipython().system('echo hi')").body
    assert not server.run("get_ipython().run_line_magic('matplotlib', 'inline')").is_error
    assert not server.run("get_ipython().magic('matplotlib inline')").is_error


def test_reset_and_del(server):
    server.run("a = 1; b = 2")
    server.run("del a")
    assert server.run("a").is_error
    assert not server.run("%reset -f").is_error
    assert server.run("b").is_error
    assert "2" in server.run("1 + 1").body


@pytest.mark.parametrize(
    "code",
    [
        "help()",
        "help(len)",
        "help('modules')",
        "import pydoc; pydoc.help('print')",
        "import this",
        "!git log --oneline 2>&1 | head -1",
        "!echo x | less",
        "import pydoc; pydoc.pager('text ' * 10000)",
        "!man ls | head -2",
        "license()",
        "credits",
        "copyright",
    ],
)
def test_nothing_waits_for_a_pager_or_a_key(server, code):
    result = server.run(code, timeout=25)
    assert "timeout" not in result.status_line


def test_pickle_and_inspect(server):
    server.run("class P:\n    def __init__(self, v): self.v = v\ndef square(x):\n    return x * x")
    assert "5" in server.run("import pickle\npickle.loads(pickle.dumps(P(5))).v").body
    assert "return x * x" in server.run("import inspect\nprint(inspect.getsource(square))").body
    assert "self.v = v" in server.run("print(inspect.getsource(P))").body


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_with_functions_of_a_cell(server, method):
    server.run("def square(x):\n    return x * x")
    result = server.run(
        f"import multiprocessing as mp\nwith mp.get_context({method!r}).Pool(2) as pool:\n"
        "    print(pool.map(square, [1, 2, 3]))",
        timeout=50,
    )
    assert not result.is_error and "[1, 4, 9]" in result.body, result


def test_concurrent_futures(server):
    server.run("def square(x):\n    return x * x")
    result = server.run(
        "from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor\n"
        "for P in (ThreadPoolExecutor, ProcessPoolExecutor):\n"
        "    with P(2) as e: print(list(e.map(square, [1, 2, 3])))",
        timeout=50,
    )
    assert result.body.count("[1, 4, 9]") == 2, result


def test_main_guard(server):
    assert "main ran" in server.run("def main(): print('main ran')\nif __name__ == '__main__':\n    main()").body


def test_doctest(server):
    result = server.run(
        "def f(x):\n    '''\n    >>> f(2)\n    4\n    '''\n    return x * 2\nimport doctest\ndoctest.testmod()"
    )
    assert "attempted=1" in result.body and "failed=0" in result.body


def test_unittest_and_argparse(server):
    result = server.run(
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\n"
        "unittest.main(argv=['x'], exit=False)"
    )
    assert "OK" in result.body and not result.is_error
    result = server.run(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', default=3)\np.parse_args()"
    )
    assert not result.is_error and "n=3" in result.body


def test_logging_and_warnings_are_shown(server):
    result = server.run(
        "import logging\nlogging.basicConfig(level=logging.INFO)\nlogging.info('told')\nlogging.info('told again')"
    )
    assert "told" in result.body
    assert "told" in server.run("logging.info('told later')").body
    assert server.run("import warnings\nwarnings.warn('careful')").body.count("careful") >= 1


def test_future_imports_and_annotations(server):
    server.run("from __future__ import annotations")
    assert "'NotThere'" in server.run("def f(x: NotThere): pass\nf.__annotations__['x']").body


def test_dataclasses_enums_typing(server):
    result = server.run(
        "from dataclasses import dataclass\nfrom typing import NamedTuple\nimport enum\n"
        "@dataclass\nclass D:\n    x: int = 1\n"
        "class N(NamedTuple):\n    y: int\nclass E(enum.Enum):\n    A = 1\n(D(), N(2), E.A, D.__module__)"
    )
    assert "(D(x=1), N(y=2), <E.A: 1>, '__main__')" in result.body


def test_gui_and_browser_do_not_hang(server):
    assert server.run("import webbrowser\nwebbrowser.open('http://127.0.0.1:9/')", timeout=20).text
    assert server.run("try:\n    import tkinter; tkinter.Tk()\nexcept Exception as e: print(type(e))", timeout=20).text
