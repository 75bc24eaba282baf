/*
 * What uv and pip said, recorded word for word (recorded/), and what is made of it. The files' headings:
 * "=== name|kind|package|words that the reason has"; behind "--- log" come lines of pip's log.
 */
#include "../unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "packages/blame.h"
#include "packages/explain.h"

static const char *folder;

static const char *const kinds[EXPLAIN_KIND_MAX] = {
    [EXPLAIN_UNKNOWN] = "UNKNOWN",
    [EXPLAIN_NO_SUCH] = "NO_SUCH",
    [EXPLAIN_NO_VERSION] = "NO_VERSION",
    [EXPLAIN_PYTHON] = "PYTHON",
    [EXPLAIN_PLATFORM] = "PLATFORM",
    [EXPLAIN_CONFLICT] = "CONFLICT",
    [EXPLAIN_NO_WHEEL] = "NO_WHEEL",
    [EXPLAIN_BUILD] = "BUILD",
    [EXPLAIN_HASH] = "HASH",
    [EXPLAIN_BAD_FILE] = "BAD_FILE",
    [EXPLAIN_REFUSED] = "REFUSED",
    [EXPLAIN_INDEX] = "INDEX",
    [EXPLAIN_NETWORK] = "NETWORK",
    [EXPLAIN_TLS] = "TLS",
    [EXPLAIN_OFFLINE] = "OFFLINE",
    [EXPLAIN_DISK] = "DISK",
    [EXPLAIN_PERMISSION] = "PERMISSION",
    [EXPLAIN_NO_PIP] = "NO_PIP",
};

static char *load(const char *name)
{
    autofree char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    char *text = xnew_n(char, 1 << 20);

    assert_non_null(file);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    (void)fclose(file);
    return text;
}

static void check_case(const char *file, char *heading, char *body)
{
    char *name = strsep(&heading, "|"), *kind = strsep(&heading, "|"), *package = strsep(&heading, "|");
    char *log = strstr(body, "--- log\n");
    struct explain got;

    if (log) {
        *log = '\0';
        log += strlen("--- log\n");
    }
    explain(body, strlen(body), log, log ? strlen(log) : 0, &got);
    if (strcmp(kinds[got.kind], kind) != 0 || strcmp(got.package, package) != 0 || !strstr(got.reason, heading))
        fail_msg("%s, %s: %s of \"%s\": %s", file, name, kinds[got.kind], got.package, got.reason);
    explain_fini(&got);
}

static void check_file(const char *file, size_t expected)
{
    autofree char *text = load(file);
    size_t n = 0;

    for (char *at = strstr(text, "=== "), *next; at; at = next) {
        char *end = strchr(at, '\n');

        next = strstr(at, "\n=== ");
        if (next)
            *next++ = '\0';
        *end = '\0';
        check_case(file, at + 4, end + 1);
        n++;
    }
    assert_true(n >= expected);
}

static void recorded_uv(void **state)
{
    (void)state;
    check_file("uv.txt", 20);
}

static void recorded_pip(void **state)
{
    (void)state;
    check_file("pip23.txt", 20);
    check_file("pip24.txt", 20);
}

static void empty_and_broken_output(void **state)
{
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "error:",
                                        "\033[31merror:\033[0m \033]8;;x",
                                        "Because ",
                                        "ERROR: No matching distribution found for ",
                                        "(from versions: ",
                                        "://",
                                        "http://a@",
                                        "error: \xff\xfe Failed to build `"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct explain got;

        explain(texts[i], strlen(texts[i]), texts[i], strlen(texts[i]), &got);
        assert_non_null(got.reason);
        explain_fini(&got);
    }
}

static void check_clean(const char *text, const char *expected)
{
    autofree char *got = explain_clean(text, strlen(text));

    assert_string_equal(got, expected);
}

static void clean_hides_credentials(void **state)
{
    (void)state;
    check_clean("at https://joe:geheim@host:80/simple/ now", "at https://****@host:80/simple/ now");
    check_clean("(https://token@host)", "(https://****@host)");
    check_clean("https://a:b@c@host/x@y", "https://****@host/x@y");
    check_clean("https://host/f.whl?sig=abc&x=y#frag.", "https://host/f.whl?****#frag.");
    check_clean("'https://host/a'", "'https://host/a'");
    check_clean("git+https://u:p@host/r@v1", "git+https://****@host/r@v1");
}

static void clean_drops_terminal_codes(void **state)
{
    (void)state;
    check_clean("\033[1;31merror\033[0m: a\tb\a", "error: a    b");
    check_clean("\033]8;;x\alink\033]8;;\a", "link");
    check_clean("10%\r20%\n", "10%\n20%\n");
    check_clean("bad \xff byte", "bad \xef\xbf\xbd byte");
}

static void check_tail(const char *text, size_t n, const char *expected)
{
    autofree char *got = explain_tail(text, strlen(text), n);

    assert_string_equal(got, expected);
}

static void tail_takes_lines_that_say_something(void **state)
{
    (void)state;
    check_tail("a\nb\n\nc\n\n", 2, "b\nc");
    check_tail("a\nb", 5, "a\nb");
    check_tail("one", 1, "one");
    check_tail("one\n", 1, "one");
    check_tail("", 3, "");
    check_tail("\n\n", 3, "");
}

static void mentions_whole_names(void **state)
{
    struct explain x = {.section = (char *)(uintptr_t) "error: Toy_Good==1 and (toy-dep<2) for my-toy. End of toy-x."};

    (void)state;
    assert_true(blame_mentions(&x, "toy-good"));
    assert_true(blame_mentions(&x, "toy-dep"));
    assert_true(blame_mentions(&x, "toy-x"));
    assert_false(blame_mentions(&x, "toy"));
    assert_false(blame_mentions(&x, "good"));
    assert_false(blame_mentions(&x, "dep"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_uv),
        cmocka_unit_test(recorded_pip),
        cmocka_unit_test(empty_and_broken_output),
        cmocka_unit_test(clean_hides_credentials),
        cmocka_unit_test(clean_drops_terminal_codes),
        cmocka_unit_test(tail_takes_lines_that_say_something),
        cmocka_unit_test(mentions_whole_names),
    };

    folder = argc > 1 ? argv[1] : "recorded";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
