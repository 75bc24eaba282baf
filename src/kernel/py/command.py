"""`!command`, `name = !command`, `%%bash`: commands of the shell, with the variables of the cell."""

import re
import subprocess
import sys

from . import state

_braces = re.compile(r"\$\{[^}]*\}|\{\{|\}\}|\{([^{}]+)\}|\$\$|\$([A-Za-z_]\w*(?:\.\w+)*)")


def expand(text, names, local=None):
    """{expression} and $name replaced by their values; what is no expression of the cell stays for the shell."""
    if "{" not in text and "$" not in text:
        return text
    local = names if local is None else local

    def replace(m):
        found = m.group()
        if found in ("{{", "}}", "$$"):
            return found[0]
        expression = m.group(1) or m.group(2)
        if expression is None:
            return found
        if m.group(2):
            first = expression.partition(".")[0]
            if first not in names and first not in local:
                return found
        try:
            return str(eval(expression, names, local))
        except Exception:
            return found

    return _braces.sub(replace, text)


_shell = None


def shell_path():
    global _shell
    if _shell is None:
        import os

        _shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    return _shell


def system(call, text):
    """`!command`: run it, its output goes where ours goes."""
    from . import pip

    command = expand(text, call.globals, call.locals)
    if pip.handles(command):
        status = pip.command(command, call)
    else:
        status = run([shell_path(), "-c", command])
        _tell_lost_effect(command)
    call.globals["_exit_code"] = status


def _tell_lost_effect(command):
    words = command.split(None, 1)
    if not words or any(c in command for c in "&|;\n"):
        return
    if words[0] == "cd" and len(words) > 1:
        print("(that `cd` ended with its own shell: use %cd)", file=sys.stderr)
    elif words[0] in ("export", "alias", "source"):
        print("(that `%s` ended with its own shell: use %%env or os.environ)" % words[0], file=sys.stderr)


def output(call, text):
    """`name = !command`: the lines of its output."""
    command = expand(text, call.globals, call.locals)
    from . import pip

    if pip.handles(command):
        call.globals["_exit_code"] = pip.command(command, call)
        return Lines([])
    done = _captured([shell_path(), "-c", command], subprocess.STDOUT)
    call.globals["_exit_code"] = done[0]
    return Lines(done[1].splitlines())


def getoutput(command):
    return Lines(_captured([shell_path(), "-c", command], subprocess.STDOUT)[1].splitlines())


def line(call):
    system(call, call.line)


def alias(call):
    """%ls, %mkdir and the like are the commands of that name."""
    system(call, call.name + " " + call.line)


def output_line(call):
    return output(call, call.line)


def run(argv, stdin=None):
    """Run a process to its end; its output is live, or goes to what sys.stdout was replaced with."""
    if getattr(sys, "stdout", None) in (state.stdout, None) and state.capture is None:
        return _wait(subprocess.Popen(argv, stdin=subprocess.PIPE if stdin is not None else None), stdin)
    status, text = _captured(argv, subprocess.STDOUT, stdin)
    sys.stdout.write(text)
    return status


def _captured(argv, stderr, stdin=None):
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE if stdin is not None else None, stdout=subprocess.PIPE, stderr=stderr
    )
    try:
        data = process.communicate(stdin)[0]
    except BaseException:
        _end(process)
        raise
    return process.returncode, data.decode("utf-8", "replace")


def _wait(process, stdin):
    try:
        if stdin is not None:
            process.communicate(stdin)
        return process.wait()
    except BaseException:
        _end(process)
        raise


def _end(process):
    """The cell is being stopped: so is the command, at once."""
    process.terminate()
    try:
        process.wait(0.3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def script(call):
    """%%bash, %%python3, %%script name: the body is given to that program."""
    import shlex

    words = shlex.split(call.line)
    options = {}
    rest = []
    while words:
        word = words.pop(0)
        if word in ("--out", "--err", "--proc") and words:
            options[word] = words.pop(0)
        elif word in ("--bg", "--no-raise-error", "--raise-error"):
            options[word] = True
        else:
            rest.append(word)
    if call.name == "script":
        if not rest:
            from . import magics

            raise magics.UsageError("%%script needs a program: %%script bash")
        argv = rest
    else:
        program = {"bash": shell_path(), "python": sys.executable, "python3": sys.executable}
        argv = [program.get(call.name, call.name)] + rest
    _script(call, argv, options)


def _install_first(text):
    """Installations at the top of a shell's script go the way of %pip: its own pip could not. Returns what is left."""
    from . import pip

    lines = text.split("\n")
    for i, line in enumerate(lines):
        line = line.strip()
        if pip.handles(line) and not line.endswith("\\"):
            pip.command(line, None)
            lines[i] = ""
        elif line and not line.startswith("#"):
            break
    return "\n".join(lines)


def _script(call, argv, options):
    text = _install_first(call.body) if argv[0] in ("sh", "bash", shell_path()) else call.body
    body = text.encode("utf-8", "surrogateescape") + b"\n"
    try:
        if "--out" in options or "--err" in options:
            pipe = subprocess.PIPE
            done = subprocess.run(argv, input=body, stdout=pipe, stderr=pipe)
            for key, data in (("--out", done.stdout), ("--err", done.stderr)):
                text = data.decode("utf-8", "replace")
                if key in options:
                    call.globals[options[key]] = text
                elif text:
                    (sys.stdout if key == "--out" else sys.stderr).write(text)
            status = done.returncode
        else:
            status = run(argv, body)
    except FileNotFoundError:
        from . import magics

        raise magics.UsageError("%s is not installed" % argv[0]) from None
    call.globals["_exit_code"] = status
    if status and "--no-raise-error" not in options:
        raise subprocess.CalledProcessError(status, " ".join(argv))


def script_sh(call):
    _script(call, [shell_path()], {})


def script_output(call):
    return output(call, call.body)


class Lines(list):
    """What `name = !command` gives: a list of lines, also as .s (one line), .n (one text), .grep(), .fields()."""

    l = property(lambda self: list(self))
    n = property(lambda self: "\n".join(self))
    s = property(lambda self: " ".join(self))
    nlstr = n
    spstr = s
    list = l

    @property
    def p(self):
        from pathlib import Path

        return [Path(x) for x in self if Path(x).exists()]

    def grep(self, pattern, prune=False, field=None):
        def text(line):
            return line if field is None else (line.split()[field : field + 1] or [""])[0]

        test = pattern if callable(pattern) else lambda x: re.search(pattern, x, re.I)
        return Lines([x for x in self if bool(test(text(x))) != prune])

    def fields(self, *numbers):
        rows = [x.split() for x in self]
        if not numbers:
            return rows
        return Lines([" ".join(row[n] for n in numbers if -len(row) <= n < len(row)) for row in rows])


Lines.__name__ = Lines.__qualname__ = "SList"
