"""A minimal server made with the official Python SDK, as its first pages teach it: runs `python -c` for each call."""

import subprocess
import sys

from mcp.server import MCPServer

server = MCPServer("bench")


@server.tool()
def run_python(code: str) -> str:
    """Run Python."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


if __name__ == "__main__":
    server.run()
