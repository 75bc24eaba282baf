/* A tool's result: its items in order, each era's form of them, and what is left out when it is too large. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/limits.h"
#include "base/mem.h"
#include "client.h"
#include "mcp/result.h"

/* Start a call, end it with result, and take what is sent. */
static const char *ended(struct client *c, const char *more, struct mcp_result *result_take)
{
    struct mcp_request *req;

    say(c, "{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{'name':'later'%s}}", more);
    req = c->held[--c->n_held];
    mcp_request_finish(req, result_take);
    return heard(c);
}

static void expect_result(struct mcp_result *result_take, const char *version, const char *want)
{
    struct client *c = client_new();

    if (version)
        say_hello(c, version);
    (void)ended(c, version ? "" : "," META, result_take);
    c->n_seen--;
    expect(c, want);
    client_free(c);
}

static void test_kinds(void **state)
{
    struct mcp_result *r = mcp_result_new();

    (void)state;
    mcp_result_text(r, "a\0\xff\n", 4);
    mcp_result_image(r, "image/png", "foo", 3);
    mcp_result_link(r, "cellblock://s/a.csv", "a.csv", "text/csv", 5);
    mcp_result_link(r, "cellblock://s/b", NULL, NULL, -1);
    mcp_result_set_error(r);
    mcp_result_meta(r, "cellblock/x", "{\"a\":1}");
    mcp_result_meta(r, "cellblock/y", "{}");
    expect_result(r, NULL,
                  "{'jsonrpc':'2.0','id':1,'result':{'content':[{'type':'text','text':'a\xe2\x90\x80\xef\xbf\xbd\\n'},"
                  "{'type':'image','data':'Zm9v','mimeType':'image/png'},"
                  "{'type':'resource_link','uri':'cellblock://s/a.csv','name':'a.csv','mimeType':'text/csv','size':5},"
                  "{'type':'resource_link','uri':'cellblock://s/b','name':'cellblock://s/b'}],'isError':true,"
                  "'resultType':'complete','_meta':{'cellblock/x':{'a':1},'cellblock/y':{}," INFO "}}}");
}

static void test_empty(void **state)
{
    (void)state;
    expect_result(mcp_result_new(), "2025-11-25", "{'jsonrpc':'2.0','id':1,'result':{'content':[]}}");
}

/* resource_link came with 2025-06-18. */
static void test_links_of_each_revision(void **state)
{
    static const struct {
        const char *version, *want;
    } rows[] = {
        {"2024-11-05", "{'type':'text','text':'[file: a.csv, cellblock://s/a.csv]'}"},
        {"2025-03-26", "{'type':'text','text':'[file: a.csv, cellblock://s/a.csv]'}"},
        {"2025-06-18", "{'type':'resource_link','uri':'cellblock://s/a.csv','name':'a.csv'}"},
        {"2025-11-25", "{'type':'resource_link','uri':'cellblock://s/a.csv','name':'a.csv'}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mcp_result *r = mcp_result_new();
        autofree char *want =
            xasprintf("{'jsonrpc':'2.0','id':1,'result':{'content':[%s],'_meta':{'k':{}}}}", rows[i].want);

        mcp_result_link(r, "cellblock://s/a.csv", "a.csv", NULL, -1);
        mcp_result_meta(r, "k", "{}");
        expect_result(r, rows[i].version, want);
    }
}

/* ---- too large ---- */

/* What arrives, item by item: t<bytes>, i<bytes of base64> or l, with blanks between. */
static char *shape(const char *json)
{
    static char text[4096];
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    yyjson_val *content = yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(doc), "result"), "content"), *item;
    size_t i, n, at = 0;

    text[0] = '\0';
    yyjson_arr_foreach(content, i, n, item)
    {
        yyjson_val *words = yyjson_obj_get(item, "text"), *image = yyjson_obj_get(item, "data");

        assert_true(at < sizeof text - 64);
        if (words)
            at += (size_t)sprintf(text + at, "%st%zu", i ? " " : "", yyjson_get_len(words));
        else if (image)
            at += (size_t)sprintf(text + at, "%si%zu", i ? " " : "", yyjson_get_len(image));
        else
            at += (size_t)sprintf(text + at, "%sl", i ? " " : "");
    }
    yyjson_doc_free(doc);
    return text;
}

#define IMAGE_NOTE "[an image is left out: it is too large for one message]"

static void add_text(struct mcp_result *r, char fill, size_t size, const char *end)
{
    autofree char *text = xnew_n(char, size + strlen(end) + 1);

    memset(text, fill, size);
    memcpy(text + size, end, strlen(end));
    mcp_result_text(r, text, size + strlen(end));
}

static void add_image(struct mcp_result *r, size_t size)
{
    autofree char *data = xnew_n(char, size);

    mcp_result_image(r, "image/png", data, size);
}

static void test_images_that_fit(void **state)
{
    struct client *c = client_new();
    struct mcp_result *r = mcp_result_new();

    (void)state;
    add_text(r, 'x', 20000, "\n[session]");
    add_image(r, LIMIT_IMAGE);
    assert_string_equal(shape(ended(c, "", r)), "t20010 i955736");
    r = mcp_result_new(); /* the text that follows has its place too */
    add_image(r, LIMIT_IMAGE);
    add_text(r, 'x', 20000, "\n[session]");
    assert_string_equal(shape(ended(c, "," META, r)), "i955736 t20010");
    client_free(c);
}

static void test_image_too_large(void **state)
{
    struct client *c = client_new();
    struct mcp_result *r = mcp_result_new();

    (void)state;
    add_image(r, 800 * KIB);
    add_image(r, 300);
    assert_string_equal(shape(ended(c, "", r)), "t55 i400");
    expect_nothing(c);
    assert_non_null(strstr(c->sent[0], IMAGE_NOTE));
    r = mcp_result_new(); /* rather the text than the image */
    add_image(r, 600 * KIB);
    add_text(r, 'x', 300 * KIB, "");
    assert_string_equal(shape(ended(c, "", r)), "t55 t307200");
    client_free(c);
}

static void test_text_too_large(void **state)
{
    static const struct {
        char fill;
        size_t size;
        size_t at_least; /* of it */
    } rows[] = {
        {'x', 2 * MIB, 980 * KIB},
        {'\x01', 400 * KIB, 150 * KIB}, /* six bytes each */
        {'"', 600 * KIB, 480 * KIB},
        {'\xff', 700 * KIB, 320 * 3 * KIB}, /* bad bytes: three each */
    };
    struct client *c = client_new();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mcp_result *r = mcp_result_new();
        const char *json;

        add_text(r, rows[i].fill, rows[i].size, "\n[the end]");
        json = ended(c, i % 2 ? "" : "," META, r);
        assert_true((size_t)atoi(shape(json) + 1) > rows[i].at_least);
        assert_non_null(strstr(json, "the middle was too large"));
        assert_non_null(strstr(json, "\\n[the end]\"}]")); /* how it went is there */
    }
    client_free(c);
}

static void test_long_text_leaves_room_for_the_last(void **state)
{
    struct client *c = client_new();
    struct mcp_result *r = mcp_result_new();
    const char *json;

    (void)state;
    add_text(r, 'x', 2 * MIB, "");
    add_image(r, 30);
    mcp_result_link(r, "a:b", "b", NULL, 1);
    add_text(r, 'y', 1000, "[the end]");
    json = ended(c, "", r);
    assert_non_null(strstr(shape(json), " l t1009"));
    assert_non_null(strstr(json, "[the end]"));
    client_free(c);
}

static void test_very_many(void **state)
{
    struct client *c = client_new();
    struct mcp_result *r = mcp_result_new();
    const char *json;

    (void)state;
    for (int i = 0; i < 20000; i++)
        add_text(r, '"', 50, "");
    json = ended(c, "", r);
    assert_non_null(strstr(json, " more: too large for one message]\"}]}}"));
    r = mcp_result_new();
    for (int i = 0; i < 60; i++) {
        autofree char *uri = xnew_n(char, 20001);

        memset(uri, '\x01', 20000);
        mcp_result_link(r, uri, "n", NULL, -1);
    }
    add_text(r, 'y', 10, "");
    json = ended(c, "", r);
    assert_non_null(strstr(json, "yyyyyyyyyy"));
    assert_non_null(strstr(json, " more: too large for one message]\"}]}}"));
    client_free(c);
}

static void test_meta_too_large(void **state)
{
    struct mcp_result *r = mcp_result_new();
    autofree char *json = xnew_n(char, 40001);

    (void)state;
    memset(json, ' ', 40000);
    json[0] = '{';
    json[39999] = '}';
    mcp_result_meta(r, "a", "{}");
    mcp_result_meta(r, "large", json);
    mcp_result_meta(r, "b", "{}");
    expect_result(r, "2025-11-25", "{'jsonrpc':'2.0','id':1,'result':{'content':[],'_meta':{'a':{},'b':{}}}}");
}

/* With the longest id and an image that just fits, or just does not. */
static void test_edge(void **state)
{
    struct client *c = client_new();
    autofree char *id = xnew_n(char, 4001);

    (void)state;
    memset(id, 'i', 4000);
    for (size_t size = 740 * KIB; size < 751 * KIB; size += 509) {
        struct mcp_result *r = mcp_result_new();

        add_text(r, 'x', 100, "");
        add_image(r, size);
        add_text(r, 'x', 100, "");
        say(c, "{'jsonrpc':'2.0','id':'%s','method':'tools/call','params':{'name':'later'," META "}}", id);
        mcp_request_finish(c->held[--c->n_held], r); /* the client checks the size */
    }
    client_free(c);
}

static void test_free_nothing(void **state)
{
    (void)state;
    mcp_result_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_links_of_each_revision),
        cmocka_unit_test(test_images_that_fit),
        cmocka_unit_test(test_image_too_large),
        cmocka_unit_test(test_text_too_large),
        cmocka_unit_test(test_long_text_leaves_room_for_the_last),
        cmocka_unit_test(test_very_many),
        cmocka_unit_test(test_meta_too_large),
        cmocka_unit_test(test_edge),
        cmocka_unit_test(test_free_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
