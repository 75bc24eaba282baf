"""execute_python: arguments, state, values, order of output, errors."""

import json

import pytest

from rawclient import K, MODERN, Result


def test_state_is_kept(server):
    server.run("import math\nx = [1, 2]\ndef f(n): return n * math.pi")
    server.run("x.append(3)")
    assert "[1, 2, 3]" in server.run("x").body
    assert "6.28" in server.run("f(2)").body


def test_sessions_are_separate(server):
    first = server.run("x = 'first'", session="new").session
    second = server.run("x = 'second'", session="new").session
    assert first != second
    assert "'first'" in server.run("x", session=first).body
    assert "'second'" in server.run("x", session=second).body
    assert server.run("x").is_error  # the connection's own session knows neither


def test_connection_has_its_own_session(server):
    assert server.run("x = 1").session == server.run("x").session


def test_session_handle_works_across_eras(server):
    handle = server.run("x = 'kept'").session
    modern = server.modern("tools/call", {"name": "execute_python", "arguments": {"code": "x", "session": handle}})
    assert "'kept'" in Result(server.wait(modern)).body


@pytest.mark.parametrize("handle", ["nosuch", "zzzzzz", "../../etc", "a" * 5000, "é", "NEW", "\x00"])
def test_unknown_session(server, handle):
    result = server.run("open('ran', 'w')", session=handle)
    assert result.is_error
    assert "new" in result.text  # what to do
    assert not (server.cwd / "ran").exists()


@pytest.mark.parametrize(
    "code, value",
    [
        ("1 + 1", "2"),
        ("'text'", "'text'"),
        ("x = 5\nx", "5"),
        ("[1,\n 2]", "[1, 2]"),
        ("(lambda: 3)()", "3"),
        ("if True:\n    pass\n7", "7"),
        ("# comment\n8 # more", "8"),
        ("9\n\n\n# end", "9"),
        ("b'x'", "b'x'"),
        ("\n\n  \n10", "10"),
        ("print('a') or 11", "a\n11"),
        ("await __import__('asyncio').sleep(0, 12)", "12"),
        ("1;2;3", "3"),
        ("'é😀'", "'é😀'"),
        ("...", "Ellipsis"),
        ("0", "0"),
        ("False", "False"),
        ("''", "''"),
        ("[]", "[]"),
    ],
)
def test_value_of_the_last_expression(server, code, value):
    assert server.run(code).body == value


@pytest.mark.parametrize(
    "code",
    [
        "x = 1",
        "None",
        "1;",
        "'x' ;",
        "5; # comment",
        "import os",
        "def f(): pass",
        "for i in [1]: i",
        "if 1: 2",
        "with open('/dev/null') as f: 5",
        "",
        "# only",
        "\n\n",
        "pass",
        "[1,\n2];",
    ],
)
def test_no_value(server, code):
    result = server.run(code)
    assert not result.is_error
    assert "Error" not in result.body and len(result.body) < 40, result.body


def test_code_is_as_people_paste_it(server):
    assert server.run("\tx = 1\n\tx + 1").body == "2"  # indented as a whole
    assert server.run("x = 1\r\nx + 1\r\n").body == "2"
    assert server.run(">>> x = 41\n>>> x + 1\n").body == "42"
    assert server.run("\ufeffx = 3\nx").body == "3"


def test_order_of_output(server):
    code = """
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None)
for i in range(3):
    print(f'{i}a')
    print(f'{i}b', file=sys.stderr)
    os.write(1, f'{i}c\\n'.encode())
    subprocess.run(['echo', f'{i}d'])
    libc.printf(f'{i}e\\n'.encode())
    subprocess.run(f'echo {i}f >&2', shell=True)
    os.system(f'echo {i}g')
    sys.stdout.write(f'{i}h\\n')
'{}'.format('value')
"""
    assert server.run(code).body.split() == [f"{i}{c}" for i in range(3) for c in "abcdefgh"] + ["'value'"]


def test_display_keeps_its_place(server):
    assert server.run("print(1)\ndisplay('two')\nprint(3)\ndisplay(4, 5)\n6").body.split() == [
        "1",
        "'two'",
        "3",
        "4",
        "5",
        "6",
    ]


def test_representations_are_honoured(server):
    png = (
        "import zlib, struct\ndef chunk(t, d): return struct.pack('>I', len(d)) + t + d + "
        "struct.pack('>I', zlib.crc32(t + d))\n"
        "PNG = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 3, 2, 8, 2, 0, 0, 0)) + "
        "chunk(b'IDAT', zlib.compress((b'\\0' + b'\\xff\\0\\0' * 3) * 2)) + chunk(b'IEND', b'')\n"
    )
    server.run(png)
    result = server.run("class P:\n    def _repr_png_(self): return PNG\n    def __repr__(self): return 'plain'\nP()")
    assert len(result.images) == 1 and result.images[0][16:24] == b"\0\0\0\3\0\0\0\2"
    assert "**bold**" in server.run("class M:\n    def _repr_markdown_(self): return '**bold**'\nM()").body
    html = server.run(
        "class H:\n    def _repr_html_(self): return '<p>' + 'x' * 100000 + '</p>'\n"
        "    def __repr__(self): return 'plain-h'\nH()"
    )
    assert len(html.text) < 2000 and ("plain-h" in html.body or html.links)
    broken = server.run("class B:\n    def _repr_png_(self): 1 / 0\n    def __repr__(self): return 'plain-b'\nB()")
    assert "plain-b" in broken.body and not broken.is_error


def test_broken_repr(server):
    result = server.run("class B:\n    def __repr__(self): raise ValueError('no repr')\nB()")
    assert "no repr" in result.text
    assert "2" in server.run("1+1").body


def test_stdin_argument(server):
    result = server.run(
        "a = input('name? ')\nb = input()\nimport sys\nrest = sys.stdin.read()\n(a, b, rest)",
        stdin="Ada\nLovelace\nmore\nlines\n",
    )
    assert "('Ada', 'Lovelace', 'more\\nlines\\n')" in result.body
    assert "name? " in result.body
    assert "['1', '2']" in server.run("import sys; [l.strip() for l in sys.stdin]", stdin="1\n2").body


def test_stdin_reaches_subprocesses_and_ends_with_the_call(server):
    assert "abc" in server.run("import subprocess; subprocess.run(['cat'])", stdin="abc\n").body
    assert "EOFError" in server.run("input()").text


@pytest.mark.parametrize("code", ["input()", "input('name? ')", "import sys; sys.stdin.readline() or input()"])
def test_input_without_stdin(server, code):
    result = server.run(code)
    assert result.is_error and "EOFError" in result.text
    assert "stdin" in result.text  # what to do


def test_subprocess_does_not_wait_for_stdin(server):
    assert not server.run("import subprocess; subprocess.run(['cat'])").is_error
    assert not server.run("import os; os.system('cat')").is_error


def test_top_level_await(server):
    assert (
        "done"
        in server.run(
            "import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 'done'\nawait f()"
        ).body
    )
    assert "[0, 1]" in server.run("async def g():\n    for i in range(2): yield i\n[i async for i in g()]").body
    assert (
        "3"
        in server.run(
            "async with asyncio.timeout(5) if hasattr(asyncio, 'timeout') else asyncio.Lock():\n    x = 3\nx"
        ).body
    )
    assert "run" in server.run("asyncio.run(asyncio.sleep(0, 'run'))").body
    server.run(
        "task = asyncio.ensure_future(asyncio.sleep(0.01, 'later'))" if False else "y = await asyncio.sleep(0, 9)"
    )
    assert "9" in server.run("y").body


def test_error_has_only_the_users_frames(server):
    result = server.run("def inner(x):\n    return 1 / x\n\ndef outer():\n    return inner(0)\n\nouter()")
    assert result.is_error
    text = result.body
    assert text.startswith("Traceback (most recent call last):")
    assert text.rstrip().splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "return 1 / x" in text and "return inner(0)" in text and "outer()" in text
    assert "cellblock" not in text.lower() and "exec(" not in text and "_kernel" not in text
    assert text.count("File ") == 3 and "line 2, in inner" in text


def test_error_in_a_library_shows_it(server):
    text = server.run("import json\njson.loads('{')").body
    assert "JSONDecodeError" in text and "json.loads('{')" in text and "cellblock" not in text.lower()


def test_error_lines_of_earlier_calls(server):
    server.run("def old():\n    raise KeyError('from an old cell')")
    text = server.run("\n\nold()").body
    assert "raise KeyError('from an old cell')" in text


def test_error_comes_after_the_output(server):
    result = server.run("print('before')\nraise ValueError('boom')")
    assert result.body.index("before") < result.body.index("ValueError: boom")


@pytest.mark.parametrize(
    "code, says",
    [
        ("import cv2", 'install_dependencies(["opencv-python-headless"])'),
        ("from google.cloud import storage", 'install_dependencies(["google-cloud-storage"])'),
        ("import nummpy", "`nummpy` is not installed here. Did you mean `numpy`?"),
        ("import a_module_that_is_nowhere", "`a_module_that_is_nowhere` is not installed here. Which distribution"),
        ("import json.nowhere", "`json` was found, but has no `nowhere`"),
    ],
)
def test_missing_module_is_told_with_its_distribution(server, code, says):
    result = server.run(code, session="new")
    assert result.is_error and "ModuleNotFoundError" in result.body and says in result.text, result.text


def test_the_line_about_a_missing_module_cannot_be_forged(server):
    result = server.run("raise ModuleNotFoundError('x', name=chr(10) + '.ereht si `y'[::-1])")
    assert result.is_error and "is there" not in result.text, result.text


def test_error_is_in_the_first_block(science):
    """fastmcp's error holds only the first content block."""
    result = science.run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('x')\n1/0")
    assert result.content[0]["type"] == "text" and "ZeroDivisionError" in result.content[0]["text"]


def test_one_text_block(server):
    """pydantic-ai joins several as a JSON array."""
    assert len(server.run("print(1)\ndisplay(2)\n3").texts) == 1
    assert len(server.run("print(1)\n1/0").texts) == 1


def test_chained_and_grouped_errors(server):
    text = server.run("try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise RuntimeError('outer') from e").body
    assert "ZeroDivisionError" in text and "direct cause" in text and "RuntimeError: outer" in text
    text = server.run("try:\n    1/0\nexcept ZeroDivisionError:\n    {}['k']").body
    assert "During handling" in text


@pytest.mark.parametrize(
    "code, says",
    [
        ("def f(:", "SyntaxError"),
        ("x = = 1", "SyntaxError"),
        ("print 'x'", "SyntaxError"),
        ("  x = 1\n y = 2", "Indentation"),
        ("return 5", "SyntaxError"),
        ("'unterminated", "SyntaxError"),
        ("(1,", "SyntaxError"),
        ("break", "SyntaxError"),
    ],
)
def test_syntax_errors(server, code, says):
    result = server.run("print('must not run')\n" + code if not code.startswith(" ") else code)
    assert result.is_error and says in result.text
    assert "must not run\n" not in result.body.split("Traceback")[0].split("File")[0]
    assert "cellblock" not in result.text.lower()


def test_recursion_and_huge_errors(server):
    result = server.run("def f(): f()\nf()")
    assert result.is_error and "RecursionError" in result.text and len(result.text) < 21000
    result = server.run("raise ValueError('x' * 1000000)")
    assert result.is_error and "ValueError" in result.text and len(result.text) < 25000


def test_odd_exceptions(server):
    assert (
        "no str" in server.run("class E(Exception):\n    def __str__(self): raise TypeError('no str')\nraise E").text
        or True
    )
    assert server.run("class E(BaseException): pass\nraise E('base')").is_error
    assert "base" in server.run("class E(BaseException): pass\nraise E('base')").text
    assert server.run("raise KeyboardInterrupt").is_error
    assert server.run("raise GeneratorExit").is_error
    assert server.run("raise StopIteration(5)").is_error
    assert "2" in server.run("1+1").body


def test_module_not_found_says_how(server):
    result = server.run("import no_such_module_anywhere")
    assert result.is_error and "install_dependencies" in result.text and "no_such_module_anywhere" in result.text


# ---- arguments ----


@pytest.mark.parametrize("empty", [None, ""])
def test_null_and_empty_optional_arguments_are_absent(server, empty):
    """Strict hosts send every optional argument."""
    server.run("x = 'own session'")
    result = server.run("x", session=empty, timeout=empty, stdin=None)
    assert "own session" in result.body
    assert "EOFError" in server.run("input()", stdin=empty, session=empty, timeout=empty).text
    assert not server.call("list_installed_packages", {"session": empty}).is_error


def test_unknown_argument_is_named(server):
    result = server.run("open('ran', 'w')", language="python")
    assert result.is_error and "language" in result.text
    assert "code" in result.text and "session" in result.text  # what there is
    assert not (server.cwd / "ran").exists()
    assert "packges" in server.call("install_dependencies", {"packges": ["x"]}).text


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({}, "code"),
        ({"code": None}, "code"),
        ({"code": 5}, "code"),
        ({"code": ["x"]}, "code"),
        ({"code": {}}, "code"),
        ({"code": "1", "timeout": "soon"}, "timeout"),
        ({"code": "1", "timeout": -1}, "timeout"),
        ({"code": "1", "timeout": [5]}, "timeout"),
        ({"code": "1", "timeout": True}, "timeout"),
        ({"code": "1", "session": 5}, "session"),
        ({"code": "1", "stdin": 5}, "stdin"),
        ({"code": "1", "stdin": ["x"]}, "stdin"),
    ],
)
def test_wrong_types_are_errors_that_name_the_argument(server, arguments, name):
    result = server.call("execute_python", arguments)
    assert result.is_error and name in result.text


def test_arguments_may_be_absent_where_nothing_is_needed(server):
    assert not server.call("list_installed_packages").is_error
    assert not server.call("list_installed_packages", {}).is_error


@pytest.mark.parametrize("timeout", [5, 5.0, 0.5, "5", 1e3, 600])
def test_timeouts_that_people_write(server, timeout):
    result = server.run("1+1", timeout=timeout)
    assert "2" in result.body and not result.is_error


def test_code_size_and_names(server):
    assert "100000" in server.run("x = 0\n" + "x += 1\n" * 100_000 + "x", timeout=60).body
    assert "1" in server.run("é = 1; é").body
    assert "'__main__'" in server.run("__name__").body


# ---- the last line and _meta ----


def test_status_line(server):
    import re

    line = server.run("1+1").text.splitlines()[-1]
    assert re.fullmatch(r"\[session [a-z2-9]{6} · ok · [\d.]+ (µs|ms|s)\]", line), line
    line = server.run("1/0").text.splitlines()[-1]
    assert re.fullmatch(r"\[session [a-z2-9]{6} · error · [\d.]+ (µs|ms|s)\]", line), line
    line = server.run("open('report.csv', 'w').write('x' * 1200); None").text.splitlines()[-1]
    assert re.fullmatch(r"\[session [a-z2-9]{6} · ok · [\d.]+ (µs|ms|s) · new: report\.csv 1\.2 kB\]", line), line


def test_meta(server):
    result = server.run("open('a.txt', 'w').write('x' * 10); None")
    meta = result.meta
    assert meta["status"] == "ok" and meta["session"] == result.session
    assert [(f["path"], f["size"]) for f in meta["files"]] == [("a.txt", 10)]
    duration = next(v for k, v in meta.items() if k.startswith("duration"))
    assert isinstance(duration, (int, float)) and duration >= 0
    assert server.run("1/0").meta["status"] == "error"
    assert "base64" not in json.dumps(meta)


def test_meta_in_the_modern_era(bare):
    call = bare.modern("tools/call", {"name": "execute_python", "arguments": {"code": "1"}})
    meta = bare.wait(call)["result"]["_meta"]
    assert meta["cellblock/execution"]["status"] == "ok" and K + "serverInfo" in meta
    assert MODERN not in str(meta["cellblock/execution"])
