"""Monty, a subset of Python in Rust without packages: for reference. One warm session, one call after the other."""

import json
import sys
import time

from pydantic_monty import CollectString, Monty


def main():
    with Monty() as pool, pool.checkout() as session:
        for line in sys.stdin:
            what = json.loads(line)
            times = []
            for _ in range(what.get("n", 0)):
                out = CollectString()
                begin = time.perf_counter_ns()
                session.feed_run("print(1+1)", print_callback=out)
                times.append(time.perf_counter_ns() - begin)
                assert out.output == "2\n", out.output
            print(json.dumps(times), flush=True)


main()
