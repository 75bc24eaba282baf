"""Run one module of CPython's regression tests and print each test's outcome: regress_module.py MODULE [ID...]

Runs inside and outside of sandboxes, on any Python from 3.9. With IDs only these tests run. The last line is JSON.
"""

import importlib.util
import json
import os
import signal
import sys
import unittest


class Recorder(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def note(self, test, outcome, why=""):
        # The worst of a test and its subtests counts.
        order = ["ok", "skipped", "failed"]
        name = test.id()
        before = self.outcomes.get(name, ["ok", ""])
        if order.index(outcome) >= order.index(before[0]):
            self.outcomes[name] = [outcome, why[-300:]]

    def addSuccess(self, test):
        self.note(test, "ok")

    def addSkip(self, test, reason):
        self.note(getattr(test, "test_case", test), "skipped", reason)

    def addExpectedFailure(self, test, err):
        self.note(test, "ok")

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed", "unexpected success")

    def wrong(self, test, err):
        self.note(test, "failed", "%s: %s" % (err[0].__name__, err[1]))

    addError = addFailure = wrong

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.wrong(test, err)


def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def chosen(suite, wanted):
    """The suite without the tests that are not wanted; its classes and modules are still set up."""
    kept = unittest.TestSuite()
    for test in each(suite):
        if test.id() in wanted:
            kept.addTest(test)
    return kept


def main():
    from test import support

    name, wanted = sys.argv[1], set(sys.argv[2:])
    if not importlib.util.find_spec("test." + name):
        print(json.dumps({"the whole module": ["skipped", "this Python has none"]}))
        return
    support.use_resources = []  # no network, no big files, no audio
    support.verbose = 0
    # regrtest's: what a signal that the shell ignores would do to tests of signals.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.makedirs("tests", exist_ok=True)
    os.chdir("tests")
    try:
        suite = unittest.defaultTestLoader.loadTestsFromName("test." + name)
    except unittest.SkipTest as e:
        print(json.dumps({"the whole module": ["skipped", str(e)]}))
        return
    result = Recorder()
    (chosen(suite, wanted) if wanted else suite).run(result)
    sys.stdout.flush()
    print("\n" + json.dumps(result.outcomes), flush=True)
    os._exit(0)  # some tests leave threads


if __name__ == "__main__":
    main()
