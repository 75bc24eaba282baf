/* Copying: bytes, holes, directories, and what a hostile directory offers. */
#include "cli/copy.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "../unit.h"

static char dir[] = "/tmp/test-copy-XXXXXX";

static const char *in(const char *name)
{
    static char paths[8][300];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void)snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int open_in(const char *name, int flags)
{
    int fd = open(in(name), flags | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    return fd;
}

static void write_file(const char *name, const char *text)
{
    autofd int fd = open_in(name, O_WRONLY | O_CREAT | O_TRUNC);

    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void check_file(const char *name, const char *want)
{
    autofd int fd = open_in(name, O_RDONLY);
    char got[200] = "";

    assert_int_equal(read(fd, got, sizeof got - 1), (ssize_t)strlen(want));
    assert_string_equal(got, want);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    (void)strcpy(dir, "/tmp/test-copy-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(mkdir(in("from"), 0700), 0);
    assert_int_equal(mkdir(in("to"), 0700), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct copy_report copy(const char *from_name, const char *to_name)
{
    autofd int from = open_in(from_name, O_RDONLY | O_DIRECTORY), to = open_in(to_name, O_RDONLY | O_DIRECTORY);
    struct copy_report report = {0, 0, 0};

    copy_tree(&(struct copy_tree){from, to, false, "skipped"}, &report);
    return report;
}

static void test_bytes(void **state)
{
    autofd int from = -1, to = -1;
    struct err e = ERR_INIT;

    (void)state;
    write_file("a", "text");
    write_file("b", "longer than that");
    from = open_in("a", O_RDONLY);
    to = open_in("b", O_WRONLY);
    assert_int_equal(copy_bytes(from, to, &e), 0);
    check_file("b", "text"); /* cut */
}

static void test_pipe(void **state)
{
    autofd int to = open_in("b", O_WRONLY | O_CREAT);
    struct err e = ERR_INIT;
    int pair[2];

    (void)state;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(fd_write_all(pair[1], "piped", 5), 0);
    fd_close(&pair[1]);
    assert_int_equal(copy_bytes(pair[0], to, &e), 0);
    fd_close(&pair[0]);
    check_file("b", "piped");
}

static void test_hole(void **state)
{
    const off_t size = (off_t)1 << 32; /* more than would be copied in the time of a test */
    autofd int from = open_in("a", O_RDWR | O_CREAT), to = open_in("b", O_RDWR | O_CREAT);
    struct err e = ERR_INIT;
    struct stat st;
    char got[3];

    (void)state;
    assert_int_equal(pwrite(from, "one", 3, 0), 3);
    assert_int_equal(pwrite(from, "two", 3, size / 2), 3);
    assert_int_equal(ftruncate(from, size), 0);
    assert_int_equal(copy_bytes(from, to, &e), 0);
    assert_int_equal(fstat(to, &st), 0);
    assert_true(st.st_size == size && st.st_blocks * 512 < 1 << 20);
    assert_int_equal(pread(to, got, 3, size / 2), 3);
    assert_memory_equal(got, "two", 3);
}

static void test_error(void **state)
{
    autofd int from = -1, to = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct err e = ERR_INIT;

    (void)state;
    write_file("a", "text");
    from = open_in("a", O_RDONLY);
    assert_true(copy_bytes(from, to, &e) < 0);
    assert_string_equal(e.text, "No space left on device");
}

static void test_tree(void **state)
{
    struct copy_report report;
    struct stat st;

    (void)state;
    assert_int_equal(mkdir(in("from/sub"), 0700), 0);
    assert_int_equal(mkdir(in("from/sub/deep"), 0700), 0);
    write_file("from/sub/deep/file", "deep");
    write_file("from/new\nline", "x");
    write_file("from/old", "new");
    write_file("to/old", "to be written over");
    write_file("to/kept", "kept");
    write_file("from/skipped", "x");
    write_file("from/sub/skipped", "not at the top");
    write_file("from/program", "#!");
    assert_int_equal(chmod(in("from/program"), 06755), 0);
    report = copy("from", "to");
    assert_true(report.files == 5 && report.failed == 0 && report.left_out == 0);
    check_file("to/sub/deep/file", "deep");
    check_file("to/new\nline", "x");
    check_file("to/old", "new");
    check_file("to/kept", "kept");
    check_file("to/sub/skipped", "not at the top");
    assert_true(access(in("to/skipped"), F_OK) < 0);
    assert_int_equal(stat(in("to/program"), &st), 0);
    assert_true((st.st_mode & 07100) == 0100); /* still executable, set-user-id no more */
}

/* What is not a file or directory is left out, and nothing is followed. */
static void test_hostile_source(void **state)
{
    struct copy_report report;

    (void)state;
    assert_int_equal(symlink("/etc/passwd", in("from/link")), 0);
    assert_int_equal(symlink("/", in("from/root")), 0);
    assert_int_equal(symlink(".", in("from/loop")), 0);
    assert_int_equal(mkfifo(in("from/fifo"), 0600), 0);
    write_file("from/file", "x");
    report = copy("from", "to");
    assert_true(report.files == 1 && report.left_out == 4 && report.failed == 0);
    assert_true(access(in("to/link"), F_OK) < 0 && access(in("to/root"), F_OK) < 0 && access(in("to/fifo"), F_OK) < 0);
}

/* What stands where something is to be written. */
static void test_hostile_target(void **state)
{
    struct copy_report report;
    struct stat st;

    (void)state;
    write_file("victim", "untouched");
    assert_int_equal(mkdir(in("outside"), 0700), 0);
    write_file("from/a", "x");
    write_file("from/b", "x");
    write_file("from/d", "x");
    write_file("from/good", "x");
    assert_int_equal(mkdir(in("from/c"), 0700), 0);
    write_file("from/c/file", "x");
    assert_int_equal(symlink("../victim", in("to/a")), 0);
    assert_int_equal(mkfifo(in("to/b"), 0600), 0);
    assert_int_equal(symlink("../outside", in("to/c")), 0);
    assert_int_equal(mkdir(in("to/d"), 0700), 0);
    report = copy("from", "to");
    assert_true(report.files == 1 && report.failed == 4);
    check_file("victim", "untouched");
    assert_true(access(in("outside/file"), F_OK) < 0);
    assert_true(lstat(in("to/b"), &st) == 0 && S_ISFIFO(st.st_mode));
    check_file("to/good", "x");
}

static void test_into_itself(void **state)
{
    struct copy_report report;

    (void)state;
    write_file("from/file", "x");
    assert_int_equal(mkdir(in("from/inner"), 0700), 0);
    report = copy("from", "from/inner");
    assert_true(report.files == 1 && report.failed == 1);
    report = copy("from", "from");
    assert_true(report.files == 0 && report.failed > 0);
    check_file("from/file", "x");
}

static void test_too_deep(void **state)
{
    int at = open_in("from", O_RDONLY | O_DIRECTORY);
    struct copy_report report;

    (void)state;
    for (int i = 0; i < 200; i++) {
        int next;

        assert_int_equal(mkdirat(at, "d", 0700), 0);
        next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        fd_close(&at);
        at = next;
    }
    fd_close(&at);
    report = copy("from", "to");
    assert_true(report.failed == 1);
}

static void test_shown(void **state)
{
    char shown[COPY_SHOWN], longer[1000];

    (void)state;
    assert_string_equal(copy_shown("a\033[31m\n\x7f", shown), "a?[31m??");
    assert_string_equal(copy_shown("", shown), "");
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(strlen(copy_shown(longer, shown)), COPY_SHOWN - 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes),    TEST(test_pipe),           TEST(test_hole),           TEST(test_error),
        TEST(test_tree),     TEST(test_hostile_source), TEST(test_hostile_target), TEST(test_into_itself),
        TEST(test_too_deep), TEST(test_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
