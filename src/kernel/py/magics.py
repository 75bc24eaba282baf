"""
Magics: tables from a name to its handler, "<our module>:<function>". A line magic's handler takes (call), a cell
magic's too; call.line and call.body are the text, call.run() runs code in the variables of the cell.
A name with neither handler nor entry in HINTS costs one line.
"""

import sys

from . import execute
from . import state

LINE = {
    "matplotlib": "settings:matplotlib",
    "pylab": "settings:pylab",
    "config": "settings:config",
    "load_ext": "settings:load_ext",
    "reload_ext": "settings:load_ext",
    "autoreload": "autoreload:autoreload",
    "aimport": "settings:quiet",
    "unload_ext": "settings:quiet",
    "xmode": "settings:quiet",
    "colors": "settings:quiet",
    "automagic": "settings:quiet",
    "doctest_mode": "settings:quiet",
    "gui": "settings:quiet",
    "pdb": "settings:quiet",
    "autosave": "settings:quiet",
    "autoawait": "settings:quiet",
    "autocall": "settings:quiet",
    "pprint": "settings:quiet",
    "logstart": "settings:quiet",
    "logstop": "settings:quiet",
    "alias": "settings:quiet",
    "precision": "settings:precision",
    "time": "timing:time_",
    "timeit": "timing:timeit_",
    "prun": "timing:prun",
    "capture": "timing:capture",
    "cd": "files:cd",
    "pwd": "files:pwd",
    "pushd": "files:pushd",
    "popd": "files:popd",
    "env": "files:env",
    "set_env": "files:env",
    "run": "files:run",
    "load": "files:load",
    "pycat": "files:load",
    "who": "names:who",
    "who_ls": "names:who_ls",
    "whos": "names:whos",
    "reset": "names:reset",
    "reset_selective": "names:reset_selective",
    "xdel": "names:xdel",
    "history": "names:history",
    "hist": "names:history",
    "recall": "names:history",
    "save": "names:save",
    "lsmagic": "names:lsmagic",
    "magic": "names:lsmagic",
    "pinfo": "info:pinfo",
    "pinfo2": "info:pinfo2",
    "pdoc": "info:pinfo",
    "pdef": "info:pinfo",
    "psource": "info:pinfo2",
    "pfile": "info:pinfo2",
    "psearch": "info:pinfo",
    "tb": "names:traceback_",
    "pip": "pip:line",
    "pip3": "pip:line",
    "uv": "pip:line",
    "conda": "pip:line",
    "mamba": "pip:line",
    "micromamba": "pip:line",
    "system": "command:line",
    "sx": "command:output_line",
    "sc": "command:output_line",
    "bash": "command:line",
    "sh": "command:line",
}
for _name in "ls ll la lf lx cat mkdir rmdir mv cp rm touch head tail less more man grep wc find tree echo".split():
    LINE[_name] = "command:alias"

CELL = {
    "time": "timing:time_",
    "timeit": "timing:timeit_",
    "prun": "timing:prun",
    "capture": "timing:capture",
    "writefile": "files:writefile",
    "file": "files:writefile",
    "bash": "command:script",
    "sh": "command:script",
    "zsh": "command:script",
    "script": "command:script",
    "system": "command:script_sh",
    "sx": "command:script_output",
    "!": "command:script_output",
    "cmd": "command:script_sh",
    "shell": "command:script_sh",
    "python": "command:script",
    "python2": "command:script",
    "python3": "command:script",
    "pypy": "command:script",
    "perl": "command:script",
    "ruby": "command:script",
    "node": "command:script",
    "html": "settings:html",
    "HTML": "settings:html",
    "markdown": "settings:markdown",
    "latex": "settings:markdown",
    "javascript": "settings:javascript",
    "js": "settings:javascript",
    "svg": "settings:svg",
    "SVG": "settings:svg",
}

# What is not here, and the Python that does it.
HINTS = {
    "debug": "there is no debugger prompt; look at the traceback, or pdb with commands in the `stdin` argument",
    "store": "variables stay in the session; pickle.dump keeps them longer",
    "notebook": "files in the working directory are kept as they are",
    "edit": "write the file with %%writefile or open(name, 'w')",
    "sql": "use sqlite3 or sqlalchemy: pandas.read_sql(query, connection)",
    "R": "use subprocess.run(['Rscript', '-e', code])",
    "cython": "write a .pyx file and use cython's pyximport, or numba",
    "julia": "use subprocess.run(['julia', '-e', code])",
    "memit": "use tracemalloc, or memory_profiler.memory_usage((f, args))",
    "mprun": "use tracemalloc, or memory_profiler.memory_usage((f, args))",
    "lprun": "use line_profiler.LineProfiler(f).runcall(f)",
    "tensorboard": "there is no browser; read the event files with tensorboard's EventAccumulator",
    "watermark": "use sys.version and importlib.metadata.version(name)",
    "load_dotenv": "use dotenv.load_dotenv()",
    "dotenv": "use dotenv.load_dotenv()",
    "bigquery": "use google.cloud.bigquery.Client().query(sql).to_dataframe()",
    "manim": "use subprocess.run(['manim', ...]) on a file",
    "snakeviz": "use %prun, or cProfile",
    "connect_info": "there is no Jupyter kernel behind this",
    "qtconsole": "there is no window",
    "macro": "define a function",
    "rerun": "run the code of In[n] again with exec(In[n])",
    "bookmark": "use a variable and os.chdir",
    "dhist": "os.getcwd() tells where you are",
    "dirs": "os.getcwd() tells where you are",
    "nb_black": "formatting has no effect here",
    "black": "formatting has no effect here",
}

own_line = {}  # name -> function(line): registered by code through get_ipython()
own_cell = {}  # name -> function(line, body)


class UsageError(Exception):
    """A magic that was used in a way it does not know."""


UsageError.__module__ = "builtins"


class Call:
    """One use of a magic: its text, and the variables where it stands."""

    def __init__(self, name, line, body, first_line, frame):
        self.name = name
        self.line = line
        self.body = body  # None: a line magic
        self.first_line = first_line  # lines of the cell above the body
        if frame is not None:
            self.globals = frame.f_globals
            self.locals = frame.f_locals
            self.filename = frame.f_code.co_filename
            self.lineno = frame.f_lineno
            if frame.f_globals is frame.f_locals or self.locals is self.globals:
                self.locals = self.globals
        else:
            self.globals = self.locals = state.ns
            self.filename = "<cell %d>" % state.count
            self.lineno = 1

    def run(self, text, first_line=None):
        """Run code among the variables of the caller; returns the value of a last expression."""
        if first_line is None:
            first_line = self.first_line if self.body is not None else self.lineno - 1
        text = "\n" * first_line + text
        if self.locals is self.globals:
            return execute.run_source(text, self.filename, self.globals)
        tree, _ = execute.parse(text, self.filename)
        return run_nested(tree, self.filename, self.globals, self.locals)

    def expand(self, text):
        from . import command

        return command.expand(text, self.globals, self.locals)

    def out(self, text):
        print(text)


def run_nested(tree, filename, names, local):
    """For a magic inside a function: its variables are there to read."""
    from _ast import Expr, Expression

    last = tree.body.pop() if tree.body and type(tree.body[-1]) is Expr else None
    if tree.body:
        exec(compile(tree, filename, "exec", execute.future_flags, True), names, local)
    if last is not None:
        return eval(compile(Expression(last.value), filename, "eval", execute.future_flags, True), names, local)
    return None


NOT_EXPANDED = frozenset(("time", "timeit", "prun", "capture", "system", "sx", "bash", "sh", "config", "script"))


def call(kind, args, frame):
    """What transform.py writes: kind is line, cell, system, output or info."""
    if kind == "line":
        return line_magic(args[0], args[1], frame)
    if kind == "cell":
        return cell_magic(args[0], args[1], args[2], frame, args[3])
    if kind == "info":
        from . import info

        return info.show(args[0], args[1], Call("pinfo", args[0], None, 0, frame))
    from . import command

    use = Call(kind, args[0], None, 0, frame)
    return command.system(use, args[0]) if kind == "system" else command.output(use, args[0])


def line_magic(name, line, frame=None):
    if name in own_line:
        return _own(own_line[name], frame, line)
    where = LINE.get(name)
    if where is None:
        if name in own_cell:
            return _own(own_cell[name], frame, line, "")
        return unknown("%" + name, name)
    use = Call(name, line, None, 0, frame)
    if name not in NOT_EXPANDED and ("{" in line or "$" in line):
        use.line = use.expand(line)
    return handler(where)(use)


def _own(function, frame, *args):
    """A magic that code registered."""
    if getattr(function, "needs_local_scope", False):
        return function(*args, local_ns=frame.f_locals if frame is not None else state.ns)
    return function(*args)


def cell_magic(name, line, body, frame=None, first_line=1):
    if name in own_cell:
        return _own(own_cell[name], frame, line, body)
    where = CELL.get(name)
    if where is not None:
        return handler(where)(Call(name, line, body, first_line, frame))
    if name in LINE or name in own_line:
        # A line magic with two signs: do it, then run the rest.
        line_magic(name, line, frame)
        return Call(name, line, body, first_line, frame).run(body)
    raise UsageError("the cell was not run: " + hint("%%" + name, name))


def unknown(shown, name):
    print(hint(shown, name), file=sys.stderr)


def hint(shown, name):
    said = HINTS.get(name)
    if said is None:
        said = "write it as Python; %lsmagic lists the magics that are here"
    return "%s is not available: %s" % (shown, said)


def handler(where):
    module, _, function = where.partition(":")
    __import__("_cellblock_kernel." + module)
    return getattr(sys.modules["_cellblock_kernel." + module], function)
