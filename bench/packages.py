"""Packages in throw-away sessions: the second install of numpy and pandas, and importing what was installed."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

import contestants
from client import Client
from report import Row, Table

PACKAGES = ["numpy==2.3.5", "pandas==2.3.3"]
IMPORT = "import time; t = time.perf_counter_ns(); import numpy, pandas; print(time.perf_counter_ns() - t)"


def said(result):
    text = result["content"][0]["text"]
    if result.get("isError"):
        raise RuntimeError(text)
    return text


def run_ns(command, **options):
    begin = time.perf_counter_ns()
    subprocess.run(command, check=True, capture_output=True, **options)
    return time.perf_counter_ns() - begin


class Installs:
    """The contestants, each with all caches warm, and ns of each."""

    def __init__(self, field):
        self.folder = tempfile.mkdtemp(prefix="cellblock-bench-packages-")
        self.times = {}
        self.field = field
        self.bare = self.path("bare")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.bare], check=True)
        caches = {"PIP_CACHE_DIR": self.path("pip-cache"), "UV_CACHE_DIR": self.path("uv-cache")}
        self.environment = {**os.environ, **caches}
        self.client = self.start(self.bare, "--store", self.path("store"))
        self.install_new()  # fetches
        self.venv = self.start(os.path.dirname(os.path.dirname(field.python["jupyter"])))
        self.uv = field.program("uv", "uv") if field.has("uv") else None
        self.pip_install()
        if self.uv:
            self.uv_install()
        self.times = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, prefix, *options):
        python = os.path.join(prefix, "bin", "python")
        client = Client([str(contestants.BINARY), "stdio", "--python", python, "--preload", "", *options])
        client.initialize()
        return client

    def add(self, name, ns):
        self.times.setdefault(name, []).append(ns)

    def new_session(self, client):
        result = client.call("execute_python", {"code": "1", "session": "new"})
        said(result)
        return result["_meta"]["cellblock/execution"]["session"]

    def install_new(self):
        session = self.new_session(self.client)
        begin = time.perf_counter_ns()
        said(self.client.call("install_dependencies", {"packages": PACKAGES, "session": session, "timeout": 600}))
        self.add("cellblock", time.perf_counter_ns() - begin)
        return session

    def import_in(self, name, client, session):
        self.add(name, int(said(client.call("execute_python", {"code": IMPORT, "session": session})).split()[0]))

    def pip_install(self):
        target = self.path("pip-venv")
        subprocess.run([sys.executable, "-m", "venv", target], check=True)
        command = [os.path.join(target, "bin", "python"), "-m", "pip", "install", "-q", *PACKAGES]
        self.add("pip", run_ns(command, env=self.environment))
        shutil.rmtree(target)

    def uv_install(self):
        target = self.path("uv-venv")
        took = run_ns([self.uv, "venv", "-q", "--python", sys.executable, target], env=self.environment)
        python = os.path.join(target, "bin", "python")
        took += run_ns([self.uv, "pip", "install", "-q", "--python", python, *PACKAGES], env=self.environment)
        self.add("uv", took)
        shutil.rmtree(target)

    def round(self, slow):
        for _ in range(3):
            session = self.install_new()
            self.import_in("layer", self.client, session)
            self.import_in("venv", self.venv, self.new_session(self.venv))
        if self.uv:
            self.uv_install()
        if slow:
            self.pip_install()

    def close(self):
        self.client.close()
        self.venv.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def row(self, name, of, target=None):
        return Row(name, [t / 1e6 for t in self.times.get(of, [])], target)


def measure(field, quick):
    contest = Installs(field)
    try:
        for n in range(3 if quick else 8):
            contest.round(slow=n < (1 if quick else 3))
    finally:
        contest.close()
    row = contest.row
    return [
        Table(
            "numpy and pandas once more, into a new session; the others into a new venv, caches warm",
            "ms",
            [
                row("cellblock", "cellblock"),
                row("pip install", "pip", 1 / 100),
                row("uv venv, uv pip install", "uv", 1 / 5),
            ],
        ),
        Table(
            "Importing numpy and pandas that were installed into the session",
            "ms",
            [row("cellblock", "layer"), row("of the interpreter's environment", "venv", 1.1)],
        ),
    ]
