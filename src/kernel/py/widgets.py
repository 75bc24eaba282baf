"""ipywidgets and tqdm.notebook, without a browser: a widget is a line of text, interact calls its function once."""


def hook_tqdm(module):
    """tqdm.notebook has been imported: its bars are those of a terminal."""
    import tqdm.std

    module.tqdm = module.tqdm_notebook = tqdm.std.tqdm
    module.trange = module.tnrange = tqdm.std.trange


def widget(w):
    callbacks = getattr(w, "_display_callbacks", None)
    text = describe(w)
    items = [("text/plain", text)] if text else []
    if callbacks is None:
        return items
    from . import state

    for mime, data in items:
        state.emit(mime, data)
    callbacks(w)  # of ipywidgets 7: interact waits for it to call its function
    return []


def describe(w):
    """A widget as text: its kind, label and value; for a box what is in it."""
    name = type(w).__name__
    value = getattr(w, "value", None)
    if name in ("HTML", "HTMLMath", "Label"):
        from . import markup

        return markup.to_text(str(value or ""))
    if name == "Output":
        return "\n".join(_output_text(o) for o in getattr(w, "outputs", ()) or ())
    if name == "Image":
        return "Image widget"
    children = getattr(w, "children", None)
    if children is not None:
        return "\n".join(filter(None, map(describe, children)))
    parts = []
    description = getattr(w, "description", "")
    if description:
        parts.append(repr(description))
    if hasattr(w, "value"):
        said = repr(value)
        parts.append("value=%s" % (said if len(said) <= 200 else said[:197] + "..."))
    return "%s(%s)" % (name, ", ".join(parts))


def _output_text(output):
    if output.get("output_type") == "stream":
        return output.get("text", "").rstrip("\n")
    return str((output.get("data") or {}).get("text/plain", ""))


def hook_interaction(module):
    """What a function of interact shows is shown here, and clears nothing of the cell."""
    module.clear_output = _nothing


def hook_output(module):
    module.clear_output = _nothing


def _nothing(*args, **options):
    pass


