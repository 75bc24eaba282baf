/* tools/list and tools/call. */
#include "client.h"

#define CALL(params) "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{" params "}}"

static void test_call(void **state)
{
    static const struct {
        const char *params;
        int code;
    } rows[] = {
        {"'name':'now'", 0},
        {"'name':'now','arguments':{}", 0},
        {"'name':'now','arguments':{'a':[1,{'b':null}]}", 0},
        {"'name':'now','arguments':null", 0}, /* strict hosts send every optional thing as null */
        {"'name':'now','task':{'ttl':1}", 0},
        {"'name':'now','arguments':[]", -32602},
        {"'name':'now','arguments':'x'", -32602},
        {"'name':'now','arguments':false", -32602},
        {"'name':'nope'", -32602},
        {"'name':'NOW'", -32602},
        {"'name':''", -32602},
        {"'name':'now\\u0000'", -32602},
        {"'name':5", -32602},
        {"'name':null", -32602},
        {"'arguments':{}", -32602},
    };
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t calls = c->n_calls;

        say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{%s}}", rows[i].params);
        if (rows[i].code)
            expect_error(c, "1", rows[i].code);
        else
            expect(c, "{'jsonrpc':'2.0','id':1,'result':{" DONE "}}");
        assert_int_equal(c->n_calls, calls + (rows[i].code ? 0 : 1));
    }
    client_free(c);
}

static void test_unknown_tool_is_named(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, CALL("'name':'x\\ud800'"));
    expect(c, "{'jsonrpc':'2.0','id':1,'error':{'code':-32602,'message':'there is no tool x\xef\xbf\xbd'}}");
    say(c, CALL("'name':'no \\\"such'"));
    expect(c, "{'jsonrpc':'2.0','id':1,'error':{'code':-32602,'message':'there is no tool no \\\"such'}}");
    say(c, CALL("'name':'%0300d\xc3\xbc'"), 0);
    expect_error(c, "1", -32602);
    client_free(c);
}

static void test_several_at_once(void **state)
{
    struct client *c = client_new();

    (void)state;
    for (int i = 0; i < 3; i++)
        say(c, "{'jsonrpc':'2.0','id':%d,'method':'tools/call','params':{'name':'later'}}", i);
    say(c, CALL("'name':'now'"));
    expect_error(c, "1", -32600);
    say(c, "{'jsonrpc':'2.0','id':9,'method':'tools/call','params':{'name':'now'}}");
    expect(c, "{'jsonrpc':'2.0','id':9,'result':{" DONE "}}");
    finish(c, 1);
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{" DONE "}}");
    finish(c, 2);
    finish(c, 0);
    expect(c, "{'jsonrpc':'2.0','id':2,'result':{" DONE "}}");
    expect(c, "{'jsonrpc':'2.0','id':0,'result':{" DONE "}}");
    assert_int_equal(mcp_conn_inflight(c->conn), 0);
    client_free(c);
}

static void test_error_of_a_tool(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, CALL("'name':'fail'"));
    expect(c, "{'jsonrpc':'2.0','id':1,'error':{'code':-32603,'message':'it \\'failed\\'\\n'}}");
    client_free(c);
}

static void test_cursor(void **state)
{
    static const char *const bad[] = {"'1'", "'x'", "5", "[]", "'\\u0000'"};
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list','params':{'cursor':%s}}", bad[i]);
        expect_error(c, "1", -32602);
    }
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list','params':{'cursor':null}}");
    expect_part(c, "'tools':[");
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list','params':{'cursor':''," META "}}");
    expect_part(c, "'tools':[");
    client_free(c);
}

static void test_list_is_the_same_each_time(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list'}");
    say(c, CALL("'name':'now'"));
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list'}");
    assert_string_equal(c->sent[0], c->sent[2]);
    client_free(c);
}

/* What a session of a connection hangs on. */
static void test_connection_state(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'later'}}");
    assert_false(mcp_request_has_connection_state(c->held[0]));
    say_hello(c, "2025-06-18");
    say(c, "{'jsonrpc':'2.0','id':2,'method':'tools/call','params':{'name':'later'}}");
    say(c, "{'jsonrpc':'2.0','id':3,'method':'tools/call','params':{'name':'later'," META "}}");
    assert_true(mcp_request_has_connection_state(c->held[1]));
    assert_false(mcp_request_has_connection_state(c->held[2]));
    assert_ptr_equal(mcp_request_conn(c->held[1]), c->conn);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_unknown_tool_is_named),
        cmocka_unit_test(test_several_at_once),
        cmocka_unit_test(test_error_of_a_tool),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_list_is_the_same_each_time),
        cmocka_unit_test(test_connection_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
