"""The code that every client runs (scenario.json) as names."""

import json
import pathlib

globals().update(json.loads((pathlib.Path(__file__).parent / "scenario.json").read_text()))
