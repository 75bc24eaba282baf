"""Fixtures of the tests of isolated sessions; they are imported by name. What a test leaves behind fails it."""

import os

import pytest

from boxtools import Leftovers, Place, isolation, users


@pytest.fixture(scope="session")
def can_isolate():
    if not isolation():
        pytest.skip("no sandbox can be had here")


def _place(can_isolate, uid):
    place = Place(uid)
    yield place
    place.remove()


@pytest.fixture(params=users(), ids=lambda uid: "root" if uid == 0 else "user")
def place(can_isolate, request):
    """Where servers of root, and of a user without privilege, can work."""
    yield from _place(can_isolate, request.param)


@pytest.fixture
def own_place(can_isolate):
    """The same for who runs the tests."""
    yield from _place(can_isolate, os.geteuid())


def _start(place):
    started = []

    def start(*args, **options):
        server = place.server(*args, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.closed:
            continue
        left = Leftovers(server)
        assert server.close() == 0
        left.check()
        assert not list(place.tmp.iterdir())


@pytest.fixture
def start(place):
    yield from _start(place)


@pytest.fixture
def own_start(own_place):
    yield from _start(own_place)


@pytest.fixture
def box(start):
    """A server with isolated sessions, by each kind of user."""
    return start()


@pytest.fixture
def own_box(own_start):
    return own_start()
