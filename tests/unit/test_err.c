/* Errors: text, code, cutting, and that a failure is never 0. */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "unit.h"

static void set_fills_code_and_text(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(e.code, 0);
    assert_int_equal(err_set(&e, ENOENT, "no %s at %d", "file", 7), -ENOENT);
    assert_int_equal(e.code, ENOENT);
    assert_string_equal(e.text, "no file at 7");
}

static void without_an_object_only_the_code_returns(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, EPERM, "%s", "unseen"), -EPERM);
    errno = EACCES;
    assert_int_equal(err_errno(NULL, "%s", "unseen"), -EACCES);
}

static void errno_is_told_in_words(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    errno = ENOENT;
    assert_int_equal(err_errno(&e, "open %s", "x"), -ENOENT);
    assert_int_equal(e.code, ENOENT);
    assert_string_equal(e.text, "open x: No such file or directory");
}

static void an_unknown_errno_is_told_as_a_number(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    errno = 99999;
    assert_int_equal(err_errno(&e, "step"), -99999);
    assert_string_equal(e.text, "step: error 99999");
}

/* A caller tests for < 0: a failure that forgot errno must not look like success. */
static void errno_zero_is_still_a_failure(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    errno = 0;
    assert_int_equal(err_errno(&e, "step"), -EIO);
    assert_int_equal(e.code, EIO);
}

static void long_text_is_cut_at_a_character(void **state)
{
    char wide[2 * ERR_TEXT_MAX + 2];
    struct err e;

    (void)state;
    for (size_t shift = 0; shift < 2; shift++) { /* one of the two would split a character in the middle */
        memset(wide, 'x', shift);
        for (size_t i = shift; i + 1 < sizeof(wide); i += 2)
            memcpy(wide + i, "\xc3\xa9", 2);
        wide[sizeof(wide) - 2 + shift] = '\0';
        (void)err_set(&e, EINVAL, "%s", wide);
        assert_true(strlen(e.text) >= ERR_TEXT_MAX - 2);
        assert_true(utf8_valid(e.text, strlen(e.text)));

        errno = ENOENT; /* the reason is never what is cut */
        (void)err_errno(&e, "%s", wide);
        assert_true(utf8_valid(e.text, strlen(e.text)));
        assert_non_null(strstr(e.text, ": No such file or directory"));
    }
}

static void broken_bytes_do_not_leave(void **state)
{
    struct err e;

    (void)state;
    (void)err_set(&e, EINVAL, "name %s",
                  "a\xff"
                  "b");
    assert_string_equal(e.text, "name a?b");
    (void)err_set(&e, EINVAL, "name %s", "\xc3\xa9");
    assert_string_equal(e.text, "name \xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_code_and_text),       cmocka_unit_test(without_an_object_only_the_code_returns),
        cmocka_unit_test(errno_is_told_in_words),        cmocka_unit_test(an_unknown_errno_is_told_as_a_number),
        cmocka_unit_test(errno_zero_is_still_a_failure), cmocka_unit_test(long_text_is_cut_at_a_character),
        cmocka_unit_test(broken_bytes_do_not_leave),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
