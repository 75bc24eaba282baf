/* resources/list in pages, templates, and reading. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/limits.h"
#include "base/mem.h"
#include "client.h"

#define REQUEST(method, params) "{'jsonrpc':'2.0','id':1,'method':'resources/" method "','params':{" params "}}"

/* What the toy server has: n resources whose names are size bytes long, or one content. */
static struct toy {
    size_t n, name_size;
    const char *data;
    size_t size;
    bool text;
} toy;

static void list(struct mcp_conn *conn, void (*emit)(void *to, const struct mcp_resource *r), void *to, void *data)
{
    autofree char *name = xnew_n(char, toy.name_size + 1);

    (void)conn;
    (void)data;
    memset(name, '"', toy.name_size);
    for (size_t i = 0; i < toy.n; i++) {
        autofree char *uri = xasprintf("cellblock://s/%zu", i);
        struct mcp_resource r = {uri, i == 1 ? NULL : name, i == 0 ? "text/csv" : NULL, i == 0 ? 12 : -1};

        emit(to, &r);
    }
}

static void read_it(struct mcp_request *req, const char *uri, void *data)
{
    (void)data;
    if (strcmp(uri, "a:missing") == 0)
        mcp_request_fail_not_found(req, uri);
    else
        mcp_request_finish_read(req, uri, strcmp(uri, "a:typed") == 0 ? "text/csv" : NULL, toy.data, toy.size,
                                toy.text);
}

static const struct mcp_resource_ops ops = {read_it, list, "cellblock://{session}/{+path}", "file", "A file", NULL};

static struct client *client_with(struct toy what)
{
    struct client *c = client_new();

    toy = what;
    mcp_server_set_resources(c->server, &ops);
    return c;
}

static void test_list(void **state)
{
    struct client *c = client_with((struct toy){.n = 3, .name_size = 1});

    (void)state;
    say(c, REQUEST("list", ""));
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{'resources':[{'uri':'cellblock://s/0','name':'\\'','mimeType':"
              "'text/csv','size':12},{'uri':'cellblock://s/1','name':'cellblock://s/1'},{'uri':'cellblock://s/2',"
              "'name':'\\''}]}}");
    say(c, REQUEST("list", META));
    expect_part(c, "}],'ttlMs':0,'cacheScope':'private','resultType':'complete','_meta':{" INFO "}}}");
    client_free(c);
    c = client_with((struct toy){.n = 0});
    say(c, REQUEST("list", "'cursor':''"));
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{'resources':[]}}");
    say_hello(c, "2025-11-25");
    assert_non_null(strstr(c->sent[c->n_sent - 1], "\"capabilities\":{\"tools\":{},\"resources\":{}}"));
    client_free(c);
}

/* Every resource once, in order, whatever the pages. */
static void test_pages(void **state)
{
    struct client *c = client_with((struct toy){.n = 300, .name_size = 5000});
    autofree char *cursor = xstrdup("");
    size_t pages = 0, seen = 0;

    (void)state;
    for (; cursor; pages++) {
        yyjson_doc *doc;
        yyjson_val *result, *item;
        size_t i, n;

        say(c, REQUEST("list", "'cursor':'%s'"), cursor);
        doc = yyjson_read(heard(c), strlen(c->sent[c->n_sent - 1]), 0);
        result = yyjson_obj_get(yyjson_doc_get_root(doc), "result");
        yyjson_arr_foreach(yyjson_obj_get(result, "resources"), i, n, item)
            assert_int_equal(atoi(yyjson_get_str(yyjson_obj_get(item, "uri")) + strlen("cellblock://s/")), seen++);
        free(cursor);
        cursor = xstrdup(yyjson_get_str(yyjson_obj_get(result, "nextCursor")));
        yyjson_doc_free(doc);
    }
    assert_int_equal(seen, 300);
    assert_in_range(pages, 3, 5);
    say(c, REQUEST("list", "'cursor':'5000'")); /* some are gone since */
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{'resources':[]}}");
    client_free(c);
}

/* One that fits no message would else be asked for again and again. */
static void test_too_large_for_a_page(void **state)
{
    struct client *c = client_with((struct toy){.n = 3, .name_size = 600 * KIB});

    (void)state;
    say(c, REQUEST("list", ""));
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{'resources':[{'uri':'cellblock://s/1','name':'cellblock://s/1'}],"
              "'nextCursor':'2'}}");
    say(c, REQUEST("list", "'cursor':'2'"));
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{'resources':[]}}");
    client_free(c);
}

static void test_bad_cursor(void **state)
{
    static const char *const bad[] = {"'x'",  "'-1'",       "'0'", "'01'", "'1x'",        "'1 '",
                                      "' 1'", "'1\\u0000'", "5",   "[]",   "'1111111111'"};
    struct client *c = client_with((struct toy){.n = 3, .name_size = 1});

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        say(c, REQUEST("list", "'cursor':%s"), bad[i]);
        expect_error(c, "1", -32602);
    }
    say(c, REQUEST("templates/list", "'cursor':'1'"));
    expect_error(c, "1", -32602);
    client_free(c);
}

static void test_templates(void **state)
{
    struct client *c = client_with((struct toy){0});

    (void)state;
    say(c, REQUEST("templates/list", ""));
    expect(c, "{'jsonrpc':'2.0','id':1,'result':{'resourceTemplates':[{'uriTemplate':'cellblock://{session}/{+path}',"
              "'name':'file','description':'A file'}]}}");
    say(c, REQUEST("templates/list", META));
    expect_part(c, "'cacheScope':'public'");
    client_free(c);
}

#define CONTENT(c) "{'jsonrpc':'2.0','id':1,'result':{'contents':[{'uri':'a:b'," c "}]}}"

static void test_read(void **state)
{
    static const struct {
        const char *data;
        size_t size;
        bool text;
        const char *want;
    } rows[] = {
        {"a\n\"b", 4, true, CONTENT("'text':'a\\n\\'b'")},
        {"", 0, true, CONTENT("'text':''")},
        {"", 0, false, CONTENT("'blob':''")},
        {"abc", 3, false, CONTENT("'blob':'YWJj'")},
        {"a\xff", 2, true, CONTENT("'blob':'Yf8='")},
        {"a\0b", 3, true, CONTENT("'blob':'YQBi'")}, /* exactly, which text could not be */
        {"\xc3\xbc", 2, true, CONTENT("'text':'\xc3\xbc'")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client *c = client_with((struct toy){0, 0, rows[i].data, rows[i].size, rows[i].text});

        say(c, REQUEST("read", "'uri':'a:b'"));
        expect(c, rows[i].want);
        say(c, REQUEST("read", "'uri':'a:typed'"));
        expect_part(c, "'uri':'a:typed','mimeType':'text/csv',");
        say(c, REQUEST("read", "'uri':'a:b'," META));
        expect_part(c, "'ttlMs':0,'cacheScope':'private','resultType':'complete'");
        client_free(c);
    }
}

/* Escapes make six bytes of one: then base64, which every client takes. */
static void test_largest(void **state)
{
    static const struct {
        char fill;
        const char *key;
    } rows[] = {{'x', "\"text\":\"xxx"}, {'\x01', "\"blob\":\"AQEB"}};
    autofree char *data = xnew_n(char, LIMIT_RESOURCE_READ);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct client *c = client_with((struct toy){0, 0, data, LIMIT_RESOURCE_READ, true});

        memset(data, rows[i].fill, LIMIT_RESOURCE_READ);
        c->sent_max = 10 * MIB; /* where the first clients close */
        say(c, REQUEST("read", "'uri':'a:b'"));
        assert_non_null(strstr(heard(c), rows[i].key));
        client_free(c);
    }
}

static void test_missing(void **state)
{
    struct client *c = client_with((struct toy){0});
    autofree char *longest = xnew_n(char, 20001);

    (void)state;
    say(c, REQUEST("read", "'uri':'a:missing'"));
    expect_error(c, "1", -32002);
    c->n_seen--;
    expect_part(c, "'data':{'uri':'a:missing'}}}");
    say(c, REQUEST("read", "'uri':'a:missing'," META));
    expect_error(c, "1", -32602);
    c->n_seen--;
    expect_part(c, "'data':{'uri':'a:missing'}}}");
    say(c, REQUEST("read", "'x':1"));
    expect_error(c, "1", -32602);
    say(c, REQUEST("read", "'uri':5"));
    expect_error(c, "1", -32602);
    say(c, REQUEST("read", "'uri':'a:\\u0000'"));
    expect_error(c, "1", -32602);
    memset(longest, 'x', 20000);
    say(c, REQUEST("read", "'uri':'%s'"), longest);
    expect_error(c, "1", -32602);
    client_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_too_large_for_a_page),
        cmocka_unit_test(test_bad_cursor),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
