"""IPython.display's objects for a model: images as images, sound and film as files with a link, the rest as text."""

import os

from . import display


def _bytes_of(obj):
    data = getattr(obj, "data", None)
    if isinstance(data, str) and getattr(obj, "embed", True):
        import binascii

        try:
            return binascii.a2b_base64(data)
        except ValueError:
            return None
    return data if isinstance(data, bytes) else None


def image(obj):
    data = getattr(obj, "data", None)
    if data is None and getattr(obj, "filename", None):
        with open(obj.filename, "rb") as f:
            data = f.read()
    if isinstance(data, bytes) and data.lstrip()[:5] in (b"<svg ", b"<?xml"):
        return svg_items(data.decode("utf-8", "replace"), "SVG")
    found = display.image_items(data)
    if found:
        return found
    if getattr(obj, "url", None):
        return [("text/plain", "image at %s" % obj.url)]
    return None


def svg(obj):
    return svg_items(obj.data, "SVG") if isinstance(obj.data, str) else None


def svg_items(data, plain):
    """An image where cairosvg is installed, else a file."""
    try:
        import cairosvg

        found = display.image_items(cairosvg.svg2png(bytestring=data.encode("utf-8")))
        if found:
            return found
    except Exception:  # missing, or its library is
        pass
    import re

    said = " ".join(re.sub(r"<[^>]*>", " ", " ".join(re.findall(r"<text.*?</text>", data, re.S))).split())[:300]
    return display.file_items("image.svg", data, "SVG image%s" % (": " + said if said else ""))


def audio(obj):
    data = _bytes_of(obj)
    if data:
        return display.file_items("audio." + _sound_kind(data), data, _about_sound(data))
    return [("text/plain", "audio: %s" % (getattr(obj, "filename", None) or getattr(obj, "url", None) or "no data"))]


def _sound_kind(data):
    if data[:4] == b"RIFF":
        return "wav"
    if data[:4] == b"OggS":
        return "ogg"
    return "flac" if data[:4] == b"fLaC" else "mp3"


def _about_sound(data):
    try:
        import io
        import wave

        with wave.open(io.BytesIO(data)) as f:
            return "audio, %.2f s, %d Hz, %d channel(s)" % (
                f.getnframes() / f.getframerate(), f.getframerate(), f.getnchannels()
            )  # fmt: skip
    except Exception:
        return "audio, %d bytes" % len(data)


def video(obj):
    where = getattr(obj, "filename", None) or getattr(obj, "url", None)
    data = _bytes_of(obj)
    if data and not where:
        kind = (getattr(obj, "mimetype", None) or "video/mp4").rpartition("/")[2]
        return display.file_items("video." + kind, data, "video, %d bytes" % len(data))
    return [("text/plain", "video: %s" % (where or "no data"))]


def frame(obj):
    return [("text/plain", "%s: %s" % (type(obj).__name__, obj.src))]


def json(obj):
    import json as module

    text = module.dumps(obj.data, indent=2, default=repr, ensure_ascii=False)
    if len(text) > display.HTML_MAX:
        return display.file_items("data.json", text, text[:2000] + "\n... %d more characters" % (len(text) - 2000))
    return [("text/plain", text)]


def code(obj):
    return [("text/plain", str(obj.data))]


def javascript(obj):
    return [("text/plain", "(JavaScript was not run: there is no browser)")]


def file_link(obj):
    from . import wire

    path = os.path.abspath(obj.path)
    out = [("text/plain", repr(obj))]
    if os.path.isfile(path):
        out.append((wire.MIME_FILE, path))
    return out


def progress(obj):
    return [("text/plain", repr(obj))]
