/* The store's small files as text: what is read back, and what is not taken. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/about.h"
#include "store/answer.h"
#include "store/manifest.h"
#include "store/text.h"
#include "../unit.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static int parse(const char *text, bool links, struct manifest *ret)
{
    struct err e = ERR_INIT;
    int r = manifest_parse(xstrdup(text), strlen(text), links, 100, ret, &e);

    assert_int_equal(e.code, -r);
    return r;
}

static void good_manifests(void **state)
{
    struct manifest m;

    (void)state;
    assert_int_equal(parse("", false, &m), 0);
    assert_int_equal(m.n, 0);
    assert_null(manifest_find(&m, "a"));
    manifest_fini(&m);
    assert_int_equal(
        parse(EMPTY " 0 - a b\n" EMPTY " 4097 x a/b\n" EMPTY " 1 - a/d/e\n" EMPTY " 1 - \xc3\xa4\n", false, &m), 0);
    assert_int_equal(m.n, 4);
    assert_string_equal(m.files[0].path, "a b");
    assert_int_equal(manifest_find(&m, "a/b")->size, 4097);
    assert_int_equal(manifest_find(&m, "a/b")->kind, 'x');
    assert_non_null(manifest_find(&m, "\xc3\xa4"));
    assert_null(manifest_find(&m, "a/"));
    assert_int_equal(manifest_disk_bytes(&m), 4096 * (2 + 1 + 1 + 2)); /* two directories, a/b has two blocks */
    manifest_fini(&m);
    assert_int_equal(parse(EMPTY " 0 l a\n", true, &m), 0);
    manifest_fini(&m);
}

static void bad_manifests(void **state)
{
    static const char *const bad[] = {
        "x",
        "\n",
        EMPTY "\n",
        EMPTY " 0 - a",
        EMPTY " 0 - \n",
        EMPTY " 0 -  \n\n",
        EMPTY "  0 - a\n",
        EMPTY " -1 - a\n",
        EMPTY " 00 - a\n",
        EMPTY " 99999999999999999999 - a\n",
        EMPTY " 9223372036854775808 - a\n",
        EMPTY " 0 l a\n",
        EMPTY " 0 d a\n",
        EMPTY " 0 -- a\n",
        EMPTY " 0 - /a\n",
        EMPTY " 0 - a/\n",
        EMPTY " 0 - a//b\n",
        EMPTY " 0 - .\n",
        EMPTY " 0 - ..\n",
        EMPTY " 0 - ../a\n",
        EMPTY " 0 - a/../b\n",
        EMPTY " 0 - a/.\n",
        EMPTY " 0 - a\tb\n",
        EMPTY " 0 - a\x7f\n",
        EMPTY " 0 - a\r\n",
        EMPTY " 0 - \xff\n",
        EMPTY " 0 - \xed\xa0\x80\n",
        EMPTY " 0 - b\n" EMPTY " 0 - a\n",
        EMPTY " 0 - a\n" EMPTY " 0 - a\n",
        "E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 - a\n",
    };
    struct manifest m;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse(bad[i], false, &m), -EUCLEAN);
        assert_null(m.text);
    }
}

static void paths_and_manifests_have_an_end(void **state)
{
    char path[STORE_PATH_BYTES + 1];
    autobuf struct buf text = BUF_INIT;
    struct manifest m;

    (void)state;
    memset(path, 'a', sizeof path);
    assert_true(text_is_path(path, 255));
    assert_false(text_is_path(path, 256));
    for (size_t i = 200; i < sizeof path; i += 200)
        path[i] = '/';
    assert_true(text_is_path(path, STORE_PATH_BYTES - 1));
    assert_false(text_is_path(path, STORE_PATH_BYTES));
    assert_false(text_is_path("a\0b", 3));
    for (int i = 0; i < 101; i++)
        assert_int_equal(buf_printf(&text, EMPTY " 0 - %03d\n", i), 0);
    assert_int_equal(parse(buf_str(&text), false, &m), -EUCLEAN);
}

static void about_is_read_back(void **state)
{
    struct about_wheel wheels[2] = {{"a.b-1_2", 7}, {"b", 8}};
    struct about about = {1, 2, 3, 999999999, wheels, 2}, got;
    autobuf struct buf text = BUF_INIT;

    (void)state;
    about_write(&text, &about);
    assert_int_equal(about_parse(buf_str(&text), text.len, &got), 0);
    assert_true(got.files == 1 && got.bytes == 2 && got.seconds == 3 && got.nanoseconds == 999999999);
    assert_int_equal(got.n_wheels, 2);
    assert_string_equal(got.wheels[0].id, "a.b-1_2");
    assert_int_equal(got.wheels[1].bytes, 8);
    about_fini(&got);
    for (size_t size = 0; size < text.len; size++) /* however it was cut */
        assert_int_equal(about_parse(buf_str(&text), size, &got), -EUCLEAN);
    assert_int_equal(buf_puts(&text, "\n"), 0);
    assert_int_equal(about_parse(buf_str(&text), text.len, &got), -EUCLEAN);
}

static void answers_are_read_back(void **state)
{
    struct answer answer = {.time_ms = 5, .set = "abc", .text = "one\ntwo\n", .text_size = 8}, got;
    autobuf struct buf text = BUF_INIT;
    char *changed;

    (void)state;
    sha256_of("key", 3, answer.key);
    answer_write(&text, &answer);
    assert_int_equal(answer_parse(buf_str(&text), text.len, &got), 0);
    assert_true(got.time_ms == 5 && got.text_size == 8 && memcmp(got.text, "one\ntwo\n", 8) == 0);
    assert_string_equal(got.set, "abc");
    assert_memory_equal(got.key, answer.key, SHA256_BYTES);
    changed = xmemdup(buf_str(&text), text.len);
    for (size_t i = 0; i < text.len; i++) {
        changed[i] ^= 1;
        assert_int_equal(answer_parse(changed, text.len, &got), -EUCLEAN);
        changed[i] ^= 1;
        assert_int_equal(answer_parse(changed, i, &got), -EUCLEAN);
    }
    assert_int_equal(answer_parse(changed, text.len, &got), 0);
    free(changed);
}

static void ids(void **state)
{
    char id[STORE_ID_MAX + 1];

    (void)state;
    memset(id, 'a', sizeof id);
    assert_true(text_is_id(id, STORE_ID_MAX - 1));
    assert_false(text_is_id(id, STORE_ID_MAX));
    assert_false(text_is_id("", 0));
    assert_false(text_is_id(".a", 2));
    assert_false(text_is_id("..", 2));
    assert_false(text_is_id("a/b", 3));
    assert_false(text_is_id("a b", 3));
    assert_false(text_is_id("a\0b", 3));
    assert_true(text_is_id("0aZ._-", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_manifests),
        cmocka_unit_test(bad_manifests),
        cmocka_unit_test(paths_and_manifests_have_an_end),
        cmocka_unit_test(about_is_read_back),
        cmocka_unit_test(answers_are_read_back),
        cmocka_unit_test(ids),
    };

    return cmocka_run_group_tests_name("store parts", tests, NULL, NULL);
}
