/* notifications/cancelled: the tool is told once, and nothing more is sent for that id. */
#include "client.h"

#define CALL(id, tool) "{'jsonrpc':'2.0','id':" id ",'method':'tools/call','params':{'name':'" tool "'}}"
#define CANCEL(id) "{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':" id ",'reason':'r'}}"

static void test_cancel(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, CALL("5", "later"));
    say(c, CANCEL("'5'")); /* another type is another id */
    say(c, CANCEL("6"));
    assert_int_equal(c->n_cancelled, 0);
    say(c, CANCEL("5"));
    assert_int_equal(c->n_cancelled, 1);
    assert_true(mcp_request_cancelled(c->held[0]));
    say(c, CANCEL("5"));
    assert_int_equal(c->n_cancelled, 1);
    assert_int_equal(mcp_conn_inflight(c->conn), 1); /* until the tool has ended */
    mcp_request_progress(c->held[0], 1, -1, NULL);
    finish(c, 0);
    assert_int_equal(mcp_conn_inflight(c->conn), 0);
    say(c, CANCEL("5"));
    expect_nothing(c);
    client_free(c);
}

static void test_cancel_in_any_form(void **state)
{
    static const char *const rows[][2] = {{"1", "1.0"},
                                          {"'a'", "'\\u0061'"},
                                          {"123456789012345678901234567890", "123456789012345678901234567890"},
                                          {"0", "-0"},
                                          {"'\\ud83d\\ude00'", "'\xf0\x9f\x98\x80'"}};
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        say(c, CALL("%s", "never"), rows[i][0]);
        say(c, CANCEL("%s"), rows[i][1]);
        assert_int_equal(c->n_cancelled, i + 1);
    }
    say(c, "{'jsonrpc':'2.0','id':9,'method':'tools/call','params':{'name':'never'," META "}}");
    say(c, "{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':9," META "}}");
    assert_int_equal(mcp_conn_inflight(c->conn), 0);
    expect_nothing(c);
    client_free(c);
}

/* The tool ends the request inside of the callback. */
static void test_end_in_callback(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, CALL("1", "never"));
    say(c, CALL("2", "never"));
    say(c, CALL("3", "later"));
    say(c, CANCEL("2"));
    assert_int_equal(mcp_conn_inflight(c->conn), 2);
    expect_nothing(c);
    say(c, CALL("2", "now")); /* the id is free */
    expect(c, "{'jsonrpc':'2.0','id':2,'result':{" DONE "}}");
    client_free(c);
}

static void note(void *data)
{
    ++*(int *)data;
}

static void test_cancelled_before_it_is_watched(void **state)
{
    struct client *c = client_new();
    int told = 0;

    (void)state;
    say(c, CALL("1", "later"));
    mcp_request_on_cancel(c->held[0], NULL, NULL); /* as if the tool had not come to it */
    say(c, CANCEL("1"));
    mcp_request_on_cancel(c->held[0], note, &told);
    assert_int_equal(told, 1);
    finish(c, 0);
    expect_nothing(c);
    client_free(c);
}

static void test_errors_are_not_sent_either(void **state)
{
    struct client *c = client_new();
    struct mcp_request *req;

    (void)state;
    for (int i = 0; i < 3; i++) {
        say(c, CALL("%d", "later"), i);
        say(c, CANCEL("%d"), i);
    }
    for (int i = 0; i < 3; i++) {
        req = c->held[i];
        c->held[i] = NULL;
        if (i == 0)
            mcp_request_fail(req, MCP_INTERNAL_ERROR, "x");
        else if (i == 1)
            mcp_request_fail_not_found(req, "a:b");
        else
            mcp_request_finish_read(req, "a:b", NULL, "x", 1, true);
    }
    expect_nothing(c);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_in_any_form),
        cmocka_unit_test(test_end_in_callback),
        cmocka_unit_test(test_cancelled_before_it_is_watched),
        cmocka_unit_test(test_errors_are_not_sent_either),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
