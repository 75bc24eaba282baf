"""A thousand isolated sessions alive at once, each with pandas in use."""

import json
import os
import subprocess
import time

import isolation
import memory
from client import below
from report import Row, Table

SESSIONS = 1000
MB_EACH = 12  # what there must be room for
END_WITHIN = 60


def timed_ms(client, arguments):
    """One call: how long it took, and its result."""
    client.last_id += 1
    call = {"name": "execute_python", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": client.last_id, "method": "tools/call", "params": call}
    request = json.dumps(message).encode() + b"\n"
    mark = b'"id":%d,' % client.last_id
    begin = time.perf_counter_ns()
    os.write(client.to, request)
    line = client.line()
    while mark not in line:
        line = client.line()
    took = (time.perf_counter_ns() - begin) / 1e6
    return took, json.loads(line).get("result") or {"isError": True, "content": json.loads(line)}


class Thousand:
    def __init__(self, client):
        self.client = client
        self.making, self.calling, self.failures = [], [], []
        self.handles = []

    def check(self, result, expected):
        text = "" if result.get("isError") else result["content"][0].get("text", "")
        if not text.startswith(expected + "\n"):
            self.failures.append(str(result["content"])[:300])

    def make(self):
        for i in range(SESSIONS):
            code = f"me = {i}\n{memory.CODE}"
            took, result = timed_ms(self.client, {"code": code, "session": "new"})
            self.making.append(took)
            self.check(result, "3496.5")
            self.handles.append(result.get("_meta", {}).get("cellblock/execution", {}).get("session", "none"))

    def call(self):
        for i, handle in enumerate(self.handles):
            took, result = timed_ms(self.client, {"code": "print(me, df.g.sum())", "session": handle})
            self.calling.append(took)
            self.check(result, f"{i} 2997")

    def end(self):
        """s from the end of the server's input until none of its processes is left."""
        family = below(self.client.process.pid)
        begin = time.monotonic()
        self.client.process.stdin.close()
        self.client.process.wait(END_WITHIN)
        while any(os.path.exists(f"/proc/{pid}") for pid in family) and time.monotonic() - begin < END_WITHIN:
            time.sleep(0.01)
        return time.monotonic() - begin, sum(os.path.exists(f"/proc/{pid}") for pid in family)


def tables(made, mb, took, left):
    title = f"Making one of {SESSIONS} isolated sessions, with its small pandas computation"
    return [
        Table(title, "ms", [Row("cellblock", made.making)]),
        Table(f"A call, {SESSIONS} alive, each in turn", "ms", [Row("cellblock", made.calling)]),
        Table("Wrong answers among them", "", [Row("cellblock", [len(made.failures)], at_most=0)]),
        Table(f"Memory of each of {SESSIONS} (MemAvailable)", "MB", [Row("cellblock", [mb])]),
        Table("The end of all of them", "s", [Row("cellblock", [took])]),
        Table("Processes that are left", "", [Row("cellblock", [left], at_most=0)]),
    ]


def measure(field, quick):
    del quick
    if memory.meminfo_mb("MemAvailable") < SESSIONS * MB_EACH:
        field.problems[f"{SESSIONS} sessions"] = f"they need {SESSIONS * MB_EACH // 1000} GB of memory"
        return []
    client = isolation.start(field, "--max-sessions", str(SESSIONS))
    if not client:
        return []
    made = Thousand(client)
    try:
        before = memory.meminfo_mb("MemAvailable")
        made.make()
        mb = (before - memory.meminfo_mb("MemAvailable")) / SESSIONS
        made.call()
        made.call()
        took, left = made.end()
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as e:
        made.failures.append(str(e))
        mb = took = left = 0
    finally:
        client.close()
    if made.failures:
        field.problems[f"{len(made.failures)} of {3 * SESSIONS} calls"] = made.failures[0]
    return tables(made, mb, took, left)
