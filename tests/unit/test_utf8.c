/* UTF-8: what is valid, what replaces the rest, counting and cutting. */
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "unit.h"

#define FFFD "\xef\xbf\xbd"

static void valid_text(void **state)
{
    static const char *const good[] = {
        "",
        "plain",
        "\x7f",
        "\xc2\x80",         /* U+0080 */
        "\xdf\xbf",         /* U+07FF */
        "\xe0\xa0\x80",     /* U+0800 */
        "\xed\x9f\xbf",     /* U+D7FF, the last before the surrogates */
        "\xee\x80\x80",     /* U+E000, the first after them */
        "\xef\xbf\xbf",     /* U+FFFF */
        "\xf0\x90\x80\x80", /* U+10000 */
        "\xf4\x8f\xbf\xbf", /* U+10FFFF */
        "12345678\xc3\xa9"
        "12345678",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(utf8_valid(good[i], strlen(good[i])));
    assert_true(utf8_valid("a\0b", 3));
    assert_true(utf8_valid(NULL, 0));
}

/* Bad text and what a reader of it gets: one U+FFFD for each longest part that could have begun a character. */
static void bad_text_is_replaced(void **state)
{
    static const struct {
        const char *bad;
        const char *clean;
    } cases[] = {
        {"\x80", FFFD},
        {"\xff"
         "a\xfe",
         FFFD "a" FFFD},
        {"\xc0\x80", FFFD FFFD},                   /* overlong NUL */
        {"\xc1\xbf", FFFD FFFD},                   /* overlong */
        {"\xe0\x80\x80", FFFD FFFD FFFD},          /* overlong */
        {"\xe0\x9f\xbf", FFFD FFFD FFFD},          /* overlong */
        {"\xf0\x80\x80\x80", FFFD FFFD FFFD FFFD}, /* overlong */
        {"\xed\xa0\x80", FFFD FFFD FFFD},          /* a surrogate */
        {"\xed\xbf\xbf", FFFD FFFD FFFD},          /* a surrogate */
        {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD},
        {"a\xc3", "a" FFFD}, /* ends in the middle */
        {"a\xe2\x82", "a" FFFD},
        {"a\xf0\x9f\x98", "a" FFFD},
        {"\xc3(", FFFD "("},
        {"\xe2\x82(", FFFD "("},
        {"\xf0\x9f\x98(", FFFD "("},
        {"12345678\xffxyz", "12345678" FFFD "xyz"},
        /* The Unicode standard's own example, table 3-11. */
        {"a\xf1\x80\x80\xe1\x80\xc2"
         "b\x80"
         "c\x80\xbf"
         "d",
         "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        autobuf struct buf out = BUF_INIT;

        assert_false(utf8_valid(cases[i].bad, strlen(cases[i].bad)));
        assert_int_equal(utf8_append_clean(&out, cases[i].bad, strlen(cases[i].bad)), 0);
        assert_string_equal(buf_str(&out), cases[i].clean);
    }
}

static void cleaning_stops_at_the_bound(void **state)
{
    autobuf struct buf out = BUF_INIT;

    (void)state;
    buf_init(&out, 4);
    assert_int_equal(utf8_append_clean(&out, "12345", 5), -ENOBUFS);
    assert_int_equal(utf8_append_clean(&out, "12\xff", 3), -ENOBUFS); /* three bytes instead of one */
    buf_clear(&out);
    assert_int_equal(utf8_append_clean(&out, "1\xff", 2), 0);
    assert_string_equal(buf_str(&out), "1" FFFD);
}

static void length_counts_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_length("", 0), 0);
    assert_int_equal(utf8_length("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 11), 5);
    assert_int_equal(utf8_length("\xff\xfe", 2), 2);
    assert_int_equal(utf8_length("\xe2\x82", 2), 2); /* each bad byte is one */
}

static void a_cut_never_splits_a_character(void **state)
{
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};

    (void)state;
    for (size_t size = 0; size <= 10; size++)
        assert_int_equal(utf8_cut(text, size), cuts[size]);
    assert_int_equal(utf8_cut("ab\x80", 3), 3); /* broken anyway: nothing to save */
    assert_int_equal(utf8_cut("\x80\x80\x80\x80", 4), 4);
    assert_int_equal(utf8_cut("\xe0\x80", 2), 2);
}

static void offsets_from_both_ends(void **state)
{
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t begins[] = {0, 1, 3, 6, 10};

    (void)state;
    for (size_t n = 0; n <= 4; n++) {
        assert_int_equal(utf8_offset(text, 10, n), begins[n]);
        assert_int_equal(utf8_offset_back(text, 10, n), begins[4 - n]);
    }
    assert_int_equal(utf8_offset(text, 10, 99), 10);
    assert_int_equal(utf8_offset_back(text, 10, 99), 0);
    assert_int_equal(utf8_offset("0123456789abcdefg", 17, 13), 13); /* inside a block of ASCII */
}

/* Every text of up to five bytes that matter: forward and backward agree, and what is cleaned is valid. */
static void all_functions_agree_on_any_bytes(void **state)
{
    static const char bytes[] = "a\x80\x90\xa0\xbf\xc2\xe0\xed\xf0\xf4\xff";
    const size_t kinds = sizeof(bytes) - 1;
    autobuf struct buf out = BUF_INIT;

    (void)state;
    for (size_t size = 1, count = kinds; size <= 5; size++, count *= kinds) {
        for (size_t code = 0; code < count; code++) {
            char text[5];
            size_t length;
            size_t rest = code;

            for (size_t i = 0; i < size; i++, rest /= kinds)
                text[i] = bytes[rest % kinds];
            length = utf8_length(text, size);
            for (size_t n = 0; n <= length; n++)
                if (utf8_offset(text, size, n) != utf8_offset_back(text, size, length - n))
                    fail_msg("size %zu code %zu: character %zu", size, code, n);
            buf_clear(&out);
            (void)utf8_append_clean(&out, text, size);
            if (!utf8_valid(buf_begin(&out), out.len) || utf8_cut(text, size) + 3 < size)
                fail_msg("size %zu code %zu", size, code);
            if (utf8_valid(text, size) && (out.len != size || utf8_cut(text, size) != size))
                fail_msg("size %zu code %zu: valid text was changed", size, code);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_text),
        cmocka_unit_test(bad_text_is_replaced),
        cmocka_unit_test(cleaning_stops_at_the_bound),
        cmocka_unit_test(length_counts_characters),
        cmocka_unit_test(a_cut_never_splits_a_character),
        cmocka_unit_test(offsets_from_both_ends),
        cmocka_unit_test(all_functions_agree_on_any_bytes),
    };

    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
