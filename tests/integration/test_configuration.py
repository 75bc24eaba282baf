"""docs/configuration.md: every option of --help is in it, with its variable, default and range; and nothing else is."""

import re
import subprocess

from rawclient import BINARY, ROOT

TEXT = (ROOT / "docs" / "configuration.md").read_text()
ROWS = {}  # option: (value, variable, the whole row)
for line in TEXT.splitlines():
    row = re.match(r"\| `--([a-z-]+)(?: ([^`]+)|(\[?[^`]*))?` \| (?:`(\w+)`)? *\|", line)
    if row:
        ROWS[row[1]] = (row[2], row[4], line)


def help_text():
    return subprocess.run([BINARY, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def helped():
    """The options of --help: (value, help, variable)."""
    found = {}
    for name, value, text, variable in re.findall(
        r"^  --([a-z-]+)(?: ([A-Z\[\]:=rw]+))? {1,}(\S.*)\n(?: {10,}(CELLBLOCK_\w+)\n)?", help_text(), re.M
    ):
        if name not in ("help", "version"):
            found[name] = (value or None, text, variable or None)
    return found


def test_the_same_options():
    options = helped()
    assert len(options) > 15
    assert sorted(options) == sorted(ROWS)
    for name, (value, _, variable) in options.items():
        assert ROWS[name][:2] == (value, variable), name


def test_the_same_defaults():
    for name, (_, text, _) in helped().items():
        default = re.search(r"\(default: ([0-9]+[kmgt]?)\)", text)
        if default:
            assert f"| {default[1]} |" in ROWS[name][2], name


def test_the_same_ranges():
    for name, (value, _, row) in ROWS.items():
        if value in ("SIZE", "N") and name not in ("max-sessions", "spare-kernels"):
            done = subprocess.run([BINARY, "stdio", f"--{name}", "0"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            bounds = re.search(r"from (\S+) to (\S+), not", done.stderr)
            assert done.returncode == 2 and f"| {bounds[1]} to {bounds[2]} |" in row, name
