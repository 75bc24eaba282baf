/* Who frees what when: connections that close while something of them is on the stack or in flight. */
#include "base/mem.h"
#include "client.h"

#define CALL(id, tool) "{'jsonrpc':'2.0','id':" id ",'method':'tools/call','params':{'name':'" tool "'}}"

static void test_close_cancels_all(void **state)
{
    struct client *c = client_new();

    (void)state;
    for (int i = 0; i < 4; i++)
        say(c, CALL("%d", "later"), i);
    say(c, CALL("9", "never"));
    client_close(c);
    assert_int_equal(c->n_cancelled, 5);
    for (size_t i = 0; i < 4; i++) { /* they end later, the connection is freed with the last */
        assert_true(mcp_request_cancelled(c->held[i]));
        finish(c, i);
    }
    expect_nothing(c);
    client_free(c);
}

/* A callback that ends other requests than its own. */
static void end_all(void *data)
{
    struct client *c = data;

    c->n_cancelled++;
    for (size_t i = 0; i < c->n_held; i++)
        if (c->held[i])
            finish(c, i);
}

static void test_callback_ends_others(void **state)
{
    struct client *c = client_new();

    (void)state;
    for (int i = 0; i < 5; i++)
        say(c, CALL("%d", "later"), i);
    mcp_request_on_cancel(c->held[2], end_all, c);
    client_close(c);
    assert_int_equal(c->n_cancelled, 3); /* 4 and 3 before it */
    expect_nothing(c);
    client_free(c);

    c = client_new();
    for (int i = 0; i < 3; i++)
        say(c, CALL("%d", "later"), i);
    mcp_request_on_cancel(c->held[1], end_all, c);
    say(c, "{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':1}}");
    assert_int_equal(c->n_sent, 2);
    client_free(c);
}

static void close_it(void *data)
{
    client_close(data);
}

static void test_close_in_cancel_callback(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, CALL("1", "later"));
    say(c, CALL("2", "never"));
    mcp_request_on_cancel(c->held[0], close_it, c);
    say(c, "{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':1}}");
    assert_int_equal(c->n_cancelled, 1);
    client_free(c);
}

static void test_close_in_tool(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, CALL("1", "never"));
    say(c, CALL("2", "close"));
    assert_int_equal(c->n_cancelled, 1);
    expect_nothing(c);
    client_free(c);
}

/* The transport notices while it sends that the client is gone. */
static void test_close_in_send(void **state)
{
    static const char *const lines[] = {
        "garbage",
        "{'jsonrpc':'2.0','id':1,'method':'ping'}",
        "{'jsonrpc':'2.0','id':1,'method':'no/such'}",
        "{'jsonrpc':'2.0','id':1,'method':'subscriptions/listen','params':{'notifications':{}," META "}}",
        CALL("1", "now"),
        CALL("1", "fail"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct client *c = client_new();

        say(c, CALL("'a'", "later"));
        say(c, CALL("'b'", "never"));
        c->close_in_send = true;
        say(c, "%s", lines[i]);
        assert_int_equal(c->n_sent, 1);
        assert_int_equal(c->n_cancelled, 2);
        client_free(c);
    }
}

static void test_close_in_send_of_the_last(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, CALL("1", "later"));
    c->close_in_send = true;
    finish(c, 0);
    assert_int_equal(c->n_cancelled, 0); /* it is being answered: nothing to cancel any more */
    client_free(c);
}

static void test_close_in_send_of_progress_and_oversize(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'later','_meta':{'progressToken':1}}}");
    c->close_in_send = true;
    mcp_request_progress(c->held[0], 1, -1, "x");
    assert_int_equal(c->n_cancelled, 1);
    client_free(c);

    c = client_new();
    c->close_in_send = true;
    mcp_conn_feed_oversize(c->conn, "{", 1);
    mcp_conn_end_oversize(c->conn);
    assert_null(c->conn);
    client_free(c);
}

static void count(void *data)
{
    ++*(int *)data;
}

static void test_data(void **state)
{
    struct client *c = client_new();
    int first = 0, second = 0;

    (void)state;
    assert_null(mcp_conn_data(c->conn));
    mcp_conn_set_data(c->conn, &first, count);
    assert_ptr_equal(mcp_conn_data(c->conn), &first);
    mcp_conn_set_data(c->conn, &second, count);
    assert_int_equal(first, 1);
    say(c, CALL("1", "later"));
    client_close(c);
    assert_int_equal(second, 0); /* a call still uses it */
    finish(c, 0);
    assert_int_equal(second, 1);
    client_free(c);

    c = client_new();
    mcp_conn_set_data(c->conn, &second, NULL);
    client_free(c);
    assert_int_equal(second, 1);
}

static void test_free_nothing(void **state)
{
    (void)state;
    mcp_server_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_cancels_all),
        cmocka_unit_test(test_callback_ends_others),
        cmocka_unit_test(test_close_in_cancel_callback),
        cmocka_unit_test(test_close_in_tool),
        cmocka_unit_test(test_close_in_send),
        cmocka_unit_test(test_close_in_send_of_the_last),
        cmocka_unit_test(test_close_in_send_of_progress_and_oversize),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_free_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
