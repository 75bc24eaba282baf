"""The least that any server could do: the same bytes through one pipe to a forked CPython that only execs them."""

import os
import sys
import time

CODE = b"print(1+1)"


class BareLoop:
    def __init__(self):
        theirs, self.to = os.pipe()
        self.come, out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.to)
            os.close(self.come)
            os.dup2(out, 1)
            self.serve(theirs)
        os.close(theirs)
        os.close(out)

    @staticmethod
    def serve(theirs):
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        names = {}
        while code := os.read(theirs, 65536):
            exec(code, names)
        os._exit(0)

    def timed_calls(self, n):
        times = []
        for _ in range(n):
            begin = time.perf_counter_ns()
            os.write(self.to, CODE)
            printed = os.read(self.come, 65536)
            times.append(time.perf_counter_ns() - begin)
            assert printed == b"2\n", printed
        return times

    def close(self):
        os.close(self.to)
        os.waitpid(self.pid, 0)
        os.close(self.come)
