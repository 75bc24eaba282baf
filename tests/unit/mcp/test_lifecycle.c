/* initialize, ping, subscriptions/listen, and when a client counts as one that stays. */
#include "base/mem.h"
#include "client.h"

static void test_initialize(void **state)
{
    static const struct {
        const char *asked, *got, *title;
    } rows[] = {
        {"2024-11-05", "2024-11-05", ""},
        {"2025-03-26", "2025-03-26", ""},
        {"2025-06-18", "2025-06-18", "'title':'Toy',"},
        {"2025-11-25", "2025-11-25", "'title':'Toy',"},
        {"2026-07-28", "2025-11-25", "'title':'Toy',"}, /* the modern era has no initialize */
        {"1999-01-01", "2025-11-25", "'title':'Toy',"},
        {"2025-06-18\\u0000", "2025-11-25", "'title':'Toy',"},
        {"", "2025-11-25", "'title':'Toy',"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client *c = client_new();
        autofree char *want =
            xasprintf("{'jsonrpc':'2.0','id':0,'result':{'protocolVersion':'%s','capabilities':{'tools':{}},"
                      "'serverInfo':{'name':'toy',%s'version':'1'},'instructions':'Use it.'}}",
                      rows[i].got, rows[i].title);

        say(c, "{'jsonrpc':'2.0','id':0,'method':'initialize','params':{'protocolVersion':'%s','x':null}}",
            rows[i].asked);
        expect(c, want);
        client_free(c);
    }
}

static void test_bad_initialize(void **state)
{
    static const char *const params[] = {"{}", "{'protocolVersion':5}", "{'protocolVersion':null}", "null", "[]"};
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        say(c, "{'jsonrpc':'2.0','id':1,'method':'initialize','params':%s}", params[i]);
        expect_error(c, "1", -32602);
    }
    say(c, "{'jsonrpc':'2.0','id':1,'method':'initialize'}");
    expect_error(c, "1", -32602);
    client_free(c);
}

static void test_initialize_again(void **state)
{
    struct client *c = client_new();

    (void)state;
    say_hello(c, "2025-11-25");
    say_hello(c, "2024-11-05");
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list'}");
    expect_part(c, "'name':'now','description'");
    client_free(c);
}

static void test_ping(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, "{'jsonrpc':'2.0','id':1,'method':'ping'}"); /* before initialize too */
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{}}");
    client_free(c);
}

static void test_listen(void **state)
{
    static const char *const ids[] = {"7", "'seven'"};
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        autofree char *ack = xasprintf("{'jsonrpc':'2.0','method':'notifications/subscriptions/acknowledged','params':{"
                                       "'notifications':{},'_meta':{'" K "subscriptionId':%s}}}",
                                       ids[i]);
        autofree char *end = xasprintf("{'jsonrpc':'2.0','id':%s,'result':{'resultType':'complete','_meta':{"
                                       "'" K "subscriptionId':%s," INFO "}}}",
                                       ids[i], ids[i]);

        say(c,
            "{'jsonrpc':'2.0','id':%s,'method':'subscriptions/listen','params':{'notifications':{"
            "'toolsListChanged':true}," META "}}",
            ids[i]);
        expect(c, ack);
        expect(c, end);
    }
    say(c, "{'jsonrpc':'2.0','id':1,'method':'subscriptions/listen','params':{" META "}}");
    expect_error(c, "1", -32602);
    say(c, "{'jsonrpc':'2.0','id':1,'method':'subscriptions/listen','params':{'notifications':{}}}");
    expect_error(c, "1", -32601); /* no method of the legacy era */
    client_free(c);
}

static void count(void *data)
{
    ++*(int *)data;
}

/* Clients probe with processes that they throw away: no interpreter is started for those. */
static void test_first_use(void **state)
{
    struct client *c = client_new();
    int used = 0;

    (void)state;
    mcp_server_on_first_use(c->server, count, &used);
    say(c, "{'jsonrpc':'2.0','id':1,'method':'server/discover','params':{" META "}}");
    say(c, "{'jsonrpc':'2.0','id':1,'method':'ping'}");
    say(c, "{'jsonrpc':'2.0','id':1,'method':'no/such'}");
    say(c, "garbage");
    assert_int_equal(used, 0);
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list','params':{" META "}}");
    assert_int_equal(used, 1);
    say_hello(c, "2025-11-25");
    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/list'}");
    assert_int_equal(used, 1);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initialize),       cmocka_unit_test(test_bad_initialize),
        cmocka_unit_test(test_initialize_again), cmocka_unit_test(test_ping),
        cmocka_unit_test(test_listen),           cmocka_unit_test(test_first_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
