"""HTML as text: what a reader would see, tables with a bar between the cells."""

from html.parser import HTMLParser

BLOCKS = frozenset(
    "p div h1 h2 h3 h4 h5 h6 ul ol table tr pre blockquote section article header footer details summary form hr"
    .split()
)
HIDDEN = frozenset(("script", "style", "head", "template", "svg"))


class _Text(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.out = []
        self.hidden = 0
        self.pre = 0
        self.cells = 0

    def handle_starttag(self, tag, attrs):
        if tag in HIDDEN:
            self.hidden += 1
        elif tag == "br":
            self.out.append("\n")
        elif tag == "li":
            self.newline()
            self.out.append("- ")
        elif tag in ("td", "th"):
            if self.cells:
                self.out.append(" | ")
            self.cells += 1
        elif tag == "a":
            href = dict(attrs).get("href")
            self.href = href if href and not href.startswith(("#", "javascript:", "data:")) else None
        elif tag in ("img", "video", "audio", "iframe"):
            said = dict(attrs)
            source = said.get("src") or ""
            if source.startswith("data:"):
                source = "data"
            self.out.append("[%s%s]" % (tag, " " + (said.get("alt") or source) if said.get("alt") or source else ""))
        elif tag in BLOCKS:
            self.newline()
            if tag == "tr":
                self.cells = 0
            if tag == "pre":
                self.pre += 1

    href = None

    def handle_endtag(self, tag):
        if tag in HIDDEN:
            self.hidden = max(0, self.hidden - 1)
        elif tag == "a":
            if self.href:
                self.out.append(" (%s)" % self.href)
            self.href = None
        elif tag in BLOCKS:
            if tag == "tr":
                self.cells = 0
            if tag == "pre":
                self.pre = max(0, self.pre - 1)
            self.newline()

    def handle_data(self, data):
        if self.hidden:
            return
        if not self.pre:
            starts, ends = data[:1].isspace(), data[-1:].isspace()
            data = " ".join(data.split())
            if not data:
                if starts and self.out and not self.out[-1].endswith(("\n", " ")) and not self.cells:
                    self.out.append(" ")
                return
            data = (" " if starts and self.out and not self.out[-1].endswith(("\n", " ")) else "") + data
            data += " " if ends else ""
        self.out.append(data)

    def newline(self):
        if self.out and not self.out[-1].endswith("\n"):
            self.out.append("\n")


def to_text(html):
    parser = _Text()
    try:
        parser.feed(html)
        parser.close()
    except Exception:
        pass
    lines = [line.rstrip() for line in "".join(parser.out).split("\n")]
    out = []
    for line in lines:
        if line or (out and out[-1]):
            out.append(line)
    return "\n".join(out).strip("\n")
