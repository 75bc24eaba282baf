"""cellblock doctor: the level of isolation that is reached, and what to do where something is missing."""

import os
import re
import shutil
import subprocess

import pytest

from rawclient import BINARY, PATIENCE, descendants


def doctor(*args, prefix=(), binary=BINARY):
    return subprocess.run(
        [*prefix, binary, "doctor", *args], capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
    )


def level(done):
    return re.search(r"^Level reached: (\S+) \(", done.stdout, re.M).group(1)


def test_table():
    done = doctor()
    assert not done.stderr
    assert done.returncode == (1 if level(done) == "none" else 0)
    for feature in ("kernel", "seccomp", "Landlock", "namespaces", "memory limits"):
        assert re.search(rf"^  {feature} +(ok|limited|missing) +\S", done.stdout, re.M), done.stdout


def test_whatever_is_missing_has_advice():
    lines = doctor().stdout.splitlines()
    for line, following in zip(lines, lines[1:]):
        if re.match(r"  \S.* (limited|missing) ", line):
            assert "-> " in following, line


def test_nothing_is_left():
    before = set(descendants(os.getpid()))
    doctor()
    assert set(descendants(os.getpid())) <= before


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become somebody else")
def test_without_privilege(tmp_path_factory):
    # Where a user without privilege can reach it, which the directories of pytest are not.
    binary = shutil.copy(BINARY, f"/tmp/cellblock-doctor-{os.getpid()}")
    try:
        done = doctor(prefix=["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"], binary=binary)
    finally:
        os.unlink(binary)
    assert not done.stderr
    assert level(done) in ("full", "no-proc") or "-> " in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to take privileges away")
def test_nothing_allowed():
    """Like a container's root that may not make namespaces: a user namespace limit of 0 below, no capabilities."""
    script = 'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    done = doctor(prefix=unshare)
    assert done.returncode == 1 and level(done) == "none", done
    assert "missing" in done.stdout and "max_user_namespaces" in done.stdout


def test_arguments():
    done = doctor("now")
    assert done.returncode == 2 and "no argument" in done.stderr
