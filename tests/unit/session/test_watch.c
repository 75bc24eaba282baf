/* New and changed files, also in directories that were just made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "session/session.h"
#include "session/watch.h"

static uv_loop_t loop;

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

/* "new:a 3,changed:b/c 4 +2" */
static void check(struct watch *w, uint64_t since, size_t max, const char *want)
{
    char got[2000] = "";
    struct exec_file *files;
    size_t n, more;

    watch_end(w, since, max, &files, &n, &more);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s:%s %d", i ? "," : "",
                       files[i].is_new ? "new" : "changed", files[i].path, (int)files[i].size);
        free(files[i].path);
    }
    if (more)
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), " +%d", (int)more);
    free(files);
    assert_string_equal(got, want);
}

static void test_changes(void **state)
{
    char dir[] = "/tmp/test-watch-XXXXXX", command[100];
    struct watch *w;
    uint64_t first, second;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    put("old", "1");
    assert_int_equal(mkdir("sub", 0700), 0);
    w = watch_new(&loop, dir);
    assert_non_null(w);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* the walk that finds sub */
    first = watch_begin(w);
    put("a", "123");
    put("old", "22");
    put("sub/b", "4444");
    put("gone", "");
    assert_int_equal(unlink("gone"), 0);
    assert_int_equal(mkdir("made", 0700), 0);
    assert_int_equal(mkdir("made/deep", 0700), 0);
    put("made/deep/c", "55555");
    assert_int_equal(mkdir("__pycache__", 0700), 0);
    put("__pycache__/x.pyc", "");
    second = watch_begin(w);
    put("a", "1234567");
    check(w, second, 10, "changed:a 7");
    check(w, first, 3, "new:a 7,changed:old 2,new:sub/b 4 +1");
    check(w, watch_begin(w), 10, ""); /* nothing since */
    watch_free(w);
    (void)snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};
    int r;

    (void)uv_loop_init(&loop);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    (void)uv_loop_close(&loop);
    return r;
}
