"""
Charts that are made for a browser: an image where their renderer is installed, else a line about them and the HTML in
a file with a link.
"""

from . import display


def _about(kind, details, html):
    said = "%s%s" % (kind, ": " + ", ".join(details) if details else "")
    if html is None:
        return [("text/plain", said)]
    return display.file_items(kind.split()[0].lower() + ".html", html, said)


def _have(*modules):
    import importlib.util

    try:
        return all(importlib.util.find_spec(name) is not None for name in modules)
    except (ImportError, ValueError):
        return False


def _show(*objs, **options):
    """show() of a chart: here, not in a browser."""
    display.display(*objs)


# ---- plotly ----


def plotly(figure):
    if _have("kaleido"):
        try:
            found = display.image_items(figure.to_image(format="png"))
            if found:
                return found
        except Exception:  # no browser for it, or one that does not start
            pass
    details = []
    try:
        kinds = [trace.type for trace in figure.data]
        details.append("%d trace(s) (%s)" % (len(kinds), ", ".join(sorted(set(kinds)))))
        title = figure.layout.title.text
        if title:
            details.append("title %r" % title)
    except Exception:
        pass
    try:
        html = figure.to_html(include_plotlyjs="cdn")
    except Exception:
        html = None
    return _about("plotly figure", details, html)


def hook_plotly(module):
    def show(self, *args, **options):
        """Show the figure here."""
        display.display(self)

    module.BaseFigure.show = show


def hook_plotly_io(module):
    def show(fig, *args, **options):
        """Show the figure here."""
        if isinstance(fig, dict):
            import plotly.graph_objects

            fig = plotly.graph_objects.Figure(fig)
        display.display(fig)

    module.show = show


def hook_plotly_offline(module):
    def iplot(figure_or_data, *args, **options):
        import plotly.graph_objects

        if not hasattr(figure_or_data, "to_html"):
            figure_or_data = plotly.graph_objects.Figure(figure_or_data)
        display.display(figure_or_data)

    module.iplot = iplot
    module.init_notebook_mode = lambda *args, **options: None


# ---- altair ----


def altair(chart):
    if not hasattr(chart, "to_dict"):
        return None
    if _have("vl_convert"):
        try:
            import io

            out = io.BytesIO()
            chart.save(out, format="png")
            found = display.image_items(out.getvalue())
            if found:
                return found
        except Exception:
            pass
    try:
        spec = chart.to_dict()
        html = chart.to_html()
    except Exception as e:
        return [("text/plain", "altair %s: %s: %s" % (type(chart).__name__, type(e).__name__, e))]
    mark = spec.get("mark")
    details = ["mark %s" % (mark.get("type") if isinstance(mark, dict) else mark)] if mark else []
    for channel, what in (spec.get("encoding") or {}).items():
        if isinstance(what, dict) and what.get("field"):
            details.append("%s=%s" % (channel, what["field"]))
    return _about("altair %s" % type(chart).__name__, details, html)


def hook_altair(module):
    for base in module.Chart.__mro__:
        if "show" in vars(base):
            base.show = lambda self, *args, **options: display.display(self)


# ---- bokeh ----


def bokeh(model):
    import shutil

    if _have("selenium") and (shutil.which("chromedriver") or shutil.which("geckodriver")):
        try:
            from bokeh.io.export import get_screenshot_as_png

            return display.pil_items(get_screenshot_as_png(model))
        except Exception:
            pass
    details = []
    title = getattr(getattr(model, "title", None), "text", None)
    if title:
        details.append("title %r" % title)
    try:
        details += ["%s" % type(r.glyph).__name__ for r in getattr(model, "renderers", []) if hasattr(r, "glyph")]
    except Exception:
        pass
    try:
        from bokeh.embed import file_html
        from bokeh.resources import CDN

        html = file_html(model, CDN)
    except Exception:
        return None
    return _about("bokeh %s" % type(model).__name__, details, html)


def hook_bokeh_showing(module):
    module.show = _show


def hook_bokeh_output(module):
    module.output_notebook = lambda *args, **options: None


# ---- others ----


def graphviz(graph):
    try:
        found = display.image_items(graph.pipe(format="png"))
        if found:
            return found
    except Exception:  # the program `dot` is not installed
        pass
    return [("text/plain", str(graph.source))]


def html_page(obj):
    """A map or a network: a page of its own."""
    try:
        html = obj.get_root().render() if hasattr(obj, "get_root") else obj.generate_html()
    except Exception:
        return None
    return _about("%s %s" % (type(obj).__module__.partition(".")[0], type(obj).__name__), [], html)


