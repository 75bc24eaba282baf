/* What a terminal would show at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "session/clean.h"

/* Fed whole, and byte by byte: the result must not depend on how reads fall. */
static void check(const char *in, size_t size, const char *want)
{
    for (size_t step = size ? size : 1; step >= 1; step = step == 1 ? 0 : 1) {
        struct clean c;
        autobuf struct buf out = BUF_INIT;

        clean_init(&c);
        for (size_t i = 0; i < size; i += step)
            assert_int_equal(clean_feed(&c, in + i, step, &out), 0);
        assert_int_equal(clean_flush(&c, &out), 0);
        assert_string_equal(buf_str(&out), want);
        clean_fini(&c);
    }
}

#define CHECK(in, want) check(in, sizeof(in) - 1, want)

static void test_plain(void **state)
{
    (void)state;
    CHECK("", "");
    CHECK("a\nb", "a\nb");
    CHECK("a\n\n\tb\n", "a\n\n\tb\n");
    CHECK("gr\xc3\xbc\xc3\x9f\n", "gr\xc3\xbc\xc3\x9f\n");
}

static void test_carriage_return(void **state)
{
    (void)state;
    CHECK("10%\r20%\r100%\ndone\n", "100%\ndone\n");
    CHECK("10%\r20%\r", "20%");    /* nothing has overwritten it */
    CHECK("a\r\nb\r\n", "a\nb\n"); /* a line end of another system */
    CHECK("a\r\r\nb", "a\nb");
    CHECK("before\n1\r2\r3", "before\n3");
}

static void test_backspace(void **state)
{
    (void)state;
    CHECK("abc\b\bX", "aX");
    CHECK("\b\ba", "a");
    CHECK("\xc3\xbc\bo", "o"); /* a character, not a byte */
}

static void test_escapes(void **state)
{
    (void)state;
    CHECK("\033[31mred\033[0m text", "red text");
    CHECK("\033]0;title\aafter", "after");
    CHECK("\033]8;;http://x\033\\link\033]8;;\033\\", "link");
    CHECK("\033(Bx", "x");
    CHECK("\033[2Ka\033[1Ab", "ab");
    CHECK("a\033", "a");
    CHECK("\033]0;title\033[31mred", "]0;titlered"); /* the first did not end */
}

static void test_no_escape(void **state)
{
    (void)state;
    CHECK("\033]forgotten\nafter\n", "]forgotten\nafter\n");
    CHECK("\033]forgotten", "]forgotten");
    CHECK("\033Pa\033", "Pa");
    CHECK("\033[12\nafter", "[12\nafter");
    CHECK("\033[gr\xc3\xbc\xc3\x9f", "r\xc3\xbc\xc3\x9f"); /* ESC [ g is one */
    CHECK("\033[\xc3\xbc", "[\xc3\xbc");
    CHECK("\033\xc3\xbc", "\xc3\xbc");
    CHECK("old\r\033]new\n", "]new\n");
}

static void test_escape_without_end(void **state)
{
    char in[6000];
    struct clean c;
    autobuf struct buf out = BUF_INIT;

    (void)state;
    memset(in, 'x', sizeof in);
    memcpy(in, "\033]", 2);
    clean_init(&c);
    assert_int_equal(clean_feed(&c, in, sizeof in, &out), 0);
    assert_int_equal(clean_flush(&c, &out), 0);
    assert_int_equal(out.len, sizeof in - 1); /* given up after a bound: nothing is swallowed */
    clean_fini(&c);
}

static void test_bound(void **state)
{
    struct clean c;
    struct buf out;

    (void)state;
    buf_init(&out, 4);
    clean_init(&c);
    assert_true(clean_feed(&c, "12345\n", 6, &out) < 0);
    clean_fini(&c);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),     cmocka_unit_test(test_carriage_return),
        cmocka_unit_test(test_backspace), cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_no_escape), cmocka_unit_test(test_escape_without_end),
        cmocka_unit_test(test_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
