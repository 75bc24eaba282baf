"""Monty, a subset of Python in Rust without packages: for reference. Calls of a warm session, and new sessions."""

import json
import sys
import time

from pydantic_monty import CollectString, Monty


def timed(session, begin):
    out = CollectString()
    session.feed_run("print(1+1)", print_callback=out)
    took = time.perf_counter_ns() - begin
    assert out.output == "2\n", out.output
    return took


def timed_new(pool):
    begin = time.perf_counter_ns()
    with pool.checkout() as session:
        return timed(session, begin)


def main():
    # Each has a worker of its own, so that a new session finds one ready.
    with Monty() as pool, Monty() as other, other.checkout() as session:
        for line in sys.stdin:
            what = json.loads(line)
            if what["do"] == "new":
                times = [timed_new(pool) for _ in range(what["n"])]
            else:
                times = [timed(session, time.perf_counter_ns()) for _ in range(what.get("n", 0))]
            print(json.dumps(times), flush=True)


main()
