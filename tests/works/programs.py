"""What must work in isolated sessions: programs as people write them. Each ends with the value that is expected."""

PROGRAMS = []


class Program:
    def __init__(self, name, cells, expected, needs, image, stdin):
        self.name, self.cells, self.expected = name, cells, expected
        self.needs, self.image, self.stdin = needs, image, stdin


def works(name, *cells, expected="'works'", needs=(), image=False, stdin=None):
    """cells run one after another in one session; the last one's result ends with expected. needs: modules."""
    PROGRAMS.append(Program(name, cells, expected, needs, image, stdin))


# ---- science ----

works("numpy", "import numpy as np\na = np.random.default_rng(1).normal(size=(300, 300))\n"
      "q, r = np.linalg.qr(a)\nassert np.allclose(q @ r, a)\nnp.save('a.npy', a)\n"
      "assert (np.load('a.npy', mmap_mode='r') == a).all()\n'works'", needs=["numpy"])  # fmt: skip
works("numpy in threads", "import numpy as np\nfrom concurrent.futures import ThreadPoolExecutor\n"
      "with ThreadPoolExecutor(4) as pool:\n    d = list(pool.map(lambda n: np.linalg.det(np.eye(n) * 2), range(1, 9)))\n"
      "assert np.allclose(d, [2.0 ** n for n in range(1, 9)])\n'works'", needs=["numpy"])  # fmt: skip
works("pandas", "import pandas as pd\nd = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyx')})\nd.to_csv('d.csv')\n"
      "e = pd.read_csv('d.csv', index_col=0)\nassert e.equals(d)\nassert d.groupby('b').a.sum().to_dict() == "
      "{'x': 4, 'y': 2}\nassert str(pd.Timestamp('2024-07-01', tz='Europe/Berlin').utcoffset()) == '2:00:00'\n'works'",
      needs=["pandas"])  # fmt: skip
works("pandas and sqlite", "import pandas as pd, sqlite3\nc = sqlite3.connect('p.db')\n"
      "pd.DataFrame({'a': range(5)}).to_sql('t', c, index=False)\n"
      "assert pd.read_sql('select sum(a) s from t', c).s[0] == 10\n'works'", needs=["pandas"])  # fmt: skip
works("scipy", "from scipy import optimize, sparse, linalg\nimport numpy as np\n"
      "assert abs(optimize.brentq(lambda x: x * x - 2, 0, 2) ** 2 - 2) < 1e-9\n"
      "assert sparse.eye(1000).tocsr().sum() == 1000\nassert linalg.inv(np.eye(3)).trace() == 3\n'works'",
      needs=["scipy"])  # fmt: skip
works("matplotlib", "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.title('α and text')\n"
      "plt.savefig('out.png'); plt.savefig('out.pdf')\nimport os\nassert os.path.getsize('out.png') > 1000\n"
      "plt.show()\n'works'", needs=["matplotlib"], image=True)  # fmt: skip
works("sklearn", "from sklearn.linear_model import LinearRegression\nfrom sklearn.ensemble import RandomForestClassifier\n"
      "m = LinearRegression().fit([[1], [2], [3]], [2, 4, 6])\nassert abs(m.predict([[4]])[0] - 8) < 1e-9\n"
      "f = RandomForestClassifier(10, n_jobs=2).fit([[0], [1]] * 20, [0, 1] * 20)\nassert f.predict([[1]])[0] == 1\n"
      "'works'", needs=["sklearn"])  # fmt: skip
works("polars", "import polars as pl\nd = pl.DataFrame({'a': [1, 2, 3]})\nassert d['a'].sum() == 6\nd.write_csv('p.csv')\n"
      "assert pl.scan_csv('p.csv').collect().shape == (3, 1)\n'works'", needs=["polars"])  # fmt: skip
works("pillow", "from PIL import Image, ImageDraw, ImageFont\ni = Image.new('RGB', (60, 40), 'red')\n"
      "ImageDraw.Draw(i).text((2, 2), 'hi', font=ImageFont.load_default())\ni.save('i.png'); i.save('i.jpg')\n"
      "assert Image.open('i.png').size == (60, 40)\ndisplay(i)\n'works'", needs=["PIL"], image=True)  # fmt: skip
works("cryptography", "from cryptography.fernet import Fernet\nf = Fernet(Fernet.generate_key())\n"
      "assert f.decrypt(f.encrypt(b'x')) == b'x'\n'works'", needs=["cryptography"])  # fmt: skip

# ---- databases, files ----

works("sqlite3", "import sqlite3\nc = sqlite3.connect('a.db')\nc.execute('create table t (a, b)')\n"
      "c.executemany('insert into t values (?, ?)', [(n, n * n) for n in range(1000)])\nc.commit()\n"
      "assert c.execute('select sum(b) from t').fetchone()[0] == sum(n * n for n in range(1000))\n'works'")  # fmt: skip
works("sqlite3 with a write-ahead log", "import sqlite3, threading\nc = sqlite3.connect('w.db')\n"
      "assert c.execute('pragma journal_mode=wal').fetchone()[0] == 'wal'\nc.execute('create table t (a)')\n"
      "c.commit()\n"
      "def write():\n    d = sqlite3.connect('w.db', timeout=30)\n    for n in range(50):\n        with d: "
      "d.execute('insert into t values (?)', (n,))\n"
      "ts = [threading.Thread(target=write) for _ in range(3)]\n[t.start() for t in ts]; [t.join() for t in ts]\n"
      "assert c.execute('select count(*) from t').fetchone()[0] == 150\n'works'")  # fmt: skip
works("tempfile", "import tempfile, os\nwith tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile() as f, "
      "tempfile.SpooledTemporaryFile(10) as s, tempfile.TemporaryFile() as t:\n"
      "    open(d + '/x', 'w').write('1'); f.write(b'2'); f.flush(); s.write(b'3' * 100); t.write(b'4')\n"
      "    assert os.path.getsize(f.name) == 1 and f.name.startswith('/tmp/')\nassert not os.path.exists(d)\n'works'")  # fmt: skip
works("mmap", "import mmap\nopen('m', 'wb').write(bytes(8192))\nwith open('m', 'r+b') as f, mmap.mmap(f.fileno(), 0) as m:\n"
      "    m[4096:4100] = b'abcd'; m.flush()\nassert open('m', 'rb').read()[4096:4100] == b'abcd'\n"
      "assert len(mmap.mmap(-1, 1 << 20)) == 1 << 20\n'works'")  # fmt: skip
works("pickle", "import pickle\nclass Point:\n    def __init__(self, x): self.x = x\n"
      "pickle.dump(Point(3), open('p', 'wb'))", "assert pickle.load(open('p', 'rb')).x == 3\n'works'")  # fmt: skip
works("archives", "import zipfile, tarfile, shutil, gzip, bz2, lzma\nopen('a', 'w').write('x' * 1000)\n"
      "for kind in ('zip', 'gztar', 'xztar'): shutil.make_archive('out', kind, '.', 'a')\n"
      "assert zipfile.ZipFile('out.zip').read('a') == b'x' * 1000\n"
      "with tarfile.open('out.tar.gz') as t: t.extractall('d')\nassert open('d/a').read() == 'x' * 1000\n"
      "assert bz2.decompress(bz2.compress(b'q')) == b'q'\n'works'")  # fmt: skip
works("logging to a file", "import logging, logging.handlers\nlog = logging.getLogger('x')\nlog.setLevel('INFO')\n"
      "log.addHandler(logging.handlers.RotatingFileHandler('log.txt', maxBytes=200, backupCount=2))\n"
      "for n in range(30): log.info('line %d', n)\nimport os\nassert os.path.exists('log.txt.1')\n'works'")  # fmt: skip
works("modes, links, times", "import os, stat, shutil\nopen('f', 'w').write('1')\nos.chmod('f', 0o640)\n"
      "os.symlink('f', 's'); os.link('f', 'h'); os.utime('f', (1, 2)); os.rename('h', 'g'); os.mkfifo('p')\n"
      "s = os.stat('g')\nassert stat.S_IMODE(s.st_mode) == 0o640 and s.st_mtime == 2 and s.st_nlink == 2\n"
      "os.truncate('f', 100); shutil.copy2('f', 'c'); shutil.copytree('.', '/tmp/tree', symlinks=True, "
      "ignore=shutil.ignore_patterns('p'))\nassert os.path.islink('/tmp/tree/s')\n'works'")  # fmt: skip
works("locks of files", "import fcntl\nf = open('l', 'w')\nfcntl.flock(f, fcntl.LOCK_EX); fcntl.lockf(f, fcntl.LOCK_EX)\n"
      "import subprocess, sys\nr = subprocess.run([sys.executable, '-c', \"import fcntl\\nf = open('l', 'w')\\n"
      "try: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)\\nexcept BlockingIOError: print('held')\"], "
      "capture_output=True, text=True)\nassert r.stdout == 'held\\n', r\n'works'")  # fmt: skip
works("watching a directory", "import ctypes, os, struct\nlibc = ctypes.CDLL(None, use_errno=True)\nfd = libc.inotify_init1(0)\n"
      "assert libc.inotify_add_watch(fd, b'.', 0x100) > 0\nopen('new', 'w')\n"
      "assert b'new' in os.read(fd, 4096)\n'works'")  # fmt: skip

# ---- processes ----

works("subprocess", "import subprocess\nr = subprocess.run('echo out; echo err >&2; exit 3', shell=True, capture_output=True, "
      "text=True)\nassert (r.stdout, r.stderr, r.returncode) == ('out\\n', 'err\\n', 3)\n"
      "p = subprocess.Popen(['cat'], stdin=-1, stdout=-1)\nassert p.communicate(b'x' * 300000)[0] == b'x' * 300000\n"
      "try: subprocess.run(['sleep', '9'], timeout=0.05)\nexcept subprocess.TimeoutExpired: pass\n"
      "try: subprocess.run(['no-such-program'])\nexcept FileNotFoundError: print('works')", expected="works")  # fmt: skip
works("pipelines of a shell", "import subprocess\nout = subprocess.check_output(\"seq 1 1000 | sort -rn | awk '{s += $1} END "
      "{print s}' | tee copy; grep -c . copy; find . -name copy | xargs wc -c\", shell=True, text=True)\n"
      "assert out.split()[:2] == ['500500', '1'], out\n'works'")  # fmt: skip
works("notebook commands", "!ls -d /workspace", "x = !echo a; echo b\nassert list(x) == ['a', 'b']",
      "%%bash\nexport A=1\necho $((A + 1)) > f\ncat f", "%time sum(range(10))", "%%timeit -n 2 -r 1\npass",
      "%cd /tmp", "import os\nassert os.getcwd() == '/tmp'\n%cd -", "assert open('f').read() == '2\\n'\n'works'")  # fmt: skip
works("fork", "import os\nr, w = os.pipe()\npid = os.fork()\nif pid == 0:\n    os.write(w, b'child'); os._exit(7)\n"
      "assert os.read(r, 9) == b'child' and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n'works'")  # fmt: skip
works("posix_spawn", "import os\npid = os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 4'], os.environ)\n"
      "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4\n'works'")  # fmt: skip
for method in ("fork", "spawn", "forkserver"):
    works(f"multiprocessing by {method}",
          "import multiprocessing as mp\ndef square(x): return x * x\ndef put(q, v, lock):\n    with lock: q.put(v)\n"
          "def wait(e): e.wait(); return 5",
          f"c = mp.get_context({method!r})\n"
          "with c.Pool(2) as pool: assert pool.map(square, range(20)) == [n * n for n in range(20)]\n"
          "q, lock = c.Queue(), c.Lock()\nps = [c.Process(target=put, args=(q, n, lock)) for n in range(2)]\n"
          "[p.start() for p in ps]\nassert sorted(q.get(timeout=20) for _ in ps) == [0, 1]\n[p.join() for p in ps]\n"
          "assert [p.exitcode for p in ps] == [0, 0]\nv = c.Value('i', 3); a = c.Array('d', [1.5] * 3)\n"
          "assert v.value == 3 and list(a) == [1.5] * 3\n'works'")  # fmt: skip
works("a manager", "import multiprocessing as mp\nwith mp.Manager() as m:\n    d = m.dict(a=1); l = m.list([1]); d['b'] = 2; "
      "l.append(3)\n    assert dict(d) == {'a': 1, 'b': 2} and list(l) == [1, 3]\n'works'")  # fmt: skip
works("shared memory", "from multiprocessing import shared_memory\nimport multiprocessing as mp\n"
      "s = shared_memory.SharedMemory(create=True, size=1 << 20)\ns.buf[:3] = b'abc'\n"
      "t = shared_memory.SharedMemory(s.name)\nassert bytes(t.buf[:3]) == b'abc'\nt.close(); s.close(); s.unlink()\n"
      "l = shared_memory.ShareableList([1, 'x', 2.5]); assert list(l) == [1, 'x', 2.5]; l.shm.close(); l.shm.unlink()\n"
      "'works'")  # fmt: skip
works("concurrent.futures", "from concurrent.futures import *\ndef cube(x): return x ** 3",
      "with ThreadPoolExecutor(8) as p: assert sum(p.map(cube, range(50))) == 1500625\n"
      "with ProcessPoolExecutor(2) as p:\n    assert p.submit(cube, 3).result() == 27\n"
      "    assert sorted(f.result() for f in as_completed([p.submit(cube, n) for n in range(5)])) == [0, 1, 8, 27, 64]\n"
      "'works'")  # fmt: skip
works("threading", "import threading, queue\nq = queue.Queue(); done = []\ndef work():\n    while (x := q.get()) is not None: "
      "done.append(x)\nts = [threading.Thread(target=work) for _ in range(20)]\n[t.start() for t in ts]\n"
      "[q.put(n) for n in range(1000)]; [q.put(None) for _ in ts]; [t.join() for t in ts]\n"
      "assert sorted(done) == list(range(1000))\n"
      "e = threading.Event(); threading.Timer(0.01, e.set).start(); assert e.wait(5)\n'works'")  # fmt: skip
works("signals", "import os, signal, time\ngot = []\nsignal.signal(signal.SIGUSR1, lambda n, f: got.append(n))\n"
      "os.kill(os.getpid(), signal.SIGUSR1)\nsignal.signal(signal.SIGALRM, lambda n, f: got.append(n))\n"
      "signal.setitimer(signal.ITIMER_REAL, 0.01)\nsignal.pause()\nassert got == [signal.SIGUSR1, signal.SIGALRM], got\n"
      "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2)\n"
      "assert signal.sigtimedwait([signal.SIGUSR2], 5).si_signo == signal.SIGUSR2\n'works'")  # fmt: skip
works("signals to children", "import subprocess, signal\np = subprocess.Popen(['sleep', '60'])\np.terminate()\n"
      "assert p.wait(9) == -15\np = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
      "import os; os.killpg(p.pid, signal.SIGKILL)\nassert p.wait(9) == -9\n'works'")  # fmt: skip
works("resource limits of one's own", "import resource, subprocess\n"
      "r = subprocess.run(['sh', '-c', 'ulimit -n'], capture_output=True, text=True, preexec_fn=lambda: "
      "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))\nassert r.stdout == '64\\n'\n"
      "assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0\n'works'")  # fmt: skip

# ---- network inside ----

works("asyncio", "import asyncio\nasync def echo(r, w):\n    w.write(await r.readline()); await w.drain(); w.close()\n"
      "async def main():\n    s = await asyncio.start_server(echo, '127.0.0.1', 0)\n"
      "    r, w = await asyncio.open_connection(*s.sockets[0].getsockname())\n    w.write(b'hi\\n')\n"
      "    line = await r.readline(); w.close()\n"
      "    p = await asyncio.create_subprocess_shell('cat; echo done', stdin=-1, stdout=-1)\n"
      "    out = (await p.communicate(b'x'))[0]\n    t = await asyncio.to_thread(sum, range(10))\n"
      "    u = await asyncio.start_unix_server(echo, 'sock')\n    r, w = await asyncio.open_unix_connection('sock')\n"
      "    w.write(b'unix\\n'); assert await r.readline() == b'unix\\n'; w.close()\n"
      "    return line, out, t\nassert asyncio.run(main()) == (b'hi\\n', b'xdone\\n', 45)\n'works'")  # fmt: skip
works("await at top level", "import asyncio\nr = await asyncio.gather(*(asyncio.sleep(0.01, n) for n in range(5)))\n"
      "assert r == list(range(5))\n'works'")  # fmt: skip
works("HTTP on loopback", "import http.server, threading, urllib.request\nopen('index.html', 'w').write('hello')\n"
      "class Quiet(http.server.SimpleHTTPRequestHandler):\n    def log_message(self, *a): pass\n"
      "s = http.server.ThreadingHTTPServer(('localhost', 0), Quiet)\n"
      "threading.Thread(target=s.serve_forever, daemon=True).start()\nurl = f'http://localhost:{s.server_port}/'\n"
      "assert urllib.request.urlopen(url).read() == b'hello'\ns.shutdown()\n'works'")  # fmt: skip
works("requests", "import requests, http.server, threading\nclass H(http.server.BaseHTTPRequestHandler):\n"
      "    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b'{\"a\": 1}')\n"
      "    def log_message(self, *a): pass\ns = http.server.HTTPServer(('127.0.0.1', 0), H)\n"
      "threading.Thread(target=s.serve_forever, daemon=True).start()\n"
      "assert requests.get(f'http://127.0.0.1:{s.server_port}/').json() == {'a': 1}\n'works'", needs=["requests"])  # fmt: skip
works("no network, told quickly", "import urllib.request, socket, time\nstart = time.time()\n"
      "try: urllib.request.urlopen('http://example.com', timeout=20)\nexcept OSError as e: print(type(e).__name__)\n"
      "try: socket.create_connection(('198.51.100.1', 80), 20)\nexcept OSError as e: print(e.strerror)\n"
      "assert time.time() - start < 3\n'works'")  # fmt: skip
works("sockets", "import socket, select, selectors\nfor family, address in ((socket.AF_INET, ('127.0.0.1', 0)), "
      "(socket.AF_UNIX, 'u'), (socket.AF_UNIX, '\\0u')):\n    s = socket.socket(family); s.bind(address); s.listen()\n"
      "    c = socket.socket(family); c.connect(s.getsockname()); a = s.accept()[0]; c.send(b'x')\n"
      "    assert select.select([a], [], [], 5)[0] and a.recv(1) == b'x'\n"
      "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0)); u.sendto(b'y', u.getsockname())\n"
      "assert u.recv(1) == b'y'\na, b = socket.socketpair(); socket.send_fds(a, [b'z'], [0])\n"
      "assert len(socket.recv_fds(b, 1, 1)[1]) == 1\nassert socket.gethostbyname('localhost') == '127.0.0.1'\n"
      "assert socket.gethostbyname(socket.gethostname()) == '127.0.0.1'\n'works'")  # fmt: skip
works("ssl", "import ssl, socket\nc = ssl.create_default_context()\nassert c.verify_mode == ssl.CERT_REQUIRED\n"
      "print(len(c.get_ca_certs()))\na, b = socket.socketpair()\n"
      "try: c.wrap_socket(a, server_hostname='x', do_handshake_on_connect=False).close()\nexcept OSError: pass\n'works'")  # fmt: skip

# ---- the system ----

works("locale", "import locale\nassert locale.setlocale(locale.LC_ALL, '') and locale.setlocale(locale.LC_ALL, 'C.UTF-8')\n"
      "assert locale.getpreferredencoding().upper() == 'UTF-8'\nprint('äöü ☃')\n'works'")  # fmt: skip
works("zoneinfo", "import zoneinfo, datetime, time\nz = zoneinfo.ZoneInfo('Europe/Berlin')\n"
      "assert datetime.datetime(2024, 7, 1, tzinfo=z).utcoffset().seconds == 7200\n"
      "assert len(zoneinfo.available_timezones()) > 100\nassert time.tzname[0]\n'works'")  # fmt: skip
works("users", "import getpass, pwd, grp, os\nme = pwd.getpwuid(os.getuid())\nassert me.pw_name == getpass.getuser() == 'user'\n"
      "assert os.path.expanduser('~') == me.pw_dir == os.getcwd() and grp.getgrgid(os.getgid()).gr_name == 'user'\n"
      "assert __import__('pathlib').Path('.').resolve().owner() == 'user'\n'works'")  # fmt: skip
works("psutil", "import psutil, os\np = psutil.Process()\nassert p.pid == os.getpid() and p.memory_info().rss > 1 << 20\n"
      "assert psutil.virtual_memory().total > 0 and psutil.cpu_count() and psutil.disk_usage('.').total\n"
      "assert [q.pid for q in psutil.process_iter()]\n'works'", needs=["psutil"])  # fmt: skip
works("machine", "import os, platform, shutil\nassert os.cpu_count() >= 1 and os.getloadavg()\n"
      "assert platform.system() == 'Linux' and platform.platform()\nassert shutil.disk_usage('.').free > 1 << 20\n"
      "assert os.sysconf('SC_PAGE_SIZE') >= 4096 and open('/proc/meminfo').read() and os.uname().nodename\n'works'")  # fmt: skip
works("random numbers", "import os, secrets, uuid, random\nassert len(os.urandom(99)) == 99 and secrets.token_hex(4)\n"
      "assert open('/dev/urandom', 'rb').read(4) and uuid.uuid4() != uuid.uuid4()\n'works'")  # fmt: skip
works("ctypes", "import ctypes, ctypes.util\nlibc = ctypes.CDLL(None)\nassert libc.abs(-3) == 3\n"
      "CB = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))\n"
      "a = (ctypes.c_int * 4)(3, 1, 4, 2)\nlibc.qsort(a, 4, 4, CB(lambda x, y: x[0] - y[0]))\n"
      "assert list(a) == [1, 2, 3, 4]\n'works'")  # fmt: skip
works("a compiler", "import subprocess, shutil\nif shutil.which('gcc'):\n    open('a.c', 'w').write('int f(int x) "
      "{ return x * 2; }')\n    subprocess.run(['gcc', '-shared', '-fPIC', '-o', 'a.so', 'a.c'], check=True)\n"
      "    import ctypes\n    assert ctypes.CDLL('./a.so').f(21) == 42\n'works'")  # fmt: skip
works("git", "import subprocess, shutil\nif shutil.which('git'):\n    subprocess.run('git init -q r && cd r && git -c "
      "user.name=a -c user.email=b commit -q --allow-empty -m x && git log --oneline', shell=True, check=True, "
      "capture_output=True)\n'works'")  # fmt: skip
works("another Python", "import subprocess, sys\nr = subprocess.run([sys.executable, '-c', 'import sys, os, json; "
      "print(sys.prefix, os.getuid())'], capture_output=True, text=True)\nassert r.stdout.split() == [sys.prefix, '1000'], r\n"
      "'works'")  # fmt: skip
works("a venv", "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'venv', '--without-pip', 'v'], check=True)\n"
      "assert subprocess.check_output(['v/bin/python', '-c', 'import sys; print(sys.prefix)'], text=True).strip() == "
      "'/workspace/v'\n'works'")  # fmt: skip
works("a module of one's own", "%%writefile mine.py\ndef f(): return 41", "import mine\nassert mine.f() == 41",
      "%%writefile mine.py\ndef f(): return 42", "import importlib, os; os.utime('mine.py', (9e8, 9e8))\nimportlib.reload(mine)\n"
      "assert mine.f() == 42\n'works'")  # fmt: skip
works("inspect", "import inspect\ndef f(x):\n    return x + 1", "assert inspect.getsource(f).startswith('def f(x):')\n"
      "import dis, traceback, pdb, doctest, unittest, cProfile, tracemalloc\ntracemalloc.start(); x = [1] * 99\n"
      "assert tracemalloc.get_traced_memory()[0] > 0; tracemalloc.stop()\ncProfile.run('sum(range(9))')\n'works'")  # fmt: skip
works("input", "name = input('? ')\nimport sys\nrest = sys.stdin.read()\nassert (name, rest) == ('a', 'b\\nc\\n')\n'works'",
      stdin="a\nb\nc\n")  # fmt: skip
works("large output", "print('x' * 100 + '\\n', end='')\nfor n in range(50000): print(n)\n'works'")
works("large values", "data = bytearray(300 << 20)\nassert len(data) == 300 << 20\ndel data\n'works'")
works("deep recursion", "import sys\nsys.setrecursionlimit(5000)\ndef f(n): return n and 1 + f(n - 1)\nassert f(4000) == 4000\n"
      "try:\n    f(10 ** 6)\nexcept RecursionError: print('works')", expected="works")  # fmt: skip
works("nodes without a type", "import os, stat\nos.mknod('n')\nassert stat.S_ISREG(os.stat('n').st_mode)\n'works'")
works("extended attributes", "import os\nopen('x', 'w')\ntry:\n    os.setxattr('x', 'user.a', b'1')\n"
      "    assert os.getxattr('x', 'user.a') == b'1' and os.listxattr('x') == ['user.a']\n"
      "except OSError as e:\n    assert e.errno == 95  # of tmpfs since Linux 6.6\n'works'")  # fmt: skip
works("memory files and events", "import os, select\nm = os.memfd_create('x'); os.write(m, b'1'); assert os.pread(m, 1, 0) == b'1'\n"
      "e = select.epoll(); r, w = os.pipe(); e.register(r, 1); os.write(w, b'x'); assert e.poll(5)\n"
      "p = os.pidfd_open(os.getpid()) if hasattr(os, 'pidfd_open') else 0\n"
      "assert os.sched_getaffinity(0) and os.get_terminal_size and os.nice(1) >= 1\n'works'")  # fmt: skip
works("copying files", "import errno, fcntl, pathlib, shutil\nopen('a', 'w').write('1')\n"
      "with open('a') as f, open('b', 'w') as g:\n    try: fcntl.ioctl(g, 0x40049409, f.fileno())\n"
      "    except OSError as e: assert e.errno in (errno.EOPNOTSUPP, errno.EXDEV), e  # as Python 3.14 expects\n"
      "shutil.copyfile('a', 'c')\nassert open('c').read() == '1'\n"
      "hasattr(pathlib.Path, 'copy') and pathlib.Path('a').copy('d')\n'works'")  # fmt: skip
works("names of ports", "import socket\ntry: assert socket.getservbyname('http') == 80\n"
      "except OSError: assert not __import__('os').path.exists('/etc/services')\n'works'")  # fmt: skip
