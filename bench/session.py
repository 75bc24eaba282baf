"""A new session that has numpy and pandas ready, against importing them."""

import subprocess
import time

import contestants
from client import Client, wait_until_warm
from report import Row, Table

# What a user would do first; the clock of the import runs inside a fresh Python, whose own start is not counted.
FIRST = "import numpy, pandas\nprint(1+1)"
IMPORT = "import time; b = time.perf_counter_ns(); import numpy, pandas; print(time.perf_counter_ns() - b)"


def new_session(client):
    return client.timed_calls("execute_python", {"code": FIRST, "session": "new"}, 1)[0]


def measure(field, quick):
    command = contestants.servers(field)["cellblock"][0] + ["--max-sessions", "16"]
    client = Client(command)
    spaced, in_a_row, imports = [], [], []
    try:
        client.initialize()
        wait_until_warm(client)
        for _ in range(5 if quick else 15):
            imports.append(
                int(subprocess.run([field.python["jupyter"], "-c", IMPORT], capture_output=True, text=True).stdout)
            )
            for _ in range(4):
                time.sleep(0.15)
                spaced.append(new_session(client))
            new_session(client)
            for _ in range(4):
                in_a_row.append(new_session(client))
    finally:
        client.close()
    # The target is about sessions that come now and then; how much a burst waits is told beside it.
    importing = [t / 1e6 for t in imports]
    rows = [Row("cellblock", [t / 1e6 for t in spaced]), Row("import numpy, pandas", importing, 1 / 100)]
    more = [Row("cellblock", [t / 1e6 for t in in_a_row]), Row("import numpy, pandas", importing)]
    return [
        Table("A new session with numpy and pandas ready, to its first answer", "ms", rows),
        Table("The same, five sessions in a row without a pause", "ms", more),
    ]
