"""Figures and tables, on an interpreter that has numpy, pandas and matplotlib."""

import json

from rawclient import png_size

PLOT = "import matplotlib.pyplot as plt\n"


def test_figure_without_show(science):
    result = science.run(PLOT + "plt.plot([1, 2, 3])\nprint('drawn')")
    assert not result.is_error and len(result.images) == 1
    width, height = png_size(result.images[0])
    assert width >= 300 and height >= 200
    assert "drawn" in result.body


def test_figure_is_shown_once(science):
    assert len(science.run(PLOT + "plt.plot([1, 2])\nplt.show()").images) == 1
    assert len(science.run("1+1").images) == 0


def test_figures_in_a_loop_keep_their_place(science):
    result = science.run(
        PLOT + "for i in range(3):\n    print('fig', i)\n    plt.plot([i, i + 1])\n    plt.show()\nprint('end')"
    )
    kinds = [c["type"] for c in result.content if c["type"] in ("text", "image")]
    assert len(result.images) == 3 and kinds.count("image") == 3
    assert len(set(result.images)) == 3
    text = result.text
    assert text.index("fig 0") < text.index("fig 1") < text.index("fig 2") < text.index("end")


def test_figure_object_as_value(science):
    assert len(science.run(PLOT + "fig, ax = plt.subplots()\nax.plot([1, 2])\nfig").images) == 1


def test_several_open_figures(science):
    assert len(science.run(PLOT + "for i in range(4):\n    plt.figure(); plt.plot([i])").images) == 4


def test_closed_figure_is_not_shown(science):
    assert len(science.run(PLOT + "plt.plot([1]); plt.savefig('a.png'); plt.close()").images) == 0


def test_savefig_and_link(science):
    result = science.run(PLOT + "plt.plot([1, 2]); plt.savefig('saved.png'); None")
    assert any(li["name"] == "saved.png" for li in result.links)
    link = next(li for li in result.links if li["name"] == "saved.png")
    assert link["mimeType"] == "image/png"
    assert png_size(science.read(link["uri"]))[0] > 100


def test_backend_and_gui(science):
    assert "agg" in science.run(PLOT + "plt.get_backend().lower()").body
    assert not science.run("%pylab inline --no-import-all").is_error
    result = science.run("%matplotlib inline\n" + PLOT + "plt.plot([1])")
    assert len(result.images) == 1 and not result.is_error


def test_figure_before_an_error(science):
    result = science.run(PLOT + "plt.plot([1, 2])\nplt.show()\n1/0")
    assert result.is_error and len(result.images) == 1


def test_ten_big_figures(science):
    """The message stays below 1 MiB (the client checks): what does not fit is linked."""
    result = science.run(
        PLOT + "import numpy as np\nfor i in range(10):\n    plt.figure(figsize=(12, 9), dpi=100)\n"
        "    plt.imshow(np.random.rand(500, 500))\n    plt.show()",
        timeout=110,
        patience=120,
    )
    assert not result.is_error and len(json.dumps(result.raw)) < 1_048_576
    assert len(result.images) >= 1
    assert len(result.images) + len(result.links) >= 10
    for image in result.images + [science.read(link["uri"]) for link in result.links]:
        assert image.startswith((b"\x89PNG", b"\xff\xd8\xff")) and len(image) > 10_000


def test_many_small_figures(science):
    result = science.run(
        PLOT + "for i in range(40):\n    plt.figure(figsize=(1, 1)); plt.plot([i]); plt.show()", timeout=60
    )
    assert not result.is_error and 20 <= len(result.images) <= 32
    assert "32" in result.text or result.links  # what is missing is said


def test_dataframe_is_readable_text(science):
    result = science.run("import pandas as pd\npd.DataFrame({'name': ['Ada', 'Grace'], 'born': [1815, 1906]})")
    lines = result.body.splitlines()
    assert "name" in lines[0] and "born" in lines[0] and "Ada" in lines[1] and "1906" in lines[2]
    assert "<table" not in result.text and "<div" not in result.text


def test_wide_and_long_dataframes(science):
    result = science.run("import numpy as np, pandas as pd\npd.DataFrame(np.zeros((100000, 60)))")
    assert "100000 rows" in result.body and len(result.text) < 20_100
    assert "..." in result.body


def test_styler(science):
    result = science.run(
        "import pandas as pd\ntry:\n    v = pd.DataFrame({'a': [1.5]}).style.format('{:.1f}')\n"
        "except Exception: v = pd.DataFrame({'a': [1.5]})\nv"
    )
    assert not result.is_error and "<style" not in result.text and "1.5" in result.body


def test_plot_of_pandas(science):
    assert len(science.run("import pandas as pd\npd.Series([1, 3, 2]).plot()").images) == 1


def test_no_structured_content_and_one_copy(science):
    result = science.run(PLOT + "plt.plot([1, 2])")
    assert "structuredContent" not in result.raw
    data = next(c["data"] for c in result.content if c["type"] == "image")
    assert json.dumps(result.raw).count(data) == 1


def test_numpy_interrupt_keeps_variables(science):
    science.run("import numpy as np\nx = 5")
    result = science.run("while True: np.random.rand(200, 200) @ np.random.rand(200, 200)", timeout=1)
    assert result.is_error and "5" in science.run("x").body


def test_random_streams_differ_between_sessions(science_server):
    """Forks of one process must not draw the same numbers."""
    code = "import random, uuid, os\nimport numpy as np\n(random.random(), np.random.rand(), str(uuid.uuid4()))"
    assert science_server.run(code, session="new").body != science_server.run(code, session="new").body


def test_preloading_does_not_delay_the_first_call(tmp_path):
    """The first call is answered while the packages are still being imported: they are not loaded in its process."""
    from rawclient import SCIENCE_PYTHON, Server

    work = tmp_path / "work"
    work.mkdir()
    s = Server(work, python=SCIENCE_PYTHON, preload=None)
    try:
        s.initialize()
        result = s.run("import sys; 'pandas' in sys.modules")
        assert "False" in result.body
        assert not s.run("import pandas as pd; len(pd.DataFrame({'a': [1]}))").is_error
    finally:
        s.close()


def test_new_sessions_have_packages_ready(science_server):
    """Once warm, a new session finds numpy and pandas imported."""
    from rawclient import poll

    poll(
        lambda: "True" in science_server.run("import sys; 'pandas' in sys.modules", session="new").body,
        "a warm session",
    )
