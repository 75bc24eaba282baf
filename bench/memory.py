"""What one more session costs in memory after a small computation with pandas, with many alive."""

import time

import contestants
import isolation
from client import Client, Helper, below, wait_until_warm
from report import Row, Table

CODE = (
    "import numpy as np, pandas as pd\n"
    "df = pd.DataFrame({'g': np.arange(1000) % 7, 'v': np.arange(1000.0)})\n"
    "print(df.groupby('g').v.mean().sum())"
)
ALIVE = 20

# What the kernel of the system holds for processes, sandboxes and their file systems; told for the whole machine only.
KERNEL_MEMORY = ("SUnreclaim", "KernelStack", "PageTables", "Percpu", "Shmem")


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


def meminfo_mb(*names):
    with open("/proc/meminfo") as f:
        return sum(int(line.split()[1]) for line in f if line.split(":")[0] in names) / 1024


class Memory:
    """What is in use: by processes, by the kernel of the system for them, and all that is not available to others."""

    def __init__(self, pids):
        self.pss = pss_mb(pids)
        self.whole = self.pss + meminfo_mb(*KERNEL_MEMORY)
        self.taken = -meminfo_mb("MemAvailable")


class Each:
    """Of each one that was added between two of them."""

    def __init__(self, before, after):
        self.pss = (after.pss - before.pss) / ALIVE
        self.whole = (after.whole - before.whole) / ALIVE
        self.taken = (after.taken - before.taken) / ALIVE


def of_server(client):
    def more(n):
        results = [client.call("execute_python", {"code": CODE, "session": "new"}) for _ in range(n)]
        assert not [r for r in results if r.get("isError")], results
        time.sleep(1)
        return Memory(below(client.process.pid))

    try:
        before = more(1)  # the first pays for what all share
        return Each(before, more(ALIVE))
    finally:
        client.close()


def local(field):
    client = Client(contestants.servers(field)["cellblock"][0])
    client.initialize()
    wait_until_warm(client)
    return of_server(client)


def ipykernel(field):
    helper = Helper([field.python["jupyter"], str(contestants.HERE / "helper_jupyter.py")])
    try:
        before = Memory([])
        pids = [helper.ask({"do": "more", "code": CODE}) for _ in range(ALIVE)]
        time.sleep(1)
        return Each(before, Memory(pids))
    finally:
        helper.close()


def measure(field, quick):
    del quick  # fewer alive would be another question
    theirs, ours = ipykernel(field), local(field)
    client = isolation.start(field)
    isolated = of_server(client) if client else None
    title = f"Memory of one more session after a small pandas computation, {ALIVE} alive"
    rows = [Row("cellblock", [ours.pss]), Row("ipykernel (jupyter_client)", [theirs.pss], 1 / 10)]
    tables = [Table(f"{title}: --local (PSS)", "MB", rows)]
    if isolated:
        rows = [Row("cellblock", [isolated.whole]), Row("ipykernel (jupyter_client)", [theirs.whole], 1 / 10)]
        tables.append(Table(f"{title}: isolated, sandbox and kernel memory included", "MB", rows))
        rows = [Row("cellblock", [isolated.taken]), Row("ipykernel (jupyter_client)", [theirs.taken])]
        tables.append(Table(f"{title}: isolated, by MemAvailable (exact only if nothing else runs)", "MB", rows))
    return tables
