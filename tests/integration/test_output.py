"""Text of any size and content: bounded, whole in a file, taken by every parser."""

import re

import pytest

from rawclient import MEMORY_FACTOR, peak_kib, poll

MIB = 1 << 20


def whole_path(result):
    """Where the marker of a cut says that the whole output is."""
    found = re.search(r"(\S*\.cellblock/\S+|/\S+/\S+\.(?:txt|log|out))", result.text)
    assert found, result.text[9000:11500]
    return found.group(1).rstrip(".,;:)]")


def test_big_output_is_cut_in_the_middle(server):
    result = server.run("print('HEAD')\nfor i in range(100000): print(f'line {i:07}')\nprint('TAIL')")
    total = 5 + 100000 * 13 + 5
    assert not result.is_error
    assert 15_000 < len(result.text) < 21_000
    assert "HEAD" in result.text and "TAIL" in result.text and "line 0000000" in result.text
    assert "line 0099999" in result.text and "line 0050000" not in result.text
    assert re.search(r"1,2\d\d,\d\d\d characters left out", result.text), result.text[9800:10400]
    assert result.status_line in result.texts[-1].splitlines()[-1]
    # By code:
    path = whole_path(result)
    check = server.run(f"t = open({path!r}).read(); (len(t), t[:4], t[-5:], t.count('line '))")
    assert str((total, "HEAD", "TAIL\n", 100000)) in check.body
    # By resources/read:
    link = next(li for li in result.links if ".cellblock/" in li["uri"])
    data = server.read(link["uri"])
    assert len(data) == total and data.endswith(b"TAIL\n")


def test_output_file_is_not_a_new_file_of_the_user(server):
    result = server.run("print('x' * 100000)")
    assert "new:" not in result.status_line
    assert "new:" not in server.run("1").status_line
    import subprocess

    status = subprocess.run(["git", "init", "-q"], cwd=server.cwd)
    if status.returncode == 0:
        out = subprocess.run(["git", "status", "--short"], cwd=server.cwd, capture_output=True, text=True).stdout
        assert out.strip() == "", f"the user's repository shows {out!r}"


def test_one_long_line(server):
    result = server.run("print('a' + 'x' * 1000000 + 'b')")
    assert len(result.text) < 21_000 and result.text.lstrip().startswith("ax") and "xb" in result.text


def test_long_value(server):
    result = server.run("list(range(200000))")
    assert len(result.text) < 21_000 and "[0, 1, 2" in result.text


def test_multibyte_output_is_cut_between_characters(server):
    for text in ("é", "😀", "a😀é"):
        result = server.run(f"print({text!r} * 300000)")
        assert len(result.text) < 21_000 and "\ufffd" not in result.text


def test_output_over_what_is_kept(server):
    """25 MB: the code is not stopped, the answer is bounded, and the server stays small."""
    result = server.run(
        "import sys\nfor i in range(25): sys.stdout.write(f'{i:03}' + 'x' * 999_997)\nprint('END')", timeout=60
    )
    assert not result.is_error and "END" in result.text and "000x" in result.text
    assert peak_kib(server.pid) < 80 * 1024 * MEMORY_FACTOR


def test_endless_output_is_stopped_by_its_timeout(server):
    result = server.run("while True: print('y' * 1000)", timeout=1)
    assert result.is_error and "timeout" in result.text.lower() or "timed out" in result.text.lower()
    assert len(result.text) < 22_000


@pytest.mark.parametrize(
    "code, shown",
    [
        ("for i in range(101): print(f'\\r{i}%', end='')", "100%"),
        (
            "import sys\nfor i in range(101): sys.stderr.write(f'\\rDownload {i:3}% ' + '#' * (i // 10))\nprint()",
            "Download 100% ##########",
        ),
        ("print('keep\\r\\nnext\\r\\n', end='')", "keep\nnext"),
    ],
)
def test_carriage_returns_collapse(server, code, shown):
    result = server.run(code)
    assert result.body.strip() == shown, result.body


def test_progress_bar_of_tqdm_style(server):
    code = (
        "import sys\nprint('start')\nfor i in range(2001):\n"
        "    sys.stderr.write(f'\\r{i}/2000 [' + '=' * (i // 100) + ']')\nsys.stderr.write('\\n')\nprint('end')"
    )
    result = server.run(code)
    assert result.body.split("\n") == ["start", "2000/2000 [" + "=" * 20 + "]", "end"]


def test_backspaces(server):
    assert "\b" not in server.run("print('|\\b/\\b-\\bdone')").text


@pytest.mark.parametrize(
    "code, shown",
    [
        ("print('\\x1b[31mred\\x1b[0m plain')", "red plain"),
        ("print('\\x1b[1;38;5;200mx\\x1b[K\\x1b[2Jy')", "xy"),
        ("print('\\x1b]0;title\\x07z')", "z"),
        ("print('\\x1b]8;;http://127.0.0.1\\x1b\\\\link\\x1b]8;;\\x1b\\\\')", "link"),
        ("print('a\\x1b(Bb')", "ab"),
    ],
)
def test_terminal_codes_are_dropped(server, code, shown):
    assert server.run(code).body.strip() == shown


@pytest.mark.parametrize(
    "code",
    [
        "print('a\\ud800b')",
        "print('\\udcff')",
        "'\\ud800'",
        "raise ValueError('\\udfff')",
        "print('a\\x00b')",
        "'\\x00'",
        "raise ValueError('\\x00')",
        "import os; os.write(1, b'\\xff\\xfe\\x00\\xf0\\x9f')",
        "import os; os.write(2, bytes(range(256)))",
        "import sys; sys.stdout.buffer.write(b'\\xc3')",
        "display('\\ud83d')",
        "print('\\u2028\\u2029\\ufffe\\uffff')",
        "print(''.join(map(chr, range(0x20))))",
        "print('\\U0010ffff')",
        "import os; os.write(1, b'\\xed\\xa0\\x80')",
        "exec('def f\\udc80(): pass')",
        "open(b'bad\\xff.txt', 'w').write('x')",
        "open('line\\nbreak.txt', 'w').write('x')",
        "open('a\\x1b[31m.txt', 'w').write('x')",
        "class A:\n    def __repr__(self): return '\\udc00'\nA()",
        "import sys; sys.exit('\\ud800')",
    ],
    ids=lambda c: c[:30],
)
def test_any_text_is_answered_with_valid_json(server, code):
    """The client itself checks each line: UTF-8, JSON, no lone surrogate."""
    assert server.run(code).text
    assert "2" in server.run("1+1").body


def test_mark_cannot_be_forged(server):
    """Bytes that look like the place of a display item are text, and harm nothing."""
    result = server.run(
        "import os\nos.write(1, b'\\0CB0123456789abcdef00000001\\0')\nos.write(1, b'\\0CB')\nprint('after')\ndisplay(5)"
    )
    assert "after" in result.body and "5" in result.body.splitlines()[-1]
    result = server.run(
        "import os\nfor i in range(2000): os.write(1, b'\\0CB' + os.urandom(16) + b'\\0')\nprint('after')"
    )
    assert "after" in result.body


def test_output_of_threads_after_the_answer(server, work):
    """What a thread prints between two calls is not lost silently into another session, and breaks nothing."""
    server.run(
        "import threading, time, os\ndef late():\n    time.sleep(0.3); print('late words', flush=True); "
        "open('printed', 'w').close()\nthreading.Thread(target=late).start()"
    )
    poll((work / "printed").exists, "the thread")
    other = server.run("'other'", session="new")
    assert "late words" not in other.text
    assert "2" in server.run("1+1").body


def test_no_output_is_said(server):
    """An empty text block makes some hosts fail."""
    result = server.run("pass")
    assert len(result.content) == 1 and result.text.strip()


def test_many_displays(server):
    result = server.run("for i in range(5000): display(i)", timeout=60)
    assert not result.is_error and "0" in result.text and "4999" in result.text


def test_clear_output(server):
    result = server.run(
        "from IPython.display import clear_output\n"
        "for i in range(5):\n    clear_output(wait=True)\n    print('step', i)"
    )
    assert result.body.strip() == "step 4"


def test_result_with_quotes_and_backslashes(server):
    text = '"quotes" \\backslash\\ \t tab / slash </script> \x7f'
    assert text in server.run(f"print({text!r})").body
