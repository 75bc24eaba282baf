/* Which era a message belongs to, what is checked of a modern one, and which methods and fields each era has. */
#include <string.h>

#include "client.h"

#define REQUEST(method, params) "{'jsonrpc':'2.0','id':1,'method':'" method "','params':{" params "}}"
#define WITH(meta) "'_meta':{" meta "}"
#define VERSION(v) "'" K "protocolVersion':" v
#define CAPS ",'" K "clientCapabilities':{}"

/* Which check comes first is part of it: a client repairs what it is told. */
static void test_meta(void **state)
{
    static const struct {
        const char *meta;
        int code; /* 0: it is served */
    } rows[] = {
        {WITH(VERSION("'2026-07-28'") CAPS), 0},
        {WITH(VERSION("'2026-07-28'") CAPS ",'" K "clientInfo':{'name':'a','version':'1','more':0}"), 0},
        {WITH(VERSION("'2026-07-28'") CAPS ",'" K "logLevel':'debug'"), 0},
        {WITH(VERSION("'2026-07-28'") CAPS ",'progressToken':0,'x/y':[1]"), 0},
        {WITH(VERSION("'2026-07-28'")), -32602},
        {WITH(VERSION("'2026-07-28'") ",'" K "clientCapabilities':null"), -32602},
        {WITH(VERSION("'2026-07-28'") ",'" K "clientCapabilities':[]"), -32602},
        {WITH(VERSION("'2026-07-28'") CAPS ",'" K "clientInfo':null"), -32602},
        {WITH(VERSION("'2026-07-28'") CAPS ",'" K "clientInfo':{'name':'a'}"), -32602},
        {WITH(VERSION("'2026-07-28'") CAPS ",'" K "clientInfo':{'name':1,'version':'1'}"), -32602},
        {WITH(VERSION("'2026-07-28'") CAPS ",'" K "logLevel':'loud'"), -32602},
        {WITH(VERSION("'2026-07-28'") CAPS ",'" K "logLevel':7"), -32602},
        {WITH(VERSION("null") CAPS), -32602},
        {WITH(VERSION("20260728") CAPS), -32602},
        {WITH(VERSION("'2025-11-25'") CAPS), -32022},
        {WITH(VERSION("'2025-11-25'")), -32602},
        {WITH(VERSION("''") CAPS), -32022},
        {WITH(VERSION("'2026-07-28\\u0000'") CAPS), -32022},
        {WITH(VERSION("'9999-01-01'") CAPS), -32022},
    };
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'now',%s}}", rows[i].meta);
        if (rows[i].code)
            expect_error(c, "1", rows[i].code);
        else
            expect(c, "{'jsonrpc':'2.0','id':1,'result':{" DONE ",'resultType':'complete','_meta':{" INFO "}}}");
    }
    client_free(c);
}

/* None of these claims the modern era, so they are legacy requests. */
static void test_no_claim(void **state)
{
    static const char *const metas[] = {"'_meta':null",
                                        "'_meta':5",
                                        "'_meta':{}",
                                        "'_meta':{'progressToken':'t'}",
                                        WITH("'" K "clientCapabilities':{}"),
                                        "'x':1"};
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof metas / sizeof *metas; i++) {
        say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'now',%s}}", metas[i]);
        expect(c, "{'jsonrpc':'2.0','id':1,'result':{" DONE "}}");
    }
    client_free(c);
}

static void test_unsupported_version(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, REQUEST("no/such", WITH(VERSION("'2025-06-18'") CAPS)));
    expect(c, "{'jsonrpc':'2.0','id':1,'error':{'code':-32022,'message':'unsupported protocol version','data':{"
              "'supported':['2026-07-28'],'requested':'2025-06-18'}}}");
    say(c, REQUEST("ping", WITH("'" K "protocolVersion':'%0200d'" CAPS)), 0); /* not sent back whole */
    expect_part(c, "'requested':'0000");
    assert_true(strlen(c->sent[1]) < 300);
    client_free(c);
}

struct method_row {
    const char *method, *params;
    int legacy, modern; /* error codes, 0: a result */
};

static void test_methods(void **state)
{
    static const struct method_row rows[] = {
        {"initialize", "'protocolVersion':'2025-06-18'", 0, -32601},
        {"ping", "'a':1", 0, -32601},
        {"logging/setLevel", "'level':'info'", 0, -32601},
        {"logging/setLevel", "'level':'loud'", -32602, -32601},
        {"resources/subscribe", "'uri':'a:b'", -32601, -32601},
        {"resources/unsubscribe", "'uri':'a:b'", -32601, -32601},
        {"server/discover", "'a':1", -32602, 0},
        {"tools/list", "'a':1", 0, 0},
        {"tools/call", "'name':'now'", 0, 0},
        {"resources/list", "'a':1", -32601, -32601}, /* this server has none */
        {"resources/templates/list", "'a':1", -32601, -32601},
        {"resources/read", "'uri':'a:b'", -32601, -32601},
        {"prompts/list", "'a':1", -32601, -32601},
        {"prompts/get", "'name':'x'", -32601, -32601},
        {"completion/complete", "'a':1", -32601, -32601},
        {"tasks/list", "'a':1", -32601, -32601},
        {"tasks/get", "'taskId':'x'", -32601, -32601},
        {"roots/list", "'a':1", -32601, -32601},
        {"no/such", "'a':1", -32601, -32601},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client *c = client_new();

        say(c, "{'jsonrpc':'2.0','id':1,'method':'%s','params':{%s}}", rows[i].method, rows[i].params);
        if (rows[i].legacy)
            expect_error(c, "1", rows[i].legacy);
        else
            expect_part(c, "{'jsonrpc':'2.0','id':1,'result':{");
        say(c, "{'jsonrpc':'2.0','id':1,'method':'%s','params':{%s," META "}}", rows[i].method, rows[i].params);
        if (rows[i].modern)
            expect_error(c, "1", rows[i].modern);
        else
            expect_part(c, "'resultType':'complete','_meta':{" INFO "}}}");
        expect_nothing(c);
        client_free(c);
    }
}

static void test_discover_needs_meta(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, "{'jsonrpc':'2.0','id':1,'method':'server/discover'}");
    expect_error(c, "1", -32602);
    say(c, REQUEST("server/discover", META));
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{'supportedVersions':['2026-07-28'],'capabilities':{'tools':{}},"
              "'instructions':'Use it.','ttlMs':3600000,'cacheScope':'public','resultType':'complete',"
              "'_meta':{" INFO "}}}");
    client_free(c);
}

/* Copilot CLI sends initialize after its discover was answered; both eras go on. */
static void test_mixed(void **state)
{
    struct client *c = client_new();

    (void)state;
    say(c, REQUEST("server/discover", META));
    expect_part(c, "supportedVersions");
    say_hello(c, "2024-11-05");
    say(c, REQUEST("tools/call", "'name':'now'," META));
    expect_part(c, "'resultType'");
    say(c, REQUEST("tools/call", "'name':'now'"));
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{" DONE "}}");
    client_free(c);
}

#define SCHEMA "'inputSchema':{'type':'object'}"
#define HINTS(r, d, i, o) "'readOnlyHint':" r ",'destructiveHint':" d ",'idempotentHint':" i ",'openWorldHint':" o

static void test_fields_of_a_tool(void **state)
{
    static const char *const old = "{'tools':[{'name':'now','description':'At once'," SCHEMA "},";
    static const char *const annotated = "{'tools':[{'name':'now','description':'At once'," SCHEMA
                                         ",'annotations':{'title':'Now'," HINTS("true", "false", "true", "false") "}},";
    static const char *const titled =
        "{'tools':[{'name':'now','title':'Now','description':'At once'," SCHEMA ",'annotations':{'title':'Now'," HINTS(
            "true", "false", "true", "false") "}},"
                                              "{'name':'later','description':'L'," SCHEMA
                                              ",'annotations':{" HINTS("false", "true", "false", "true") "}},";
    static const struct {
        const char *version, *const *want;
    } rows[] = {{"2024-11-05", &old}, {"2025-03-26", &annotated}, {"2025-06-18", &titled}, {"2025-11-25", &titled}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client *c = client_new();

        say_hello(c, rows[i].version);
        say(c, REQUEST("tools/list", "'cursor':''"));
        expect_part(c, *rows[i].want);
        say(c, REQUEST("tools/list", META));
        expect_part(c, titled);
        assert_non_null(strstr(c->sent[2], "],\"ttlMs\":3600000,\"cacheScope\":\"public\",\"resultType\""));
        assert_null(strstr(c->sent[1], "ttlMs"));
        client_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meta),
        cmocka_unit_test(test_no_claim),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_unsupported_version),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_discover_needs_meta),
        cmocka_unit_test(test_fields_of_a_tool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
