/* One message, whatever its bytes: the right answer, under its id where that can be read, and the next one works. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "client.h"

static void goes_on(struct client *c)
{
    expect_nothing(c);
    say(c, "{'jsonrpc':'2.0','id':'on','method':'ping'}");
    expect(c, "{'jsonrpc':'2.0','id':'on','result':{}}");
}

struct row {
    const char *in;
    const char *id; /* of the error; NULL: none */
    int code;       /* 0: nothing is sent */
};

static void check_rows(const struct row *rows, size_t n)
{
    struct client *c = client_new();

    for (size_t i = 0; i < n; i++) {
        say(c, "%s", rows[i].in);
        if (rows[i].code)
            expect_error(c, rows[i].id, rows[i].code);
        goes_on(c);
    }
    client_free(c);
}

static void test_no_json(void **state)
{
    static const struct row rows[] = {
        {"garbage", NULL, -32700},
        {"{", NULL, -32700},
        {"}", NULL, -32700},
        {"nul", NULL, -32700},
        {"'", NULL, -32700},
        {"NaN", NULL, -32700},
        {"//x", NULL, -32700},
        {"Content-Length: 50", NULL, -32700},
        {"{'a':1}{'b':2}", NULL, -32700},
        {"{'jsonrpc':'2.0','id':1,'method':'ping',}", "1", -32700},
        {"{'jsonrpc':'2.0','id':1,'method':'ping'", "1", -32700},
        {"{'jsonrpc':'2.0','id':'a\\n','method':'ping'", "'a\\n'", -32700},
        {"{'jsonrpc':'2.0','id':'\\ud800','method':'ping'", "'\xef\xbf\xbd'", -32700},
        {"{'jsonrpc':'2.0','id':'\\q','method':'ping'", NULL, -32700},
        {"{'jsonrpc':'2.0','id':01,'method':'ping'", NULL, -32700},
        {"{'jsonrpc':'2.0','id':1.5,'method':'ping'", NULL, -32700},
        {"{'jsonrpc':'2.0','id':3.0,'method':'ping'", "3", -32700},
        {"{'method':'ping','params':{'id':5,'x':'\t'},'jsonrpc':'2.0','id':7}", "7", -32700},
        {"\xff\xfe", NULL, -32700},
        {"\xed\xa0\x80", NULL, -32700},
        {"{'jsonrpc':'2.0','id':8,'method':'ping','params':{'a':'\xff\xfe'}}", "8", -32700},
        {"{'jsonrpc':'2.0','id':'\xff','method':'ping'}", NULL, -32700},
        {"{'jsonrpc':'2.0','id':9,'method':'ping','params':{'a':Infinity}}", "9", -32700},
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void test_no_request(void **state)
{
    static const struct row rows[] = {
        {"5", NULL, -32600},
        {"null", NULL, -32600},
        {"true", NULL, -32600},
        {"'text'", NULL, -32600},
        {"{}", NULL, -32600},
        {"[]", NULL, -32600},
        {"{'jsonrpc':'2.0'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':1}", "1", -32600},
        {"{'jsonrpc':'1.0','id':1,'method':'ping'}", "1", -32600},
        {"{'jsonrpc':2.0,'id':1,'method':'ping'}", "1", -32600},
        {"{'id':1,'method':'ping'}", "1", -32600},
        {"{'jsonrpc':'2.0','id':1,'method':5}", "1", -32600},
        {"{'jsonrpc':'2.0','id':1,'method':null}", "1", -32600},
        {"{'jsonrpc':'2.0','id':null,'method':'ping'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':1.5,'method':'ping'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':1e400,'method':'ping'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':1e300,'method':'ping'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':true,'method':'ping'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':[1],'method':'ping'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':{},'method':'ping'}", NULL, -32600},
        {"{'jsonrpc':'2.0','id':1,'method':'ping','params':[]}", "1", -32602},
        {"{'jsonrpc':'2.0','id':1,'method':'ping','params':'x'}", "1", -32602},
        {"{'jsonrpc':'2.0','id':1,'method':'ping','params':0}", "1", -32602},
        {"{'jsonrpc':'2.0','id':1,'method':''}", "1", -32601},
        {"{'jsonrpc':'2.0','id':1,'method':'ping\\u0000'}", "1", -32601},
        {"{'jsonrpc':'2.0','id':1,'method':'\\ud800'}", "1", -32601},
        {"{'jsonrpc':'2.0','id':1,'method':'PING'}", "1", -32601},
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void test_ignored(void **state)
{
    static const struct row rows[] = {
        {"", NULL, 0},
        {" \t\r", NULL, 0},
        {"\xef\xbb\xbf", NULL, 0},
        {"{'jsonrpc':'2.0','id':1,'result':{}}", NULL, 0},
        {"{'jsonrpc':'2.0','id':1,'error':{'code':1,'message':'x'}}", NULL, 0},
        {"{'jsonrpc':'2.0','id':null,'error':{'code':-32700,'message':'x'}}", NULL, 0},
        {"{'jsonrpc':'2.0','error':{'code':-32700,'message':'x'}}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'notifications/initialized'}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'notifications/no_such','params':[1]}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'ping'}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'tools/call','params':{'name':'now'}}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'a\\u0000b'}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'notifications/cancelled'}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':99}}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':[]}}", NULL, 0},
        {"{'jsonrpc':'2.0','method':'notifications/cancelled','params':'x'}", NULL, 0},
    };

    (void)state;
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void test_ids_come_back(void **state)
{
    static const struct {
        const char *id, *want; /* want NULL: the same */
    } rows[] = {
        {"0", NULL},
        {"-1", NULL},
        {"9007199254740993", NULL},
        {"18446744073709551615", NULL},
        {"-9223372036854775808", NULL},
        {"123456789012345678901234567890", NULL},
        {"-123456789012345678901234567890", NULL},
        {"1.0", "1"},
        {"-0", "0"},
        {"1e2", "100"},
        {"'server-discover-probe-1'", NULL},
        {"''", NULL},
        {"'a'", NULL},
        {"'1'", NULL},
        {"'\\\\ \\t\\n\\u0001'", NULL},
        {"'a\\u0000b'", NULL},
        {"'\\u00e9'", "'\xc3\xa9'"},
        {"'\xf0\x9f\x98\x80'", NULL},
        {"'\\ud83d\\ude00'", "'\xf0\x9f\x98\x80'"},
        {"'\\ud800'", "'\xef\xbf\xbd'"},
    };
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *back = rows[i].want ? rows[i].want : rows[i].id;
        autofree char *want = xasprintf("{'jsonrpc':'2.0','id':%s,'result':{}}", back);

        say(c, "{'jsonrpc':'2.0','id':%s,'method':'ping'}", rows[i].id);
        expect(c, want);
    }
    client_free(c);
}

static void test_long_ids(void **state)
{
    struct client *c = client_new();
    autofree char *fits = xnew_n(char, 4001), *over = xnew_n(char, 5001), *want = NULL;

    (void)state;
    memset(fits, 'x', 4000);
    memset(over, 'x', 5000);
    say(c, "{'jsonrpc':'2.0','id':'%s','method':'ping'}", fits);
    want = xasprintf("{'jsonrpc':'2.0','id':'%s','result':{}}", fits);
    expect(c, want);
    say(c, "{'jsonrpc':'2.0','id':'%s','method':'ping'}", over);
    expect_error(c, NULL, -32600);
    memset(over, '\x01', 4000); /* which escapes make six times as long */
    for (int i = 0; i < 600; i++)
        memcpy(over + i * 6, "\\u0001", 6);
    over[3600] = '\0';
    say(c, "{'jsonrpc':'2.0','id':'%s','method':'ping'}", over);
    expect_part(c, "'id':'\\u0001\\u0001");
    memset(over, '1', 5000);
    say(c, "{'jsonrpc':'2.0','id':%s,'method':'ping'}", over);
    expect_error(c, NULL, -32600);
    goes_on(c);
    client_free(c);
}

static void test_space_around(void **state)
{
    static const char behind[] = "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\0";
    static const char inside[] = "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"p\0ng\"}";
    struct client *c = client_new();

    (void)state;
    say(c, "  {'jsonrpc':'2.0','id':1,'method':'ping'}\r");
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{}}");
    say(c, "\xef\xbb\xbf \t{'jsonrpc':'2.0','id':2,'method':'ping','params':null} \r\n");
    expect(c, "{'jsonrpc':'2.0','id':2,'result':{}}");
    say_bytes(c, "", 1);
    expect_error(c, NULL, -32700);
    say_bytes(c, behind, sizeof behind - 1);
    expect_error(c, "3", -32700);
    say_bytes(c, inside, sizeof inside - 1);
    expect_error(c, "4", -32700);
    goes_on(c);
    client_free(c);
}

static void test_duplicate_id(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, "{'jsonrpc':'2.0','id':5,'method':'tools/call','params':{'name':'later'}}");
    say(c, "{'jsonrpc':'2.0','id':5,'method':'ping'}");
    expect_error(c, "5", -32600);
    say(c, "{'jsonrpc':'2.0','id':5.0,'method':'ping'}");
    expect_error(c, "5", -32600);
    say(c, "{'jsonrpc':'2.0','id':'5','method':'ping'}"); /* another one */
    expect(c, "{'jsonrpc':'2.0','id':'5','result':{}}");
    finish(c, 0);
    expect(c, "{'jsonrpc':'2.0','id':5,'result':{" DONE "}}");
    say(c, "{'jsonrpc':'2.0','id':5,'method':'ping'}"); /* free again */
    expect(c, "{'jsonrpc':'2.0','id':5,'result':{}}");
    client_free(c);
}

static void test_too_many(void **state)
{
    struct client *c = client_new();

    (void)state;
    for (int i = 0; i < LIMIT_INFLIGHT; i++)
        say(c, "{'jsonrpc':'2.0','id':%d,'method':'tools/call','params':{'name':'later'}}", i);
    expect_nothing(c);
    assert_int_equal(mcp_conn_inflight(c->conn), LIMIT_INFLIGHT);
    say(c, "{'jsonrpc':'2.0','id':'over','method':'tools/call','params':{'name':'now'}}");
    expect_error(c, "'over'", -32600);
    assert_int_equal(mcp_conn_inflight(c->conn), LIMIT_INFLIGHT);
    finish(c, 3);
    expect(c, "{'jsonrpc':'2.0','id':3,'result':{" DONE "}}");
    goes_on(c);
    client_free(c);
}

static void test_depth(void **state)
{
    struct client *c = client_new();

    (void)state;
    for (int depth = 40; depth < 200000; depth *= 4) {
        autofree char *opened = xnew_n(char, (size_t)depth + 1), *shut = xnew_n(char, (size_t)depth + 1);

        memset(opened, '[', (size_t)depth);
        memset(shut, ']', (size_t)depth);
        say(c, "{'jsonrpc':'2.0','id':6,'method':'ping','params':{'a':%s%s}}", opened, shut);
        if (depth < LIMIT_JSON_DEPTH - 2)
            expect(c, "{'jsonrpc':'2.0','id':6,'result':{}}");
        else
            expect_error(c, "6", -32600);
        say(c, "%s", opened);
        expect_error(c, NULL, depth <= LIMIT_JSON_DEPTH ? -32700 : -32600);
        goes_on(c);
    }
    client_free(c);
}

static void test_oversize(void **state)
{
    static const struct {
        const char *parts[3];
        const char *id;
    } rows[] = {
        {{"{'jsonrpc':'2.0','id':1,'method':'x','params':{'a':'", "zzz", "'}}"}, "1"},
        {{"{'method':'x','params':{'id':4,'a':'", "zzz", "'},'jsonrpc':'2.0','id':'last'}"}, "'last'"},
        {{"{'jsonrpc':'2.0','i", "d':'cut into", " parts'"}, "'cut into parts'"},
        {{"{'method':'x','params':{'a':'", "zzz", "'}}"}, NULL},
        {{"zzz", "zzz", "zzz"}, NULL},
    };
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < 3; k++) {
            autofree char *part = xstrdup(rows[i].parts[k]);

            for (char *at = part; (at = strchr(at, '\''));)
                *at = '"';
            mcp_conn_feed_oversize(c->conn, part, strlen(part));
        }
        mcp_conn_end_oversize(c->conn);
        expect_error(c, rows[i].id, -32600);
        goes_on(c);
    }
    mcp_conn_feed_oversize(c->conn, "{", 1); /* and it never ends */
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_json),       cmocka_unit_test(test_no_request), cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_ids_come_back), cmocka_unit_test(test_long_ids),   cmocka_unit_test(test_space_around),
        cmocka_unit_test(test_duplicate_id),  cmocka_unit_test(test_too_many),   cmocka_unit_test(test_depth),
        cmocka_unit_test(test_oversize),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
