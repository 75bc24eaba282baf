"""
Worker processes: tasks and answers are JSON on a pair of sockets. (multiprocessing would need semaphores in /dev/shm,
and loses the whole pool with one process.) A worker that dies is replaced, and its task is answered with DIED.
"""

import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import warnings

from . import problem, unpack

DIED = "died"
MEMORY_MAX = 1 << 30
COMPILE_SECONDS = 20  # of processor time for one file
_slot = struct.Struct("=q")
_size = struct.Struct("=Q")


class Worker:
    def __init__(self, pool):
        self.mark = mmap.mmap(-1, 4096)  # shared: which file is being compiled
        ours, its = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                ours.close()
                for other in pool.workers:
                    other.socket.close()
                self.serve(its)
                status = 0
            finally:
                os._exit(status)
        its.close()
        self.socket, self.task, self.received = ours, None, b""

    def at(self, i):
        self.mark[: _slot.size] = _slot.pack(i)
        # Its default action ends the process: nothing else stops the compiler.
        signal.setitimer(signal.ITIMER_PROF, COMPILE_SECONDS if i >= 0 else 0)

    def in_work(self):
        return _slot.unpack(self.mark[: _slot.size])[0]

    def serve(self, sock):
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX, MEMORY_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        warnings.simplefilter("ignore")  # the compiler's, about the sources of others
        self.at(-1)
        stream = sock.makefile("rwb")
        while True:
            head = stream.read(_size.size)
            if len(head) < _size.size:
                return
            task = json.loads(stream.read(_size.unpack(head)[0]))
            try:
                answer = unpack.inspect(task) if task["do"] == "inspect" else unpack.extract(task, self.at)
            except Exception as error:
                what = problem.from_error(error)
                answer = {"problem": [what.kind, what.reason]}
            data = json.dumps(answer).encode()
            stream.write(_size.pack(len(data)) + data)
            stream.flush()

    def send(self, task):
        data = json.dumps(task).encode()
        self.task, self.received = task, b""
        self.at_start()
        self.socket.setblocking(True)
        self.socket.sendall(_size.pack(len(data)) + data)
        self.socket.setblocking(False)

    def at_start(self):
        self.mark[: _slot.size] = _slot.pack(-1)

    def receive(self):
        """The answer; None: not yet whole. EOFError: it died."""
        parts = [self.received]
        while True:
            try:
                part = self.socket.recv(1 << 20)
            except BlockingIOError:
                break
            except OSError:
                part = b""
            if not part:
                raise EOFError
            parts.append(part)
        self.received = b"".join(parts)
        if len(self.received) < _size.size:
            return None
        size = _size.unpack_from(self.received)[0]
        if len(self.received) < _size.size + size:
            return None
        return json.loads(self.received[_size.size :])


class Pool:
    def __init__(self, count):
        self.workers, self.waiting = [], []
        for _ in range(count):
            self.workers.append(Worker(self))

    def submit(self, task):
        self.waiting.append(task)

    def busy(self):
        return bool(self.waiting) or any(worker.task for worker in self.workers)

    def poll(self, seconds, wake):
        """Wait for answers, or until there is something to read from the descriptor wake. [(task, answer)]."""
        for worker in list(self.workers):
            while self.waiting and worker.task is None:
                try:
                    worker.send(self.waiting.pop(0))
                except OSError:  # it died while idle
                    task, worker = worker.task, self._replace(worker)
                    self.waiting.insert(0, task)
        poller = select.poll()
        poller.register(wake, select.POLLIN)
        for worker in self.workers:
            if worker.task is not None:
                poller.register(worker.socket, select.POLLIN)
        ready = {fd for fd, _ in poller.poll(seconds * 1000)}
        done = []
        for worker in list(self.workers):
            if worker.task is None or worker.socket.fileno() not in ready:
                continue
            try:
                answer = worker.receive()
            except EOFError:
                done.append((worker.task, {DIED: worker.in_work()}))
                self._replace(worker)
                continue
            if answer is not None:
                done.append((worker.task, answer))
                worker.task = None
        return done

    def _replace(self, worker):
        worker.socket.close()
        os.waitpid(worker.pid, 0)
        self.workers.remove(worker)
        fresh = Worker(self)
        self.workers.append(fresh)
        return fresh

    def close(self):
        for worker in self.workers:
            worker.socket.close()
        for worker in self.workers:
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)
