"""%time, %%time, %timeit, %%timeit, %prun and %%capture, with the output that IPython prints."""

import sys
import time

from . import state


def time_(call):
    text = call.body if call.body is not None else call.line
    if call.body is not None and call.line:
        call.run(call.line, 0)
    if not text.strip():
        print("nothing to time: %time needs a statement")
        return None
    cpu0, wall0 = _cpu(), time.perf_counter()
    try:
        return call.run(text)
    finally:
        wall = time.perf_counter() - wall0
        user, system = (b - a for a, b in zip(cpu0, _cpu()))
        print("CPU times: user %s, sys: %s, total: %s" % (span(user), span(system), span(user + system)))
        print("Wall time: %s" % span(wall))


def _cpu():
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime, usage.ru_stime


def span(seconds, precision=3):
    """Seconds for a reader: 1.23 ms, 2min 3s."""
    if seconds >= 60:
        parts = []
        for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
            n, seconds = divmod(seconds, size)
            if n >= 1:
                parts.append("%d%s" % (n, name))
        return " ".join(parts)
    if seconds <= 0:
        return "0 ns"
    for name, factor in (("s", 1), ("ms", 1e3), ("\xb5s", 1e6), ("ns", 1e9)):
        if seconds * factor >= 1:
            break
    return "%.*g %s" % (precision, seconds * factor, name)


class TimeitResult:
    """What %timeit -o returns."""

    def __init__(self, loops, repeat, timings, precision):
        import statistics

        self.loops, self.repeat, self.all_runs = loops, repeat, timings
        self.timings = [t / loops for t in timings]
        self.best, self.worst = min(self.timings), max(self.timings)
        self.average = statistics.fmean(self.timings)
        self.stdev = statistics.pstdev(self.timings)
        self._precision = precision

    def __str__(self):
        p = self._precision
        return "%s \xb1 %s per loop (mean \xb1 std. dev. of %d run%s, %s loop%s each)" % (
            span(self.average, p),
            span(self.stdev, p),
            self.repeat,
            "" if self.repeat == 1 else "s",
            format(self.loops, ","),
            "" if self.loops == 1 else "s",
        )

    def __repr__(self):
        return "<TimeitResult : %s>" % self


def timeit_(call):
    import timeit

    options, rest = split_options(call.line, "nrp", "tcqov")
    body = call.body
    statement, setup = (body, rest or "pass") if body is not None else (rest, "pass")
    if not statement.strip():
        print("nothing to time: %timeit needs a statement")
        return None
    timer = _timer(timeit, statement, setup, call)
    precision = int(options.get("p", 3))
    repeat = int(options.get("r", timeit.default_repeat if timeit.default_repeat > 5 else 7))
    loops = int(options.get("n", 0))
    if not loops:
        for exponent in range(10):
            loops = 10**exponent
            if timer.timeit(loops) >= 0.2:
                break
    result = TimeitResult(loops, repeat, timer.repeat(repeat, loops), precision)
    if "q" not in options:
        print(result)
        if result.worst > 4 * result.best and result.best > 0 and result.worst > 1e-6:
            print(
                "The slowest run took %0.2f times longer than the fastest. This could mean that an intermediate "
                "result is being cached." % (result.worst / result.best)
            )
    return result if "o" in options else None


def _timer(timeit, statement, setup, call):
    """A Timer whose statement may be notebook code and sees the variables of the caller."""
    from . import transform

    texts = []
    for text in (statement, setup):
        try:
            compile(text, call.filename, "exec", 0x400, True)
        except SyntaxError:
            text = transform.transform(text)
            compile(text, call.filename, "exec", 0x400, True)
        texts.append(text)
    names = call.globals
    if call.locals is not call.globals:
        names = dict(call.globals)
        names.update(call.locals)
    return timeit.Timer(texts[0], texts[1], globals=names)


def split_options(line, with_value, flags):
    """Single-letter options at the start of a line: ({letter: value}, the rest)."""
    options = {}
    rest = line.strip()
    while rest.startswith("-") and len(rest) > 1 and (rest[1] in with_value or rest[1] in flags):
        word, _, after = rest.partition(" ")
        letter = word[1]
        if letter in with_value:
            value = word[2:]
            if not value:
                value, _, after = after.lstrip().partition(" ")
            options[letter] = value
        else:
            for letter in word[1:]:
                options[letter] = True
        rest = after.lstrip()
    return options, rest


def prun(call):
    import cProfile
    import pstats

    options, rest = split_options(call.line, "lsTD", "rq")
    text = call.body if call.body is not None else rest
    profile = cProfile.Profile()
    value = None
    profile.enable()
    try:
        value = call.run(text)
    finally:
        profile.disable()
        stats = pstats.Stats(profile, stream=sys.stdout)
        _drop_ours(stats)
        stats.strip_dirs().sort_stats(options.get("s", "tottime"))
        if "q" not in options:
            limit = options.get("l", "30")
            stats.print_stats(float(limit) if "." in limit else int(limit) if limit.isdigit() else limit)
    return stats if "r" in options else value


def _drop_ours(stats):
    """The kernel's own functions are no part of what was measured."""
    for key in [key for key in stats.stats if key[0].startswith("<cellblock>")]:
        stats.total_calls -= stats.stats[key][1]
        stats.prim_calls -= stats.stats[key][0]
        stats.total_tt -= stats.stats[key][2]
        del stats.stats[key]


def capture(call):
    """%%capture [name] [--no-stdout] [--no-stderr] [--no-display]"""
    import io

    words = call.line.split()
    names = [w for w in words if not w.startswith("-")]
    out, err, shown = sys.stdout, sys.stderr, state.capture
    texts = (io.StringIO(), io.StringIO())
    collected = []
    try:
        if "--no-stdout" not in words:
            sys.stdout = texts[0]
        if "--no-stderr" not in words:
            sys.stderr = texts[1]
        if "--no-display" not in words:
            state.capture = collected
        value = call.run(call.body if call.body is not None else "")
        if value is not None:
            from . import execute

            execute.show(value)
        _flush_figures()
    finally:
        sys.stdout, sys.stderr, state.capture = out, err, shown
        if names:
            call.globals[names[0]] = Captured(texts[0].getvalue(), texts[1].getvalue(), collected)


def _flush_figures():
    if "matplotlib.pyplot" in sys.modules:
        from . import figures

        figures.flush(None)


class Captured:
    """What %%capture name leaves in name."""

    def __init__(self, stdout, stderr, outputs):
        self.stdout, self.stderr = stdout, stderr
        self._items = outputs

    def __str__(self):
        return self.stdout

    @property
    def outputs(self):
        return [_Item(mime, data) for mime, data in self._items]

    def show(self):
        sys.stdout.write(self.stdout)
        sys.stderr.write(self.stderr)
        for mime, data in self._items:
            state.emit(mime, data)

    __call__ = show


class _Item:
    def __init__(self, mime, data):
        self.mime, self.data = mime, data

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self.mime: self.data}
