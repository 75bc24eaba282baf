"""What the extension module gives to the kernel's Python: frames, marks, standard streams."""

import resource
import socket
import threading
import time
import unittest

import harness
from harness import FIELD, HEADER, WIRE_CODE, WIRE_EXEC, WIRE_RESULT, WIRE_STATUS, Zygote
from stub import MAIN

TEXT = harness.WIRE_TEXT


class TestChannel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zygote = Zygote(replace={"main": MAIN})

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def setUp(self):
        self.kernel = self.zygote.fork()
        self.addCleanup(self.kernel.close)

    def run_code(self, code):
        result = self.kernel.execute(code)
        self.assertEqual(result.status, "ok", result)
        return result

    def sent(self, code):
        """The frame that this code sends."""
        frames = self.run_code(code).frames
        self.assertEqual(len(frames), 1)
        return frames[0]

    def test_fields(self):
        fields = [(WIRE_CODE, "print(seq, fields)"), (77, b""), (77, b"\0\xff"), (0xFFFFFFFF, b"x")]
        self.kernel.send(WIRE_EXEC, 0xFFFFFFFF, fields)
        frame = self.kernel.recv()
        self.assertEqual((frame.type, frame.seq), (WIRE_RESULT, 0xFFFFFFFF))
        expected = "4294967295 [(1, b'print(seq, fields)'), (77, b''), (77, b'\\x00\\xff'), (4294967295, b'x')]\n"
        self.assertEqual(self.kernel.read_pipe().decode(), expected)

    def test_in_pieces(self):
        code = b"x = 1; print(%d * 2)" % 21
        frame = HEADER.pack(len(code) + FIELD.size, WIRE_EXEC, 1, 5) + FIELD.pack(WIRE_CODE, len(code)) + code
        for byte in frame:
            self.kernel.send_bytes(bytes([byte]))
        self.assertEqual(self.kernel.recv().text(WIRE_STATUS), "ok")
        self.assertEqual(self.kernel.read_pipe(), b"42\n")

    def test_many_at_once(self):
        code = b"print(seq, end=' ')"
        frames = b""
        for seq in range(300):
            head = HEADER.pack(len(code) + FIELD.size, WIRE_EXEC, 1, seq)
            frames += head + FIELD.pack(WIRE_CODE, len(code)) + code
        self.kernel.send_bytes(frames)
        self.assertEqual([self.kernel.recv().seq for _ in range(300)], list(range(300)))
        self.assertEqual(self.kernel.read_pipe().split(), [b"%d" % seq for seq in range(300)])

    def test_large(self):
        size = 15 << 20
        self.kernel.send(WIRE_EXEC, 1, [(WIRE_CODE, "print(len(dict(fields)[77]))"), (77, b"x" * size)])
        self.assertEqual(self.kernel.recv().text(WIRE_STATUS), "ok")
        self.assertEqual(self.kernel.read_pipe(), b"%d\n" % size)
        frame = self.sent("_cellblock.send(107, 9, [(14, b'y' * %d)])" % size)
        self.assertEqual((frame.type, frame.seq, frame.get(TEXT)), (107, 9, b"y" * size))
        self.run_code("pass")

    def test_text(self):
        frame = self.sent(r"_cellblock.send(107, 1, [(14, 'a\u00e9\U0001f600\ud800\0')])")
        self.assertEqual(frame.get(TEXT), "a\u00e9\U0001f600\\ud800\0".encode())

    def test_refused(self):
        for code, error in (
            ("_cellblock.send(107, 1, [(14, 'x')] * 257)", "ValueError"),
            ("_cellblock.send(107, 1, [(14, b'x' * (16 << 20))])", "ValueError"),
            ("_cellblock.send(107, 1, [(14, 5.5)])", "TypeError"),
            ("_cellblock.send(107, 1, [14])", "TypeError"),
            ("_cellblock.send(107, 1, 5)", "TypeError"),
            ("_cellblock.send()", "TypeError"),
            ("_cellblock.mark('x')", "TypeError"),
            ("_cellblock.set_stdin('x')", "TypeError"),
            ("_cellblock.run()", "TypeError"),
        ):
            with self.subTest(code):
                result = self.kernel.execute(code)
                self.assertEqual((result.status, result.name, result.frames), ("error", error, []))

    def test_threads(self):
        """Frames of several threads come whole."""
        code = """
import threading
def send(n):
    for i in range(20):
        _cellblock.send(107, n, [(14, bytes([n]) * 100000)])
threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""
        frames = self.run_code(code).frames
        self.assertEqual(len(frames), 80)
        for frame in frames:
            self.assertEqual(frame.get(TEXT), bytes([frame.seq]) * 100000)

    def test_signals_do_not_cut_frames(self):
        self.kernel.start("while True: _cellblock.send(107, 7, [(14, b'z' * 3000000)])")
        frames = [self.kernel.recv()]
        time.sleep(0.05)  # it is in the middle of a frame: the socket is full
        self.kernel.interrupt()
        while frames[-1].type != WIRE_RESULT:
            frames.append(self.kernel.recv())
        self.assertEqual(frames.pop().text(WIRE_STATUS), "interrupted")
        self.assertEqual({frame.get(TEXT) for frame in frames}, {b"z" * 3000000})

    def test_end_of_the_server(self):
        self.kernel.channel.shutdown(socket.SHUT_WR)
        self.assertEqual(self.kernel.wait().status, 0)

    def test_bad_frame(self):
        self.kernel.send_bytes(HEADER.pack(1 << 30, 1, 1, 1))
        self.assertEqual(self.kernel.wait().status, 0)

    def test_children_have_no_channel(self):
        """What user code forks cannot speak for the kernel, and does not keep its channel open."""
        code = """
import os
pid = os.fork()
if pid == 0:
    said = _cellblock.send(107, 1, [(14, "x")]), _cellblock.mark(1)
    try: _cellblock.recv()
    except EOFError: said += ("end",)
    open_fds = [n for n in os.listdir("/proc/self/fd") if int(n) >= 900]
    print(said, open_fds, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""
        result = self.run_code(code)
        self.assertEqual(result.frames, [])
        self.assertEqual(result.text, "(False, False, 'end') []\n")
        self.assertEqual(self.run_code("print(_cellblock.send(107, 1, []))").text, "True\n")

    def test_mark(self):
        code = """
import os, sys
os.write(1, b"a")
_cellblock.send(102, seq, [(11, "1"), (12, "text/plain"), (13, "one")])
_cellblock.mark(1)
os.write(2, b"b")
_cellblock.mark(0x89abcdef)
_cellblock.send(102, seq, [(11, str(0x89abcdef)), (12, "text/plain"), (13, "two")])
"""
        items = self.run_code(code).items
        self.assertEqual(items, [("text", "a"), ("display", "text/plain", b"one"), ("text", "b"),
                                 ("display", "text/plain", b"two")])

    def test_mark_when_1_is_elsewhere(self):
        code = "import os; n = os.open('/dev/null', os.O_WRONLY); os.dup2(n, 1)\n"
        code += "_cellblock.send(102, seq, [(11, '1'), (12, 'text/plain'), (13, 'one')]); _cellblock.mark(1)"
        self.assertEqual(self.run_code(code).displays, [("text/plain", b"one")])

    def test_mark_in_a_pipe_that_does_not_block(self):
        """asyncio makes pipes non-blocking, for everybody who has them."""
        code = """
import os
os.set_blocking(1, False)
try:
    while True: os.write(1, b"x" * 4096)
except BlockingIOError: pass
_cellblock.send(102, seq, [(11, "1"), (12, "text/plain"), (13, "one")])
_cellblock.mark(1)
"""
        items = self.run_code(code).items
        self.assertEqual(items[-1], ("display", "text/plain", b"one"))

    def test_stdin(self):
        read = "import os; print(os.read(0, 100), os.read(0, 100))"
        self.assertEqual(self.run_code(read).text, "b'' b''\n")
        self.run_code("_cellblock.set_stdin(b'one\\ntwo\\n')")
        self.assertEqual(self.run_code("import subprocess; print(subprocess.check_output(['head', '-c', '4']))").text,
                         "b'one\\n'\n")
        self.assertEqual(self.run_code(read).text, "b'two\\n' b''\n")
        self.run_code("_cellblock.set_stdin(b'three')")
        self.assertEqual(self.run_code(read).text, "b'three' b''\n")
        self.run_code("_cellblock.set_stdin(None); _cellblock.set_stdin(None)")
        self.assertEqual(self.run_code(read).text, "b'' b''\n")
        fds = self.run_code("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:4])").text
        self.assertTrue(fds.startswith("[0, 1, 2, 3]") or fds.startswith("[0, 1, 2, 900]"), fds)

    def test_stdin_of_c_code(self):
        """What C code has read ahead from one cell's input is not in the next one's."""
        read = "import ctypes; C = ctypes.CDLL(None); C.getchar.restype = ctypes.c_int; print(chr(C.getchar()))"
        self.run_code("_cellblock.set_stdin(b'one')")
        self.assertEqual(self.run_code(read).text, "o\n")
        self.run_code("_cellblock.set_stdin(b'xyz')")
        self.assertEqual(self.run_code(read).text, "x\n")

    def test_c_output(self):
        """Lines that C code prints come at once; the rest at fflush."""
        code = """
import ctypes, os
C = ctypes.CDLL(None)
C.printf(b"a\\n"); os.write(1, b"b\\n"); C.printf(b"c"); os.write(1, b"d"); _cellblock.fflush(); os.write(1, b"e")
"""
        self.assertEqual(self.run_code(code).text, "a\nb\ndce")

    def test_few_descriptors(self):
        """A small limit of open files: the channel sits lower, and all works."""
        old = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, old[1]))
        try:
            zygote = Zygote(replace={"main": MAIN})
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, old)
        with zygote:
            self.assertEqual(zygote.fork().execute("print(1)").text, "1\n")

    def test_user_threads_run_between_cells(self):
        code = "import threading, time\nn = []\ndef f():\n for i in range(5): n.append(time.sleep(0.01))\n"
        self.run_code(code + "t = threading.Thread(target=f); t.start()")
        time.sleep(0.3)
        self.assertEqual(self.run_code("print(len(n), t.is_alive())").text, "5 False\n")

    def test_many_kernels_from_threads_of_the_server(self):
        """The order of FORKED is the order of FORK; several kernels run at once."""
        kernels = [self.zygote.fork() for _ in range(8)]
        threads = [threading.Thread(target=kernel.execute, args=("import time; time.sleep(0.3)",)) for kernel in kernels]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertLess(time.monotonic() - begin, 2.0)
        for kernel in kernels:
            kernel.close()


if __name__ == "__main__":
    unittest.main()
