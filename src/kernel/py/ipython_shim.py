"""
get_ipython() and what notebook code does with it. Where IPython is installed its own classes are used and only what
shows things is led to us; where it is not, ipython_fake.py stands in for the modules that notebooks import.
"""

import builtins
import sys

from . import execute
from . import state


def instance():
    global _instance
    if _instance is None:
        _instance = CellblockShell()
    return _instance


_instance = None


class CellblockShell:
    """The part of IPython's InteractiveShell that code in notebooks uses."""

    def __init__(self):
        self.events = Events()
        self.display_formatter = DisplayFormatter()
        self.display_pub = DisplayPublisher()
        self.extension_manager = ExtensionManager(self)
        self.input_transformers_cleanup = []
        self.input_transformers_post = []
        self.ast_transformers = []
        self.configurables = []
        self.meta = {}

    colors = "nocolor"

    user_ns = property(lambda self: state.ns)
    user_global_ns = user_ns
    user_module = property(lambda self: state.main)
    execution_count = property(lambda self: state.count)
    history_manager = property(lambda self: self)
    input_hist_raw = input_hist_parsed = property(lambda self: state.In)
    output_hist = property(lambda self: state.Out)

    @property
    def ast_node_interactivity(self):
        return execute.interactivity

    @ast_node_interactivity.setter
    def ast_node_interactivity(self, value):
        from . import settings

        settings.set_interactivity(value)

    def run_line_magic(self, magic_name, line, _stack_depth=1):
        from . import magics

        return magics.line_magic(magic_name, line, sys._getframe(1))

    def run_cell_magic(self, magic_name, line, cell):
        from . import magics

        return magics.cell_magic(magic_name, line, cell, sys._getframe(1), 0)

    def magic(self, text):
        from . import magics

        name, _, line = text.lstrip("%").partition(" ")
        return magics.line_magic(name, line.strip(), sys._getframe(1))

    def find_magic(self, name, magic_kind="line"):
        from . import magics

        own, table = (magics.own_line, magics.LINE) if magic_kind == "line" else (magics.own_cell, magics.CELL)
        if name in own:
            return own[name]
        if name not in table:
            return None
        if magic_kind == "line":
            return lambda line: magics.line_magic(name, line)
        return lambda line, cell: magics.cell_magic(name, line, cell)

    find_line_magic = find_magic

    def find_cell_magic(self, name):
        return self.find_magic(name, "cell")

    def register_magic_function(self, func, magic_kind="line", magic_name=None):
        from . import magics

        name = magic_name or func.__name__
        if magic_kind in ("line", "line_cell"):
            magics.own_line[name] = func
        if magic_kind in ("cell", "line_cell"):
            magics.own_cell[name] = func

    def register_magics(self, *classes):
        from . import magics

        for cls in classes:
            made = cls(shell=self) if isinstance(cls, type) else cls
            magics.own_line.update(made.magics.get("line", {}))
            magics.own_cell.update(made.magics.get("cell", {}))

    def system(self, cmd):
        from . import command, magics

        command.system(magics.Call("system", cmd, None, 0, sys._getframe(1)), cmd)

    system_raw = system_piped = system

    def getoutput(self, cmd, split=True, depth=0):
        from . import command, magics

        lines = command.output(magics.Call("output", cmd, None, 0, sys._getframe(1)), cmd)
        return lines if split else "\n".join(lines)

    def ev(self, expr):
        return eval(expr, state.ns)

    def ex(self, cmd):
        exec(cmd, state.ns)

    def var_expand(self, cmd, depth=0, formatter=None):
        from . import command

        return command.expand(cmd, state.ns)

    def push(self, variables, interactive=True):
        if isinstance(variables, dict):
            state.ns.update(variables)
            return
        names = variables.split() if isinstance(variables, str) else variables
        frame = sys._getframe(1)
        for name in names:
            state.ns[name] = eval(name, frame.f_globals, frame.f_locals)

    def drop_by_id(self, variables):
        for name, value in variables.items():
            if state.ns.get(name) is value:
                del state.ns[name]

    def run_cell(self, raw_cell, store_history=False, silent=False, shell_futures=True, cell_id=None):
        result = ExecutionResult()
        filename = "<cell %d>" % state.count
        try:
            result.result = execute.run_source(raw_cell, filename, state.ns)
            if result.result is not None and not silent:
                execute.show(result.result)
        except Exception as e:
            result.error_in_exec = e
            self.showtraceback((type(e), e, e.__traceback__))
        return result

    def run_code(self, code, result=None, async_=False):
        exec(code, state.ns)

    def set_next_input(self, text, replace=False):
        print(text)

    def showtraceback(self, exc_tuple=None, *args, **options):
        from . import errors

        error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        if error is not None:
            sys.stderr.write(errors.text(error))

    showsyntaxerror = showtraceback

    def get_ipython(self):
        return self

    def _nothing(self, *args, **options):
        """Has no effect here."""

    enable_gui = enable_matplotlib = enable_pylab = set_custom_exc = init_display_formatter = _nothing
    set_custom_completer = set_hook = set_completer_frame = save_sys_module_state = register_post_execute = _nothing

    def reset(self, new_session=True, aggressive=False):
        from . import magics, names

        names.reset(magics.Call("reset", "", None, 0, None))

    def get_range(self, session=0, start=1, stop=None, raw=True, output=False):
        for n in range(start, min(stop or len(state.In), len(state.In))):
            yield 0, n, state.In[n]


class ExecutionResult:
    """What run_cell returns."""

    result = error_before_exec = error_in_exec = None
    execution_count = property(lambda self: state.count)
    success = property(lambda self: self.error_in_exec is None)

    def raise_error(self):
        if self.error_in_exec is not None:
            raise self.error_in_exec


class Events:
    """Callbacks around cells. What one raises is told, and the cell goes on."""

    NAMES = ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell", "shell_initialized")

    def __init__(self):
        self.callbacks = {name: [] for name in self.NAMES}

    def register(self, event, function):
        if event not in self.callbacks:
            raise KeyError(event)
        if function not in self.callbacks[event]:
            self.callbacks[event].append(function)
        if self._before not in execute.before_cell:
            execute.before_cell.append(self._before)
            execute.after_cell.append(self._after)

    def unregister(self, event, function):
        if function not in self.callbacks[event]:
            raise ValueError("Function %r is not registered as a %s callback" % (function, event))
        self.callbacks[event].remove(function)

    def trigger(self, event, *args):
        for function in list(self.callbacks.get(event, ())):
            try:
                try:
                    function(*args)
                except TypeError:
                    if not args:
                        raise
                    function()
            except Exception as e:
                print("Error in callback %r (for %s): %s: %s" % (function, event, type(e).__name__, e), file=sys.stderr)

    def _before(self, source):
        self.trigger("pre_execute")
        info = ExecutionResult()
        info.raw_cell = source
        self.trigger("pre_run_cell", info)

    def _after(self, error):
        self.trigger("post_execute")
        result = ExecutionResult()
        result.error_in_exec = error
        self.trigger("post_run_cell", result)


class DisplayFormatter:
    """get_ipython().display_formatter.formatters[mime].for_type(cls, function)"""

    def __init__(self):
        mimes = "plain html markdown latex"
        names = ["text/" + x for x in mimes.split()] + ["image/png", "image/jpeg", "image/svg+xml"]
        names += ["application/json", "application/javascript", "application/pdf"]
        self.formatters = {mime: Formatter(mime) for mime in names}
        self.mimebundle_formatter = Formatter("mimebundle")
        self.ipython_display_formatter = Formatter("display")
        self.active_types = list(self.formatters)

    def format(self, obj, include=None, exclude=None):
        from . import display

        return dict(display.items(obj)), {}


class Formatter:
    def __init__(self, mime):
        self.format_type = mime
        self.enabled = True
        self.type_printers = Printers(self)

    def for_type(self, typ, func=None):
        if isinstance(typ, str):
            module, _, name = typ.rpartition(".")
            return self.for_type_by_name(module, name, func)
        from . import display

        return self._set(display.formatters, typ, func)

    def for_type_by_name(self, type_module, type_name, func=None):
        from . import display

        return self._set(display.named_formatters, (type_module, type_name), func)

    def _set(self, table, key, func):
        old = table.get(key, {}).get(self.format_type)
        if func is not None and self.format_type not in ("mimebundle", "display"):
            table.setdefault(key, {})[self.format_type] = func
        return old

    def pop(self, typ, default=None):
        from . import display

        return display.formatters.get(typ, {}).pop(self.format_type, default)

    def lookup_by_type(self, typ):
        from . import display

        return display.formatters[typ][self.format_type]

    def __call__(self, obj):
        return repr(obj) if self.format_type == "text/plain" else None


class Printers:
    """A formatter's functions by class, as code that goes behind for_type sees them."""

    def __init__(self, formatter):
        self.formatter = formatter

    def _table(self):
        from . import display

        return {cls: by[self.formatter.format_type] for cls, by in display.formatters.items()
                if self.formatter.format_type in by}

    def __contains__(self, cls):
        return cls in self._table()

    def __iter__(self):
        return iter(self._table())

    def __getitem__(self, cls):
        return self._table()[cls]

    def __setitem__(self, cls, function):
        self.formatter.for_type(cls, function)

    def pop(self, cls, default=None):
        return self.formatter.pop(cls, default)

    __delitem__ = pop


class DisplayPublisher:
    def publish(self, data, metadata=None, source=None, *, transient=None, update=False, **options):
        from . import display

        display.publish_display_data(data, metadata, transient=transient, update=update)

    def clear_output(self, wait=False):
        state.clear(wait)


class ExtensionManager:
    def __init__(self, shell):
        self.shell = shell
        self.loaded = set()

    def load_extension(self, name):
        load_extension(name)

    def unload_extension(self, name):
        self.loaded.discard(name)

    reload_extension = load_extension


def load_extension(name):
    import importlib

    module = importlib.import_module(name)
    function = getattr(module, "load_ipython_extension", None)
    if function is None:
        raise ImportError("it is not an extension")
    function(instance())
    instance().extension_manager.loaded.add(name)


# ---- where IPython is installed ----


def hook_display(module):
    """IPython's own display functions lead here; its classes stay."""
    from . import display

    names = vars(module)
    for name in ("display", "clear_output", "update_display", "publish_display_data"):
        if name in names:
            setattr(module, name, builtins.display if name == "display" else getattr(display, name))


def hook_getipython(module):
    module.get_ipython = builtins.get_ipython


def hook_interactiveshell(module):
    """No second shell is made; InteractiveShell.ast_node_interactivity = "all" is heeded."""
    cls = module.InteractiveShell
    cls.initialized = classmethod(lambda cls: True)
    cls.instance = classmethod(lambda cls, *args, **options: instance())

    def heed(source):
        value = vars(cls).get("ast_node_interactivity")
        if isinstance(value, str):
            from . import settings

            settings.set_interactivity(value)

    execute.before_cell.append(heed)


def hook_pylabtools(module):
    """matplotlib asks it for the window system of a backend: there is none."""
    module.configure_inline_support = lambda *args, **options: None
