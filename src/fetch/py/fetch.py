"""
`unpack`: fetches wheels, several at a time, and unpacks each as soon as it is there. This process only directs: threads
wait for the network, worker processes unpack and compile.
"""

import os
import queue
import shutil
import sys
import threading
import time

from . import problem, record, unpack
from .download import Download, Settings
from .job import write_file, write_outcome
from .problem import TIMEOUT, UNKNOWN, Problem, bad
from .workers import DIED, Pool

DOWNLOADS = 6  # at a time
WORKERS_MAX = 8
SHARES = 6  # of a wheel for each worker: the last one should not be waited for long
SHARE_COST_MIN = 32 << 20
DEATHS_MAX = 10  # of compilers in one wheel, then the rest of it stays uncompiled
SAY_SECONDS = 0.25
GRACE_SECONDS = 30


class Item:
    """A wheel on its way."""

    def __init__(self, wheel, number, settings):
        self.wheel, self.number = wheel, number
        self.download = Download(wheel, "download-%d.whl" % number, settings)
        self.folder = "unpacking-%d" % number
        self.started = None
        self.client = None
        self.shares = self.deaths = 0  # shares: tasks of it that are not answered
        self.entries, self.compiled, self.info = [], [], None
        self.problem = self.id = None
        self.over = False

    def label(self):
        return "%s %s" % (self.wheel.name, self.wheel.version)


class Fetch:
    def __init__(self, job):
        self.job = job
        self.site = job.get("lib")
        self.cache_tag = job.get("cache-tag")
        if not self.site or not self.cache_tag:
            raise Problem(UNKNOWN, "the job lacks cache-tag or lib")
        if self.cache_tag != sys.implementation.cache_tag:
            raise Problem(UNKNOWN, "this Python makes bytecode for %s only" % sys.implementation.cache_tag)
        self.prefix = job.get("prefix", "/packages")
        most = job.number("max-wheel-bytes", 2 << 30)
        self.limits = [most, job.number("max-unpacked-bytes", 4 << 30), job.number("max-files", 50000)]
        self.settings = Settings(job)
        self.items = [Item(wheel, i, self.settings) for i, wheel in enumerate(job.wheels())]
        self.waiting = queue.SimpleQueue()
        self.arrived = queue.SimpleQueue()
        self.said = 0.0
        self.n_workers = min(len(os.sched_getaffinity(0)), WORKERS_MAX)

    def run(self):
        self.pool = Pool(self.n_workers)  # before there are threads: it forks
        self.wake, self.waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for item in self.items:
            self.waiting.put(item)
        for _ in range(min(DOWNLOADS, len(self.items))):
            threading.Thread(target=self._downloads, daemon=True).start()
        while not all(item.over for item in self.items):
            for task, answer in self.pool.poll(SAY_SECONDS, self.wake):
                self._answered(self.items[task["item"]], task, answer)
            self._drain()
            self._watch()
            self._say()
        self.pool.close()
        for item in self.items:  # not before: if this process is ended, whole ones are of use, too
            if item.download.kept is not None:
                item.download.end(item.problem)
        failed = [(item.wheel, item.problem) for item in self.items if item.problem]
        write_outcome([(item.wheel, item.id) for item in self.items if item.id], failed)
        return 1 if failed else 0

    # ---- downloads, in threads ----

    def _downloads(self):
        client = self.settings.client()
        while True:
            try:
                item = self.waiting.get_nowait()
            except queue.Empty:
                return client.close()
            item.client, item.started = client, time.monotonic()
            try:
                item.download.run(client)
                found = None
            except Exception as error:
                found = problem.from_error(error)
            self.arrived.put((item, found))
            try:
                os.write(self.waker, b".")
            except BlockingIOError:
                pass

    def _drain(self):
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                item, found = self.arrived.get_nowait()
            except queue.Empty:
                return
            item.started = None
            if item.over:
                continue
            if found:
                item.problem = found
                self._end(item)
                continue
            self._tell("unpacking %s" % item.label())
            task = {"path": item.download.path, "filename": item.wheel.filename, "name": item.wheel.name}
            task.update(version=item.wheel.version, limits=self.limits)
            self._submit(item, "inspect", task)

    def _watch(self):
        for item in self.items:
            if item.started is None or item.over:
                continue
            if item.client:
                item.client.cut()
            if time.monotonic() - item.started > self.settings.total + GRACE_SECONDS:
                item.problem = Problem(TIMEOUT, "it did not come whole within %d s" % self.settings.total)
                self._end(item)  # its thread is left where it hangs

    # ---- unpacking, in processes ----

    def _submit(self, item, do, task):
        task.update(do=do, item=item.number, site=self.site, tree=item.folder + "/tree", prefix=self.prefix)
        item.shares += 1
        self.pool.submit(task)

    def _answered(self, item, task, answer):
        item.shares -= 1
        if DIED in answer:
            self._died(item, task, answer[DIED])
        elif "problem" in answer:
            item.problem = item.problem or Problem(*answer["problem"])
        elif item.problem:
            pass
        elif task["do"] == "inspect":
            item.info = answer["info"]
            item.entries += answer["made"]
            for share in self._shares(answer["files"]):
                self._submit(item, "extract", {"path": task["path"], "files": share})
        else:
            item.entries += answer["entries"]
            item.compiled += answer["compiled"]
        if item.shares == 0:
            self._end(item)

    def _shares(self, files):
        most = max(sum(file[-1] for file in files) // (SHARES * self.n_workers), SHARE_COST_MIN)
        share, cost = [], 0
        for file in files:
            share.append(file)
            cost += file[-1]
            if cost >= most:
                yield share
                share, cost = [], 0
        if share:
            yield share

    def _died(self, item, task, culprit):
        """A compiler that ends by a signal is the fault of the source that it was at."""
        if item.problem:
            return
        if culprit < 0:
            item.problem = Problem(UNKNOWN, "unpacking it ended unexpectedly")
            return
        item.deaths += 1
        task.setdefault("skip", []).append(culprit)
        if item.deaths > DEATHS_MAX:
            task["skip"] = list(range(len(task["files"])))
        self._submit(item, task["do"], task)

    def _end(self, item):
        """Whatever comes of it."""
        item.over = True
        try:
            if not item.problem:
                self._publish(item)
        except Exception as error:
            item.problem = problem.from_error(error)
        if item.problem:
            shutil.rmtree(item.folder, ignore_errors=True)
            self._tell("failed: %s: %s" % (item.label(), problem.one_line(item.problem.reason)))
        if item.download.kept is None:
            item.download.end(item.problem)

    def _publish(self, item):
        """RECORD, the manifest, and the name that says that it is whole."""
        path = item.info + "/RECORD"
        content = record.installed([entry[:3] for entry in item.entries], self.site, path)
        entries = item.entries + item.compiled
        entries.append(unpack.write(item.folder + "/tree", path, [content], False))
        lines = ["%s %d %s %s\n" % (sha256, size, "x" if x else "-", name) for name, sha256, size, x in sorted(entries)]
        if len(lines) > self.limits[2]:
            raise Problem(problem.TOO_LARGE, "it has %d files; at most %d are accepted" % (len(lines), self.limits[2]))
        total = sum(entry[2] for entry in entries)
        if total > self.limits[1]:
            text = "it has %d bytes unpacked; at most %d are accepted" % (total, self.limits[1])
            raise Problem(problem.TOO_LARGE, text)
        if len({entry[0] for entry in entries}) != len(entries):
            raise bad("two of its files would have one name")
        write_file(item.folder + "/manifest", "".join(lines))
        id = "%s-%s" % (item.download.sha256, self.cache_tag)
        if os.path.exists(id):  # the same file by two names
            shutil.rmtree(item.folder)
        else:
            os.rename(item.folder, id)
        item.id = id

    # ---- progress ----

    def _tell(self, line):
        print(problem.one_line(line), flush=True)

    def _say(self):
        now = time.monotonic()
        if now - self.said < SAY_SECONDS:
            return
        coming = [item for item in self.items if item.started is not None and not item.over]
        if coming:
            got = sum(item.download.got for item in coming)
            sizes = [item.download.size for item in coming]
            of = "" if None in sizes else " of %.1f" % (sum(sizes) / 1e6)
            more = " and %d more" % (len(coming) - 1) if len(coming) > 1 else ""
            self._tell("downloading %s%s: %.1f%s MB" % (coming[0].label(), more, got / 1e6, of))
        else:
            busy = [item for item in self.items if not item.over and item.info]
            if not busy:
                return
            self._tell("unpacking and compiling %s" % ", ".join(item.label() for item in busy[:3]))
        self.said = now


def run(job):
    return Fetch(job).run()
