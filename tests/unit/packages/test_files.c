/* What is read from files and names: site.c, venv.c, pipconf.c, and the comparison of report.c. */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "packages/pipconf.h"
#include "packages/python.h"
#include "packages/report.h"
#include "packages/site.h"
#include "packages/venv.h"
#include "packages/words.h"
#include "session/session.h"

static char top[] = "/tmp/cellblock-test-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int make_top(void **state)
{
    (void)state;
    strcpy(top + strlen(top) - 6, "XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
    (void)state;
    return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path below top, the folders in it made; a text: a file with it. Static: for at most four at once. */
static const char *put(const char *name, const char *text)
{
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", top, name);
    for (char *p = path + strlen(top) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(path, 0777);
        *p = '/';
    }
    if (text) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        (void)fputs(text, f);
        (void)fclose(f);
    }
    return path;
}

/* ---- site ---- */

static void expect(const struct site *s, const char *key, const char *name, const char *version, bool own)
{
    const struct site_package *p = site_find(s, key);

    assert_non_null(p);
    assert_string_equal(p->name, name);
    assert_string_equal(p->version, version);
    assert_int_equal(p->own, own);
}

static void site_reads_names(void **state)
{
    struct site s = {NULL, 0, 0};

    (void)state;
    put("a/numpy-1.26.0.dist-info/METADATA", "");
    put("a/PyYAML-6.0.1.dist-info/METADATA", "");
    put("a/zope.interface-5.0.dist-info/METADATA", "");
    put("a/ruamel_yaml-0.18.dist-info/METADATA", "");
    put("a/half-1.0.dist-info/RECORD", "");
    put("a/old_style-2.0-py3.11.egg-info/PKG-INFO", "");
    put("a/single-3.0.egg-info", "");
    put("a/local-1.0+cu121.dist-info/METADATA", "");
    put("a/nameless.dist-info/METADATA", "");
    put("a/-1.0.dist-info/METADATA", "");
    put("a/numpy/__init__.py", "");
    put("b/numpy-2.0.dist-info/METADATA", "");
    put("b/only_b-1.dist-info/METADATA", "");
    site_add(&s, put("a", NULL), true);
    site_add(&s, put("b", NULL), false);
    site_add(&s, put("missing", NULL), false);
    site_seal(&s);
    assert_int_equal(s.n, 8);
    expect(&s, "numpy", "numpy", "1.26.0", true);
    expect(&s, "pyyaml", "PyYAML", "6.0.1", true);
    expect(&s, "zope-interface", "zope.interface", "5.0", true);
    expect(&s, "ruamel-yaml", "ruamel-yaml", "0.18", true);
    expect(&s, "old-style", "old-style", "2.0", true);
    expect(&s, "single", "single", "3.0", true);
    expect(&s, "local", "local", "1.0+cu121", true);
    expect(&s, "only-b", "only-b", "1", false);
    assert_null(site_find(&s, "half"));
    site_fini(&s);
    assert_null(site_find(&s, "numpy"));
}

/* ---- report ---- */

static void report_compares(void **state)
{
    struct site before = {NULL, 0, 0}, after = {NULL, 0, 0};
    struct request requests[] = {
        {.spec = (char *)(uintptr_t) "a>=2", .key = (char *)(uintptr_t) "a", .state = REQUEST_DONE},
        {.spec = (char *)(uintptr_t) "b", .key = (char *)(uintptr_t) "b", .state = REQUEST_DONE},
        {.spec = (char *)(uintptr_t) "c",
         .key = (char *)(uintptr_t) "c",
         .state = REQUEST_FAILED,
         .reason = (char *)(uintptr_t) "why"},
        {.spec = (char *)(uintptr_t) "d", .key = (char *)(uintptr_t) "d", .state = REQUEST_WAITING},
        {.spec = (char *)(uintptr_t) "e", .key = (char *)(uintptr_t) "e", .state = REQUEST_WAITING},
        {.spec = (char *)(uintptr_t) "f", .key = (char *)(uintptr_t) "f", .state = REQUEST_DONE},
    };
    static const enum install_state states[] = {INSTALL_NEW, INSTALL_PRESENT, INSTALL_FAILED, INSTALL_FAILED,
                                                INSTALL_NEW, INSTALL_FAILED,  INSTALL_NEW};
    struct install_item *items;
    bool ok;
    size_t n;

    (void)state;
    put("x/a-1.dist-info/METADATA", "");
    put("x/b-1.dist-info/METADATA", "");
    site_add(&before, put("x", NULL), true);
    site_seal(&before);
    put("y/a-2.dist-info/METADATA", "");
    put("y/b-1.dist-info/METADATA", "");
    put("y/e-5.dist-info/METADATA", "");
    put("y/new_one-7.dist-info/METADATA", "");
    site_add(&after, put("y", NULL), true);
    site_seal(&after);
    n = report_make(requests, 6, &before, &after, "no time", &items, &ok);
    assert_int_equal(n, 7);
    assert_false(ok);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(items[i].state, states[i]);
    assert_string_equal(items[0].reason, "in place of 1");
    assert_string_equal(items[0].version, "2");
    assert_string_equal(items[2].reason, "why");
    assert_string_equal(items[3].reason, "no time");
    assert_string_equal(items[4].version, "5");
    assert_string_equal(items[6].spec, "new-one==7");
    assert_false(items[6].asked);
    report_free(items, n);
    n = report_make(requests, 2, &before, &after, "", &items, &ok);
    assert_true(ok);
    report_free(items, n);
    site_fini(&before);
    site_fini(&after);
}

/* ---- venv ---- */

static void venv_is_looked_at(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(venv_look(put("none", NULL), &e), VENV_MISSING);
    assert_int_equal(mkdir(put("empty", NULL), 0777), 0);
    assert_int_equal(venv_look(put("empty", NULL), &e), VENV_HALF);
    put("half/lib/x", "");
    put("half/.gitignore", "*");
    assert_int_equal(venv_look(put("half", NULL), &e), VENV_HALF);
    put("half/bin/python", "");
    assert_int_equal(venv_look(put("half", NULL), &e), VENV_HALF);
    put("half/pyvenv.cfg", "");
    assert_int_equal(venv_look(put("half", NULL), &e), VENV_THERE);
    put("other/bin/python", "");
    put("other/novel.txt", "");
    assert_true(venv_look(put("other", NULL), &e) < 0);
    assert_non_null(strstr(e.text, "is not a virtual environment"));
    put("file", "");
    assert_true(venv_look(put("file", NULL), &e) < 0);
    assert_non_null(strstr(e.text, "is not a directory"));
}

static void venv_locks_once(void **state)
{
    const char *dir = put("locked", NULL);
    int fd, again;

    (void)state;
    assert_true(venv_lock(dir) == -ENOENT);
    assert_int_equal(mkdir(dir, 0777), 0);
    fd = venv_lock(dir);
    assert_true(fd >= 0);
    assert_int_equal(venv_lock(dir), -EAGAIN);
    fd_close(&fd);
    again = venv_lock(dir);
    assert_true(again >= 0);
    fd_close(&again);
}

/* ---- python ---- */

static void python_is_read(void **state)
{
    static const char good[] =
        "noise of a .pth file\n\n\001cellblock\n3.11.2\nabi\n/p\n/b\n/p/site\n/b/python\n/p/python\n/x\n/y\n";
    static const char *const bad[] = {"", "\n\001cellblock\n", "\n\001cellblock\n3.11\nabi\n",
                                      "Fatal Python error: x\n"};
    struct python_info info = {0};
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(python_read("python", good, strlen(good), &info, &e), 0);
    assert_string_equal(info.version, "3.11.2");
    assert_string_equal(info.base_executable, "/b/python");
    assert_string_equal(info.executable, "/p/python");
    assert_int_equal(info.n_path, 2);
    assert_string_equal(info.path[1], "/y");
    python_info_fini(&info);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(python_read("python", bad[i], strlen(bad[i]), &info, &e) < 0);
        python_info_fini(&info);
    }
    assert_non_null(strstr(e.text, "Fatal Python error"));
}

/* ---- pipconf ---- */

static void says(const struct words *env, const char *name, const char *value)
{
    const char *got = words_value(env, name);

    if (!value)
        assert_null(got);
    else if (!got || strcmp(got, value) != 0)
        fail_msg("%s is %s, not %s", name, got ? got : "not set", value);
}

static void pip_variables_are_for_uv_too(void **state)
{
    autowords struct words env = {NULL, 0};

    (void)state;
    put("links/x", "");
    words_add_all(&env, (const char *const[]){"PIP_CONFIG_FILE=/dev/null", "PIP_INDEX_URL=http://i/",
                                              "HOME=/nonexistent", "PIP_EXTRA_INDEX_URL=http://a/ http://b/",
                                              "PIP_TRUSTED_HOST=i", "PIP_CONSTRAINT=/c /d", NULL});
    words_addf(&env, "PIP_FIND_LINKS=%s/links http://c/ /missing", top);
    assert_false(pipconf_for_uv(&env, top, top));
    says(&env, "UV_DEFAULT_INDEX", "http://i/");
    says(&env, "UV_INDEX", "http://a/ http://b/");
    says(&env, "UV_INDEX_STRATEGY", "unsafe-best-match");
    says(&env, "UV_INSECURE_HOST", "i");
    says(&env, "UV_CONSTRAINT", "/c /d");
    assert_non_null(strstr(words_value(&env, "UV_FIND_LINKS"), "/links,http://c/"));
}

static void uv_settings_win(void **state)
{
    autowords struct words env = {NULL, 0}, file = {NULL, 0};

    (void)state;
    words_add_all(&env, (const char *const[]){"PIP_CONFIG_FILE=/dev/null", "PIP_INDEX_URL=http://i/",
                                              "HOME=/nonexistent", "PIP_NO_INDEX=1", "UV_INDEX_URL=http://u/", NULL});
    assert_false(pipconf_for_uv(&env, top, top));
    says(&env, "UV_DEFAULT_INDEX", NULL);
    put("uv.toml", "[[index]]\nurl = 'http://u/'\n");
    words_add_all(&file, (const char *const[]){"PIP_CONFIG_FILE=/dev/null", "PIP_INDEX_URL=http://i/", NULL});
    (void)pipconf_for_uv(&file, top, top);
    says(&file, "UV_DEFAULT_INDEX", NULL);
}

static void pip_files_are_read(void **state)
{
    autowords struct words env = {NULL, 0};

    (void)state;
    put("home/.config/pip/pip.conf",
        "[global]\n# a comment\nindex_url: http://user/\nno-index = true\nextra-index-url =\n"
        "    http://a/\n    ; not this\n\n    http://b/\ncert = /nonexistent\n"
        "[other]\nindex-url = http://wrong/\n[install]\ntrusted-host=h\n");
    put("venv/pip.conf", "[global]\nindex-url = http://venv/\n");
    words_addf(&env, "HOME=%s/home", top);
    assert_true(pipconf_for_uv(&env, top, put("venv", NULL)));
    says(&env, "UV_DEFAULT_INDEX", "http://venv/");
    says(&env, "UV_INDEX", "http://a/ http://b/");
    says(&env, "UV_INSECURE_HOST", "h");
    says(&env, "SSL_CERT_FILE", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(site_reads_names, make_top, remove_top),
        cmocka_unit_test_setup_teardown(report_compares, make_top, remove_top),
        cmocka_unit_test_setup_teardown(venv_is_looked_at, make_top, remove_top),
        cmocka_unit_test_setup_teardown(venv_locks_once, make_top, remove_top),
        cmocka_unit_test(python_is_read),
        cmocka_unit_test_setup_teardown(pip_variables_are_for_uv_too, make_top, remove_top),
        cmocka_unit_test_setup_teardown(uv_settings_win, make_top, remove_top),
        cmocka_unit_test_setup_teardown(pip_files_are_read, make_top, remove_top),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
