/* Arrays of messages: only in 2025-03-26, answered by one array. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "client.h"

#define PING(id) "{'jsonrpc':'2.0','id':" id ",'method':'ping'}"
#define PONG(id) "{'jsonrpc':'2.0','id':" id ",'result':{}}"
#define CALL(id, tool) "{'jsonrpc':'2.0','id':" id ",'method':'tools/call','params':{'name':'" tool "'}}"
#define CALLED(id) "{'jsonrpc':'2.0','id':" id ",'result':{" DONE "}}"

static struct client *hello(void)
{
    struct client *c = client_new();

    say_hello(c, "2025-03-26");
    return c;
}

static void test_answers_together(void **state)
{
    struct client *c = hello();

    (void)state;
    say(c, "[" PING("1") ",{'jsonrpc':'2.0','method':'notifications/x'}," PING("'b'") "]");
    expect(c, "[" PONG("1") "," PONG("'b'") "]");
    say(c, "[" PING("1") "," CALL("2", "later") "," CALL("3", "later") "]");
    expect_nothing(c);
    say(c, PING("4")); /* not part of it */
    expect(c, PONG("4"));
    finish(c, 1);
    expect_nothing(c);
    finish(c, 0);
    expect(c, "[" PONG("1") "," CALLED("3") "," CALLED("2") "]");
    client_free(c);
}

static void test_nothing_to_answer(void **state)
{
    struct client *c = hello();

    (void)state;
    say(c, "[{'jsonrpc':'2.0','method':'notifications/x'},{'jsonrpc':'2.0','id':1,'result':{}}]");
    expect_nothing(c);
    client_free(c);
}

static void test_bad_items(void **state)
{
    struct client *c = hello();

    (void)state;
    say(c, "[1,null,[],{}," PING("123456789012345678901234567890") "]");
    expect_part(c, "[{'jsonrpc':'2.0','error':{'code':-32600,");
    c->n_seen--;
    expect_part(c, "," PONG("123456789012345678901234567890") "]");
    say(c, "[" PING("1") ",{'jsonrpc':'2.0','id':2,'method':'initialize','params':{'protocolVersion':'2025-11-25'}}]");
    expect_part(c, "[" PONG("1") ",{'jsonrpc':'2.0','id':2,'error':{'code':-32600,");
    say(c, "[" CALL("1", "later") "," CALL("1", "later") "]"); /* the same id twice */
    finish(c, 0);
    expect_part(c, "[{'jsonrpc':'2.0','id':1,'error':{'code':-32600,");
    client_free(c);
}

static void test_refused(void **state)
{
    static const struct {
        const char *version, *in;
    } rows[] = {
        {"2025-03-26", "[]"},
        {"2025-03-26", "[" PING("1") ",{'jsonrpc':'2.0','id':2,'method':'tools/list','params':{" META "}}]"},
        {"2024-11-05", "[" PING("1") "]"},
        {"2025-06-18", "[" PING("1") "]"},
        {"2025-11-25", "[" PING("1") "]"},
        {NULL, "[" PING("1") "]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client *c = client_new();

        if (rows[i].version)
            say_hello(c, rows[i].version);
        say(c, "%s", rows[i].in);
        expect_error(c, NULL, -32600);
        expect_nothing(c);
        client_free(c);
    }
}

static void test_cancel_in_a_batch(void **state)
{
    struct client *c = hello();

    (void)state;
    say(c, "[" CALL("1", "never") "," CALL("2", "later") "]");
    say(c, "{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':1}}");
    expect_nothing(c);
    finish(c, 1);
    expect(c, "[" CALLED("2") "]");
    say(c, "[" CALL("1", "never") ",{'jsonrpc':'2.0','method':'notifications/cancelled','params':{'requestId':1}}]");
    expect_nothing(c);
    assert_int_equal(mcp_conn_inflight(c->conn), 0);
    client_free(c);
}

/* The connection closes in the middle: what follows is not run. */
static void test_close_in_a_batch(void **state)
{
    struct client *c = hello();

    (void)state;
    say(c, "[" CALL("1", "later") "," CALL("2", "close") "," CALL("3", "now") "]");
    assert_int_equal(c->n_calls, 2);
    assert_int_equal(c->n_cancelled, 1);
    expect_nothing(c);
    client_free(c);
}

static void test_many(void **state)
{
    struct client *c = hello();
    autofree char *text = xnew_n(char, 300 * 64);
    size_t n = 0, answered = 0;

    (void)state;
    for (int i = 0; i < 300; i++) /* more than may be in flight */
        n += (size_t)sprintf(text + n, "%s" PING("%d"), i ? "," : "", i);
    say(c, "[%s]", text);
    expect_error(c, NULL, -32600);
    n = 0;
    for (int i = 0; i < 250; i++)
        n += (size_t)sprintf(text + n, "%s{'jsonrpc':'2.0','id':'%04d','method':'tools/list'}", i ? "," : "", i);
    say(c, "[%s]", text);
    for (size_t i = c->n_seen; i < c->n_sent; i++)
        for (const char *at = c->sent[i]; (at = strstr(at, "\"id\"")); at++)
            answered++;
    assert_int_equal(answered, 250);
    client_free(c);
}

static void call_long(struct mcp_request *req, yyjson_val *arguments, void *data)
{
    autofree char *text = xnew_n(char, 300 * KIB + 1);

    (void)arguments;
    (void)data;
    memset(text, 'x', 300 * KIB);
    mcp_request_finish_read(req, "a:b", NULL, text, 300 * KIB, true);
}

/* No message is larger than a client takes: several arrays then. */
static void test_split(void **state)
{
    static struct mcp_tool tool = {.name = "long", .input_schema = "{}", .call = call_long};
    struct client *c = hello();

    (void)state;
    mcp_server_add_tool(c->server, &tool);
    say(c, "[" CALL("1", "long") "," CALL("2", "long") "," CALL("3", "long") "," CALL("4", "long") "]");
    expect_part(c, "'id':3,");
    expect_part(c, "'id':4,");
    expect_nothing(c);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_together),
        cmocka_unit_test(test_nothing_to_answer),
        cmocka_unit_test(test_bad_items),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cancel_in_a_batch),
        cmocka_unit_test(test_close_in_a_batch),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
