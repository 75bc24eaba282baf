"""
display() and the value of a last expression: of the forms that an object offers, the one that suits a model. Images
are images, tables are text, HTML becomes text; what has no sensible text goes to a file with a link. Never megabytes.
"""

import sys

from . import state

PLAIN = frozenset((int, float, bool, complex, str, bytes, type(None)))
CONTAINERS = frozenset((list, tuple, set, frozenset, dict))
ITEMS_MAX = 100000  # a longer container shows its first 1,000 items
HTML_MAX = 20000  # longer HTML goes to a file

# Objects with a form of their own: (top package, class) -> "<our module>:<function>", which returns items.
SPECIAL = {
    ("matplotlib", "Figure"): "display:figure_items",
    ("pandas", "DataFrame"): "tables:frame",
    ("pandas", "Series"): "tables:series",
    ("pandas", "Styler"): "tables:styler",
    ("PIL", "Image"): "display:pil_items",
    ("plotly", "BaseFigure"): "charts:plotly",
    ("plotly", "BaseFigureWidget"): "charts:plotly",
    ("altair", "TopLevelMixin"): "charts:altair",
    ("bokeh", "Model"): "charts:bokeh",
    ("graphviz", "Source"): "charts:graphviz",
    ("graphviz", "Graph"): "charts:graphviz",
    ("graphviz", "Digraph"): "charts:graphviz",
    ("folium", "Map"): "charts:html_page",
    ("pyvis", "Network"): "charts:html_page",
    ("ipywidgets", "Widget"): "widgets:widget",
    ("IPython", "Audio"): "media:audio",
    ("IPython", "Video"): "media:video",
    ("IPython", "IFrame"): "media:frame",
    ("IPython", "Image"): "media:image",
    ("IPython", "SVG"): "media:svg",
    ("IPython", "JSON"): "media:json",
    ("IPython", "Code"): "media:code",
    ("IPython", "Javascript"): "media:javascript",
    ("IPython", "FileLink"): "media:file_link",
    ("IPython", "FileLinks"): "media:file_link",
    ("IPython", "ProgressBar"): "media:progress",
}

formatters = {}  # class -> {mime: function}: what get_ipython().display_formatter was told
named_formatters = {}  # (module, name) -> {mime: function}: the same for classes not imported yet
_shown = {}  # display_id -> the items shown last
_late = {}  # display_id -> items that the end of the cell shows


def show_value(value):
    for mime, data in items(value):
        state.emit(mime, data)


def display(*objs, **options):
    """Show objects. Takes what IPython's display takes; include, exclude and metadata have no meaning here."""
    display_id = options.get("display_id")
    update = options.get("update", False)
    if options.get("clear"):
        clear_output(wait=True)
    if display_id is True:
        display_id = _new_id()
    for obj in objs:
        if options.get("raw"):
            what = bundle_items(obj, None)
        else:
            what = items(obj)
        if display_id is not None:
            _by_id(display_id, what, update)
        else:
            for mime, data in what:
                state.emit(mime, data)
    return _handle(display_id) if display_id is not None and not update else None


def _handle(display_id):
    """IPython's own class where IPython is loaded."""
    theirs = sys.modules.get("IPython.core.display_functions")
    return getattr(theirs, "DisplayHandle", DisplayHandle)(display_id)


def update_display(obj, *, display_id, **options):
    options["update"] = True
    display(obj, display_id=display_id, **options)


def _by_id(display_id, what, update):
    """What changes often is shown twice: at first, and as it is when the cell ends."""
    if not update:
        _shown[display_id] = what
        _late.pop(display_id, None)
        for mime, data in what:
            state.emit(mime, data)
        return
    if not _late:
        state.at_end.append(_show_late)
    _late[display_id] = what


def _show_late():
    late = list(_late.items())
    _late.clear()
    for display_id, what in late:
        if _shown.get(display_id) != what:
            _shown[display_id] = what
            for mime, data in what:
                state.emit(mime, data)
    while len(_shown) > 100:
        del _shown[next(iter(_shown))]


def _new_id():
    import os

    return os.urandom(16).hex()


class DisplayHandle:
    """What display(..., display_id=True) returns."""

    def __init__(self, display_id=None):
        self.display_id = display_id if display_id is not None else _new_id()

    def __repr__(self):
        return "<DisplayHandle display_id=%s>" % self.display_id

    def display(self, obj, **options):
        display(obj, display_id=self.display_id, **options)

    def update(self, obj, **options):
        update_display(obj, display_id=self.display_id, **options)


DisplayHandle.__module__ = "IPython.core.display_functions"


def clear_output(wait=False):
    """Drop what this cell has shown so far; with wait, when the next output comes."""
    _late.clear()
    state.clear(wait)


def publish_display_data(data, metadata=None, source=None, *, transient=None, **options):
    """Show a bundle of representations {mime: data}."""
    what = bundle_items(data, None)
    display_id = (transient or {}).get("display_id")
    if display_id is not None:
        _by_id(display_id, what, options.get("update", False))
        return
    for mime, item in what:
        state.emit(mime, item)


def items(obj):
    """[(MIME, data)] to show for an object; empty when it has shown itself."""
    cls = type(obj)
    if cls in PLAIN:
        return [("text/plain", repr(obj))]
    if cls in CONTAINERS:
        return [("text/plain", text(obj))]
    if isinstance(obj, type):
        return [("text/plain", repr(obj))]
    if formatters or named_formatters:
        found = _formatted(obj)
        if found:
            return found
    for base in cls.__mro__:
        special = SPECIAL.get((getattr(base, "__module__", "").partition(".")[0], base.__name__))
        if special is not None:
            where, _, function = special.partition(":")
            __import__("_cellblock_kernel." + where)
            found = getattr(sys.modules["_cellblock_kernel." + where], function)(obj)
            if found is not None:
                return found
    return _by_methods(obj, cls)


def _by_methods(obj, cls):
    if getattr(cls, "_ipython_display_", None) is not None:
        obj._ipython_display_()
        return []
    data = _call(obj, cls, "_repr_mimebundle_", include=None, exclude=None)
    if isinstance(data, tuple) and data:
        data = data[0]
    if isinstance(data, dict) and data:
        return bundle_items(data, obj)
    for name in ("_repr_png_", "_repr_jpeg_"):
        found = image_items(_call(obj, cls, name))
        if found:
            return found
    for name in ("_repr_markdown_", "_repr_latex_"):
        data = _call(obj, cls, name)
        if isinstance(data, tuple) and data:
            data = data[0]
        if isinstance(data, str):
            return [("text/plain", data)]
    plain = text(obj)
    if not is_bare(plain):
        return [("text/plain", plain)]
    data = _call(obj, cls, "_repr_html_")
    if isinstance(data, str) and data:
        return html_items(data, plain)
    data = _call(obj, cls, "_repr_svg_")
    if isinstance(data, str) and data:
        from . import media

        return media.svg_items(data, plain)
    return [("text/plain", plain)]


def _call(obj, cls, name, **options):
    """The result of a _repr_*_ method; None when there is none or it fails."""
    if getattr(cls, name, None) is None and not _hands_on(obj, cls, name):
        return None
    try:
        return getattr(obj, name)(**options)
    except NotImplementedError:
        return None
    except Exception as e:
        if options:
            return _call(obj, cls, name)
        sys.stderr.write("(%s.%s raised %s: %s)\n" % (cls.__name__, name, type(e).__name__, e))
        return None


def _hands_on(obj, cls, name):
    """A wrapper has the methods of what it wraps. One that has every method there is (a mock) has none."""
    if getattr(cls, "__getattr__", None) is None:
        return False
    try:
        known = callable(getattr(obj, name, None))
        return known and getattr(obj, "_ipython_canary_method_should_not_exist_", None) is None  # IPython's test
    except Exception:
        return False


def bundle_items(data, obj):
    """One representation of a bundle {mime: data}."""
    for mime in ("image/png", "image/jpeg"):
        found = image_items(data.get(mime))
        if found:
            return found
    for mime in ("text/markdown", "text/latex"):
        if isinstance(data.get(mime), str):
            return [("text/plain", data[mime])]
    plain = data.get("text/plain")
    if plain is None and obj is not None:
        plain = text(obj)
    if isinstance(plain, str) and not is_bare(plain):
        return [("text/plain", plain)]
    if isinstance(data.get("text/html"), str):
        return html_items(data["text/html"], plain or "")
    if isinstance(data.get("image/svg+xml"), str):
        from . import media

        return media.svg_items(data["image/svg+xml"], plain or "")
    if "application/json" in data:
        import json

        return [("text/plain", json.dumps(data["application/json"], default=repr)[:HTML_MAX])]
    if isinstance(plain, str):
        return [("text/plain", plain)]
    if data:
        return [("text/plain", "<%s>" % ", ".join(map(str, data)))]
    return []


def image_items(data):
    """Items of image bytes, which may be base64 as in IPython's bundles and may come with metadata."""
    if isinstance(data, tuple) and data:
        data = data[0]
    if isinstance(data, str):
        import binascii

        try:
            data = binascii.a2b_base64(data)
        except ValueError:
            return None
    if not isinstance(data, (bytes, bytearray, memoryview)):
        return None
    from . import images

    data = bytes(data)
    fitting = images.fit(data)
    if fitting is not None:
        return [fitting]
    kind = images.kind(data)
    if kind is None:
        return None
    return file_items("image." + kind.partition("/")[2], data, "an image of %d bytes" % len(data))


def figure_items(figure):
    from . import figures

    item = figures.render(figure)
    figure._cellblock_shown = True
    figure.stale = False
    return [item]


def pil_items(image):
    from . import images

    try:
        return [images.from_pil(image)]
    except Exception:
        return None


def html_items(html, plain):
    """HTML as text; long or scripted HTML also as a file."""
    from . import markup

    said = markup.to_text(html)
    if len(html) <= HTML_MAX and said:
        return [("text/plain", said)]
    if not said and "<script" not in html and len(html) <= HTML_MAX:
        return [("text/plain", plain)]
    if len(said) > 2000:
        said = said[:2000] + "\n... %d more characters" % (len(said) - 2000)
    return file_items("page.html", html, said or plain or "HTML")


def file_items(name, data, said):
    """Put data into a file of the session; a line of text and the link to it."""
    path = save(name, data)
    if path is None:
        return [("text/plain", said)]
    return [("text/plain", said), (_file_mime(), path)]


def _file_mime():
    from . import wire

    return wire.MIME_FILE


def save(name, data):
    """Write data to a new file in the scratch directory; its path, or None."""
    import os

    if not state.scratch:
        return None
    base, dot, ending = name.rpartition(".")
    if isinstance(data, str):
        data = data.encode("utf-8", "backslashreplace")
    for n in range(1, 10000):
        path = os.path.join(state.scratch, "%s-%d-%d.%s" % (base, state.count, n, ending))
        try:
            os.makedirs(state.scratch, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        except OSError:
            return None
        with open(fd, "wb") as f:
            f.write(data)
        return path
    return None


def text(obj):
    """repr(), but only the first items of a huge container."""
    cls = type(obj)
    if cls in CONTAINERS and len(obj) > ITEMS_MAX:
        from itertools import islice

        if cls is dict:
            start = ", ".join("%r: %r" % pair for pair in islice(obj.items(), 1000))
        else:
            start = ", ".join(map(repr, islice(obj, 1000)))
        opening = {list: "[%s]", tuple: "(%s)", frozenset: "frozenset({%s})"}.get(cls, "{%s}")
        return opening % ("%s, ... %d more" % (start, len(obj) - 1000))
    if getattr(cls, "_repr_pretty_", None) is not None:
        try:
            said = _pretty(lambda o, p, cycle: o._repr_pretty_(p, cycle), obj)
        except Exception:
            said = None
        if said is not None:
            return said
    return repr(obj)


def is_bare(plain):
    """Does this repr say nothing: `<module.Class object at 0x...>`?"""
    return plain[:1] == "<" and plain[-1:] == ">" and " object" in plain and len(plain) < 300


def _formatted(obj):
    """What a formatter that the user registered makes of it."""
    found = {}
    for base in type(obj).__mro__:
        named = named_formatters.get((base.__module__, base.__name__))
        for table in (formatters.get(base), named):
            for mime, function in (table or {}).items():
                if not _is_formula_image(mime, function):
                    found.setdefault(mime, function)
    data = {}
    for mime, function in found.items():
        try:
            if mime == "text/plain":
                value = _pretty(function, obj)
            else:
                value = function(obj)
        except Exception:
            continue
        if value is not None:
            data[mime] = value
    return bundle_items(data, None) if data else None


def _is_formula_image(mime, function):
    """sympy.init_printing registers pictures of formulas: their text says more."""
    return mime.startswith("image/") and getattr(function, "__module__", "").startswith("sympy.")


def _pretty(function, obj):
    """A formatter for text takes a printer and a flag; some that people write take the object alone."""
    from . import pretty

    return pretty.call(function, obj)
