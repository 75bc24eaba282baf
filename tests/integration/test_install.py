"""Local mode: installing packages into .venv, listing them, refusing what is no requirement."""

import os
import re
import shutil
import subprocess
import sys
import threading

import pytest

from rawclient import PLAIN_PYTHON, SCIENCE_PYTHON, poll

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "index"))
from toyindex import LATE, ToyIndex  # noqa: E402

LONG = 170  # patience for what may create an environment with pip on a busy machine


@pytest.fixture(scope="module")
def index():
    with ToyIndex() as i:
        yield i


def environment(url):
    """Only the given index: whatever this machine has set is taken away."""
    env = {k: None for k in os.environ if k.startswith(("PIP_", "UV_"))}
    env.update(
        PIP_INDEX_URL=url,
        UV_INDEX_URL=url,
        UV_DEFAULT_INDEX=url,
        PIP_CONFIG_FILE=os.devnull,
        UV_NO_CONFIG="1",
        PIP_RETRIES="0",
        UV_HTTP_RETRIES="0",
    )
    return env


@pytest.fixture(scope="module")
def ready_venv(tmp_path_factory):
    """A .venv with pip, copied by tests that are not about making one: making it takes seconds."""
    path = tmp_path_factory.mktemp("ready") / ".venv"
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--symlinks", path], check=True)
    return path


@pytest.fixture
def installer(spawn, work, index, ready_venv):
    """A server whose working directory has a .venv already, on the toy index."""
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--without-pip", work / ".venv"], check=True)
    for site in (ready_venv / "lib").glob("python*/site-packages"):
        shutil.copytree(site, work / ".venv" / "lib" / site.parent.name / "site-packages", dirs_exist_ok=True)
    s = spawn(python=None, env=environment(index.url))
    s.initialize()
    return s


def install(s, *packages, **arguments):
    return s.call("install_dependencies", {"packages": list(packages), **arguments}, patience=LONG)


def test_venv_is_made_when_missing(spawn, work, index):
    s = spawn(python=None, env=environment(index.url))
    s.initialize()
    assert not (work / ".venv").exists()
    s.run("x = 'before the install'")
    assert not (work / ".venv").exists(), "running code makes no environment"
    result = install(s, "toy-plain", timeout=150)
    assert not result.is_error, result
    assert re.search(r"toy-plain.*installed.*1\.0", result.text)
    assert (work / ".venv" / "pyvenv.cfg").exists()
    # Importable at once, in the same session and without a restart; its variables live.
    assert "'1.0' before the install" in s.run("import toy_plain\nprint(repr(toy_plain.VERSION), x)").body
    assert str(work / ".venv") in s.run("import sys; sys.prefix").body
    # A new session has it as well.
    assert "'1.0'" in s.run("import toy_plain; toy_plain.VERSION", session="new").body
    assert s.close() == 0
    # And so has the server after a restart.
    again = spawn(python=None, env=environment(index.url))
    again.initialize()
    assert "'1.0'" in again.run("import toy_plain; toy_plain.VERSION").body


def test_per_package_report(installer):
    assert not install(installer, "toy-dep==1.0").is_error
    result = install(installer, "toy-dep", "toy-good==1.1", "toy-extra[more]")
    assert not result.is_error
    assert re.search(r"toy-dep.*already.*1\.0", result.text), result.text
    assert re.search(r"toy-good.*installed.*1\.1", result.text)
    assert re.search(r"toy-extra.*installed.*1\.0", result.text)
    assert "toy-plain" in result.text  # what came with them
    assert re.search(r"\[session \S+ · ok · ", result.text)


def test_second_install_changes_nothing(installer):
    install(installer, "toy-plain")
    result = install(installer, "toy-plain")
    assert not result.is_error and "already" in result.text


def test_upgrade_of_a_loaded_package_is_told(installer):
    install(installer, "toy-good==1.0")
    installer.run("import toy_good")
    result = install(installer, "toy-good==2.0")
    assert not result.is_error and re.search(r"toy.good.*(loaded|imported|restart|new session)", result.text), (
        result.text
    )
    assert "2.0" in installer.run("import toy_good; toy_good.VERSION", session="new").body


@pytest.mark.parametrize(
    "package, says",
    [
        ("toy-nowhere", r"toy-nowhere.*(no |not )"),
        ("toy-good==9.9", r"9\.9|version"),
        ("toy-orphan", r"toy-nowhere"),
        ("toy-newer", r"Python"),
        ("toy-badhash", r"hash"),
        ("toy-broken", r"toy-broken"),
        ("toy-badbuild", r"toy\.h|build"),
        ("toy-401", r"401|refused|not allowed|authent"),
        ("toy-500", r"500|index|server"),
    ],
)
def test_failures_have_a_reason(installer, package, says):
    result = install(installer, package, timeout=90)
    assert result.is_error
    assert re.search(says, result.text), result.text
    assert "failed" in result.text.lower() or "error" in result.text.lower()
    assert len(result.text) < 6000
    assert "2" in installer.run("1+1").body


def test_conflict(installer):
    result = install(installer, "toy-low", "toy-high")
    assert result.is_error and "toy-dep" in result.text


REFUSED = [
    "--index-url=http://127.0.0.1:1/",
    "-r requirements.txt",
    "-e .",
    ".",
    "./pkg",
    "/etc/passwd",
    "../x",
    "file:///etc/passwd",
    "pkg @ file:///etc/passwd",
    "a; touch ran",
    "a && touch ran",
    "$(touch ran)",
    "`touch ran`",
    "a | b",
    "a\ntouch",
    "a\x00b",
    "toy-plain --upgrade",
    "${HOME}",
    "",
    " ",
    "-",
    "toy-plain\n--pre",
    "a b",
    "==1.0",
    "toy-plain>=",
    "x" * 2000,
    "~/pkg",
    "pkg.whl",
    "C:\\x",
    "toy plain",
    "é",
    "git+file:///x",
    "toy-plain\u2028",
]


@pytest.mark.parametrize("spec", REFUSED, ids=lambda s: repr(s)[:30])
def test_what_is_no_requirement_is_refused_before_anything_runs(spawn, work, index, spec):
    s = spawn(python=None, env=environment(index.url))
    s.initialize()
    asked = len(index.requests)
    result = install(s, "toy-plain", spec)
    assert result.is_error, result
    assert not (work / ".venv").exists() and not (work / "ran").exists()
    assert len(index.requests) == asked, "the index was asked"
    if spec.strip() and len(spec) < 100 and spec.isprintable():
        assert spec.split()[0][:20] in result.text, result.text


@pytest.mark.parametrize("packages", [None, [], {}, 5, [5], [None], [["a"]], ["a"] * 101])
def test_wrong_package_lists(server, packages):
    result = server.call("install_dependencies", {"packages": packages})
    assert result.is_error and "packages" in result.text


@pytest.mark.parametrize(
    "spec",
    [
        "toy-good>=1.0,<2",
        "toy-good ~= 1.0",
        "Toy_Good",
        "toy-good[x]==1.*",
        "toy-good; python_version >= '3'",
    ],
)
def test_requirements_of_every_form(installer, spec):
    assert not install(installer, spec).is_error


def test_requirement_whose_condition_does_not_hold(installer):
    """pip would do nothing and say so in passing; either way it is told and nothing is installed."""
    result = install(installer, "toy-plain ; python_version < '3'")
    assert "condition" in result.text and installer.run("import toy_plain").is_error


def test_one_string_is_one_requirement(installer):
    result = installer.call("install_dependencies", {"packages": "toy-plain"}, patience=LONG)
    assert not result.is_error and "toy-plain" in result.text


@pytest.mark.parametrize(
    "code, module, version",
    [
        ("%pip install toy-plain", "toy_plain", "1.0"),
        ("!pip install -q toy-dep==1.0", "toy_dep", "1.0"),
        ("pip install toy-good==1.1", "toy_good", "1.1"),
        ("!uv pip install toy-plain toy-extra", "toy_extra", "1.0"),
        ("import sys\n!{sys.executable} -m pip install toy-plain", "toy_plain", "1.0"),
    ],
)
def test_installing_from_code(installer, code, module, version):
    """As people write it in notebooks; the package can be imported in the same session, as with the tool."""
    result = installer.run(code, timeout=60)
    assert not result.is_error, result
    assert f"'{version}'" in installer.run(f"import {module}\n{module}.VERSION").body


def test_installing_and_importing_in_one_cell(installer):
    assert "'1.0'" in installer.run("%pip install -q toy-plain\nimport toy_plain\ntoy_plain.VERSION", timeout=60).body


def test_installing_from_code_fails_with_a_reason(installer):
    result = installer.run("%pip install toy-nowhere\nprint('the cell goes on')", timeout=60)
    assert "toy-nowhere" in result.body and "no package" in result.body and "the cell goes on" in result.body


def test_installing_from_code_makes_the_venv(spawn, work, index):
    s = spawn(python=None, env=environment(index.url))
    s.initialize()
    assert not s.run("%pip install toy-plain", timeout=150, patience=LONG).is_error
    assert (work / ".venv" / "pyvenv.cfg").exists()
    assert "'1.0'" in s.run("import toy_plain\ntoy_plain.VERSION").body


def test_programs_of_the_venv_are_found_first(installer):
    """`pip` in a shell is the environment's, not one that would install somewhere else."""
    install(installer, "toy-good==1.1")
    assert "1.1" in installer.run("import subprocess\nsubprocess.run('toy-good', shell=True)").body
    assert str(installer.cwd / ".venv" / "bin") in installer.run("%%bash\ncommand -v python").body


def script(*dependencies, python=">=3.9"):
    lines = [f"# requires-python = '{python}'", f"# dependencies = {list(dependencies)}"]
    return "\n".join(["# /// script", *lines, "# ///", ""])


def test_code_that_names_what_it_needs(installer):
    """PEP 723: installed before the code runs; the second time there is nothing to say."""
    code = script("toy-plain", "toy-good<2") + "import toy_plain, toy_good\nprint(toy_plain.VERSION, toy_good.VERSION)"
    result = installer.run(code, timeout=60)
    assert not result.is_error and "1.0 1.1" in result.body, result
    assert re.search(r"toy-plain.*installed.*1\.0", result.body) and "toy-dep" in result.body
    again = installer.run(code, timeout=60)
    assert not again.is_error and again.body.strip() == "1.0 1.1", again
    other = installer.run(script("toy-plain") + "import toy_plain", session="new", timeout=60)
    assert not other.is_error and "toy-plain" not in other.body, other


@pytest.mark.parametrize(
    "block, says",
    [
        (script("toy-nowhere"), r"ScriptError.*could not be installed:\n.*toy-nowhere.*no package"),
        (script("-r x.txt"), r"ScriptError.*could not be installed:\n.*-r"),
        (script("toy-plain", python=">=3.99"), r"ScriptError.*requires Python >=3\.99, and this is Python 3\.\d+\.\d+"),
        (script("toy-plain").replace("]", ""), r'File "<cell 1>", line 3'),
    ],
    ids=["missing", "refused", "version", "malformed"],
)
def test_code_is_not_run_without_what_it_needs(installer, block, says):
    result = installer.run(block + "print('it ' + 'ran')", timeout=60)
    assert result.is_error and re.search(says, result.text) and "it ran" not in result.text, result.text


def test_time_of_an_install_is_not_the_codes(installer):
    """An install that takes longer than the code may: the code goes on, the whole is told."""
    result = installer.run("%pip install -q toy-late==1.0\nimport toy_late\ntoy_late.VERSION", timeout=LATE - 1)
    assert not result.is_error and "'1.0'" in result.body, result
    assert result.meta["duration_ms"] >= LATE * 1000


def test_timeout_goes_on_after_an_install_with_what_was_left(installer):
    code = f"import time\ntime.sleep({LATE})\n%pip install -q toy-late==2.0\ntime.sleep(300)"
    result = installer.run(code, timeout=LATE + 1, patience=LONG)
    assert result.meta["status"] == "timeout" and result.meta["variables_kept"], result
    told = re.search(rf"Timed out after {LATE + 1} s \(and ([\d.]+) s of installing", result.text)
    assert told and float(told.group(1)) >= LATE, result.text
    own = result.meta["duration_ms"] / 1000 - float(told.group(1))
    assert LATE + 0.9 <= own < 2 * LATE, own  # from the start it would be 2 * LATE + 1


def test_cancelling_code_that_waits_for_an_install(installer, index):
    installer.run("x = 'kept'")
    asked = len(index.requests)
    call = installer.begin("try:\n    %pip install toy-slow\nfinally:\n    x += ' and told'", timeout=1)
    poll(lambda: any("/files/toy-slow/" in path for path in index.requests[asked:]), "the download")
    installer.notify("notifications/cancelled", {"requestId": call})
    assert "'kept and told'" in installer.run("x").body
    assert str(call) not in installer.answers


def test_conda_installs_or_says_how(installer):
    result = installer.run("!conda install -y toy-plain", timeout=60)
    assert "installed" in result.body or "install_dependencies" in result.body or "pip install" in result.body


def test_upgrade_in_code_upgrades_or_is_told(installer):
    installer.run("%pip install toy-good==1.0", timeout=60)
    result = installer.run("%pip install --upgrade toy-good", timeout=60)
    assert "2.0" in result.body or "upgrade" in result.body, result


def test_list_is_valid_requirements(installer):
    install(installer, "toy-good==1.1")
    result = installer.call("list_installed_packages")
    lines = [line for line in result.text.splitlines() if line and not line.startswith("#")]
    assert not result.is_error and len(result.content) == 1
    assert "toy-good==1.1" in [line.lower().replace("_", "-") for line in lines]
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[^\s=]+", line), line
    assert lines == sorted(lines, key=lambda line: line.lower().replace("_", "-").partition("==")[0])


def test_list_by_session(spawn, work):
    s = spawn(python=SCIENCE_PYTHON)
    s.initialize()
    session = s.run("1").session
    text = s.call("list_installed_packages", {"session": session}).text
    assert re.search(r"^numpy==", text, re.M) and re.search(r"^pandas==", text, re.M)
    assert s.call("list_installed_packages", {"session": "nosuch"}).is_error


def test_install_waits_for_running_code_and_reports_progress(installer):
    install_id = installer.start("install_dependencies", {"packages": ["toy-good"]}, meta={"progressToken": "p"})
    result = installer.result(install_id, LONG)
    assert not result.is_error
    assert all(n["params"]["progressToken"] == "p" for n in installer.notifications)


def test_other_sessions_run_during_an_install(installer):
    slow = installer.start("install_dependencies", {"packages": ["toy-slow"], "timeout": 60})
    assert "2" in installer.run("1+1", session="new").body
    installer.notify("notifications/cancelled", {"requestId": slow})
    assert "2" in installer.run("1+1").body
    assert str(slow) not in installer.answers


def test_install_timeout(installer):
    result = install(installer, "toy-slow", timeout=3)
    assert result.is_error and ("timed out" in result.text.lower() or "timeout" in result.text.lower())
    assert "2" in installer.run("1+1").body


def test_cancelled_install_leaves_no_process(installer, index, tmp_path):
    """A build that ignores SIGTERM is gone as well."""
    from rawclient import alive

    pids = tmp_path / "pids"
    s = installer
    s.close()
    from rawclient import Server

    env = environment(index.url)
    env.update(PIP_TOY_PIDS=str(pids), UV_TOY_PIDS=str(pids))
    s = Server(s.cwd, python=None, env=env)
    try:
        s.initialize()
        call = s.start("install_dependencies", {"packages": ["toy-stubborn"], "timeout": 120})
        found = poll(
            lambda: pids.exists() and len(pids.read_text().split()) == 2 and pids.read_text().split(), "the build", LONG
        )
        s.notify("notifications/cancelled", {"requestId": call})
        poll(lambda: not any(alive(int(p)) for p in found), "the build to be gone", 10)
        assert "2" in s.run("1+1").body
    finally:
        s.close()


@pytest.mark.parametrize("mode", ["401", "500", "reset"])
def test_index_errors_are_not_told_as_missing_packages(spawn, work, index, ready_venv, mode):
    shutil.copytree(ready_venv, work / ".venv", symlinks=True)
    s = spawn(python=None, env=environment(index.at(mode)))
    s.initialize()
    result = install(s, "toy-plain", timeout=120)
    assert result.is_error
    assert not re.search(r"no such package|does not exist", result.text.lower()), result.text
    assert re.search(r"index|network|401|500|refused|reach", result.text.lower()), result.text


def test_password_of_the_index_is_not_told(spawn, work, index, ready_venv):
    shutil.copytree(ready_venv, work / ".venv", symlinks=True)
    s = spawn(python=None, env=environment(index.at("401", user="toy:hunter2secret")))
    s.initialize()
    result = install(s, "toy-plain", timeout=120)
    assert result.is_error and "hunter2secret" not in str(result.raw) and "hunter2secret" not in s.stderr()


def test_authenticated_index(spawn, work, index, ready_venv):
    shutil.copytree(ready_venv, work / ".venv", symlinks=True)
    s = spawn(python=None, env=environment(index.at("auth", user="toy:secret")))
    s.initialize()
    assert not install(s, "toy-plain", timeout=120).is_error


def test_two_servers_race_for_one_venv(spawn, work, index):
    """TS clients and hosts with two windows: both make .venv, neither breaks it."""
    servers = [spawn(python=None, env=environment(index.url)) for _ in range(2)]
    for s in servers:
        s.initialize()
    results = [None, None]

    def go(i, name):
        results[i] = install(servers[i], name, timeout=160)

    threads = [threading.Thread(target=go, args=(i, name)) for i, name in enumerate(["toy-plain", "toy-dep"])]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not results[0].is_error and not results[1].is_error, results
    for s, module in zip(servers, ("toy_plain", "toy_dep")):
        assert "." in s.run(f"import {module}; {module}.VERSION").body
    fresh = spawn(python=None, env=environment(index.url))
    fresh.initialize()
    assert "1.0" in fresh.run("import toy_plain, toy_dep; toy_plain.VERSION").body


def test_install_into_the_venv_that_python_names(spawn, work, index, tmp_path, ready_venv):
    """--python of a virtual environment: that one, and no .venv beside it."""
    venv = tmp_path / "my env"
    subprocess.run([PLAIN_PYTHON, "-m", "venv", "--without-pip", venv], check=True)
    for site in (ready_venv / "lib").glob("python*/site-packages"):
        shutil.copytree(site, venv / "lib" / site.parent.name / "site-packages", dirs_exist_ok=True)
    s = spawn(python=str(venv / "bin" / "python"), env=environment(index.url))
    s.initialize()
    assert not install(s, "toy-plain").is_error
    assert "1.0" in s.run("import toy_plain; toy_plain.VERSION").body
    assert not (work / ".venv").exists()
    assert list(venv.glob("lib/*/site-packages/toy_plain.py"))


def test_venv_files_are_not_new_files(installer):
    result = install(installer, "toy-plain")
    assert not result.links
    assert not installer.run("1").links


def test_from_the_real_index(spawn, work):
    """A small pure package from the index that this machine is set up for."""
    s = spawn(python=None)
    s.initialize()
    result = install(s, "iniconfig==2.1.0", timeout=160)
    if result.is_error and re.search(r"network|reach|resol|offline", result.text.lower()):
        pytest.skip(f"no package index within reach: {result.text[:200]}")
    assert not result.is_error, result
    assert "iniconfig" in s.run("import iniconfig; iniconfig.__name__").body
    s.close()
    again = spawn(python=None)
    again.initialize()
    assert "iniconfig" in again.run("import iniconfig; iniconfig.__name__").body
    assert re.search(r"^iniconfig==2\.1\.0$", again.call("list_installed_packages").text, re.M)
