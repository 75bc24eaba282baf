/* What is written is what every parser takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "mcp/json_write.h"

static void test_string(void **state)
{
    static const struct {
        const char *in;
        size_t size;
        const char *want;
    } rows[] = {
#define ROW(in, want) {in, sizeof(in) - 1, want}
        ROW("", "\"\""),
        ROW("abc", "\"abc\""),
        ROW("a\"b\\c/", "\"a\\\"b\\\\c/\""),
        ROW("\b\t\n\v\f\r", "\"\\b\\t\\n\\u000b\\f\\r\""),
        ROW("\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""),
        ROW("a\0b", "\"a\xe2\x90\x80"
                    "b\""),
        ROW("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\""),
        ROW("\xff", "\"\xef\xbf\xbd\""),
        ROW("a\xed\xa0\x80z", "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\""), /* a surrogate in UTF-8 */
        ROW("cut \xe2\x82", "\"cut \xef\xbf\xbd\""),
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        autobuf struct buf out = BUF_INIT;

        json_write_string(&out, rows[i].in, rows[i].size);
        assert_string_equal(buf_str(&out), rows[i].want);
        if (utf8_valid(rows[i].in, rows[i].size))
            assert_int_equal(json_string_size(rows[i].in, rows[i].size), out.len - 2);
    }
}

/* Every byte, alone: always a text that parses. */
static void test_every_byte(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        autobuf struct buf out = BUF_INIT;
        yyjson_doc *doc;

        json_write_string(&out, (char[]){(char)c}, 1);
        doc = yyjson_read(buf_begin(&out), out.len, 0);
        assert_true(yyjson_is_str(yyjson_doc_get_root(doc)));
        if (c > 0 && c < 0x80)
            assert_int_equal(yyjson_get_str(yyjson_doc_get_root(doc))[0], c);
        yyjson_doc_free(doc);
    }
}

static void test_members(void **state)
{
    autobuf struct buf out = BUF_INIT;

    (void)state;
    (void)buf_puts(&out, "{");
    json_write_member(&out, "none", NULL);
    json_write_member(&out, "a", "1");
    json_write_member(&out, "b", "\"");
    json_write_key(&out, "c");
    (void)buf_puts(&out, "[");
    json_write_string(&out, "x", 1);
    (void)buf_puts(&out, "]");
    json_write_key(&out, "d");
    (void)buf_puts(&out, "{");
    json_write_member(&out, "e", "");
    (void)buf_puts(&out, "}}");
    assert_string_equal(buf_str(&out), "{\"a\":\"1\",\"b\":\"\\\"\",\"c\":[\"x\"],\"d\":{\"e\":\"\"}}");
}

static void test_base64(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {/* RFC 4648, section 10 */
                {"", "\"\""},
                {"f", "\"Zg==\""},
                {"fo", "\"Zm8=\""},
                {"foo", "\"Zm9v\""},
                {"foob", "\"Zm9vYg==\""},
                {"fooba", "\"Zm9vYmE=\""},
                {"foobar", "\"Zm9vYmFy\""},
                {"\xff\xef\xbe", "\"/+++\""}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        autobuf struct buf out = BUF_INIT;

        json_write_base64(&out, rows[i].in, strlen(rows[i].in));
        assert_string_equal(buf_str(&out), rows[i].want);
    }
}

static void test_full_buffer(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 8);
    json_write_base64(&out, "0123456789", 10);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void test_fit(void **state)
{
    static const struct {
        const char *text;
        size_t room, front, back;
    } rows[] = {
        {"abcdef", 3, 3, 3},
        {"abcdef", 9, 6, 6},
        {"abcdef", 0, 0, 0},
        {"\"\"\"", 3, 1, 1},
        {"\x01\x01", 11, 1, 1},
        {"a\xc3\xbc", 2, 1, 2},
        {"\xc3\xbc"
         "a",
         2, 2, 1},
        {"\xf0\x9f\x98\x80", 3, 0, 0},
        {"\xf0\x9f\x98\x80", 4, 4, 4},
        {"", 5, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i].text);

        assert_int_equal(json_fit_front(rows[i].text, size, rows[i].room), rows[i].front);
        assert_int_equal(json_fit_back(rows[i].text, size, rows[i].room), rows[i].back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string), cmocka_unit_test(test_every_byte),  cmocka_unit_test(test_members),
        cmocka_unit_test(test_base64), cmocka_unit_test(test_full_buffer), cmocka_unit_test(test_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
