"""From beginning to end, as a person would try it: once in isolated sessions, once in local mode."""

import shutil
import subprocess
import time

import pytest

from boxfixtures import can_isolate, own_place, place  # noqa: F401
from layertools import LONG, anyone, index, install  # noqa: F401
from rawclient import PLAIN_PYTHON
from test_install import environment, ready_venv  # noqa: F401
from test_layers import module

USE = """
import csv, io, toy_good, toy_data
rows = list(csv.DictReader(io.StringIO(toy_data.text)))
print(toy_good.VERSION, rows[0]['b'])
open('result.txt', 'w').write(rows[0]['b'])
"""


def test_isolated(anyone):
    """Install, use, end, start again: not there; install again: there at once, although the index is off."""
    first = anyone.serve()
    missing = first.run("import toy_data")
    assert missing.is_error and "install_dependencies" in missing.text
    assert not install(first, "toy-good==1.1", "toy-data").is_error
    assert first.run(USE).body.splitlines()[0] == "1.1 2"
    assert first.run("open('result.txt').read()").body == "'2'"
    assert "toy-data==1.0" in first.call("list_installed_packages").text
    assert first.close() == 0

    second = anyone.serve()
    assert module(second, "toy_data") == module(second, "toy_good") == "ModuleNotFoundError"
    assert second.run("import os\nos.path.exists('result.txt')").body == "False"
    assert "toy-data" not in second.call("list_installed_packages").text
    asked = len(anyone.index.requests)
    start = time.monotonic()
    again = install(second, "toy-good==1.1", "toy-data")
    assert not again.is_error and time.monotonic() - start < 5, again
    assert len(anyone.index.requests) == asked, "nobody was asked"
    assert second.run(USE).body.splitlines()[0] == "1.1 2"
    assert second.close() == 0
    assert not list(anyone.place.work.iterdir()), "nothing is left in the working directory"


@pytest.fixture
def with_pip(work, ready_venv):  # noqa: F811
    """An environment that has pip already: making one takes seconds and is tested elsewhere."""
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--without-pip", work / ".venv"], check=True)
    for site in (ready_venv / "lib").glob("python*/site-packages"):
        shutil.copytree(site, work / ".venv" / "lib" / site.parent.name / "site-packages", dirs_exist_ok=True)


def test_local(spawn, work, index, with_pip):  # noqa: F811
    """Install, use, restart the server: there."""
    first = spawn(python=None, env=environment(index.url))
    first.initialize()
    assert first.run("import toy_data").is_error
    result = first.call("install_dependencies", {"packages": ["toy-good==1.1", "toy-data"], "timeout": 60}, patience=LONG)
    assert not result.is_error, result
    assert first.run(USE).body.splitlines()[0] == "1.1 2"
    assert first.close() == 0

    second = spawn(python=None, env=environment(index.url))
    second.initialize()
    asked = len(index.requests)
    assert second.run(USE).body.splitlines()[0] == "1.1 2"
    assert (work / "result.txt").read_text() == "2"
    listed = second.call("list_installed_packages").text.lower().replace("_", "-")
    assert "toy-good==1.1" in listed and "toy-data==1.0" in listed
    again = second.call("install_dependencies", {"packages": ["toy-good==1.1"]}, patience=LONG)
    assert "already there" in again.text and len(index.requests) - asked <= 2
