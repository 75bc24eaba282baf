"""Several servers, many sessions, one store; processes that are killed at whatever moment. What is told is true."""

import contextlib
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

from boxfixtures import can_isolate, own_place, place  # noqa: F401
from layertools import LONG, Shop, add, fetchers, install
from rawclient import poll
from test_layers import module
from test_layers_store import cellblock_store
from toyindex import ToyIndex, make_wheel

SESSIONS = 20
ROUNDS = 4
VARIANTS = 6  # packages that the sessions choose from


@pytest.fixture
def races(own_place):  # noqa: F811
    with ToyIndex() as index:
        from wheels import wheel

        for n in range(VARIANTS):
            files = {f"toy_big{n}/part{m}.py": f"VERSION = '{n}'\nvalue = {m}\n" for m in range(30)}
            files[f"toy_big{n}/__init__.py"] = f"VERSION = '{n}'\n"
            add(index, wheel(f"toy-big{n}", files=files, requires=["toy-dep", f"toy-part{n % 3}"]))
        for n in range(3):
            add(index, make_wheel(f"toy-part{n}", "1.0"))
        shop = Shop(own_place, index)  # noqa: F811
        yield shop
        for server in shop.servers:
            if not server.closed:
                server.close()


CHECK = """
import importlib, sys
for name in %r:
    for part in ('', *('.part%%d' %% n for n in range(30))):
        importlib.import_module('toy_big%%d%%s' %% (name, part))
    assert importlib.import_module('toy_part%%d' %% (name %% 3)).VERSION == '1.0'
import toy_dep
print('all of it')
"""


class Customer(threading.Thread):
    """A session that installs, then uses everything that it was told it has."""

    def __init__(self, server, wanted):
        super().__init__()
        self.server, self.wanted, self.outcome = server, wanted, "gone"

    def run(self):
        with contextlib.suppress(AssertionError, OSError, ValueError):  # its server was killed: nobody was told anything
            result = install(self.server, *[f"toy-big{n}" for n in self.wanted], session="new", timeout=60)
            if result.is_error:
                self.outcome = f"error {result.text}"
                return
            self.outcome = "told, not used"
            used = self.server.run(CHECK % (self.wanted,), session=result.session, timeout=30)
            self.outcome = "well" if used.body == "all of it" else f"broken {used.text}"


def customers(servers, seed):
    chance = random.Random(seed)
    made = [Customer(servers[n % len(servers)], sorted(chance.sample(range(VARIANTS), chance.randint(1, 3)))) for n in range(SESSIONS)]
    for customer in made:
        customer.start()
    return made


def check_store(shop):  # noqa: F811
    verified = cellblock_store(shop, "verify")
    assert verified.returncode == 0 and "all whole" in verified.stdout, verified


def test_twenty_sessions_of_two_servers(races):
    servers = [races.serve() for _ in range(2)]
    made = customers(servers, 1)
    for customer in made:
        customer.join(LONG)
    assert {c.outcome for c in made} == {"well"}, [c.outcome for c in made if c.outcome != "well"]
    check_store(races)
    fetched = [p for p in races.index.requests if p.endswith("toy_dep-1.2-py3-none-any.whl")]
    assert len(fetched) < 3 * SESSIONS
    ids = [p.name for p in (races.store / "wheels").iterdir()]
    assert len(ids) == len(set(ids)) <= VARIANTS + 4, "one copy of each"
    assert not races.tmp()


@pytest.mark.parametrize("victim", ["servers", "fetchers"])
def test_killed_at_whatever_moment(races, victim):
    """At seeded moments. Whoever was told of success has all of it, and the store is whole each time."""
    chance = random.Random(victim)
    outcomes = []
    for turn in range(ROUNDS):
        servers = [races.serve() for _ in range(2)]
        made = customers(servers, turn)
        if turn:  # an empty store takes longest
            time.sleep(chance.uniform(0, 0.3))
        for _ in range(1 if victim == "servers" else 6):
            time.sleep(chance.uniform(0.05, 0.5))
            if victim == "servers":
                servers[chance.randrange(2)].process.send_signal(signal.SIGKILL)
                continue
            for server in servers:
                for pid in fetchers(server)[:1]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        for customer in made:
            customer.join(LONG)
            assert not customer.is_alive()
        outcomes += [c.outcome for c in made]
        check_store(races)
        for server in servers:
            if server.process.poll() is not None:
                server.kill()
        if turn % 2:  # and once more from nothing
            for server in servers:
                server.kill() if server.closed else server.close()
            assert cellblock_store(races, "empty").returncode == 0
    assert not [o for o in outcomes if o.startswith("broken")], outcomes
    wrong = [o for o in outcomes if o.startswith("error") and not re.search("signal 9|ended|fetches packages", o)]
    assert not wrong, wrong
    assert outcomes.count("well") >= SESSIONS, outcomes
    # After all that: a server finds nothing in its way, and what the dead left is swept.
    server = races.serve()
    result = install(server, *[f"toy-big{n}" for n in range(VARIANTS)], "toy-plain")
    assert not result.is_error, result
    assert server.run(CHECK % (list(range(VARIANTS)),)).body == "all of it"
    # What has no lock may be somebody's who is about to take it, as long as it is young.
    for path in (races.store / "tmp").iterdir():
        assert not (path / "lock").exists()
        os.utime(path, (1, 1))
    assert not install(server, "toy-extra", session="new").is_error
    assert not races.tmp()
    check_store(races)


def test_what_is_used_is_not_removed(races):
    """By `cellblock store empty`, nor by another server whose --store-size is small."""
    server = races.serve()
    result = install(server, "toy-big0", "toy-big1")
    assert not result.is_error
    emptied = cellblock_store(races, "empty")
    assert emptied.returncode == 0 and "in use" in emptied.stdout, emptied
    assert server.run(CHECK % ([0, 1],), timeout=60).body == "all of it"
    small = races.serve("--store-size", "64m")
    with ToyIndex() as fat:
        from wheels import wheel

        for n in range(4):
            add(fat, wheel(f"toy-fat{n}", files={f"toy_fat{n}/data.bin": os.urandom(30 << 20), f"toy_fat{n}/__init__.py": "VERSION = '1.0'\n"}))
        small.close()
        url = fat.url
        small = races.serve("--store-size", "64m", env={"PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url})
        for n in range(4):
            result = install(small, f"toy-fat{n}", session="new")
            assert not result.is_error or "--store-size" in result.text, result
            if not result.is_error:
                assert module(small, f"toy_fat{n}", result.session) == "1.0"
    assert server.run("%reset -f\n" + CHECK % ([0, 1],), timeout=60).body == "all of it"
    again = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import toy_big0.part7, toy_big1.part9']).returncode"
    assert server.run(again).body == "0"
    server.close()
    small.close()
    cellblock_store(races, "empty")
    left = subprocess.run(["du", "-sk", races.store / "sets", races.store / "wheels"], capture_output=True, text=True).stdout.split()
    assert int(left[0]) + int(left[2]) < 2000, left
    check_store(races)


def test_emptied_between_the_fetch_and_its_use(races):
    """The process that fetched has ended, and the server has not looked yet."""
    races.index.packages["toy-late"].late_file = 1
    server = races.serve()
    server.run("1")
    result = []
    asker = threading.Thread(target=lambda: result.append(install(server, "toy-late==1.0")))
    asker.start()
    poll(lambda: [p for p in races.index.requests if p.endswith(".whl")], "the download", 30)
    server.process.send_signal(signal.SIGSTOP)
    try:
        poll(lambda: not fetchers(server), "the process that fetches to end", 30)
        assert cellblock_store(races, "empty").returncode == 0
    finally:
        server.process.send_signal(signal.SIGCONT)
    asker.join(LONG)
    assert result and not result[0].is_error, result
    assert module(server, "toy_late") == "1.0"


def test_emptied_while_sessions_install(races):
    """`cellblock store empty` and `verify` at any moment: an install that says it worked has worked."""
    server = races.serve()
    done = threading.Event()
    codes = []

    def disturb():
        while not done.is_set():
            codes.append(cellblock_store(races, "empty").returncode)
            codes.append(cellblock_store(races, "verify").returncode)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        for seed in range(2):
            made = customers([server], seed)
            for customer in made:
                customer.join(LONG)
            assert not [c.outcome for c in made if c.outcome.startswith(("broken", "gone", "told"))], [c.outcome for c in made]
            wrong = [c.outcome for c in made if c.outcome != "well"]
            assert not wrong, wrong
    finally:
        done.set()
        disturber.join()
    assert set(codes) == {0}, codes
    result = install(server, *[f"toy-big{n}" for n in range(VARIANTS)], session="new")
    assert server.run(CHECK % (list(range(VARIANTS)),), session=result.session).body == "all of it"
