/* notifications/progress: only with a token, growing, and gated by the revision. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "client.h"

#define HEAD "{'jsonrpc':'2.0','method':'notifications/progress','params':{'progressToken':"

static struct mcp_request *start(struct client *c, const char *meta)
{
    say(c, "{'jsonrpc':'2.0','id':%zu,'method':'tools/call','params':{'name':'later','_meta':{%s}}}", c->n_held, meta);
    return c->held[c->n_held - 1];
}

static void test_token(void **state)
{
    static const struct {
        const char *meta, *token; /* token NULL: none */
    } rows[] = {
        {"'progressToken':0", "0"},
        {"'progressToken':'t'", "'t'"},
        {"'progressToken':''", "''"},
        {"'progressToken':-3", "-3"},
        {"'progressToken':2.0", "2"},
        {"'progressToken':99999999999999999999", "99999999999999999999"},
        {"'progressToken':null", NULL},
        {"'progressToken':1.5", NULL},
        {"'progressToken':true", NULL},
        {"'progressToken':{}", NULL},
        {"'x':1", NULL},
    };
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mcp_request *req = start(c, rows[i].meta);

        assert_int_equal(mcp_request_wants_progress(req), rows[i].token != NULL);
        mcp_request_progress(req, 1, -1, NULL);
        if (rows[i].token) {
            autofree char *want = xasprintf(HEAD "%s,'progress':1}}", rows[i].token);

            expect(c, want);
        }
        expect_nothing(c);
    }
    client_free(c);
}

static void test_it_grows(void **state)
{
    struct client *c = client_new();
    struct mcp_request *req = start(c, "'progressToken':1");

    (void)state;
    mcp_request_progress(req, 0, 10, NULL);
    expect(c, HEAD "1,'progress':0,'total':10}}");
    mcp_request_progress(req, 0, 10, NULL);
    mcp_request_progress(req, -1, 10, NULL);
    mcp_request_progress(req, NAN, 10, NULL);
    mcp_request_progress(req, INFINITY, 10, NULL);
    expect_nothing(c);
    mcp_request_progress(req, 0.25, INFINITY, NULL);
    expect(c, HEAD "1,'progress':0.25}}");
    mcp_request_progress(req, 0.25000000000001, -1, NULL); /* written, it would be the same number */
    expect_nothing(c);
    mcp_request_progress(req, 1e15, -1, NULL);
    expect(c, HEAD "1,'progress':1e+15}}");
    client_free(c);
}

static void test_message(void **state)
{
    struct client *c = client_new();
    struct mcp_request *req;
    char text[500];

    (void)state;
    say_hello(c, "2024-11-05");
    mcp_request_progress(start(c, "'progressToken':1"), 1, -1, "text"); /* this revision has none */
    expect(c, HEAD "1,'progress':1}}");
    say_hello(c, "2025-03-26");
    req = start(c, "'progressToken':1");
    mcp_request_progress(req, 1, -1, "a\n\"\xff");
    expect(c, HEAD "1,'progress':1,'message':'a\\n\\'\xef\xbf\xbd'}}");
    memset(text, 'x', 3); /* so that the cut falls into a character */
    for (size_t i = 3; i < sizeof text - 1; i++)
        text[i] = i % 2 ? '\xc3' : '\xbc';
    text[sizeof text - 1] = '\0';
    mcp_request_progress(req, 2, -1, text);
    expect_part(c, "'message':'xxx\xc3\xbc");
    assert_null(strstr(c->sent[c->n_sent - 1], "\xef\xbf\xbd"));
    assert_true(strlen(c->sent[c->n_sent - 1]) < 320);
    client_free(c);
}

static void test_not_after_the_end(void **state)
{
    struct client *c = client_new();
    struct mcp_request *req = start(c, "'progressToken':1");

    (void)state;
    client_close(c);
    mcp_request_progress(req, 1, -1, NULL);
    expect_nothing(c);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_it_grows),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_not_after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
