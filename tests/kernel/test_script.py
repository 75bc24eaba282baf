"""Script blocks (PEP 723): what code says in a comment that it needs."""

import unittest

import harness
from cells import CellCase


def block(*lines):
    return "\n".join(["# /// script"] + ["# " + line if line else "#" for line in lines] + ["# ///", ""])


class TestScript(CellCase):
    """Each installation that a cell asks for is kept in `asked`."""

    def setUp(self):
        super().setUp()
        self.asked = []
        self.answer = ("ok", "toy: installed 1.0", (harness.WIRE_NAME, "toy"))

    def install(self, args):
        self.asked.append(args)
        return self.answer

    def text(self, code):
        return self.ok(code, install=self.install)

    def error(self, code, name):
        return self.fails(code, name, install=self.install)

    def test_installed_before_the_code_runs(self):
        code = "import sys\n" + block('requires-python = ">=3.9"', "dependencies = [", '  "toy<3",', "  'rich',", "]")
        self.assertEqual(self.text(code + "print('ran')"), "toy: installed 1.0\nran\n")
        self.assertEqual(self.asked, [["toy<3", "rich"]])

    def test_nothing_is_said_when_all_is_there(self):
        self.answer = ("ok", "toy: already there, 1.0")
        code = block('dependencies = ["toy"]') + "1"
        self.assertEqual(self.text(code), "1")
        self.assertEqual(self.text(code), "1")
        self.assertEqual(self.asked, [["toy"]])  # the same again is not asked for
        self.text(block('dependencies = ["other"]'))
        self.assertEqual(self.asked, [["toy"], ["other"]])

    def test_asked_again_after_another_installation(self):
        code = block('dependencies = ["toy"]')
        self.text(code)
        self.text("%pip install toy==2")
        self.text(code)
        self.assertEqual(self.asked, [["toy"], ["toy==2"], ["toy"]])

    def test_failure_ends_it(self):
        self.answer = ("error", "toy: failed: no such package")
        error = self.error("x = 1\n" + block('dependencies = ["toy"]') + "x = 2", "ScriptError")
        self.assertEqual(
            error,
            "ScriptError: the code was not run, for what it needs could not be installed:\n"
            "toy: failed: no such package\n",
        )
        self.fails("x", "NameError")
        self.answer = ("ok", "")
        self.text(block('dependencies = ["toy"]'))
        self.assertEqual(self.asked, [["toy"], ["toy"]])  # a failure is not remembered

    def test_version_of_python(self):
        here = "%d.%d.%d" % self.version
        error = self.error(block('requires-python = ">=3.99"', 'dependencies = ["toy"]'), "ScriptError")
        self.assertEqual(error, "ScriptError: the code was not run: it requires Python >=3.99, and this is Python %s\n" % here)
        self.assertEqual(self.text(block('requires-python = "==%s"' % here) + "1"), "1")
        self.error(block('requires-python = "3.9"'), "ScriptError")
        self.error(block("requires-python = ['>=3.9']"), "ScriptError")
        self.assertEqual(self.asked, [])

    def test_specifiers(self):
        self.ok("from _cellblock_kernel.script import holds")
        for spec, version, holds in (
            (">=3.9", (3, 9, 0), True),
            (">=3.9", (3, 8, 18), False),
            (">=3.9, <4", (3, 14, 0), True),
            (">=3.9,<3.11", (3, 11, 0), False),
            ("", (3, 11, 0), True),
            (">3.11", (3, 11, 2), True),
            ("<=3.11", (3, 11, 2), False),
            ("==3.11", (3, 11, 0), True),
            ("==3.11", (3, 11, 2), False),
            ("==3.11.*", (3, 11, 2), True),
            ("==3.*", (3, 11, 2), True),
            ("!=3.11.*", (3, 11, 2), False),
            ("!=3.11.1", (3, 11, 2), True),
            ("~=3.10", (3, 14, 0), True),
            ("~=3.10", (4, 0, 0), False),
            ("~=3.10.2", (3, 10, 9), True),
            ("~=3.10.2", (3, 11, 0), False),
            (">=3.13rc1", (3, 13, 0), True),
            (">=3.13.0a1,<3.14", (3, 12, 9), False),
            ("<3.13rc1", (3, 13, 0), False),
            ("<=3.13rc1", (3, 13, 0), False),
            ("==3.13rc1", (3, 13, 0), False),
            ("<3.15.dev0", (3, 14, 1), True),
            (">= v3.9 ", (3, 9, 1), True),
            ("==3.11.2.0", (3, 11, 2), True),
            (">3.11.2.1", (3, 11, 2), False),
        ):
            self.shows("holds(%r, %r)" % (spec, version), str(holds))
        for spec in ("3.9", ">=", ">=x", "~=3", ">=3.*", "=>3.9", ">=3.9 <4", "==3.9.*rc1", "x;y"):
            self.fails("holds(%r, (3, 11, 2))" % spec, "ScriptError")

    def test_two_blocks(self):
        error = self.error(block('dependencies = ["toy"]') + "x = 1\n" + block(""), "SyntaxError")
        self.assertIn('File "<cell 2>", line 5\n    # /// script\n', error)
        self.assertIn("a second script block", error)
        self.assertEqual(self.asked, [])

    def test_malformed(self):
        for lines, line, shown in (
            (['dependencies = ["toy"'], 3, "dependencies = "),
            (["", "dependencies"], 4, "dependencies"),
            (["", "", "x = @"], 5, "x = @"),
            (['a = "x"', 'a = "y"'], 4, 'a = "y"'),
            (['dependencies = ["toy"] 5'], 3, "dependencies = "),
        ):
            with self.subTest(lines):
                error = self.error("pass\n" + block(*lines), "SyntaxError")
                self.assertRegex(error, r'(?s)File "<cell \d+>", line %d\n    # %s' % (line, shown.split("=")[0]))
                self.assertIn("the script block is no TOML: ", error)
        for value in ("5", '"toy"', '[["toy"]]', "[5]", "{a = 'b'}"):
            error = self.fails(block("dependencies = " + value), install=self.install)
            self.assertRegex(error, "ScriptError|SyntaxError")
        self.assertEqual(self.asked, [])

    def test_what_is_no_block(self):
        for code in (
            '  # /// script\n  # dependencies = ["toy"]\n  # ///\n',
            '# /// script\n# dependencies = ["toy"]\n',
            '# /// script\n# dependencies = ["toy"]\n\n# ///\n',
            '# /// script\n#dependencies = ["toy"]\n# ///\n',
            '# /// other\n# dependencies = ["toy"]\n# ///\n',
            '# /// script \n# dependencies = ["toy"]\n# ///\n',
            '#/// script\n# dependencies = ["toy"]\n# ///\n',
            '%%writefile it.py\n# /// script\n# dependencies = ["toy"]\n# ///\n',
            '%%bash\n# /// script\n# dependencies = ["toy"]\n# ///\n',
        ):
            with self.subTest(code):
                self.text(code)
        self.assertEqual(self.asked, [])

    def test_what_is_a_block(self):
        for code in (
            '# /// script\r\n# dependencies = ["toy0"]\r\n# ///\r\nx = 1',
            '%%time\n# /// script\n# dependencies = ["toy1"]\n# ///\n',
            '# /// other\n# x\n# ///\n\n# /// script\n# dependencies = ["toy2"]\n# ///',
            '# /// script\n#\n# # why\n# dependencies = [ # so\n#\n#   "toy3", # that\n# ]\n# [tool.x]\n# y = 1\n# ///\n',
        ):
            self.text(code)
        self.assertEqual(self.asked, [["toy%d" % n] for n in range(4)])
        self.text(block("dependencies = []") + "\n" + block("").replace("script", "other"))
        self.text(block(""))
        self.text(block("[tool.x]", "dependencies = ['toy']"))
        self.assertEqual(len(self.asked), 4)

    def test_run_of_a_file(self):
        self.ok("with open('it.py', 'w') as f:\n    f.write(%r)" % (block('dependencies = ["toy"]') + "print('ran')\n"))
        self.assertEqual(self.text("%run it.py"), "toy: installed 1.0\nran\n")
        self.assertEqual(self.asked, [["toy"]])

    def test_too_many(self):
        error = self.error(block("dependencies = [%s]" % ("'toy'," * 101)), "ScriptError")
        self.assertIn("101 packages", error)
        self.assertEqual(self.asked, [])

    def test_interrupted_while_it_waits(self):
        """As %pip: the cell ends, and the answer that comes later is dropped."""
        seq = self.kernel.start(block('dependencies = ["toy"]') + "x = 1")
        frame = self.kernel.recv()
        self.assertEqual(frame.type, harness.WIRE_INSTALL)
        self.kernel.interrupt()
        self.assertEqual(self.kernel.finish().status, "interrupted")
        self.kernel.send(harness.WIRE_INSTALL_REPLY, seq, [(harness.WIRE_STATUS, "ok"), (harness.WIRE_TEXT, "late")])
        self.assertEqual(self.ok("1"), "1")
        self.fails("x", "NameError")


class TestSmallToml(CellCase):
    """The parser for Pythons without tomllib says what tomllib says, or that it cannot read it."""

    GOOD = (
        "",
        "\n\n# only this\n",
        "dependencies = []",
        "dependencies = ['a', \"b\" ,\n # c\n 'd',\n]\n",
        'requires-python = ">=3.9"  # why\ndependencies=["x[y]>=1; python_version < \'3.12\'"]',
        '"dependencies" = ["a"]\n\'x\' = "y"',
        r'a = "tab\t quote\" back\\ \u00e9 \U0001F600"',
        r"a = 'C:\x'",
        "a = 'x'\n[tool.uv]\nanything = { goes = 1 }\n",
        "[[tool.uv.index]]\nurl = 'x'",
        'a = ""\nb = "#"',
    )
    BAD = (
        "a",
        "a =",
        "a = [",
        "a = ['x'",
        "a = ['x' 'y']",
        "a = ['x'] 'y'",
        "a = 'x' b = 'y'",
        "a = 'x'\na = 'y'",
        "= 'x'",
        "a = 'x",
        'a = "x',
        'a = "x\ny"',
        r'a = "\q"',
        r'a = "\ud800"',
        r'a = "\u12"',
        "a = [,]",
        "a = ['x',,]",
        "[tool",
        "é = 'x'",
        "a = 'x\x01'",
        "a == 'x'",
    )

    def test_as_tomllib(self):
        if self.version < (3, 11):
            self.skipTest("tomllib")
        self.ok("import tomllib\nfrom _cellblock_kernel import smalltoml")
        self.ok("def flat(d): return {k: v for k, v in d.items() if k != 'tool'}")
        for text in self.GOOD:
            self.ok("a, b = flat(tomllib.loads(%r)), smalltoml.loads(%r)\nassert a == b, (a, b)" % (text, text))
        for text in self.BAD:
            self.fails("tomllib.loads(%r)" % text, "TOMLDecodeError")

    def test_errors(self):
        self.ok("from _cellblock_kernel import smalltoml")
        for text in self.GOOD:
            self.ok("smalltoml.loads(%r)" % text)
        for text in self.BAD:
            self.assertRegex(self.fails("smalltoml.loads(%r)" % text, "ValueError"), r"\(at (line \d+, column \d+|end of doc)")
        for text in ("a = 1", "a = true", "a = {}", "a.b = 'x'", "a = '''x'''", 'a = """x"""', "a = [['x']]", "a = 1979-05-27"):
            self.assertRegex(self.fails("smalltoml.loads(%r)" % text, "ValueError"), r"3\.11.*\(at line 1, column \d")
        error = self.fails("smalltoml.loads('\\n\\na = [\\n  5]')", "ValueError")
        self.assertIn("(at line 4, column 3)", error)


if __name__ == "__main__":
    unittest.main()
