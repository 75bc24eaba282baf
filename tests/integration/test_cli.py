"""The command line: run, help, version, errors that say what to do next."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from rawclient import BINARY, PATIENCE, PLAIN_PYTHON, SCIENCE_PYTHON, descendants, png_size, poll


def cli(*args, cwd, stdin=None, env=None, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CELLBLOCK")}
    environment.update({"CELLBLOCK_PYTHON": PLAIN_PYTHON, **(env or {})})
    return subprocess.run(
        [BINARY, *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment,
        **({"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}),
        **options,
    )


def test_version(work):
    done = cli("--version", cwd=work)
    assert done.returncode == 0 and re.fullmatch(r"cellblock \d+\.\d+\.\d+\S*\n", done.stdout) and not done.stderr


def test_help(work):
    done = cli("--help", cwd=work)
    assert done.returncode == 0 and not done.stderr
    for word in ("stdio", "run", "cp", "sessions", "--local", "--python", "--max-timeout", "--mount", "mcpServers"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert cli("stdio", "--help", cwd=work).returncode == 0 and cli("-h", cwd=work).returncode == 0


def test_help_is_grouped(work):
    titles = re.findall(r"^(\S.*):$", cli("--help", cwd=work).stdout, re.M)
    assert len(titles) == 6 and "isolated" in titles[2] and "store" in titles[3] and "run" in titles[4]


def test_help_whatever_is_wrong(work):
    for args in (["stdio", "--memory", "lots", "--help"], ["-h", "--nonsense"], ["cp", "--help"]):
        done = cli(*args, cwd=work, env={"CELLBLOCK_MEMORY": "nonsense"})
        assert done.returncode == 0 and "--mount" in done.stdout and not done.stderr


def test_help_names_each_variable(work):
    text = cli("--help", cwd=work).stdout
    for option in re.findall(r"--([a-z-]+)", text):
        if option not in ("help", "version", "figures"):
            assert f"CELLBLOCK_{option.upper().replace('-', '_')}" in text, option


@pytest.mark.parametrize(
    "args, says",
    [
        (["--locla"], "--local"),
        (["stdio", "--pyhton", "x"], "--python"),
        (["--max-timeut=5"], "--max-timeout"),
        (["--frobnicate"], "--help"),
        (["stido"], "stdio"),
        (["serve"], "stdio"),
        (["-x"], "--help"),
        (["stdio", "--python"], "--python"),
        (["--max-timeout", "soon"], "soon"),
        (["--max-timeout", "-1"], "-1"),
        (["run"], "-c"),
        (["run", "-c"], "-c"),
        (["run", "a.py", "b.py"], "b.py"),
        (["run", "--figures"], "--figures"),
        (["stdio", "--local", "--log-level", "loud"], "loud"),
        (["--local=perhaps"], "perhaps"),
        (["--max-sessions", "0"], "from 1"),
        (["--max-sessions", "1.5"], "whole number"),
        (["--memory", "lots"], "512m"),
        (["--memory", "1m"], "from 64m"),
        (["--workspace-size=1k"], "from 1m"),
        (["--tmp-size", "20t"], "to 16t"),
        (["--max-file-size", "-1"], "-1"),
        (["--processes", "1"], "from 4"),
        (["--open-files", "many"], "many"),
        (["--cpu-time", "0"], "from 1"),
        (["--env", "1A=x"], "NAME=VALUE"),
        (["--env", "CBTEST_NOT_SET"], "CBTEST_NOT_SET=VALUE"),
        (["--network=host"], "1 or 0"),
        (["--require-isolation", "some"], "cellblock doctor"),
        (["--require-isolation", "none"], "--local"),
        (["--mount", "/nonexistent/x:/data"], "/nonexistent/x"),
        (["--mount", "~/x"], "whole path"),
        (["--mount", "/usr/share:data"], "/data"),
        (["--mount", "/usr/share:/data:rx"], "rw, not 'rx'"),
        (["--mount", "/usr/share:/etc"], "another path"),
        (["--mount", "/"], "below it"),
        (["--mount", "/proc"], "its own"),
        (["--mount", "/dev/null:/x"], "device"),
        (["--mount", "/usr/share:/x:rw"], "Leave :rw away"),
        (["--mount", ".:/x:rw"], "--python"),
        (["--mont", "/x"], "--mount"),
        (["--local", "--memory", "1g"], "--local"),
        (["--local", "--mount", "/usr/share:/x"], "--mount"),
        (["--local", "--env", "A=1"], "--env"),
        (["--local", "--network"], "--network"),
        (["--local", "--require-isolation", "any"], "contradict"),
        (["run", "--local", "--processes", "5", "-c", "1"], "--processes"),
        (["cp"], "SESSION:PATH"),
        (["cp", "x"], "SESSION:PATH"),
        (["cp", "x", "y"], "SESSION:PATH"),
        (["cp", "x", "y", "z"], "`z`"),
        (["cp", "--local", "x", "y"], "--local"),
        (["cp", "-x", "x", "y"], "-x"),
        (["sessions", "x"], "no argument"),
    ],
)
def test_usage_errors(work, args, says):
    # No interpreter is named: it is for some of these to name one.
    done = cli(*args, cwd=work, env={"CELLBLOCK_PYTHON": ""})
    assert done.returncode == 2, done
    assert says in done.stderr and done.stdout == ""
    assert len(done.stderr.splitlines()) <= 5 and done.stderr.startswith("cellblock: ")


def test_working_directory_that_is_not_there(work):
    done = cli("stdio", "--local", "--workdir", "/nonexistent", cwd=work)
    assert done.returncode in (2, 3) and "/nonexistent" in done.stderr and done.stdout == ""


def test_working_directory_by_option(work, tmp_path):
    done = cli("run", "--local", "--workdir", work, "-c", "import os; os.getcwd()", cwd=tmp_path)
    assert done.stdout.strip() == repr(str(work))


def test_what_would_do_nothing(work):
    """Options of isolated sessions by variables, with --local: named, not dropped."""
    for variable, value in (("MEMORY", "1g"), ("MOUNT", "/usr/share:/x"), ("NETWORK", "1"), ("REQUIRE_ISOLATION", "full")):
        done = cli("--local", cwd=work, env={f"CELLBLOCK_{variable}": value})
        assert done.returncode == 2 and f"CELLBLOCK_{variable}" in done.stderr, done
    ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
    done = cli("--local", cwd=work, env={"CELLBLOCK_NETWORK": "0", "CELLBLOCK_MEMORY": ""}, stdin=ping)
    assert done.returncode == 0 and done.stdout, done


def test_several_by_variable(work):
    done = cli("stdio", cwd=work, env={"CELLBLOCK_MOUNT": "/usr/share:/a\n\n/proc:/b\n"})
    assert done.returncode == 2 and done.stderr.startswith("cellblock: CELLBLOCK_MOUNT /proc ")
    done = cli("stdio", cwd=work, env={"CELLBLOCK_MOUNT": "/usr/share,/usr/lib"})
    assert done.returncode == 2 and "one a line" in done.stderr


def test_mount_of_the_runtime_directory(work, tmp_path):
    """Wherever TMPDIR is, and whatever leads there."""
    tmp = tmp_path / "t" / "tmp"
    tmp.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp)
    for host in (tmp, tmp_path / "t", tmp_path / "link", "/".join([str(work), "..", "t"])):
        done = cli("stdio", "--mount", f"{host}:/x", cwd=work, env={"TMPDIR": str(tmp)})
        assert done.returncode == 2 and "TMPDIR" in done.stderr, done


def test_mount_of_the_environment(work, tmp_path):
    """Nothing that the server runs may be written to from a sandbox."""
    env = tmp_path / "project" / "env"
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "python").symlink_to(PLAIN_PYTHON)
    for host in (env, env.parent, env / "bin"):
        done = cli("stdio", "--mount", f"{host}:/x:rw", "--python", env / "bin" / "python", cwd=work)
        assert done.returncode == 2 and "Python" in done.stderr, done
    program = tmp_path / "program"
    program.mkdir()
    copy = shutil.copy(BINARY, program / "cellblock")
    done = subprocess.run([copy, "--mount", f"{program}:/x:rw"], cwd=work, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2 and "replace" in done.stderr, done


def test_stdio_is_the_default_command(work):
    done = cli("--local", cwd=work, stdin='{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    assert done.returncode == 0 and '"result":{}' in done.stdout.replace(" ", "")


def test_options_by_environment(work):
    done = cli("stdio", cwd=work, env={"CELLBLOCK_LOCAL": "1"}, stdin='{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    assert done.returncode == 0 and done.stdout
    done = cli("--local", cwd=work, env={"CELLBLOCK_MAX_TIMEOUT": "nonsense"})
    assert done.returncode == 2 and "CELLBLOCK_MAX_TIMEOUT" in done.stderr


def test_run_code(work):
    done = cli("run", "-c", "print('hi')\n6 * 7", cwd=work)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\n42\n", "")


def test_run_file(work):
    (work / "a.py").write_text("x = 5\nprint('é', x)\nx + 1\n")
    done = cli("run", "a.py", cwd=work)
    assert done.returncode == 0 and done.stdout == "é 5\n6\n"


def test_run_from_stdin(work):
    assert cli("run", "-", cwd=work, stdin="print(1 + 1)").stdout == "2\n"


def test_run_passes_stdin_on(work):
    assert cli("run", "-c", "input()", cwd=work, stdin="piped\n").stdout.strip() == "'piped'"


def test_run_error(work):
    done = cli("run", "-c", "print('before')\n1/0", cwd=work)
    assert done.returncode == 1 and "before" in done.stdout
    assert "ZeroDivisionError" in done.stderr and "cellblock/" not in done.stderr


@pytest.mark.parametrize(
    "code, status",
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit()", 0),
        ("import os; os._exit(4)", 4),
        ("raise SystemExit('x')", 1),
        ("import ctypes; ctypes.string_at(0)", 128 + signal.SIGSEGV),
        ("import os, signal; os.kill(os.getpid(), 9)", 128 + 9),
    ],
)
def test_run_exit_codes(work, code, status):
    done = cli("run", "-c", code, cwd=work)
    assert done.returncode == status, done
    if status > 128:
        assert "signal" in done.stderr.lower()


def test_run_missing_file(work):
    done = cli("run", "none.py", cwd=work)
    assert done.returncode in (1, 2, 3) and "none.py" in done.stderr and "No such file" in done.stderr


def test_run_without_python(work):
    done = cli("run", "--python", "/nonexistent/python", "-c", "1", cwd=work)
    assert done.returncode == 3 and "/nonexistent/python" in done.stderr and "--python" in done.stderr


def test_run_timeout(work):
    done = cli("run", "--timeout", "0.5", "-c", "print('so far', flush=True)\nwhile True: pass", cwd=work)
    assert done.returncode == 124 and "so far" in done.stdout and "timed out" in done.stderr


def test_run_figures(work, tmp_path):
    done = cli(
        "run",
        "--figures",
        tmp_path,
        "-c",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])",
        cwd=work,
        env={"CELLBLOCK_PYTHON": SCIENCE_PYTHON},
    )
    assert done.returncode == 0, done
    pictures = list(tmp_path.glob("*.png"))
    assert len(pictures) == 1 and png_size(pictures[0].read_bytes())[0] > 100 and str(pictures[0]) in done.stdout


def test_run_streams_output(work):
    """A person sees what is printed when it is printed."""
    p = subprocess.Popen(
        [
            BINARY,
            "run",
            "--local",
            "--python",
            PLAIN_PYTHON,
            "-c",
            "import time, os\nprint('first', flush=True)\n"
            "while not os.path.exists('go'): time.sleep(0.01)\nprint('second')",
        ],
        cwd=work,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert p.stdout.readline() == b"first\n"
    (work / "go").touch()
    assert p.stdout.read() == b"second\n" and p.wait(PATIENCE) == 0
    p.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_interrupted(work, number):
    p = subprocess.Popen(
        [BINARY, "run", "--python", PLAIN_PYTHON, "-c", "print('on', flush=True)\nwhile True: pass"],
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    assert p.stdout.readline() == b"on\n"
    below = descendants(p.pid)
    p.send_signal(number)
    assert p.wait(PATIENCE) not in (0,)
    p.stdout.close()
    poll(lambda: not [q for q in below if pathlib.Path(f"/proc/{q}").exists()], "its processes to be gone", 5)


def test_run_into_a_closed_pipe(work):
    """cellblock run ... | head -1"""
    done = subprocess.run(
        f"'{BINARY}' run --python '{PLAIN_PYTHON}' -c 'for i in range(100000): print(i)' | head -1",
        shell=True,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout == "0\n" and "Traceback" not in done.stderr


def test_run_leaves_nothing(work, tmp_path):
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    cli("run", "-c", "1", cwd=work, env={"TMPDIR": str(tmp), "XDG_RUNTIME_DIR": str(tmp)})
    assert list(work.iterdir()) == []
    poll(lambda: not list(tmp.iterdir()), "an empty runtime directory", 5)


def test_run_on_a_terminal(work):
    """On a terminal it does not wait for input that nobody types."""
    import pty

    leader, follower = pty.openpty()
    p = subprocess.Popen(
        [BINARY, "run", "--python", PLAIN_PYTHON, "-c", "print(6 * 7)"],
        cwd=work,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    out = b""
    end = time.monotonic() + PATIENCE
    while b"42" not in out and time.monotonic() < end:
        try:
            out += os.read(leader, 1000)
        except OSError:
            break
    assert b"42" in out and p.wait(PATIENCE) == 0
    os.close(leader)
