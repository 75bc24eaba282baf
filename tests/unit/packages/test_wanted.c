/* Files of requirements: what is understood, and what is refused with its line. */
#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/wanted.h"
#include "packages/words.h"

static char folder[] = "/tmp/cellblock-wanted-XXXXXX";

static char *file(const char *name, const char *text, size_t size)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    return path;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    autofree char *command = xasprintf("rm -r %s", folder);

    (void)state;
    return system(command);
}

static void check(const char *text, const char *expected)
{
    autofree char *path = file("requirements.txt", text, strlen(text)), *all = xstrdup("");
    autowanted struct wanted words = {{NULL, 0}, {NULL, 0}};
    struct err e = ERR_INIT;

    if (wanted_read(path, &words, &e) < 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < words.specs.n; i++) {
        char *more = xasprintf("%s%s|", all, words.specs.items[i]);

        free(all);
        all = more;
    }
    assert_string_equal(all, expected);
}

static void refused(const char *text, const char *says)
{
    autofree char *path = file("requirements.txt", text, strlen(text));
    autowanted struct wanted words = {{NULL, 0}, {NULL, 0}};
    struct err e = ERR_INIT;

    assert_true(wanted_read(path, &words, &e) < 0);
    if (!strstr(e.text, says))
        fail_msg("%s: %s", says, e.text);
}

static void test_lines(void **state)
{
    (void)state;
    check("", "");
    check("numpy\npandas>=2\n", "numpy|pandas>=2|");
    check("# comment\n\n  numpy  # why\r\nrequests[socks]>=2 ; python_version > '3'",
          "numpy|requests[socks]>=2 ; python_version > '3'|");
    check("numpy>=1,\\\n   <3\nsix", "numpy>=1,    <3|six|");
    check("pip @ https://example.org/pip-1-py3-none-any.whl#sha256=ab\n",
          "pip @ https://example.org/pip-1-py3-none-any.whl#sha256=ab|");
}

static void test_nested(void **state)
{
    autofree char *other = file("more.txt", "six\n-r requirements-last.txt\n", 29), *last = NULL;

    (void)state;
    last = file("requirements-last.txt", "attrs", 5);
    check("numpy\n-r more.txt\n--requirement=requirements-last.txt\n--requirement requirements-last.txt",
          "numpy|six|attrs|attrs|attrs|");
    refused("-r requirements.txt\n", "too many files");
    refused("\n-r none.txt\n", "none.txt: No such file");
}

static void test_refused(void **state)
{
    (void)state;
    refused("six\n-e .\n", "line 2: -e");
    refused("--index-url https://example.org/simple\n", "line 1: --index-url");
    refused("six==1 --global-option=x\n", "line 1: of the options");
    refused("six\n./local.whl\n", "line 2");
    refused("-r\n", "line 1: -r");
}

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "00000000000000000000000000000000000000000000000000000000000000Bb"
#define B_LOWER "00000000000000000000000000000000000000000000000000000000000000bb"

static void check_hashes(const char *text, const char *specs, const char *hashes)
{
    autofree char *path = file("requirements.txt", text, strlen(text)), *all = xstrdup("");
    autowanted struct wanted got = {{NULL, 0}, {NULL, 0}};
    struct err e = ERR_INIT;

    check(text, specs);
    assert_int_equal(wanted_read(path, &got, &e), 0);
    for (size_t i = 0; i < got.hashes.n; i++) {
        char *more = xasprintf("%s%s|", all, got.hashes.items[i]);

        free(all);
        all = more;
    }
    assert_string_equal(all, hashes);
}

static void test_hashes(void **state)
{
    autofree char *other = file("more.txt", "Six_X==1.0 --hash=sha256:" A, 25 + 64);

    (void)state;
    check_hashes("six==1.0\n", "six==1.0|", "");
    check_hashes("-r more.txt\nattrs==2 ; python_version > '3' --hash sha256:" B "\n",
                 "Six_X==1.0|attrs==2 ; python_version > '3'|", "six-x " A "|attrs " B_LOWER "|");
    /* As pip-compile and uv export write them. */
    check_hashes("six==1.0 \\\n    --hash=sha256:" A " \\\r\n    --hash=sha256:" B "\n    # via this\n", "six==1.0|",
                 "six " A "|six " B_LOWER "|");
    check_hashes("six===1.0 --hash=sha256:" A "\npip @ https://example.org/pip-1-py3-none-any.whl#sha256=" A "\n",
                 "six===1.0|pip @ https://example.org/pip-1-py3-none-any.whl#sha256=" A "|", "six " A "|pip " A "|");
    refused("six==1.0 --hash=sha256:" A "\nattrs==2\n", "attrs has no --hash");
    refused("six==1.0 --hash=sha256:" A "\npip @ https://example.org/pip-1-py3-none-any.whl\n", "pip has no --hash");
    for (size_t i = 0; i < 6; i++) {
        static const char *const versions[] = {"", ">=1", "==1.*", ">=1,==2", "==1,<2", " ; python_version == '3.11'"};
        autofree char *text = xasprintf("six%s --hash=sha256:" A "\n", versions[i]);

        refused(text, "six has no single version");
    }
    for (size_t i = 0; i < 7; i++) {
        static const char *const options[] = {"--hash",
                                              "--hash=",
                                              "--hash=sha256:" A "0",
                                              "--hash=sha256:ab",
                                              "--hash=sha512:" A A,
                                              "--hash=" A,
                                              "--hash=sha256:" A " x"};
        autofree char *text = xasprintf("\nsix==1 %s\n", options[i]);

        refused(text, "line 2: of the options");
    }
}

static void test_no_text(void **state)
{
    autofree char *binary = file("binary", "six\0six", 7), *large = NULL;
    autowanted struct wanted words = {{NULL, 0}, {NULL, 0}};
    struct err e = ERR_INIT;
    char *big = xnew_n(char, 5 << 20);

    (void)state;
    memset(big, '\n', 5 << 20);
    large = file("large", big, 5 << 20);
    free(big);
    assert_int_equal(wanted_read(binary, &words, &e), -EINVAL);
    e.code = 0;
    assert_int_equal(wanted_read(large, &words, &e), -EINVAL);
    assert_int_equal(wanted_read(folder, &words, &e), -EINVAL);
}

static void test_project(void **state)
{
    static const char said[] = "a warning\n\n\001wanted\nsix\nnumpy>=2\n", bad[] = "\n\001wanted\nsix\n-e .\n";
    autowanted struct wanted words = {{NULL, 0}, {NULL, 0}}, more = {{NULL, 0}, {NULL, 0}};
    struct err e = ERR_INIT;

    (void)state;
    assert_true(wanted_is_project("a/pyproject.toml"));
    assert_false(wanted_is_project("a/requirements.txt"));
    assert_int_equal(wanted_take("p.toml", said, strlen(said), &words, &e), 0);
    assert_int_equal(words.specs.n, 2);
    assert_string_equal(words.specs.items[1], "numpy>=2");
    assert_int_equal(wanted_take("p.toml", bad, strlen(bad), &more, &e), -EINVAL);
    assert_non_null(strstr(e.text, "p.toml, dependency 2"));
    assert_int_equal(wanted_take("p.toml", "it has no [project] table\n", 26, &more, &e), -EINVAL);
    assert_string_equal(e.text, "p.toml: it has no [project] table");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_nested),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_text), cmocka_unit_test(test_project), cmocka_unit_test(test_hashes),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
