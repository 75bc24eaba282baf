"""From the start of the server's process to its answer to initialize, and its memory then."""

import time

import contestants
from client import Client
from report import Row, Table

TARGETS = {"SDK server": 1 / 300, "posit-mcp-repl": 1}


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def measure(field, quick):
    servers = contestants.servers(field)
    times = {name: [] for name in servers}
    memory = {name: [] for name in servers}
    for turn in range(5 if quick else 20):
        for name, (command, _, _) in servers.items():
            if name == "ipybox" and turn >= (1 if quick else 3):
                continue  # it takes seconds
            for _ in range(3 if name in ("cellblock", "posit-mcp-repl") else 1):
                client = Client(command)
                try:
                    times[name].append(client.initialize() / 1e6)
                    client.request("tools/list", {})
                    time.sleep(0.05)
                    memory[name].append(resident_kib(client.process.pid) / 1024)
                finally:
                    client.close()
    rows = [Row(name, values, TARGETS.get(name)) for name, values in times.items()]
    sizes = [Row(name, values, at_most=8 if name == "cellblock" else None) for name, values in memory.items()]
    return [
        Table("Start of the process to the answer to initialize", "ms", rows),
        Table("Resident memory of the server's process, no kernel in use", "MB", sizes),
    ]
