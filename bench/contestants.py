"""Who takes part, and how each is installed: an environment of its own below build/bench-venvs, made once."""

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BINARY = pathlib.Path(os.environ.get("CELLBLOCK", ROOT / "build" / "cellblock")).resolve()
VENVS = pathlib.Path(os.environ.get("CELLBLOCK_BENCH_VENVS", ROOT / "build" / "bench-venvs")).resolve()

# name: requirements. Cellblock runs on the interpreter and the packages of "jupyter", so that both do the same work.
ENVIRONMENTS = {
    "jupyter": ["ipykernel==7.4.0", "jupyter_client==8.10.0", "numpy==2.3.5", "pandas==2.3.3", "matplotlib==3.10.8"],
    "sdk": ["mcp==2.3.0"],
    "posit": ["posit-mcp-repl==0.3.0"],
    "interpreter": ["mcp-python-interpreter==1.2.3", "mcp<2"],
    "ipybox": ["ipybox==0.9.2", "mcp<2"],
    "uv": ["uv==0.13.9"],
    "monty": ["pydantic-monty==1.4.0"],
}


class Field:
    """The contestants that could be installed; problems has the reason for each that could not."""

    def __init__(self):
        self.python = {}
        self.problems = {}

    def has(self, name):
        return name in self.python

    def program(self, name, program):
        return str(VENVS / name / "bin" / program)


def make(name, requirements):
    folder = VENVS / name
    stamp = folder / ".made-of"
    made_of = "\n".join(requirements)
    if stamp.exists() and stamp.read_text() == made_of:
        return
    print(f"installing: {' '.join(requirements)} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    VENVS.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, text=True)
    subprocess.run(
        [folder / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements],
        check=True,
        capture_output=True,
        text=True,
    )
    stamp.write_text(made_of)


def install():
    field = Field()
    for name, requirements in ENVIRONMENTS.items():
        try:
            make(name, requirements)
            field.python[name] = str(VENVS / name / "bin" / "python")
        except (OSError, subprocess.CalledProcessError) as e:
            said = (getattr(e, "stderr", "") or str(e)).strip().splitlines()
            field.problems[name] = said[-1] if said else "unknown"
            print(f"left out: {name}: {field.problems[name]}", file=sys.stderr)
    if not field.has("jupyter"):
        sys.exit("bench: without numpy, pandas and ipykernel there is nothing to compare: is there a network?")
    return field


def isolated(field, *options):
    """The command of a server whose sessions are isolated; servers() has the one that isolates nothing."""
    return [str(BINARY), "stdio", "--python", field.python["jupyter"], *options]


def servers(field):
    """name: (command, tool, arguments of a print(1+1), what the answer holds) of every MCP server."""
    code = "print(1+1)"
    found = {
        "cellblock": (
            [str(BINARY), "stdio", "--local", "--python", field.python["jupyter"]],
            "execute_python",
            {"code": code},
        )
    }
    if field.has("sdk"):
        found["SDK server"] = ([field.python["sdk"], str(HERE / "sdk_server.py")], "run_python", {"code": code})
    if field.has("posit"):
        found["posit-mcp-repl"] = (
            [field.program("posit", "mcp-repl"), "--interpreter", "python", "--sandbox", "danger-full-access"],
            "repl",
            {"input": code + "\n"},
        )
    if field.has("interpreter"):
        found["mcp-python-interpreter"] = (
            [
                field.program("interpreter", "mcp-python-interpreter"),
                "--dir",
                ".",
                "--python-path",
                field.python["interpreter"],
            ],
            "run_python_code",
            {"code": code},
        )
    if field.has("ipybox"):
        found["ipybox"] = (
            [field.program("ipybox", "ipybox"), "--log-level", "ERROR"],
            "execute_ipython_cell",
            {"code": code},
        )
    return found
