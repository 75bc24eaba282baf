/* Flags, numbers and sizes as people write them. */
#include "cli/values.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "../unit.h"

#define MOST ((uint64_t)1 << 44)

static void test_size(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
    } good[] = {
        {"1048576", 1048576}, {"512m", 512ull << 20}, {"1g", 1ull << 30}, {"1GiB", 1ull << 30},
        {"1gb", 1ull << 30},  {"1.5G", 3ull << 29},   {"64K", 64 << 10},  {"2t", 2ull << 40},
        {"100b", 100},        {"16t", MOST},          {"0.5k", 512},      {"007", 7},
        {"12.9", 12},
    };
    static const char *const bad[] = {
        "",      "m",    "-1",
        "+1",    " 1",   "1 ",
        "1 g",   "1x",   "1gg",
        "1gib2", "0x10", "1e3",
        "inf",   "nan",  "1.2.3",
        ".5",    "1m1",  "1ib",
        "k1",    "17t",  "99999999999999999999999",
        "1\n",   "١g",   "1kk",
        "1bb",   "0",    "00000000000000000000000000000000000000000000001",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct err e = ERR_INIT;
        uint64_t got = 0;

        assert_int_equal(value_size("--x", good[i].text, 1, MOST, &got, &e), 0);
        assert_true(got == good[i].want);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err e = ERR_INIT;
        uint64_t got = 77;

        assert_int_equal(value_size("--x", bad[i], 1, MOST, &got, &e), -EINVAL);
        assert_true(got == 77 && strncmp(e.text, "--x takes a size ", 17) == 0);
    }
}

static void test_size_bounds(void **state)
{
    struct err e = ERR_INIT;
    uint64_t got;

    (void)state;
    assert_int_equal(value_size("--x", "63m", 64 << 20, MOST, &got, &e), -EINVAL);
    assert_string_equal(e.text, "--x takes a size from 64m to 16t, not '63m'");
    assert_int_equal(value_size("--x", "64m", 64 << 20, MOST, &got, &e), 0);
}

static void test_size_text(void **state)
{
    static const uint64_t sizes[] = {0, 1, 1023, 1024, 1536, 1 << 20, 3ull << 29, 1ull << 44, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char text[VALUE_SIZE_TEXT];
        struct err e = ERR_INIT;
        uint64_t back = 0;

        value_size_text(text, sizes[i]);
        if (sizes[i] == UINT64_MAX)
            assert_string_equal(text, "18446744073709551615");
        else
            assert_true(value_size("--x", text, 0, MOST, &back, &e) == 0 && back == sizes[i]);
    }
}

static void test_number(void **state)
{
    static const char *const bad[] = {"",   "-1", "+1", "1.5", "1k", " 1", "0x1", "3", "101", "18446744073709551617",
                                      "1\n"};
    struct err e = ERR_INIT;
    uint64_t got = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(value_number("--x", bad[i], 4, 100, &got, &e), -EINVAL);
    assert_true(got == 77);
    assert_string_equal(e.text, "--x takes a whole number from 4 to 100, not '1\n'");
    assert_true(value_number("--x", "4", 4, 100, &got, &e) == 0 && got == 4);
    assert_true(value_number("--x", "0100", 4, 100, &got, &e) == 0 && got == 100);
}

static void test_flag(void **state)
{
    static const char *const yes[] = {"1", "true", "YES", "on"}, *const no[] = {"0", "False", "no", "off", ""},
                             *const bad[] = {"2", "none", "host", "y", " 1", "enabled"};
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        bool got = false;

        assert_true(value_flag("--x", yes[i], &got, &e) == 0 && got);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        bool got = true;

        assert_true(value_flag("--x", no[i], &got, &e) == 0 && !got);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool got = false;

        assert_true(value_flag("--x", bad[i], &got, &e) == -EINVAL && !got);
    }
}

static void test_milliseconds(void **state)
{
    struct err e = ERR_INIT;
    int64_t got;

    (void)state;
    assert_true(value_milliseconds("--x", "2", &got, &e) == 0 && got == 2000);
    assert_true(value_milliseconds("--x", "0.0001", &got, &e) == 0 && got == 1);
    assert_int_equal(value_milliseconds("--x", "0", &got, &e), -EINVAL);
    assert_int_equal(value_milliseconds("--x", "soon", &got, &e), -EINVAL);
    assert_int_equal(value_milliseconds("--x", "1e10", &got, &e), -EINVAL);
    assert_int_equal(value_milliseconds("--x", "nan", &got, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),   cmocka_unit_test(test_size_bounds), cmocka_unit_test(test_size_text),
        cmocka_unit_test(test_number), cmocka_unit_test(test_flag),        cmocka_unit_test(test_milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
