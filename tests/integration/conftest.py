"""Fixtures of the integration tests. They drive the built binary: $CELLBLOCK, or build/cellblock."""

import os
import signal

import pytest

import rawclient
from rawclient import SCIENCE_PYTHON, Server


def pytest_configure(config):
    # A write to a server that is gone is an OSError in the test, not its end.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if not rawclient.BINARY.exists():
        raise pytest.UsageError(f"{rawclient.BINARY} is not there: run `make`, or set CELLBLOCK to the binary")


@pytest.fixture
def work(tmp_path):
    """An empty working directory."""
    path = tmp_path / "work"
    path.mkdir()
    return path


@pytest.fixture
def spawn(work):
    """Start servers, by default in the working directory of the test; all are closed and checked at the end."""
    started = []

    def start(*args, cwd=None, **options):
        server = Server(cwd or work, *args, **options)
        started.append(server)
        return server

    yield start
    problems = []
    for server in started:
        if server.closed:
            problems += server.violations
            continue
        try:
            code = server.close()
            if code != 0:
                problems.append(f"exit code {code} at the end of stdin")
        except AssertionError as e:
            problems.append(str(e))
    assert not problems, problems


@pytest.fixture
def bare(spawn):
    """A server that has been told nothing yet."""
    return spawn()


@pytest.fixture
def server(spawn):
    """A server with a connection opened by initialize, on an interpreter without packages."""
    s = spawn()
    s.initialize()
    return s


@pytest.fixture(scope="module")
def science_server(tmp_path_factory):
    """One server for a module, on the interpreter of the tests, which has numpy, pandas and matplotlib."""
    work = tmp_path_factory.mktemp("science") / "work"
    work.mkdir()
    s = Server(work, python=SCIENCE_PYTHON, preload=None)
    s.initialize()
    yield s
    if not s.closed:
        assert s.close() == 0


@pytest.fixture
def science(science_server):
    """The server of science_server, and a run() that is a session of its own."""
    return Fresh(science_server)


class Fresh:
    """A session of its own on a shared server."""

    def __init__(self, server):
        self.server = server
        self.session = None

    def run(self, code, **arguments):
        result = self.server.run(code, session=self.session or "new", **arguments)
        self.session = result.session
        return result

    def __getattr__(self, name):
        return getattr(self.server, name)


@pytest.fixture
def word():
    """A word that marks the processes of one test."""
    return "cbtest" + os.urandom(8).hex()
