"""New sandboxed sessions, against what else runs code behind walls; and whether the walls slow a warm call down."""

import subprocess
import time

import contestants
import session
import walls
from client import Client, Helper, wait_until_warm
from report import Row, Table

CODE = "print(1+1)"
PAUSE = 0.15  # between new sessions: they come now and then


def start(field, *options):
    """A server whose isolated sessions are warm; None when there can be none, for a reason that is told."""
    client = Client(contestants.isolated(field, *options))
    try:
        client.initialize()
        result = client.call("execute_python", {"code": CODE})
        if result.get("isError") or "2" not in str(result["content"]):
            raise RuntimeError(result["content"][0]["text"])
        wait_until_warm(client)
        return client
    except (OSError, RuntimeError) as e:
        client.close()
        why = "the server ended at once" if isinstance(e, OSError) else str(e)
        field.problems[" ".join(["isolated sessions", *options])] = why
        return None


def new_session(client):
    return client.timed_calls("execute_python", {"code": CODE, "session": "new"}, 1)[0]


def importing(field):
    """ns that the import takes inside a fresh Python, whose own start is not counted."""
    return int(subprocess.run([field.python["jupyter"], "-c", session.IMPORT], capture_output=True, text=True).stdout)


class NewSessions:
    """The contestants, and ns of each."""

    def __init__(self, field):
        self.times = {}
        self.turns = []
        self.closing = []
        self.level = "?"
        self.add_servers(field)
        if walls.has_bwrap(field):
            command = walls.bwrap(field.python["jupyter"], CODE)
            self.turn("bwrap", 3, lambda: walls.timed_runs(command, 1)[0])
        self.add_podman(field)
        if field.has("monty"):
            helper = Helper([field.python["monty"], str(contestants.HERE / "helper_monty.py")])
            self.closing.append(helper)
            self.turn("monty", 4, lambda: helper.ask({"do": "new", "n": 1})[0])
        self.turn("import", 1, lambda: importing(field))

    def add_servers(self, field):
        for name, options in (("pool", ()), ("no pool", ("--spare-kernels", "0"))):
            client = start(field, *options)
            if not client:
                continue
            self.closing.append(client)
            told = client.call("execute_python", {"code": CODE})["_meta"]["cellblock/execution"].get("isolation", {})
            self.level = told.get("level", "none")
            self.turn(name, 4, lambda client=client: new_session(client))

    def add_podman(self, field):
        podman = walls.Podman()
        self.closing.append(podman)
        why = podman.prepare()
        if why:
            field.problems["podman run"] = why
        else:
            self.turn("podman", 1, lambda: walls.timed_runs(podman.command(CODE), 1)[0])

    def turn(self, name, n, run):
        self.times[name] = []
        self.turns.append((name, n, run))

    def round(self):
        for name, n, run in self.turns:
            for _ in range(n):
                time.sleep(PAUSE)
                self.times[name].append(run())

    def close(self):
        for one in self.closing:
            one.close()

    def row(self, name, of, target=None):
        return Row(name, [t / 1e6 for t in self.times.get(of, [])], target)


def measure_new(field, quick):
    contest = NewSessions(field)
    try:
        for _ in range(4 if quick else 15):
            contest.round()
    finally:
        contest.close()
    row = contest.row
    tables = []
    if contest.times.get("pool"):
        title = f"A new isolated session ({contest.level}) with numpy and pandas, to its first answer"
        rows = [
            row("cellblock", "pool"),
            row("bwrap, python3 -c", "bwrap", 1 / 50),
            row("podman run, python3 -c", "podman", 1 / 300),
            row("monty, a new session", "monty", 3),
            row("import numpy, pandas", "import"),
        ]
        tables.append(Table(title, "ms", rows))
    if contest.times.get("no pool"):
        rows = [
            row("cellblock", "no pool"),
            row("import numpy, pandas", "import", 1 / 60),
            row("bwrap, python3 -c", "bwrap"),
        ]
        tables.append(Table("The same with nothing kept ready (--spare-kernels 0)", "ms", rows))
    return tables


def measure_warm(field, quick):
    """In turns of a hundred calls: what differs by less than a twentieth is no difference on a machine with others."""
    local = Client(contestants.servers(field)["cellblock"][0])
    isolated = start(field)
    times = {"local": [], "isolated": []}
    try:
        if not isolated:
            return []
        local.initialize()
        wait_until_warm(local)
        calls = []
        for name, client in (("local", local), ("isolated", isolated)):
            result = client.call("execute_python", {"code": "1", "session": "new"})
            arguments = {"code": CODE, "session": result["_meta"]["cellblock/execution"]["session"]}
            client.timed_calls("execute_python", arguments, 100)  # a round that does not count
            calls.append((times[name], client, arguments))
        for turn in range(10 if quick else 40):
            for kept, client, arguments in calls if turn % 2 else reversed(calls):
                kept += client.timed_calls("execute_python", arguments, 100)
    finally:
        local.close()
        if isolated:
            isolated.close()
    rows = [
        Row("cellblock", [t / 1e6 for t in times["isolated"]]),
        Row("the same with --local", [t / 1e6 for t in times["local"]], 1.05),
    ]
    return [Table("A warm print(1+1) in an isolated session", "ms", rows)]


def measure(field, quick):
    return measure_new(field, quick) + measure_warm(field, quick)
