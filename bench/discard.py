"""Run and discard: executions a second that each have a sandbox of their own, several in flight."""

import concurrent.futures
import json
import os
import time

import isolation
import walls
from client import below
from report import Row, Table

CODE = "print(1+1)"
IN_FLIGHT = 4
ALIVE = 8  # a new session ends the one that has been idle longest
GONE_WITHIN = 30


def answered(client, n):
    """n executions, each in a new session, IN_FLIGHT at a time."""
    arguments = {"code": CODE, "session": "new"}
    sent = done = 0
    while done < n:
        while sent < n and sent - done < IN_FLIGHT:
            client.last_id += 1
            call = {"name": "execute_python", "arguments": arguments}
            message = {"jsonrpc": "2.0", "id": client.last_id, "method": "tools/call", "params": call}
            os.write(client.to, json.dumps(message).encode() + b"\n")
            sent += 1
        line = client.line()
        if b'"id":' in line:
            assert b'"2\\n[' in line, line
            done += 1


def cellblock(client, n, processes):
    """ms for each of n: what is discarded has to be gone as well, as with the others."""
    begin = time.perf_counter_ns()
    answered(client, n)
    by = time.monotonic() + GONE_WITHIN
    while len(below(client.process.pid)) > processes:
        if time.monotonic() > by:
            raise RuntimeError(f"over {processes} processes are left of {ALIVE} sessions")
        time.sleep(0.005)
    return (time.perf_counter_ns() - begin) / 1e6 / n


def programs(command, n):
    begin = time.perf_counter_ns()
    with concurrent.futures.ThreadPoolExecutor(IN_FLIGHT) as threads:
        list(threads.map(lambda _: walls.timed_runs(command, 1), range(n)))
    return (time.perf_counter_ns() - begin) / 1e6 / n


def measure(field, quick):
    client = isolation.start(field, "--max-sessions", str(ALIVE))
    if not client:
        return []
    has_bwrap = walls.has_bwrap(field)
    ours, bare, importing = [], [], []
    try:
        answered(client, 30)
        time.sleep(1)
        processes = len(below(client.process.pid)) + 2  # a sandbox more or less that is kept ready
        for _ in range(4 if quick else 10):
            ours.append(cellblock(client, 50 if quick else 200, processes))
            if has_bwrap:
                python = field.python["jupyter"]
                bare.append(programs(walls.bwrap(python, CODE), 20 if quick else 50))
                importing.append(programs(walls.bwrap(python, "import numpy, pandas; " + CODE), 8))
    except RuntimeError as e:
        field.problems["run and discard"] = str(e)
        return []
    finally:
        client.close()
    rows = [
        Row("cellblock", ours),
        Row("bwrap, python3 -c", bare, 1 / 3),
        Row("bwrap, import numpy, pandas", importing, 1 / 80),
    ]
    return [Table(f"Run and discard, {IN_FLIGHT} in flight: time for each execution", "ms", rows)]
