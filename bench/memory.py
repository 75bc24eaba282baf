"""What one more session costs in memory after a small computation with pandas: PSS, with many alive."""

import time

import contestants
from client import Client, Helper, below, wait_until_warm
from report import Row, Table

CODE = (
    "import numpy as np, pandas as pd\n"
    "df = pd.DataFrame({'g': np.arange(1000) % 7, 'v': np.arange(1000.0)})\n"
    "print(df.groupby('g').v.mean().sum())"
)
ALIVE = 20


def pss_mb(pids):
    """Proportional set size: what is shared counts once, divided among those who share it."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total / 1024


def cellblock(field):
    client = Client(contestants.servers(field)["cellblock"][0])
    try:
        client.initialize()
        wait_until_warm(client)
        sessions = [
            client.call("execute_python", {"code": CODE, "session": "new"})
        ]  # the first pays for what all share
        time.sleep(1)
        before = pss_mb(below(client.process.pid))
        for _ in range(ALIVE):
            sessions.append(client.call("execute_python", {"code": CODE, "session": "new"}))
        assert not [s for s in sessions if s.get("isError")], sessions
        time.sleep(1)
        return (pss_mb(below(client.process.pid)) - before) / ALIVE
    finally:
        client.close()


def ipykernel(field):
    helper = Helper([field.python["jupyter"], str(contestants.HERE / "helper_jupyter.py")])
    try:
        pids = [helper.ask({"do": "more", "code": CODE}) for _ in range(ALIVE)]
        time.sleep(1)
        return pss_mb(pids) / ALIVE
    finally:
        helper.close()


def measure(field, quick):
    del quick  # fewer alive would be another question
    rows = [Row("cellblock", [cellblock(field)]), Row("ipykernel (jupyter_client)", [ipykernel(field)], 1 / 10)]
    return [Table(f"Memory of one more session after a small pandas computation (PSS, {ALIVE} alive)", "MB", rows)]
