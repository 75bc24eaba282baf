"""The printer that _repr_pretty_ and formatters of IPython write to: everything on lines as it comes."""

from contextlib import contextmanager


class Printer:
    def __init__(self):
        self.parts = []

    def text(self, text):
        self.parts.append(text)

    def breakable(self, sep=" "):
        self.parts.append(sep)

    def break_(self):
        self.parts.append("\n")

    def begin_group(self, indent=0, open=""):
        self.parts.append(open)

    def end_group(self, dedent=0, close=""):
        self.parts.append(close)

    @contextmanager
    def group(self, indent=0, open="", close=""):
        self.begin_group(indent, open)
        yield
        self.end_group(indent, close)

    @contextmanager
    def indent(self, indent):
        yield

    def pretty(self, obj):
        from . import display

        self.parts.append(display.text(obj))


def call(function, obj):
    """What function(obj, printer, cycle) wrote, or what function(obj) returned; None for nothing."""
    printer = Printer()
    try:
        value = function(obj, printer, False)
    except TypeError:
        if printer.parts:
            raise
        value = function(obj)
    said = "".join(printer.parts)
    return said or (value if isinstance(value, str) else None)
