/* What changed in a directory between two looks. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "session/changes.h"
#include "session/session.h"

static char root[64];
static int dir;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/dev/shm/test-changes-XXXXXX");
    if (!mkdtemp(root)) {
        (void)snprintf(root, sizeof root, "/tmp/test-changes-XXXXXX");
        if (!mkdtemp(root))
            return -1;
    }
    dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return dir < 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    fd_close(&dir);
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static void put(const char *name, const char *text)
{
    autofd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* File systems tell the time by the tick of a clock, or a little ahead of it: what is later than that is later. */
static void next_tick(void)
{
    const struct timespec some_ticks = {0, 50 * 1000 * 1000};

    (void)nanosleep(&some_ticks, NULL);
}

/* The changes as "path size, ..." with + for new ones. */
static const char *look(struct changes *c, size_t max)
{
    static char text[4096];
    struct exec_file *files;
    size_t n, more;

    changes_end(c, dir, max, &files, &n, &more);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(text);

        (void)snprintf(text + used, sizeof text - used, "%s%s%s %d", i ? ", " : "", files[i].is_new ? "+" : "",
                       files[i].path, (int)files[i].size);
        free(files[i].path);
    }
    if (more)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), " and %zu more", more);
    free(files);
    return text;
}

static void test_new_and_changed(void **state)
{
    struct changes c = {0};

    (void)state;
    put("old", "1");
    put("other", "1");
    next_tick();
    changes_begin(&c);
    assert_string_equal(look(&c, 10), "");
    put("old", "22");
    next_tick();
    put("new", "333");
    assert_int_equal(mkdirat(dir, "sub", 0755), 0);
    next_tick();
    put("sub/deep", "4444");
    assert_string_equal(look(&c, 10), "old 2, +new 3, +sub/deep 4");
}

static void test_told_once(void **state)
{
    struct changes c = {0};

    (void)state;
    next_tick();
    for (int i = 0; i < 50; i++) { /* all within a few ticks */
        char name[16], want[32];

        (void)snprintf(name, sizeof name, "f%d", i);
        (void)snprintf(want, sizeof want, "+f%d 1", i);
        changes_begin(&c);
        put(name, "x");
        assert_string_equal(look(&c, 10), want);
        changes_begin(&c);
        assert_string_equal(look(&c, 10), "");
    }
}

static void test_more_than_can_be_told(void **state)
{
    struct changes c = {0};
    const char *text;

    (void)state;
    next_tick();
    changes_begin(&c);
    for (int i = 0; i < 7; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "f%d", i);
        put(name, "x");
    }
    text = look(&c, 3);
    assert_non_null(strstr(text, " and 4 more"));
}

static void test_what_is_left_out(void **state)
{
    struct changes c = {0};

    (void)state;
    next_tick();
    changes_begin(&c);
    put(".hidden", "x");
    assert_int_equal(mkdirat(dir, ".git", 0755), 0);
    put(".git/file", "x");
    assert_int_equal(mkdirat(dir, "__pycache__", 0755), 0);
    put("__pycache__/a.pyc", "x");
    assert_int_equal(mkfifoat(dir, "fifo", 0644), 0);
    assert_int_equal(symlinkat("/etc", dir, "link"), 0);
    assert_int_equal(symlinkat("/etc/passwd", dir, "file-link"), 0);
    /* Hidden files are the user's to name, but none that a result should talk about, except by name. */
    assert_string_equal(look(&c, 10), "+.hidden 1");
}

static void test_no_directory(void **state)
{
    struct changes c = {0};
    struct exec_file *files;
    size_t n = 1, more = 1;

    (void)state;
    changes_begin(&c);
    changes_end(&c, -1, 10, &files, &n, &more);
    assert_null(files);
    assert_int_equal(n + more, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_and_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_than_can_be_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_left_out, set_up, tear_down),
        cmocka_unit_test(test_no_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
