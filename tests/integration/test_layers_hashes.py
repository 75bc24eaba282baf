"""Requirements files with hashes (--packages): what the files that are used have to be."""

import hashlib
import re

import pytest

from boxfixtures import can_isolate, own_place  # noqa: F401
from layertools import LONG, TOOLS, Shop, add
from test_layers_store import prepared
from toyindex import ToyIndex
from wheels import wheel


@pytest.fixture(params=TOOLS)
def own_both(own_place, request):  # noqa: F811
    """With uv, and with pip; an index that the test may change."""
    with ToyIndex() as index:
        shop = Shop(own_place, index, request.param)
        yield shop
        shop.close()


def digest(index, package, file_name):
    return hashlib.sha256(index.built(package, file_name)).hexdigest()


def add_twice(index):
    """One version, two files; the second one is what everybody prefers."""
    for build, value in ("", "first"), ("-2", "second"):
        file_name, data = wheel("toy-twice", files={"toy_twice.py": f"which = {value!r}\n"})
        add(index, (file_name.replace("-1.0-", f"-1.0{build}-"), data))
    return [digest(index, "toy-twice", name) for name in index.packages["toy-twice"].files]


def test_hashes_of_a_requirements_file(own_both):
    """As pip-compile and uv export write them: of all files, also of those for other machines."""
    index = own_both.index
    first, _ = add_twice(index)
    good, dep = (digest(index, f"toy-{name}", f"toy_{name}-{version}-py3-none-any.whl") for name, version in (("good", "1.1"), ("dep", "1.2")))
    text = f"toy-good==1.1 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{good}\n    # via you\ntoy-dep==1.2 --hash=sha256:{dep}\n"
    text += f"toy_twice==1.0 --hash=sha256:{first}\ntoy-elsewhere==1.0 ; sys_platform == 'win32' --hash=sha256:{'1' * 64}\n"
    server = prepared(own_both, text)
    assert server.run("import toy_good, toy_dep, toy_twice\ntoy_good.VERSION, toy_twice.which", timeout=60, patience=LONG).body == "('1.1', 'first')"
    second = prepared(own_both, text.replace(good, "2" * 64))
    assert second.run("1", timeout=60, patience=LONG).is_error, "other hashes are another question"


@pytest.mark.parametrize("case, says", [
    ("wrong", r"no file that fits here has a --hash that was given for toy-good 1\.1$"),
    ("dependency", r"these are needed and have none: toy-dep 1\.2$"),
    ("silent", r"--hash that was given for toy-silent 1\.0$"),
], ids=["wrong", "dependency", "silent"])  # fmt: skip
def test_hashes_that_do_not_fit(own_both, case, says):
    index = own_both.index
    good = digest(index, "toy-good", "toy_good-1.1-py3-none-any.whl")
    dep = digest(index, "toy-dep", "toy_dep-1.2-py3-none-any.whl")
    other = hashlib.sha256(b"other").hexdigest()
    file_name, data = wheel("toy-silent", files={"toy_silent.py": ""})
    add(index, (file_name, data))
    index.pages["toy-silent"] = f'<a href="{index.file_url("toy-silent", file_name)}">{file_name}</a>'.encode()
    text = {
        "wrong": f"toy-good==1.1 --hash=sha256:{other}\ntoy-dep==1.2 --hash=sha256:{dep}\n",
        "dependency": f"toy-good==1.1 --hash=sha256:{good}\n", "silent": f"toy-silent==1.0 --hash=sha256:{other}\n",
    }[case]  # fmt: skip
    result = prepared(own_both, text).run("print('ran')", timeout=60, patience=LONG)
    assert result.is_error and re.search(says, result.text, re.M) and "ran" not in result.text.split(), result
    assert not list((own_both.store / "sets").glob("*"))
    if case == "silent":  # its page says no hashes at all
        right = prepared(own_both, text.replace(other, hashlib.sha256(data).hexdigest()))
        assert not right.run("import toy_silent", timeout=60, patience=LONG).is_error
