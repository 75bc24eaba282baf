"""What the tests of `cellblock cp` and `cellblock sessions` share: fixtures, which they import, and checks."""

import os
import subprocess

import pytest

from rawclient import BINARY, PATIENCE


def isolation():
    return subprocess.run([BINARY, "doctor"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


@pytest.fixture
def tmp(tmp_path):
    """TMPDIR of the servers and of the commands."""
    path = tmp_path / "tmp"
    path.mkdir()
    return path


@pytest.fixture
def cli(tmp_path, tmp):
    here = tmp_path / "here"
    here.mkdir()

    def run(*args, stdin=None, prefix=(), text=True, **env):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CELLBLOCK")}
        return subprocess.run(
            [*prefix, BINARY, *map(str, args)],
            cwd=here,
            capture_output=True,
            text=text,
            timeout=PATIENCE,
            env={**environment, "TMPDIR": str(tmp), **env},
            **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}),
        )

    run.here = here
    return run


@pytest.fixture(params=["local", "isolated"])
def mode(request):
    if request.param == "isolated" and not isolation():
        pytest.skip("no sandbox can be had here")
    return request.param


@pytest.fixture
def server(spawn, tmp, mode):
    s = spawn(local=mode == "local", env={"TMPDIR": str(tmp)})
    s.initialize()
    return s


def local_server(spawn, tmp, *args, cwd=None):
    s = spawn(*args, cwd=cwd, env={"TMPDIR": str(tmp)})
    s.initialize()
    return s


def good(done):
    assert done.returncode == 0, done
    return done


def bad(done, *says, code=1):
    assert done.returncode == code, done
    assert done.stderr.startswith("cellblock: ") and len(done.stderr.splitlines()) <= 3
    for one in says:
        assert one in done.stderr, done
