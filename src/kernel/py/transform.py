"""
Notebook syntax to Python, for a cell that is no Python as it stands: `%magic`, `!command`, `name = !command`,
`name?`, `%%cell` magics, a bare `pip install`, `>>>` prompts, code that is indented as a whole.

Only a line that starts a statement is looked at: what is inside a string, a bracket or a continued line is never
touched. Every line keeps its number. The Python made here calls _cellblock_magic(kind, ...): see magics.py.
"""

import re

CALL = "_cellblock_magic"

# What matters for where a statement starts: comments, strings, brackets.
_token = re.compile(r"""#.*|[rRbBuUfFtT]{0,2}(\"\"\"|'''|"|')|[()\[\]{}]""")
_magic = re.compile(r"(%%?)([A-Za-z_][\w.]*)(.*)", re.S)
_assigned = re.compile(r"([A-Za-z_][\w.\[\]'\", ()*]*?)\s*=\s*(!!?|%)(?![%=])(.*)", re.S)
_help_after = re.compile(r"(%{0,2}[A-Za-z_*][\w.*]*(?:(?:\[[^\]]*\]|\(\))[\w.]*)*)\s*(\?\??)\s*;?\s*(?:#.*)?")
_help_before = re.compile(r"(\?\??)\s*(%{0,2}[A-Za-z_*][^\s?]*)\s*;?")
_bare = re.compile(
    r"(?:python3?\s+-m\s+)?(?:pip3?|uv\s+pip|conda|mamba)\s+"
    r"(?:install|uninstall|list|freeze|show|remove|update|check)\b"
    r"|uv\s+add\s"
)
_bare_cd = re.compile(r"cd\s+[~./\w-][^=(,:]*$")
_prompt = re.compile(r"\s*(?:>>>|\.\.\.)(?: |$)|\s*In ?\[\d+\]: ?|\s*\.{3,}: ?")


def transform(source):
    """The cell as Python; the same text when there is nothing of a notebook in it."""
    lines = source.split("\n")
    lines = _without_prompts(lines)
    lines = _dedented(lines)
    return "\n".join(_lines(lines))


def _without_prompts(lines):
    """A session copied from a terminal: the prompts go, and so does what it printed."""
    first = next((line for line in lines if line.strip()), "")
    if not re.match(r"\s*(>>>(?: |$)|In ?\[\d+\]:)", first):
        return lines
    classic = first.lstrip().startswith(">>>")
    out = []
    for line in lines:
        m = _prompt.match(line)
        if m is not None:
            out.append(line[m.end() :])
        else:
            out.append("" if classic else line)
    return out


def _dedented(lines):
    """Code that starts indented was cut out of something: move it to the left."""
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    indent = first[: len(first) - len(first.lstrip())]
    if not indent:
        return lines
    return [line[len(indent) :] if line.startswith(indent) else line for line in lines]


def _lines(lines):
    out = []
    scan = Scan()
    i = 0
    while i < len(lines):
        line = lines[i]
        if scan.at_start():
            body = line.lstrip(" \t")
            if body.startswith("%%") and body == line:
                m = _magic.match(line)
                if m is not None:
                    args = (m.group(2), m.group(3).strip(), "\n".join(lines[i + 1 :]), i + 1)
                    out.append("%s('cell', %r, %r, %r, %d)" % ((CALL,) + args))
                    return out + [""] * (len(lines) - i - 1)
            if body and (body[0] in "%!?" or "?" in body or "=" in body or body[0] in "puc"):
                new, used = _statement(lines, i, body)
                if new is not None:
                    indent = line[: len(line) - len(body)]
                    out.append(indent + new)
                    out += [""] * (used - 1)
                    i += used
                    continue
        scan.feed(line)
        out.append(line)
        i += 1
    return out


def _statement(lines, i, body):
    """(Python, lines used) for a statement of a notebook that starts at line i; (None, 0) for any other."""
    used = 1
    text = body
    if body[0] in "%!" or _assigned.match(body) or _bare.match(body):
        while text.rstrip().endswith("\\") and i + used < len(lines):
            text = text.rstrip()[:-1].rstrip() + " " + lines[i + used].strip()
            used += 1
    new = _line(text)
    return (new, used) if new is not None else (None, 0)


def _line(text):
    """One statement as Python, or None when it is none of ours."""
    m = _help_after.fullmatch(text)
    if m is not None:
        return "%s('info', %r, %d)" % (CALL, m.group(1), len(m.group(2)))
    first = text[0]
    if first == "?":
        m = _help_before.fullmatch(text.rstrip())
        return "%s('info', %r, %d)" % (CALL, m.group(2), len(m.group(1))) if m is not None else None
    if first == "!":
        if text.startswith("!!"):
            return "%s('output', %r)" % (CALL, text[2:].strip())
        return "%s('system', %r)" % (CALL, text[1:].strip())
    if first == "%":
        m = _magic.match(text)
        if m is None:
            return None
        return "%s('line', %r, %r)" % (CALL, m.group(2), m.group(3).strip())
    m = _assigned.match(text)
    if m is not None and _is_target(m.group(1)):
        if m.group(2) != "%":
            return "%s = %s('output', %r)" % (m.group(1), CALL, m.group(3).strip())
        inner = _magic.match("%" + m.group(3).strip())
        if inner is not None:
            return "%s = %s('line', %r, %r)" % (m.group(1), CALL, inner.group(2), inner.group(3).strip())
        return None
    if _bare.match(text):
        return "%s('system', %r)" % (CALL, text.rstrip())
    if _bare_cd.match(text):
        return "%s('line', 'cd', %r)" % (CALL, text[2:].strip())
    return None


def _is_target(text):
    try:
        compile(text + " = 0", "<target>", "exec", 0x400, True)
        return True
    except SyntaxError:
        return False


class Scan:
    """Follows the text line by line: does the next line start a statement?"""

    def __init__(self):
        self.depth = 0
        self.quote = None  # of a string that goes on in the next line
        self.continued = False

    def at_start(self):
        return self.depth == 0 and self.quote is None and not self.continued

    def feed(self, line):
        self.continued = False
        pos = 0
        if self.quote is not None:
            pos = self._end_of_string(line, 0)
        while self.quote is None:
            m = _token.search(line, pos)
            if m is None:
                self.continued = line[pos:].endswith("\\")
                return
            token = m.group()
            pos = m.end()
            if token[0] == "#":
                return
            if m.group(1):
                self.quote = m.group(1)
                pos = self._end_of_string(line, pos)
            elif token in "([{":
                self.depth += 1
            elif self.depth:
                self.depth -= 1

    def _end_of_string(self, line, pos):
        """Position behind the string that is open at pos; at the end of the line it may stay open."""
        quote = self.quote
        while True:
            at = line.find(quote, pos)
            back = line.find("\\", pos)
            if back != -1 and (at == -1 or back < at):
                if back == len(line) - 1:
                    return len(line)  # continues
                pos = back + 2
                continue
            if at == -1:
                if len(quote) == 1:
                    self.quote = None  # not closed: an error that the compiler will tell
                return len(line)
            self.quote = None
            return at + len(quote)
