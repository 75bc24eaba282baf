#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "packages/packages.h"
#include "packages/requirement.h"
#include "packages/version.h"

/* A requirement and its name. */
static const struct {
    const char *spec, *name;
} good[] = {
    {"numpy", "numpy"},
    {"Django>=4,<5", "django"},
    {"requests[socks,security]~=2.1", "requests"},
    {"requests [ socks , security ] ~= 2.1 , != 2.5.*", "requests"},
    {"x==1.0; python_version<\"3.9\"", "x"},
    {"x == 1.0 ; python_version < '3.9' and (sys_platform == 'linux' or extra == 'x')", "x"},
    {"x; 'linux' in sys_platform", "x"},
    {"x; 'win' not  in sys_platform", "x"},
    {"x;os_name=='posix'", "x"},
    {"x; os.name == 'posix'", "x"},
    {"x; platform_release >= '6.1-$generic&|'", "x"},
    {"name @ https://host/x-1.0-py3-none-any.whl", "name"},
    {"name@https://host/x-1.0-py3-none-any.whl", "name"},
    {"name[extra] @ https://host:8080/p/x.tar.gz#sha256=abc ; python_version >= '3'", "name"},
    {"name @ http://127.0.0.1:8000/x.whl", "name"},
    {"name @ https://user:pass@host/x.whl?a=b&c=d", "name"},
    {"name @ https://[::1]:80/x.whl", "name"},
    {"name @ git+https://host/repo@v1.0#egg=name", "name"},
    {"x===1!2.0+local", "x"},
    {"x===some-text", "x"},
    {"x==1!2.0+local.1", "x"},
    {"x>=1.0a1", "x"},
    {"x>=1.0-beta.2", "x"},
    {"x>=v1.0.post1.dev2", "x"},
    {"x==1.0-1", "x"},
    {"x==1.0rc1.post2.dev3+ubuntu-1_2", "x"},
    {"x==1.*", "x"},
    {"x!=1.2.*", "x"},
    {"x>=2024.1.1", "x"},
    {"x (>=1.0,<2)", "x"},
    {"x(==1.0)", "x"},
    {"x<2.0,>1", "x"},
    {"x >1", "x"},
    {"x[]", "x"},
    {"x[a]", "x"},
    {"x[a-b.c_d]", "x"},
    {"A.B_C-D", "a-b-c-d"},
    {"a__b--c..d", "a-b-c-d"},
    {"a._-b", "a-b"},
    {"zope.interface", "zope-interface"},
    {"web.py", "web-py"},
    {"ruamel.yaml.clib", "ruamel-yaml-clib"},
    {"2captcha-python", "2captcha-python"},
    {"x", "x"},
    {"3to2", "3to2"},
    {"  numpy  ", "numpy"},
    {"\tnumpy\t==\t1.0\t", "numpy"},
    {"pip", "pip"},
    {"pip>=23", "pip"},
    {"uv", "uv"},
    {"uv >= 0.4", "uv"},
    {"conda-pack", "conda-pack"},
    {"tar", "tar"},
    {"zip-files", "zip-files"},
    {"toml", "toml"},
};

/* A text that is refused, and what the message says about it. */
static const struct {
    const char *spec, *says;
} bad[] = {
    {"", "empty"},
    {"   ", "empty"},
    {"-r x", "options"},
    {"-r", "options"},
    {"--index-url=http://x", "options"},
    {"-e .", "options"},
    {"--", "options"},
    {" -U numpy", "options"},
    {"numpy -U", "options such as '-U'"},
    {"numpy --index-url http://x", "options such as"},
    {"./x", "path"},
    {"../x", "path"},
    {".", "path"},
    {"/etc/passwd", "path"},
    {"~/x", "path"},
    {"a/b", "file"},
    {"a/b.whl", "file"},
    {"C:\\x", "path"},
    {"C:/x", "file"},
    {"x.whl", "file"},
    {"numpy-1.0-py3-none-any.whl", "file"},
    {"x.tar.gz", "file"},
    {"X.ZIP", "file"},
    {"x.zip[extra]", "file"},
    {"requirements.txt", "file"},
    {"pyproject.toml", "file"},
    {"environment.yml", "file"},
    {"setup.py", "file"},
    {"https://host/x.whl", "name before it"},
    {"http://host/x", "name before it"},
    {"git+https://host/repo", "name before it"},
    {"file:///etc/passwd", "name before it"},
    {"file:x", "file"},
    {"x @ file:///etc", "https://"},
    {"x @ /etc/x.whl", "https://"},
    {"x @ ./x", "https://"},
    {"x @ ftp://host/x", "https://"},
    {"x @ git+ssh://host/x", "https://"},
    {"x @ git+file:///x", "https://"},
    {"x @", "https://"},
    {"x @ https://", "no host"},
    {"x @ https:///x", "no host"},
    {"x @ https://-oProxy/x", "no host"},
    {"x @ https://u@-x/y", "no host"},
    {"x @ git+https://host/r@--upload-pack=x", "does not start with '-'"},
    {"x @ https://host/a.whl;python_version<'3'", "space before the ';'"},
    {"x @ https://host/`id`", "character '`'"},
    {"x @ https://host/a\"b", "character '\"'"},
    {"x @ https://host/a|b", "character '|'"},
    {"x @ https://host/a b", "more than one"},
    {"x @ https://host/${HOME}", "not expanded"},
    {"${HOME}", "not expanded"},
    {"x==${VERSION}", "not expanded"},
    {"x; rm -rf /", "condition like"},
    {"x;", "condition like"},
    {"x; python_version", "comparison"},
    {"x; python_version < ", "condition like"},
    {"x; python_version < 3.9", "condition like"},
    {"x; python_version < \"3.9", "not closed"},
    {"x; (python_version < '3'", "not closed"},
    {"x; python_version < '3' && os_name == 'x'", "does not belong"},
    {"x; python_version < '3' or", "condition like"},
    {"x; 'a' == 'b'", "two fixed texts"},
    {"x; foo == 'b'", "condition like"},
    {"x; ((((((((((((((((((os_name=='x'))))))))))))))))))", "nested"},
    {"x && y", "'&& y' does not belong"},
    {"x || y", "does not belong"},
    {"x | y", "does not belong"},
    {"x & y", "does not belong"},
    {"x > /etc/passwd", "no version"},
    {"x < y", "'y' is not a version"},
    {"$(id)", "not with '$'"},
    {"`id`", "not with '`'"},
    {"x`id`", "does not belong"},
    {"x$(id)", "does not belong"},
    {"x$HOME", "does not belong"},
    {"*", "not with '*'"},
    {"!x", "not with '!'"},
    {"x*", "does not belong"},
    {"x==", "no version after"},
    {"x>", "no version after"},
    {"x=1.0", "use =="},
    {"x==1.0==2.0", "does not belong"},
    {"x==1.0,", "needs a comparison"},
    {"x 1.0", "more than one"},
    {"x>=abc", "not a version"},
    {"x>=1..0", "not a version"},
    {"x==1.0.x", "not a version"},
    {"x>=1.*", "only == and !="},
    {"x>=1.0+local", "only == and !="},
    {"x~=1", "two numbers"},
    {"x(>=1", "not closed"},
    {"x[a", "not closed"},
    {"x[a b]", "not closed"},
    {"x[-a]", "names of extras"},
    {"x[a,]", "names of extras"},
    {"x]", "does not belong"},
    {"_x", "starts with a letter"},
    {"x-", "ends with a letter"},
    {"x.", "ends with a letter"},
    {"@ https://x", "starts with a letter"},
    {"numpy pandas", "pass 'pandas' as an item of its own"},
    {"numpy, pandas", "more than one"},
    {"numpy,pandas", "pass 'pandas' as an item of its own"},
    {"numpy>=1 pandas", "more than one"},
    {"numpy # comment", "comment"},
    {"x; os_name == 'a' # comment", "comment"},
    {"# comment", "comment"},
    {"numpy\npandas", "more than one line"},
    {"numpy\r", "control character"},
    {"numpy\001", "control character"},
    {"numpy\177", "not ASCII"},
    {"num\xc3\xa9py", "not ASCII"},
    {"\xe2\x80\x9cnumpy\xe2\x80\x9d", "not ASCII"},
    {"x>=1.0\xe2\x80\x93", "not ASCII"},
    {"numpy\xc2\xa0", "not ASCII"},
    {"num\xffpy", "not ASCII"},
    {"\"numpy\"", "quotes"},
    {"'numpy'", "quotes"},
    {"pip install numpy", "command"},
    {"uv pip install x", "command"},
    {"python -m pip install x", "command"},
    {"sudo rm -rf /", "command"},
    {"pip -r x", "command"},
};

static void accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct err e = ERR_INIT;
        char name[100];

        if (requirement_check(good[i].spec, &e) < 0)
            fail_msg("%s: %s", good[i].spec, e.text);
        assert_int_equal(e.code, 0);
        requirement_name(good[i].spec, name, sizeof(name));
        assert_string_equal(name, good[i].name);
    }
}

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err e = ERR_INIT;

        if (requirement_check(bad[i].spec, &e) == 0)
            fail_msg("accepted: %s", bad[i].spec);
        if (!strstr(e.text, bad[i].says))
            fail_msg("%s: %s", bad[i].spec, e.text);
        assert_true(utf8_valid(e.text, strlen(e.text)));
        assert_non_null(strstr(e.text, "is not a package requirement: "));
    }
}

static void refuses_long_ones(void **state)
{
    char spec[LIMIT_REQUIREMENT + 2];
    struct err e = ERR_INIT;

    (void)state;
    memset(spec, 'x', sizeof(spec));
    spec[LIMIT_REQUIREMENT] = '\0';
    assert_int_equal(requirement_check(spec, &e), 0);
    spec[LIMIT_REQUIREMENT] = 'x';
    spec[LIMIT_REQUIREMENT + 1] = '\0';
    assert_true(requirement_check(spec, &e) < 0);
    assert_non_null(strstr(e.text, "longer than"));
}

static void cuts_names(void **state)
{
    char name[4];

    (void)state;
    requirement_name("numpy==1", name, sizeof(name));
    assert_string_equal(name, "num");
}

static void takes_apart(void **state)
{
    struct requirement q;

    (void)state;
    assert_int_equal(requirement_parse("a[b] >= 1 ; os_name == 'x'", &q, NULL), 0);
    assert_true(q.has_extras && q.has_version && q.has_marker && !q.has_url);
    assert_int_equal(requirement_parse("a @ https://h/x", &q, NULL), 0);
    assert_true(!q.has_extras && !q.has_version && !q.has_marker && q.has_url);
}

static void versions(void **state)
{
    static const char *const yes[] = {
        "1",         "1.0",   "v1",        "0!1",        "2!1.0.0",          "1a",      "1a1",    "1.a.1",
        "1-alpha_1", "1.0rc", "1.0c2",     "1.preview3", "1.0.post",         "1.0-1",   "1.0-r4", "1.dev",
        "1.dev0",    "1+a",   "1+a.b-c_0", "1.0.*",      "1b2.post3.dev4+x", "20240101"};
    static const char *const no[] = {"",     "a",   "1.",       ".1",  "1!",      "1!a", "1..2", "1a1b1",
                                     "1+",   "1+.", "1+a..b",   "1 0", "1.0.*.1", "1*",  "*",    "1.dev1.post1",
                                     "1.0-", "1x",  "1.0a1.*.2"};

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (!version_check(yes[i], strlen(yes[i]), NULL))
            fail_msg("refused: %s", yes[i]);
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (version_check(no[i], strlen(no[i]), NULL))
            fail_msg("accepted: %s", no[i]);
}

static void shows_short_clean_text(void **state)
{
    char shown[12];

    (void)state;
    requirement_show("short", shown, sizeof(shown));
    assert_string_equal(shown, "short");
    requirement_show("a text that is cut", shown, sizeof(shown));
    assert_string_equal(shown, "a text t...");
    requirement_show("a\nb\001", shown, sizeof(shown));
    assert_string_equal(shown, "a?b?");
    requirement_show("1234567\xc3\xa9xyz", shown, sizeof(shown));
    assert_string_equal(shown, "1234567...");
    requirement_show("\xff\xfe", shown, sizeof(shown));
    assert_string_equal(shown, "??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_long_ones),
        cmocka_unit_test(cuts_names),
        cmocka_unit_test(takes_apart),
        cmocka_unit_test(versions),
        cmocka_unit_test(shows_short_clean_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
