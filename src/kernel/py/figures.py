"""
matplotlib: figures become images without the user calling anything. plt.show() shows the open figures at its place
and closes them; figures that are open at the end of a cell are shown then; nothing is shown twice.
"""

import functools
import io
import sys
import time

from . import images
from . import state

SIDE_MAX = images.SIDE_MAX


# Backends without windows; any other one that code asks for stays Agg.
DRAWING = frozenset("agg cairo pdf pgf ps svg template".split())


def _without_windows(original):
    @functools.wraps(original)
    def choose(backend, *args, **kwargs):
        if str(backend).lower() in DRAWING:
            return original(backend, *args, **kwargs)
        return None

    return choose


def hook_matplotlib(matplotlib):
    """matplotlib has been imported."""
    matplotlib.use = _without_windows(matplotlib.use)


def hook_pyplot(pyplot):
    """matplotlib.pyplot has been imported."""
    pyplot.show = show
    pyplot.pause = pause
    pyplot.switch_backend = _without_windows(pyplot.switch_backend)


def hook_figure(module):
    """matplotlib.figure has been imported: fig.show() works though there is no window."""
    module.Figure.show = figure_show


def show(*args, **kwargs):
    """Show all open figures here, and close them."""
    _show_open(None)


def pause(interval):
    """Wait. The figure is shown when it is done: by show(), or at the end of the cell."""
    time.sleep(interval)


def figure_show(self, warn=True):
    """Show this figure here; it stays open, and is shown again only if it changes."""
    show_figure(self)


def flush(error):
    """The cell has run: show what is open. An interrupted cell has only a moment left for it."""
    if not _managers():
        return
    late = error is not None and not isinstance(error, (Exception, SystemExit))
    _show_open(time.monotonic() + 0.3 if late else None)


def _managers():
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    return helpers.Gcf.get_all_fig_managers() if helpers is not None else []


def _show_open(deadline):
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is None:
        return
    try:
        for manager in sorted(helpers.Gcf.get_all_fig_managers(), key=lambda m: m.num):
            if deadline is not None and time.monotonic() > deadline:
                break
            figure = manager.canvas.figure
            if not getattr(figure, "_cellblock_shown", False) or figure.stale:
                show_figure(figure)
    finally:
        helpers.Gcf.destroy_all()


def show_figure(figure):
    mime, data = render(figure)
    state.emit(mime, data)
    try:
        figure.stale = False
        figure._cellblock_shown = True
    except AttributeError:
        pass


def render(figure):
    """(MIME, bytes): PNG at the figure's own dpi where that is of a sensible size, else smaller, else JPEG."""
    width, height = figure.get_size_inches()
    dpi = min(figure.dpi, SIDE_MAX / max(width, height, 0.01))
    for _ in range(4):
        data = _print(figure, "png", dpi)
        side = max(images.png_size(data) or (1, 1))
        if side > SIDE_MAX + 1:
            dpi *= SIDE_MAX / side * 0.995
            continue
        if len(data) <= images.BYTES_MAX:
            return "image/png", data
        jpeg = _jpeg(figure, dpi)
        if jpeg is not None and len(jpeg) <= images.BYTES_MAX:
            return "image/jpeg", jpeg
        dpi *= 0.7
    return "image/png", data


def _jpeg(figure, dpi):
    try:
        return _print(figure, "jpg", dpi)
    except Exception:  # Pillow is missing, or too old
        return None


def _print(figure, kind, dpi):
    options = {"format": kind, "dpi": dpi, "facecolor": figure.get_facecolor(), "edgecolor": figure.get_edgecolor()}
    if figure.canvas is None or not hasattr(figure.canvas, "print_" + kind):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        FigureCanvasAgg(figure)
    out = io.BytesIO()
    layout = getattr(figure, "get_layout_engine", lambda: None)()
    try:
        figure.canvas.print_figure(out, bbox_inches="tight" if layout is None else None, **options)
    except Exception:
        if layout is not None:
            raise
        out = io.BytesIO()
        figure.canvas.print_figure(out, **options)
    return out.getvalue()
