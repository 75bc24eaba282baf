"""IPython.display's classes, for environments without IPython: what notebooks make of them, not their rendering."""

import os

__all__ = [
    "DisplayObject", "TextDisplayObject", "Pretty", "HTML", "Markdown", "Math", "Latex", "SVG", "JSON", "GeoJSON",
    "Javascript", "Code", "Image", "Audio", "Video", "IFrame", "YouTubeVideo", "VimeoVideo", "ScribdDocument",
    "FileLink", "FileLinks", "ProgressBar",
]  # fmt: skip


class DisplayObject:
    """Data, or a file or URL that has it."""

    _read_flags = "r"
    _show_mem_addr = False
    metadata = None

    def __init__(self, data=None, url=None, filename=None, metadata=None):
        if isinstance(data, os.PathLike):
            data = os.fspath(data)
        if isinstance(data, str) and url is None and filename is None:
            if data.startswith(("http://", "https://")) and "\n" not in data:
                url, data = data, None
            elif len(data) < 1000 and self._is_file(data):
                filename, data = data, None
        self.data, self.url = data, url
        self.filename = os.fspath(filename) if filename is not None else None
        if metadata is not None:
            self.metadata = metadata
        self.reload()

    @staticmethod
    def _is_file(text):
        try:
            return os.path.isfile(text)
        except ValueError:
            return False

    def __repr__(self):
        return "<%s.%s object>" % (type(self).__module__, type(self).__name__)

    def reload(self):
        if self.filename is not None:
            with open(self.filename, self._read_flags, encoding=None if "b" in self._read_flags else "utf-8") as f:
                self.data = f.read()
        elif self.url is not None:
            import urllib.request

            with urllib.request.urlopen(self.url) as response:
                data = response.read()
            self.data = data if "b" in self._read_flags else data.decode("utf-8", "replace")


class TextDisplayObject(DisplayObject):
    pass


class Pretty(TextDisplayObject):
    def __repr__(self):
        return str(self.data)


class HTML(TextDisplayObject):
    def _repr_html_(self):
        return self.data

    __html__ = _repr_html_


class Markdown(TextDisplayObject):
    def _repr_markdown_(self):
        return self.data


class Math(TextDisplayObject):
    def _repr_latex_(self):
        return r"$\displaystyle %s$" % self.data.strip("$")


class Latex(TextDisplayObject):
    def _repr_latex_(self):
        return self.data


class SVG(DisplayObject):
    def _repr_svg_(self):
        return self.data


class JSON(DisplayObject):
    def __init__(self, data=None, url=None, filename=None, expanded=False, metadata=None, root="root", **options):
        self.metadata = {"expanded": expanded, "root": root}
        super().__init__(data, url, filename, metadata)

    def reload(self):
        super().reload()
        if (self.filename or self.url) and isinstance(self.data, str):
            import json

            self.data = json.loads(self.data)


class GeoJSON(JSON):
    pass


class Javascript(TextDisplayObject):
    def __init__(self, data=None, url=None, filename=None, lib=None, css=None):
        self.lib, self.css = lib, css
        super().__init__(data, url, filename)

    def reload(self):
        if self.url is None:
            super().reload()


class Code(TextDisplayObject):
    def __init__(self, data=None, url=None, filename=None, language=None):
        self.language = language
        super().__init__(data, url, filename)

    def __str__(self):
        return self.data


class Image(DisplayObject):
    _read_flags = "rb"

    def __init__(self, data=None, url=None, filename=None, format=None, embed=None, width=None, height=None,
                 retina=False, unconfined=False, metadata=None, alt=None):
        self.format, self.width, self.height, self.retina, self.alt = format, width, height, retina, alt
        self.embed = embed if embed is not None else url is None
        super().__init__(data, url, filename, metadata)
        if isinstance(self.data, str):  # neither bytes nor the name of a file that is there
            raise FileNotFoundError("No such file or directory: '%s'" % self.data)

    def reload(self):
        if self.url is None or self.embed:
            super().reload()


class Audio(DisplayObject):
    _read_flags = "rb"

    def __init__(self, data=None, filename=None, url=None, embed=None, rate=None, autoplay=False, normalize=True, *,
                 element_id=None):
        if filename is None and url is None and data is None:
            raise ValueError("No audio data found. Expecting filename, url, or data.")
        self.autoplay, self.rate, self.embed = autoplay, rate, embed
        if data is not None and not isinstance(data, (str, bytes, os.PathLike)):
            if rate is None:
                raise ValueError("rate must be specified when data is a numpy array or list of audio samples.")
            data = self._make_wav(data, rate, normalize)
        super().__init__(data, url, filename)

    def reload(self):
        if self.url is None or self.embed:
            super().reload()

    @staticmethod
    def _make_wav(data, rate, normalize):
        import array
        import io
        import wave

        rows = [list(row) for row in data] if hasattr(data[0], "__len__") else [list(data)]
        peak = max((abs(float(x)) for row in rows for x in row), default=0)
        if not normalize:
            if peak > 1:
                raise ValueError("Audio data must be between -1 and 1 when normalize=False.")
            peak = 1
        scale = 32767 / peak if peak else 0
        samples = array.array("h", (int(float(x) * scale) for frame in zip(*rows) for x in frame))
        out = io.BytesIO()
        with wave.open(out, "wb") as f:
            f.setnchannels(len(rows))
            f.setsampwidth(2)
            f.setframerate(int(rate))
            f.writeframes(samples.tobytes())
        return out.getvalue()


class Video(DisplayObject):
    _read_flags = "rb"

    def __init__(self, data=None, url=None, filename=None, embed=False, mimetype=None, width=None, height=None,
                 html_attributes="controls"):
        if isinstance(data, str) and url is None and filename is None:
            if data.startswith(("http://", "https://")):
                url, data = data, None
            else:
                filename, data = data, None
        self.embed, self.mimetype = embed, mimetype
        super().__init__(data, url, filename)

    def reload(self):
        if self.embed:
            super().reload()


class IFrame:
    def __init__(self, src, width=None, height=None, extras=None, **params):
        self.src, self.width, self.height, self.params = src, width, height, params


class YouTubeVideo(IFrame):
    def __init__(self, id, width=400, height=300, allow_autoplay=False, **params):
        self.id = id
        super().__init__("https://www.youtube.com/embed/%s" % id, width, height, **params)


class VimeoVideo(IFrame):
    def __init__(self, id, width=400, height=300, **params):
        self.id = id
        super().__init__("https://player.vimeo.com/video/%s" % id, width, height, **params)


class ScribdDocument(IFrame):
    def __init__(self, id, width=400, height=300, **params):
        self.id = id
        super().__init__("https://www.scribd.com/embeds/%s/content" % id, width, height, **params)


class FileLink:
    def __init__(self, path, url_prefix="", result_html_prefix="", result_html_suffix="<br>"):
        self.path = os.fspath(path)

    def __repr__(self):
        return os.path.abspath(self.path)


class FileLinks(FileLink):
    def __init__(self, path, *args, **options):
        super().__init__(path)

    def __repr__(self):
        out = []
        for folder, folders, files in os.walk(self.path):
            folders.sort()
            out.append(folder + "/")
            out += ["  " + name for name in sorted(files)]
        return "\n".join(out)


class ProgressBar:
    def __init__(self, total):
        self.total, self._progress = total, 0
        self._handle = None

    def __repr__(self):
        done = self._progress / self.total if self.total else 1
        bar = "=" * int(60 * done)
        return "[%-60s] %d/%d" % (bar, self._progress, self.total)

    def display(self):
        from . import display

        self._handle = display.display(self, display_id=True)

    def update(self):
        if self._handle is not None:
            self._handle.update(self)

    @property
    def progress(self):
        return self._progress

    @progress.setter
    def progress(self, value):
        self._progress = value
        self.update()

    def __iter__(self):
        self.display()
        self._progress = -1
        return self

    def __next__(self):
        self.progress += 1
        if self.progress < self.total:
            return self.progress
        raise StopIteration


for _name in __all__:
    _in_lib = _name in ("Audio", "IFrame", "YouTubeVideo", "FileLink", "FileLinks", "Code")
    globals()[_name].__module__ = "IPython.lib.display" if _in_lib else "IPython.core.display"
