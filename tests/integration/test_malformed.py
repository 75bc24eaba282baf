"""Odd, huge, deep, split and broken input gets the right error, and the server goes on."""

import json
import os
import random
import subprocess
import time

import pytest

from rawclient import BINARY, MEMORY_FACTOR, MODERN_META, PATIENCE, PLAIN_PYTHON, Result, peak_kib

MIB = 1 << 20


def goes_on(server):
    """The one thing that must hold after everything."""
    assert server.ask("ping", id="goes-on")["result"] == {}
    server.answers.pop('"goes-on"')


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"{",
        b"}",
        b"{]",
        b'{"jsonrpc":"2.0","id":1,"method":"ping"',
        b'"',
        b"nul",
        b"{'jsonrpc':'2.0'}",
        b'{"jsonrpc":"2.0","id":1,"method":"ping",}',
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf{",
        b"Content-Length: 50",
        b"NaN",
        b'{"a":Infinity}',
        b'{"a":01}',
        b'{"a":"\t"}',
        b'{"a":1}{"b":2}',
        b"\xed\xa0\x80",
        b"//x",
    ],
    ids=repr,
)
def test_what_is_no_json(server, line):
    """Some clients wait for ever for an answer that lacks their id: it is there where it can be read."""
    server.send_bytes(line + b"\n")
    answer = server.wait_for(lambda: next((m for m in server.messages[1:]), None))
    assert answer["error"]["code"] == -32700
    assert answer.get("id") == (1 if b'"id":1' in line else None)
    goes_on(server)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"5",
        b'"text"',
        b"null",
        b"true",
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"method":5}',
        b'{"jsonrpc":"2.0","id":1,"method":null}',
        b'{"jsonrpc":2.0,"id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0"}',
    ],
    ids=repr,
)
def test_what_is_no_request(server, line):
    server.send_bytes(line + b"\n")
    answer = server.wait_for(lambda: next((m for m in server.messages[1:] if "error" in m), None))
    assert answer["error"]["code"] == -32600
    # The id goes back where it can be read.
    assert answer.get("id") == (1 if b'"id":1' in line else None)
    goes_on(server)


@pytest.mark.parametrize("params", [[], [1], "x", 5, True])
def test_params_that_are_no_object(server, params):
    assert server.ask("tools/list", params)["error"]["code"] in (-32600, -32602)
    goes_on(server)


def test_empty_lines_and_line_ends(server):
    server.send_bytes(b"\n\n  \n\t\n\r\n")
    server.send_bytes(b'  {"jsonrpc":"2.0","id":"crlf","method":"ping"}\r\n')
    assert server.wait("crlf")["result"] == {}
    assert len(server.lines) == 2


def test_byte_by_byte(server):
    line = (
        json.dumps(
            {
                "jsonrpc": "2.0",
                "id": "slow",
                "method": "tools/call",
                "params": {"name": "execute_python", "arguments": {"code": "'é😀' * 2"}},
            },
            ensure_ascii=False,
        ).encode()
        + b"\n"
    )
    for i in range(len(line)):
        server.send_bytes(line[i : i + 1])
        if i % 16 == 0:
            time.sleep(0.001)
    assert "é😀é😀" in Result(server.wait("slow")).body


def test_many_messages_in_one_write(server):
    data = b"".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": "ping"}).encode() + b"\n" for i in range(500, 900))
    server.send_bytes(data)
    for i in range(500, 900):
        assert server.wait(i)["result"] == {}


@pytest.mark.parametrize("first", [True, False], ids=["id first", "id last"])
def test_oversized_line(server, first):
    """5 MiB: answered, with its id where that can be read, and the next line is served."""
    code = "x" * (5 * MIB)
    message = {
        "jsonrpc": "2.0",
        "method": "tools/call",
        "params": {"name": "execute_python", "arguments": {"code": code}},
    }
    message = {"id": 77, **message} if first else {**message, "id": 77}
    server.send(message)
    server.request("ping", id="behind")
    assert server.wait("behind")["result"] == {}
    answer = (
        server.wait(77)
        if first
        else server.wait_for(lambda: next((m for m in server.messages if isinstance(m, dict) and "error" in m), None))
    )
    assert "4 MiB" in answer["error"]["message"] or "4194304" in answer["error"]["message"], answer
    assert answer["error"]["code"] in (-32600, -32602)
    goes_on(server)


def test_large_line_below_the_bound(server):
    result = server.run("x = '" + "y" * (3 * MIB) + "'; len(x)")
    assert str(3 * MIB) in result.body


def test_endless_line(server):
    """A line of 64 MiB is not kept: the memory of the server stays small."""
    chunk = b"z" * MIB
    server.send_bytes(b'{"jsonrpc":"2.0","id":"endless","method":"ping","params":{"a":"')
    for _ in range(64):
        server.send_bytes(chunk)
    server.send_bytes(b'"}}\n')
    assert "error" in server.wait("endless")
    assert peak_kib(server.pid) < 40 * 1024 * MEMORY_FACTOR
    goes_on(server)


def test_line_that_never_ends_before_eof(server):
    server.send_bytes(b'{"jsonrpc":"2.0","id":1,"method":"ping"')
    assert server.close() == 0


@pytest.mark.parametrize("depth", [70, 1000, 200_000])
def test_deep_nesting(server, depth):
    server.send_bytes(b'{"jsonrpc":"2.0","id":5,"method":"ping","params":{"a":' + b"[" * depth + b"]" * depth + b"}}\n")
    answer = server.wait_for(lambda: next((m for m in server.messages[1:] if "error" in m), None))
    assert answer["error"]["code"] in (-32600, -32602, -32700)
    if "id" in answer:
        assert answer["id"] == 5
    goes_on(server)


def test_nesting_below_the_bound(server):
    answer = server.ask("ping", {"a": json.loads("[" * 50 + "]" * 50)})
    assert answer["result"] == {}


def test_open_brackets_only(server):
    for text in (b"[" * 100_000, b'{"a":' * 100_000):
        server.send_bytes(text + b"\n")
    server.wait_without_id(2)
    goes_on(server)


def test_invalid_utf8_in_a_request(server):
    """Answered with its id, which can be read, and not with a parse error that no one can match."""
    server.send_bytes(
        b'{"jsonrpc":"2.0","id":31,"method":"tools/call","params":{"name":"execute_python",'
        b'"arguments":{"code":"x=\'\xff\xfe\'"}}}\n'
    )
    answer = server.wait_for(lambda: next((m for m in server.messages[1:] if "method" not in m), None))
    assert "error" in answer or answer["result"]["isError"]
    assert answer.get("id", 31) == 31
    goes_on(server)


def test_lone_surrogate_escape_works(server):
    """JavaScript clients send them; they are answered with their id, and with text that every parser takes."""
    server.send_bytes(
        b'{"jsonrpc":"2.0","id":32,"method":"tools/call","params":{"name":"execute_python",'
        b'"arguments":{"code":"print(ascii(\'a\\ud800b\'), len(\'\\ud83d\\ude00\'))"}}}\n'
    )
    answer = server.wait(32)
    result = Result(answer)
    assert not result.is_error
    assert result.body.endswith(" 1")  # the pair is one character


def test_lone_surrogate_in_other_places(server):
    server.send_bytes(b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}\n')
    server.wait_for(lambda: len(server.messages) >= 2)
    server.send_bytes(b'{"jsonrpc":"2.0","id":33,"method":"\\udfff"}\n')
    assert server.wait(33)["error"]["code"] == -32601
    server.send_bytes(b'{"jsonrpc":"2.0","id":34,"method":"tools/call","params":{"name":"x\\udc00y"}}\n')
    assert server.wait(34)["error"]["code"] == -32602
    goes_on(server)


def test_nul_in_strings(server):
    assert "3" in server.run("len('a\\x00b')").body
    result = server.call("execute_python", {"code": "print(1)\x00print(2)"})
    assert result.is_error and "null byte" in result.text.lower()
    assert server.ask("no\x00such")["error"]["code"] == -32601
    goes_on(server)


def test_duplicate_and_huge_keys(server):
    server.send_bytes(b'{"jsonrpc":"2.0","id":41,"id":42,"method":"ping"}\n')
    server.wait_for(lambda: len(server.messages) >= 2)
    server.send_bytes(b'{"jsonrpc":"2.0","id":43,"method":"ping","params":{"' + b"k" * MIB + b'":1}}\n')
    assert server.wait(43)["result"] == {}
    goes_on(server)


@pytest.mark.parametrize("number", ["1e400", "-0", "123456789012345678901234567890", "1.0", "9223372036854775808"])
def test_odd_numbers_as_id(server, number):
    server.send_bytes(b'{"jsonrpc":"2.0","id":' + number.encode() + b',"method":"ping"}\n')
    server.wait_for(lambda: len(server.messages) >= 2)
    goes_on(server)


def test_batch_in_2025_03_26(bare):
    bare.initialize("2025-03-26")
    bare.send(
        [
            {"jsonrpc": "2.0", "id": 1001, "method": "ping"},
            {"jsonrpc": "2.0", "method": "notifications/x"},
            {"jsonrpc": "2.0", "id": 1002, "method": "tools/list"},
        ]
    )
    assert bare.wait(1001)["result"] == {}
    assert bare.wait(1002)["result"]["tools"]
    goes_on(bare)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", "2025-11-25"])
def test_batch_in_other_revisions(bare, version):
    bare.initialize(version)
    bare.send([{"jsonrpc": "2.0", "id": 1001, "method": "ping"}])
    answer = bare.wait_for(lambda: next((m for m in bare.messages[1:]), None))
    answer = answer[0] if isinstance(answer, list) else answer
    if version == "2024-11-05" and "result" in answer:
        return  # that revision took its batches from JSON-RPC itself
    assert answer["error"]["code"] == -32600
    goes_on(bare)


def test_empty_and_modern_batches(bare):
    bare.initialize("2025-03-26")
    bare.send_bytes(b"[]\n")
    assert bare.wait_without_id()["error"]["code"] == -32600
    bare.send([{"jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {"_meta": MODERN_META}}])
    answer = bare.wait_for(lambda: bare.messages[2] if len(bare.messages) > 2 else None)
    answer = answer[0] if isinstance(answer, list) else answer
    assert answer["error"]["code"] == -32600
    goes_on(bare)


def test_batch_of_garbage(bare):
    bare.initialize("2025-03-26")
    bare.send_bytes(b'[1,null,"x",{},{"jsonrpc":"2.0","id":7,"method":"ping"}]\n')
    assert bare.wait(7)["result"] == {}
    goes_on(bare)


def test_random_bytes(server):
    """Two hundred lines of noise and of damaged requests: one answer or none each, and never the end."""
    rng = random.Random(20261124)
    good = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 9,
            "method": "tools/call",
            "params": {"name": "execute_python", "arguments": {"code": "1", "timeout": 5}},
        }
    ).encode()
    for i in range(200):
        if i % 2:
            line = bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
        else:
            line = bytearray(good)
            for _ in range(rng.randrange(1, 4)):
                line[rng.randrange(len(line))] = rng.randrange(256)
        server.send_bytes(bytes(line).replace(b"\n", b" ") + b"\n")
    goes_on(server)


def test_client_that_does_not_read(work):
    """Answers that nobody takes: the server neither grows without bound nor outlives the end of its input."""

    p = subprocess.Popen(
        [BINARY, "stdio", "--local", "--python", PLAIN_PYTHON],
        cwd=work,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    line = (
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": MODERN_META}}).encode()
        + b"\n"
    )
    os.set_blocking(p.stdin.fileno(), False)
    sent = 0
    try:
        while sent < 40 * MIB:
            sent += os.write(p.stdin.fileno(), line * 200) or 0
    except (BlockingIOError, BrokenPipeError):
        pass
    assert peak_kib(p.pid) < 160 * 1024 * MEMORY_FACTOR
    try:
        p.stdin.close()
    except BrokenPipeError:
        pass
    try:
        p.wait(timeout=PATIENCE)
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
