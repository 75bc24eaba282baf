"""The client of every MCP server here: raw JSON lines on two pipes, little work between the clock's ticks."""

import json
import os
import signal
import subprocess
import tempfile
import time

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


def below(pid):
    """pid and all processes below it."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as f:
                    children.setdefault(int(f.read().rsplit(b")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                pass
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


class Client:
    """A server process; started (monotonic ns) is the time just before it was made."""

    def __init__(self, command):
        self.folder = tempfile.TemporaryDirectory(prefix="cellblock-bench-")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CELLBLOCK", "PYTHON", "VIRTUAL_ENV"))}
        self.started = time.perf_counter_ns()
        self.process = subprocess.Popen(
            command,
            cwd=self.folder.name,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.to = self.process.stdin.fileno()
        self.come = self.process.stdout.fileno()
        self.rest = b""
        self.last_id = 0

    def line(self):
        while b"\n" not in self.rest:
            data = os.read(self.come, 1 << 16)
            if not data:
                raise RuntimeError(f"{self.process.args[0]} ended")
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def request(self, method, params):
        """For what is not measured: any number of other messages may come before the answer."""
        self.last_id += 1
        os.write(
            self.to,
            json.dumps({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}).encode() + b"\n",
        )
        while True:
            message = json.loads(self.line())
            if message.get("id") == self.last_id and "method" not in message:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message["result"]

    def initialize(self):
        """ns from the start of the process to the answer."""
        self.request("initialize", HELLO)
        took = time.perf_counter_ns() - self.started
        os.write(self.to, b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        return took

    def call(self, tool, arguments):
        return self.request("tools/call", {"name": tool, "arguments": arguments})

    def timed_calls(self, tool, arguments, n):
        """ns of each of n calls, from before the bytes are written until the line of the answer is there."""
        times = []
        params = json.dumps({"name": tool, "arguments": arguments})
        for _ in range(n):
            self.last_id += 1
            request = (
                '{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":%s}\n' % (self.last_id, params)
            ).encode()
            mark = b'"id":%d' % self.last_id
            begin = time.perf_counter_ns()
            os.write(self.to, request)
            line = self.line()
            while mark not in line.replace(b" ", b""):  # a notification came first
                line = self.line()
            times.append(time.perf_counter_ns() - begin)
        return times

    def close(self):
        """Some leave their kernels behind: what was below the process is ended with it."""
        family = below(self.process.pid)
        self.process.stdin.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            pass
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()


class Helper:
    """A program of bench/ that measures with its own library and tells by JSON lines, for what is no MCP server."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.ask({"do": "ready"})

    def ask(self, what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def wait_until_warm(client):
    """Until a new session of Cellblock has pandas imported: from then on its answers are those of every day."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        result = client.call("execute_python", {"code": "import sys; 'pandas' in sys.modules", "session": "new"})
        if "True" in str(result["content"]):
            return
        time.sleep(0.1)
    raise RuntimeError("the sessions do not get warm")
