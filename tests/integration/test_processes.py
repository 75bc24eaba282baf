"""What the server starts does not outlive it: at the end of stdin, at signals, and when it is killed itself."""

import os
import signal
import subprocess

import pytest

from rawclient import BINARY, PATIENCE, PLAIN_PYTHON, alive, descendants, poll, processes_with

DAEMON = """
import os, sys, time
def daemonise(word):
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir('/')
    for fd in range(3): os.close(fd)
    os.open('/dev/null', os.O_RDWR); os.dup(0); os.dup(0)
    os.execvp('sh', ['sh', '-c', 'trap "" TERM INT HUP; while :; do sleep 1; done; : ' + word])
"""


def start_everything(server, word):
    """Children of every kind that people's code leaves behind."""
    server.run(DAEMON + f"daemonise({word!r})")
    server.run(
        f"import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 1000; : {word}'])\n"
        f"subprocess.Popen(['sh', '-c', 'sleep 1000; : {word}'], start_new_session=True)"
    )
    server.run(f"!nohup sh -c 'sleep 1000; : {word}' > /dev/null 2>&1 &")
    server.run(
        f"import os; os.environ['MARK'] = {word!r}\nsubprocess.Popen(['sleep', '1000'], preexec_fn=os.setsid)",
        session="new",
    )
    server.run("import time; time.sleep(0)", session="new")
    poll(lambda: len(processes_with(word)) >= 4, "the processes")


# The promise is 2 s; reading /proc on a busy machine takes its own time.
SOON = 2 + 2


def test_end_of_stdin(server, word):
    start_everything(server, word)
    below = descendants(server.pid)
    assert len(below) >= 3
    assert server.close() == 0
    poll(lambda: not processes_with(word), "all processes to be gone", SOON)
    poll(lambda: not [p for p in below if alive(p)], "all processes to be gone", SOON)


def test_sigkill_of_the_server(server, word):
    start_everything(server, word)
    below = descendants(server.pid)
    server.kill()
    poll(lambda: not processes_with(word), "all processes to be gone", SOON)
    poll(lambda: not [p for p in below if alive(p)], "all processes to be gone", SOON)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_to_the_server(server, word, number):
    start_everything(server, word)
    below = descendants(server.pid)
    server.process.send_signal(number)
    server.process.wait(PATIENCE)
    poll(lambda: not processes_with(word), "all processes to be gone", SOON)
    poll(lambda: not [p for p in below if alive(p)], "all processes to be gone", SOON)
    server.kill()


def test_end_while_code_runs(server, word):
    """A loop that cannot be interrupted does not hold the end either."""
    server.begin(
        f"import os, signal\nos.environ['M'] = {word!r}\nimport subprocess; subprocess.Popen(['sleep', '1000'])\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))\nimport itertools\n-1 in itertools.count()"
    )
    poll(lambda: processes_with(word), "the code to run")
    below = descendants(server.pid)
    assert server.close() == 0
    poll(lambda: not [p for p in below if alive(p)] and not processes_with(word), "all processes to be gone", SOON)


def test_sigkill_while_code_runs(server, word):
    server.begin(f"import subprocess; subprocess.run(['sh', '-c', 'sleep 1000; : {word}'])")
    poll(lambda: processes_with(word), "the code to run")
    below = descendants(server.pid)
    server.kill()
    poll(lambda: not [p for p in below if alive(p)] and not processes_with(word), "all processes to be gone", SOON)


def test_sigkill_of_the_whole_group(work, word):
    """What a host does that ends the server's process group."""
    p = subprocess.Popen(
        [BINARY, "stdio", "--local", "--python", PLAIN_PYTHON],
        cwd=work,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    p.stdin.write(
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
        b'"clientInfo":{"name":"x","version":"1"}}}\n{"jsonrpc":"2.0","id":2,"method":"tools/call","params":'
        b'{"name":"execute_python","arguments":{"code":"import subprocess; p = subprocess.Popen([\'sh\', \'-c\', '
        b"'sleep 1000; : " + word.encode() + b"'], start_new_session=True)\"}}}\n"
    )
    p.stdin.flush()
    p.stdout.readline()
    p.stdout.readline()
    poll(lambda: processes_with(word), "the process")
    below = descendants(p.pid)
    os.killpg(p.pid, signal.SIGKILL)
    p.wait()
    p.stdin.close()
    p.stdout.close()
    poll(lambda: not [q for q in below if alive(q)] and not processes_with(word), "all processes to be gone", SOON)


def test_restart_of_a_kernel_ends_its_processes(server, word):
    """A session whose kernel died keeps its files, not its processes."""
    server.run(DAEMON + f"daemonise({word!r})")
    poll(lambda: processes_with(word), "the daemon")
    server.run("import os; os._exit(1)")
    server.run("1")
    poll(lambda: not processes_with(word), "the daemon to be gone", SOON)


def test_two_servers_do_not_touch_each_other(server, spawn, word):
    other = spawn()
    other.initialize()
    other.run(DAEMON + f"daemonise({word!r})\nx = 1")
    server.run("1")
    poll(lambda: processes_with(word), "the daemon")
    server.close()
    assert processes_with(word) and "1" in other.run("x").body
    other.close()
    poll(lambda: not processes_with(word), "the daemon to be gone", SOON)


def test_zombies_do_not_gather(server):
    for i in range(6):
        server.run("import os; os._exit(0)", session="new")
    server.run("1")

    def zombies():
        found = []
        for pid in descendants(server.pid):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                        found.append(pid)
            except OSError:
                pass
        return found

    poll(lambda: not zombies(), "dead kernels to be reaped")


def test_nothing_is_left_in_tmp(spawn, tmp_path):
    """The runtime directory goes with the server, also when it is killed."""
    for end in ("close", "kill"):
        tmp = tmp_path / end
        tmp.mkdir()
        s = spawn(env={"TMPDIR": str(tmp), "XDG_RUNTIME_DIR": str(tmp)})
        s.initialize()
        s.run("print('x' * 200000)")
        getattr(s, end)()
        poll(lambda: not list(tmp.iterdir()), f"{tmp} to be empty: {list(tmp.iterdir())}", SOON + 4)


def test_session_limit_ends_the_idlest(spawn):
    s = spawn("--max-sessions", "3")
    s.initialize()
    first = s.run("1", session="new").session
    handles = [s.run("1", session="new").session for _ in range(4)]
    result = s.run("1", session=first)
    assert result.is_error and "new" in result.text
    assert not s.run("1", session=handles[-1]).is_error


def test_zygote_that_is_killed(server):
    """Killed processes of the server's own are replaced, and the session is told the truth."""
    server.run("x = 1")
    for pid in descendants(server.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    result = server.run("1+1")
    if result.is_error:
        result = server.run("1+1")
    assert "2" in result.body
    assert "2" in server.run("1+1", session="new").body
