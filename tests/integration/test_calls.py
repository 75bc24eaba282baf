"""Several calls in flight: order, parallelism, cancellation, progress."""

import time

import pytest

from rawclient import Result, alive, poll


def test_calls_of_one_session_run_in_order(server):
    ids = [server.begin(f"seen = globals().get('seen', []) + [{i}]; seen") for i in range(20)]
    last = server.result(ids[-1])
    assert str(list(range(20))) in last.body
    for id in ids:
        assert not server.result(id).is_error


def test_calls_of_different_sessions_run_in_parallel(server, work):
    """The first waits for a file that only the second makes."""
    wait = (
        "import os, time\nend = time.time() + 30\n"
        "while not os.path.exists('go') and time.time() < end: time.sleep(0.01)\nos.path.exists('go')"
    )
    first = server.begin(wait, session="new")
    second = server.begin("open('go', 'w').close()", session="new")
    assert not server.result(second).is_error
    assert "True" in server.result(first).body


def test_other_requests_are_answered_while_code_runs(server):
    call = server.begin("import time; time.sleep(30)")
    assert server.ask("ping")["result"] == {}
    assert server.ask("tools/list")["result"]["tools"]
    server.notify("notifications/cancelled", {"requestId": call})
    assert "2" in server.run("1+1").body


def test_many_sessions_at_once(server):
    ids = [server.begin(f"import time; time.sleep(0.2); {i} * 1000", session="new") for i in range(24)]
    results = [server.result(id) for id in ids]
    for i, result in enumerate(results):
        assert str(i * 1000) in result.body and not result.is_error
    assert len({r.session for r in results}) == 24


def test_cancel_sends_nothing(server):
    call = server.begin("import time\nx = 1\nprint('begun', flush=True)\ntime.sleep(60)\nx = 2")
    server.notify("notifications/cancelled", {"requestId": call, "reason": "changed my mind"})
    result = server.run("1+1")
    assert not result.is_error and "2" in result.body
    assert str(call) not in server.answers
    server.close()
    assert str(call) not in server.answers


def test_cancel_keeps_variables(server, work):
    server.run("x = 41")
    call = server.begin("x += 1\nopen('running', 'w').close()\nwhile True: pass")
    poll((work / "running").exists, "the code to run")
    server.notify("notifications/cancelled", {"requestId": call})
    result = server.run("x")
    assert "42" in result.body and not result.is_error


def test_cancel_while_queued(server, work):
    first = server.begin("import time; open('running', 'w').close(); time.sleep(1.5)")
    second = server.begin("open('should-not-run', 'w').close()")
    third = server.begin("'third'")
    poll((work / "running").exists, "the code to run")
    server.notify("notifications/cancelled", {"requestId": second})
    assert "third" in server.result(third).body
    assert not server.result(first).is_error
    assert str(second) not in server.answers
    assert not (work / "should-not-run").exists()


def test_cancel_of_string_id_and_modern(bare):
    call = bare.modern("tools/call", {"name": "execute_python", "arguments": {"code": "while True: pass"}}, id="a-1")
    bare.notify("notifications/cancelled", {"requestId": "a-1"})
    after = bare.wait(bare.modern("tools/call", {"name": "execute_python", "arguments": {"code": "'after'"}}))
    assert "after" in Result(after).body
    bare.close()
    assert f'"{call}"' not in bare.answers


def test_cancel_id_has_a_type(server, work):
    """Request 7 is not request "7"."""
    call = server.request(
        "tools/call",
        {
            "name": "execute_python",
            "arguments": {"code": "open('running', 'w').close()\nimport time; time.sleep(0.5); 'finished'"},
        },
        id=7,
    )
    poll((work / "running").exists, "the code to run")
    server.notify("notifications/cancelled", {"requestId": "7"})
    assert "finished" in server.result(call).body


@pytest.mark.parametrize("params", [None, {}, {"requestId": 12345}, {"requestId": None}, {"requestId": [1]}, []])
def test_cancel_of_nothing(server, params):
    server.send(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", **({} if params is None else {"params": params})}
    )
    assert "2" in server.run("1+1").body


def test_cancel_kills_foreground_subprocess(server, work):
    call = server.begin(
        "import subprocess\np = subprocess.Popen(['sleep', '1000'])\n"
        "open('pid.tmp', 'w').write(str(p.pid))\nimport os; os.rename('pid.tmp', 'pid')\np.wait()"
    )
    pid = int(poll(lambda: (work / "pid").exists() and (work / "pid").read_text(), "the process"))
    server.notify("notifications/cancelled", {"requestId": call})
    server.run("1+1")
    poll(lambda: not alive(pid), "the sleeping process to be gone", 5)


def test_duplicate_id_in_flight(server):
    """A second request with the id of a running one must not disturb the first, whatever it is answered."""
    call = server.begin("import time; time.sleep(0.5); 'first'")
    server.request("ping", id=call)
    poll(lambda: len(server.answers.get(str(call), [])) >= 2, "two answers")
    texts = [str(a) for a in server.answers[str(call)]]
    assert any("first" in t for t in texts)


@pytest.mark.parametrize("token", [0, 7, "", "tok", "é"])
def test_progress_token_comes_back(server, token):
    call = server.begin(
        "import time\nfor i in range(2):\n    print('step', i, flush=True); time.sleep(0.6)",
        meta={"progressToken": token},
    )
    result = server.result(call)
    assert not result.is_error
    progress = [n["params"] for n in server.notifications if n["method"] == "notifications/progress"]
    assert progress, "no progress in 1.2 s"
    assert all(p["progressToken"] == token and type(p["progressToken"]) is type(token) for p in progress)
    values = [p["progress"] for p in progress]
    assert values == sorted(set(values)), "progress must grow"


def test_progress_stops_at_the_answer(server):
    for _ in range(5):
        call = server.begin("import time; time.sleep(0.55)", meta={"progressToken": 1})
        server.result(call)
    kinds = ["progress" if "method" in m else "answer" for m in server.messages]
    answers_after = [i for i, k in enumerate(kinds) if k == "answer"]
    time.sleep(0.7)
    assert max(answers_after) == len(server.messages) - 1, "progress after the last answer"


def test_a_gap_between_progress_and_answer(server):
    """The TypeScript SDK loses progress that comes in one read with its answer: a call that ends just after a tick."""
    gaps = []
    for ms in range(496, 506):
        server.result(server.begin(f"import time; time.sleep({ms / 1000})", meta={"progressToken": 1}))
        if b"notifications/progress" in server.lines[-2]:
            gaps.append(server.arrived[-1] - server.arrived[-2])
    assert gaps and min(gaps) > 0.01, gaps


def test_progress_carries_the_last_line(server):
    call = server.begin("import time\nprint('loading part 3', flush=True); time.sleep(1.5)", meta={"progressToken": 1})
    server.result(call)
    assert any("loading part 3" in n["params"].get("message", "") for n in server.notifications)


def test_progress_message_only_where_the_revision_has_it(bare):
    bare.initialize("2024-11-05")
    call = bare.begin("import time\nprint('part', flush=True); time.sleep(1.3)", meta={"progressToken": 1})
    bare.result(call)
    assert bare.notifications
    assert all("message" not in n["params"] for n in bare.notifications)


def test_progress_with_odd_output(server):
    code = "import os, time\nos.write(1, b'\\xff\\x00\\x1b[31m\\xf0\\x9f'); time.sleep(1.3)"
    assert not server.result(server.begin(code, meta={"progressToken": 1})).is_error


def test_bad_progress_token(server):
    """Only strings and integers are tokens; anything else gets no progress, and the call still runs or is refused."""
    for token in (1.5, None, True, [], {}):
        answer = server.wait(server.begin("1+1", meta={"progressToken": token}))
        assert "result" in answer or answer["error"]["code"] == -32602
    assert server.notifications == []


def test_eof_lets_running_calls_end(server):
    """What is nearly done is still answered: `printf ... | cellblock stdio`."""
    call = server.begin("'last words'")
    assert server.close() == 0
    assert "last words" in server.result(call).body


def test_too_many_requests_in_flight(server):
    """More than the bound is refused with its id, and the server goes on."""
    first = server.begin("import time; time.sleep(60)")
    ids = [server.begin("1") for _ in range(300)]
    refused = server.wait_for(lambda: next((a for i in ids for a in server.answers.get(str(i), [])), None))
    text = str(refused)
    assert "error" in refused or refused["result"]["isError"], text
    for id in [first] + ids:
        server.notify("notifications/cancelled", {"requestId": id})
    assert "2" in server.run("1+1", session="new").body
