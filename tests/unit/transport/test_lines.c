/* Bytes to lines, however the reads fall. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "transport/lines.h"

/* What was called, as text: <line> (its size, when it is long), + for a part, ! for the end of an oversized one. */
struct seen {
    struct lines lines;
    struct buf text;
    size_t oversize_bytes;
    bool stop_at_first;
};

static void on_line(void *data, const char *text, size_t size)
{
    struct seen *seen = data;

    if (size > 100)
        (void)buf_printf(&seen->text, "<%zu>", size);
    else
        (void)buf_printf(&seen->text, "<%.*s>", (int)size, text);
    if (seen->stop_at_first)
        lines_stop(&seen->lines);
}

static void on_part(void *data, const char *part, size_t size)
{
    struct seen *seen = data;

    (void)part;
    seen->oversize_bytes += size;
}

static void on_end(void *data)
{
    (void)buf_puts(&((struct seen *)data)->text, "!");
}

static const struct lines_ops ops = {on_line, on_part, on_end};

static void check(const char *in, size_t size, size_t step, const char *want)
{
    struct seen seen = {.text = BUF_INIT};

    lines_init(&seen.lines, &ops, &seen);
    for (size_t at = 0; at < size; at += step)
        lines_feed(&seen.lines, in + at, step < size - at ? step : size - at);
    lines_end(&seen.lines);
    assert_string_equal(buf_str(&seen.text), want);
    buf_fini(&seen.text);
    lines_fini(&seen.lines);
}

static void test_lines(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"", ""},           {"a\n", "<a>"},   {"a\nb\n", "<a><b>"},
        {"a", "<a>"}, /* a last line without its end */
        {"a\nb", "<a><b>"}, {"\n\n", "<><>"}, {"a\r\nb\r\n", "<a\r><b\r>"},
        {"\na", "<><a>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t step = 1; step <= 4; step++)
            check(rows[i].in, strlen(rows[i].in), step, rows[i].want);
}

static void test_bound(void **state)
{
    autofree char *text = xnew_n(char, LIMIT_MESSAGE_IN + 8);

    (void)state;
    memset(text, 'x', LIMIT_MESSAGE_IN + 8);
    for (size_t over = 0; over <= 1; over++) {
        autofree char *want = over ? xstrdup("!<a>") : xasprintf("<%zu><a>", LIMIT_MESSAGE_IN);
        size_t size = LIMIT_MESSAGE_IN + over;

        memcpy(text + size, "\na\n", 3);
        check(text, size + 3, 64 * KIB, want);
        check(text, size + 3, 60000, want);
        check(text, size + 3, size + 3, want);
        memset(text + size, 'x', 3);
        want[strlen(want) - 3] = '\0';
        check(text, size, 64 * KIB, want); /* and the end of the stream */
    }
}

static void test_oversize_is_passed_whole_and_not_kept(void **state)
{
    struct seen seen = {.text = BUF_INIT};
    autofree char *text = xnew_n(char, MIB);

    (void)state;
    lines_init(&seen.lines, &ops, &seen);
    lines_feed(&seen.lines, "first\nabc", 9);
    for (int i = 0; i < 10; i++)
        lines_feed(&seen.lines, text, MIB);
    assert_int_equal(seen.oversize_bytes, 3 + 10 * MIB);
    assert_int_equal(seen.lines.partial.cap, 0);
    lines_feed(&seen.lines, "z\nnext\n", 7);
    assert_int_equal(seen.oversize_bytes, 4 + 10 * MIB);
    assert_string_equal(buf_str(&seen.text), "<first>!<next>");
    buf_fini(&seen.text);
    lines_fini(&seen.lines);
}

/* Memory of a large line is given back. */
static void test_large_line(void **state)
{
    struct seen seen = {.text = BUF_INIT};
    autofree char *text = xnew_n(char, MIB);

    (void)state;
    lines_init(&seen.lines, &ops, &seen);
    lines_feed(&seen.lines, text, MIB);
    lines_feed(&seen.lines, text, MIB);
    lines_feed(&seen.lines, "\n", 1);
    assert_string_equal(buf_str(&seen.text), "<2097152>");
    assert_int_equal(seen.lines.partial.cap, 0);
    buf_fini(&seen.text);
    lines_fini(&seen.lines);
}

static void test_stop(void **state)
{
    static const char *const ins[] = {"a\nb\nc\n", "a\nb"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct seen seen = {.text = BUF_INIT, .stop_at_first = true};

        lines_init(&seen.lines, &ops, &seen);
        lines_feed(&seen.lines, ins[i], strlen(ins[i]));
        lines_feed(&seen.lines, "d\n", 2);
        lines_end(&seen.lines);
        assert_string_equal(buf_str(&seen.text), "<a>");
        buf_fini(&seen.text);
        lines_fini(&seen.lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_oversize_is_passed_whole_and_not_kept),
        cmocka_unit_test(test_large_line),
        cmocka_unit_test(test_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
