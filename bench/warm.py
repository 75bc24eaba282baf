"""A warm execute_python("print(1+1)"), from the client's write to the line of the answer."""

import subprocess
import sys
import time

import contestants
from bare_loop import BareLoop, RelayedLoop
from client import Client, Helper, wait_until_warm
from report import Row, Table


def python_c(python, n):
    times = []
    for _ in range(n):
        begin = time.perf_counter_ns()
        out = subprocess.run([python, "-c", "print(1+1)"], capture_output=True, stdin=subprocess.DEVNULL).stdout
        times.append(time.perf_counter_ns() - begin)
        assert out == b"2\n", out
    return times


def prepare(field, close_later):
    """name: a function that makes n calls and gives their times, and how many calls a round has."""
    calls = {}
    for name, loop in (("bare loop (pipe, exec)", BareLoop), ("bare loop, relayed", RelayedLoop)):
        bare = loop()
        close_later.append(bare)
        calls[name] = (bare.timed_calls, 100)
    for name, (command, tool, arguments) in contestants.servers(field).items():
        try:
            client = Client(command)
            close_later.append(client)
            client.initialize()
            answers = [client.call(tool, arguments) for _ in range(3)]
            if "2" not in str([a["content"] for a in answers]):
                raise RuntimeError(f"strange answer: {answers[0]}")
            if name == "cellblock":
                wait_until_warm(client)
                arguments = {**arguments, "session": session_of(client.call(tool, {"code": "1", "session": "new"}))}
        except (OSError, RuntimeError, ValueError) as e:
            field.problems[name] = str(e)
            continue
        n = 100 if name == "cellblock" else 20 if name == "mcp-python-interpreter" else 3
        calls[name] = (lambda n, c=client, t=tool, a=arguments: c.timed_calls(t, a, n), n)
    for name, environment, n in (("ipykernel (jupyter_client)", "jupyter", 20), ("monty (a subset)", "monty", 100)):
        if field.has(environment):
            helper = Helper([field.python[environment], str(contestants.HERE / f"helper_{environment}.py")])
            close_later.append(helper)
            calls[name] = (lambda n, h=helper: h.ask({"do": "calls", "n": n}), n)
    calls["python3 -c"] = (lambda n: python_c(field.python["jupyter"], n), 3)
    return calls


def session_of(result):
    return result["_meta"]["cellblock/execution"]["session"]


TARGETS = {
    "ipykernel (jupyter_client)": 1 / 25,
    "SDK server": 1 / 50,
    "mcp-python-interpreter": 1 / 12,
    "monty (a subset)": 4,
    "bare loop (pipe, exec)": 3,
}


def measure(field, quick):
    close_later = []
    try:
        calls = prepare(field, close_later)
        times = {name: [] for name in calls}
        for call, n in calls.values():
            call(n)  # a round that does not count
        for _ in range(6 if quick else 30):
            for name, (call, n) in calls.items():
                times[name] += call(n)
    finally:
        for one in close_later:
            one.close()
    if "cellblock" not in times:
        sys.exit(f"bench: Cellblock does not answer: {field.problems.get('cellblock')}")
    rows = [Row(name, [t / 1e6 for t in values], TARGETS.get(name)) for name, values in times.items()]
    return [Table("A warm print(1+1), client to client", "ms", rows)]
