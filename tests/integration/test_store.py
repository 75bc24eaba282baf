"""cellblock store: what is kept for isolated sessions, by hand."""

import os
import subprocess

from rawclient import BINARY, PATIENCE


def store(folder, *args):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CELLBLOCK")}
    return subprocess.run(
        [BINARY, "store", *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        env={**environment, "CELLBLOCK_STORE": str(folder)},
    )


def damaged_wheel(folder):
    wheel = folder / "wheels" / ("0" * 64 + "-cpython-311")
    (wheel / "tree").mkdir(parents=True)
    (wheel / "about").write_text("nonsense")
    (wheel / "lock").touch()
    return wheel


def test_a_new_store_is_empty(tmp_path):
    folder = tmp_path / "deep" / "store"
    for args in ([], ["list"]):
        done = store(folder, *args)
        assert done.returncode == 0 and not done.stderr
        assert done.stdout.startswith(f"{folder}: 0 wheels in 0 sets, 0 KiB of 10.0 GiB, ")
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert (folder.stat().st_mode & 0o777) == 0o711


def test_verify_finds_and_removes_damage(tmp_path):
    store(tmp_path / "store")
    wheel = damaged_wheel(tmp_path / "store")
    done = store(tmp_path / "store", "verify")
    assert done.returncode == 1 and not done.stderr
    assert f"damaged: wheel {wheel.name}: " in done.stdout and "1 damaged and removed" in done.stdout
    assert not wheel.exists() and not list((tmp_path / "store" / "tmp").iterdir())
    done = store(tmp_path / "store", "verify")
    assert done.returncode == 0 and "all whole" in done.stdout


def test_empty(tmp_path):
    store(tmp_path / "store")
    (tmp_path / "store" / "cache" / "uv").mkdir()
    (tmp_path / "store" / "cache" / "uv" / "page").write_bytes(b"x" * 300000)
    done = store(tmp_path / "store", "empty", "--store-size=1g")
    assert done.returncode == 0 and "removed " in done.stdout and "in use" not in done.stdout
    assert not list((tmp_path / "store" / "cache").iterdir())


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    done = store(tmp_path, "empty")
    assert done.returncode == 3 and not done.stdout
    assert "is no package store" in done.stderr and "--store" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_wrong_usage(tmp_path):
    for args in (["burn"], ["list", "list"], ["--local"], ["--store-size=1"]):
        done = store(tmp_path / "store", *args)
        assert done.returncode == 2 and done.stderr.startswith("cellblock: ") and not done.stdout
    assert not (tmp_path / "store").exists()
