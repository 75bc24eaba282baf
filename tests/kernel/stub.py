"""The smallest kernel: main.py for tests of the zygote and the extension module alone."""

MAIN = '''
import os, sys
import _cellblock

def cell(code, namespace):
    exec(compile(code, "<cell 1>", "exec"), namespace)

def run(config):
    namespace = {"config": config, "_cellblock": _cellblock, "__builtins__": sys.modules["builtins"]}
    _cellblock.send(101, 0, [(14, "%d.%d.%d" % sys.version_info[:3])])
    while True:
        try:
            kind, seq, fields = _cellblock.recv()
        except EOFError:
            return
        namespace["fields"] = fields
        namespace["seq"] = seq
        status, error, name = "ok", "", ""
        try:
            _cellblock.run(cell, dict(fields)[1], namespace)
        except KeyboardInterrupt:
            status = "interrupted"
        except _cellblock.Abort:
            status = "aborted"
        except BaseException as e:
            status, error, name = "error", str(e), type(e).__name__
        sys.stdout.flush()
        _cellblock.send(104, seq, [(8, status), (9, error), (7, name)])
'''
