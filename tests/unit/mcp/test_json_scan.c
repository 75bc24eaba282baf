/* Lone surrogates, depth, and the id of text that cannot be parsed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mcp/json_scan.h"

static void test_surrogates(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"\"\\ud800\"", "\"\\ufffd\""},
        {"\"\\uDFFF\"", "\"\\ufffd\""},
        {"\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
        {"\"\\ude00\\ud83d\"", "\"\\ufffd\\ufffd\""},
        {"\"\\ud83d\\u0041\"", "\"\\ufffd\\u0041\""},
        {"\"\\ud83dx\"", "\"\\ufffdx\""},
        {"\"\\ud83d\\n\"", "\"\\ufffd\\n\""},
        {"\"\\\\ud800\"", "\"\\\\ud800\""}, /* a backslash, and then letters */
        {"\"\\\\\\ud800\"", "\"\\\\\\ufffd\""},
        {"\"\\ud80\"", "\"\\ud80\""}, /* left to the parser to refuse */
        {"\"\\ud8", "\"\\ud8"},
        {"\"\\", "\"\\"},
        {"\"\\ud83d\\ude0", "\"\\ufffd\\ude0"},
        {"\"\\u00e9\\ud7ff\\ue000\"", "\"\\u00e9\\ud7ff\\ue000\""},
        {"\\ud800", "\\ud800"}, /* in no string */
        {"[\"a\",\"\\udc00\"]", "[\"a\",\"\\ufffd\"]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i].in);
        autofree char *text = malloc(size); /* without NUL: nothing may look behind it */

        memcpy(text, rows[i].in, size);
        (void)json_scan_prepare(text, size);
        assert_memory_equal(text, rows[i].want, size);
    }
}

static void test_depth(void **state)
{
    static const struct {
        const char *in;
        size_t want;
    } rows[] = {
        {"", 0},     {"1", 0},         {"{}", 1}, {"[[],[[]]]", 3}, {"\"[[[\"", 0}, {"[\"\\\"[[\"]", 1},
        {"]]][", 1}, {"{\"a\":[{", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        autofree char *text = xstrdup(rows[i].in);

        assert_int_equal(json_scan_prepare(text, strlen(text)), rows[i].want);
    }
}

/* Fed whole, and byte by byte. */
static void check_id(const char *in, const char *want)
{
    for (size_t step = strlen(in) + 1; step >= 1; step = step == 1 ? 0 : 1) {
        autofree struct json_id *scan = xnew(struct json_id);
        const char *id;

        for (size_t i = 0; i < strlen(in); i += step)
            json_id_feed(scan, in + i, step < strlen(in) - i ? step : strlen(in) - i);
        id = json_id_end(scan);
        if (!want)
            assert_null(id);
        else
            assert_string_equal(id, want);
    }
}

static void test_id(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"", NULL},
        {"{}", NULL},
        {"{\"id\":1}", "1"},
        {"{\"id\" :\t-12 ,", "-12"},
        {"{\"id\":12", NULL}, /* may go on */
        {"{\"id\":\"a", NULL},
        {"{\"id\":\"a\"", "\"a\""},
        {"{\"id\":\"\"", "\"\""},
        {"{\"id\":\"a\\\"b\\\\\"}", "\"a\\\"b\\\\\""},
        {"{\"id\":1.5e3}", "1.5e3"},
        {"{\"id\":null}", NULL},
        {"{\"id\":[1]}", NULL},
        {"{\"id\":{\"id\":3}}", NULL},
        {"{\"params\":{\"id\":5},\"id\":6}", "6"},
        {"{\"params\":{\"id\":5}", NULL},
        {"{\"a\":\"\\\"id\\\":5\",\"id\":6}", "6"},
        {"{\"a\":\"id\",\"b\":7,", NULL},
        {"{\"id\",\"b\":7,", NULL},
        {"{\"id\"::7,", NULL},
        {"{\"xid\":1,\"ide\":2,\"i\":3,\"\\u0069d\":4,", NULL},
        {"{\"id\":null,\"id\":8}", "8"},
        {"[{\"id\":1}]", NULL},
        {"]}{\"id\":1 ", "1"},
        {"\"id\":1 ", NULL},
        {"{\"method\":\"ping\",\"params\":{\"a\":\"\xff\"},\"id\":9}", "9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_id(rows[i].in, rows[i].want);
}

/* One that is too long is passed over, its escapes too, and the next is found. */
static void test_long_id(void **state)
{
    autofree char *longest = xnew_n(char, JSON_ID_MAX + 1), *text = NULL, *token = NULL;

    (void)state;
    memset(longest, 'x', JSON_ID_MAX - 2);
    text = xasprintf("{\"id\":\"%s\"}", longest);
    token = xasprintf("\"%s\"", longest);
    check_id(text, token);
    for (size_t extra = 0; extra < 3; extra++) {
        autofree char *over = xasprintf("{\"id\":\"%s%.*s\\\"y\\\\\",\"id\":4}", longest, (int)extra, "zzz");

        check_id(over, "4");
    }
    memset(longest, '1', JSON_ID_MAX);
    free(text);
    text = xasprintf("{\"id\":%s1,\"id\":5}", longest);
    check_id(text, "5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_surrogates),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_long_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
