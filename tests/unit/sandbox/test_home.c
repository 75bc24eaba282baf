/* Private directories without a mount, and processes by user id. */
#include "sandbox/home.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "sandbox/people.h"
#include "../unit.h"

static char base[] = "/tmp/cellblock-unit-XXXXXX";
static char home[HOME_PATH_MAX], workspace[HOME_PATH_MAX];

static int make(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    (void)strcpy(base, "/tmp/cellblock-unit-XXXXXX");
    if (!mkdtemp(base))
        return -1;
    (void)snprintf(home, sizeof home, "%.40s/7", base);
    home_path(workspace, home, HOME_WORKSPACE);
    return geteuid() == 0 ? home_make(home, 0, &e) : (mkdir(home, 0700) < 0 || mkdir(workspace, 0700) < 0);
}

static int forget(void **state)
{
    (void)state;
    home_remove(home);
    return rmdir(base); /* fails, when something is left */
}

static void touch(int at, const char *name, off_t size)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0 && ftruncate(fd, size) == 0 && (size == 0 || pwrite(fd, "x", 1, size - 1) == 1));
    (void)close(fd);
}

static void test_made(void **state)
{
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(stat(home, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0710);
    assert_int_equal(stat(workspace, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_measured(void **state)
{
    struct home_usage usage = {0, 0};
    int at = open(workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_true(at >= 0);
    assert_int_equal(home_measure(home, &usage), 0);
    assert_int_equal(usage.files, 0);
    touch(at, "a", 1 << 20);
    assert_int_equal(mkdirat(at, "d", 0700), 0);
    assert_int_equal(symlinkat("/", at, "d/link"), 0);
    assert_int_equal(fchmodat(at, "d", 0, 0), 0);
    assert_int_equal(home_measure(home, &usage), 0);
    assert_int_equal(usage.files, 3);
    assert_true(usage.bytes < 1 << 20); /* a hole takes no room */
    (void)close(at);
    assert_int_equal(home_empty(home, geteuid() + 1), 0);
}

static void nest(int depth)
{
    int at = open(workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < depth; i++) {
        int below;

        touch(at, "f", 0);
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        below = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        (void)close(at);
        at = below;
    }
    (void)close(at);
}

static void test_deep(void **state)
{
    struct home_usage usage;

    (void)state;
    nest(HOME_DEPTH_MAX + 100);
    assert_int_equal(home_measure(home, &usage), -E2BIG);
    assert_int_equal(home_empty(home, geteuid() + 1), 0);
    assert_int_equal(home_measure(home, &usage), 0);
    assert_int_equal(usage.files, 0);
}

static void test_stubborn(void **state)
{
    struct home_usage usage;
    int at = open(workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char name[64] = "d";

    (void)state;
    /* Names that moving up would take; directories that may not be entered. */
    touch(at, ".1", 0);
    for (int i = 2; i < 9; i++) {
        (void)snprintf(name, sizeof name, ".%d", i);
        assert_int_equal(mkdirat(at, name, 0700), 0);
        (void)snprintf(name, sizeof name, ".%d/x", i);
        assert_int_equal(mkdirat(at, name, 0700), 0);
        (void)snprintf(name, sizeof name, ".%d/x/y", i);
        assert_int_equal(mkdirat(at, name, 0000), 0);
        (void)snprintf(name, sizeof name, ".%d", i);
        assert_int_equal(fchmodat(at, name, 0, 0), 0);
    }
    assert_int_equal(fchmod(at, 0), 0);
    (void)close(at);
    assert_int_equal(home_empty(home, geteuid() + 1), 0);
    assert_int_equal(home_measure(home, &usage), 0);
    assert_int_equal(usage.files, 0);
}

static void test_door(void **state)
{
    int at = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_false(home_is_closed(at));
    home_close(home);
    assert_true(home_is_closed(at));
    if (geteuid() != 0)
        assert_true(chdir(workspace) < 0 && errno == EACCES);
    assert_int_equal(home_empty(home, geteuid() + 1), 0);
    assert_false(home_is_closed(at));
    (void)close(at);
}

static void test_people(void **state)
{
    unsigned own = geteuid(), found = own + 1;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    assert_true(people_count(own, own) >= 1);
    assert_int_equal(people_find(own, own, &found), 1);
    assert_int_equal(found, own);
    assert_int_equal(people_count(4000000000u, 4000000010u), 0);
    assert_int_equal(people_find(4000000000u, 4000000010u, &found), 0);
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made, make, forget),
        cmocka_unit_test_setup_teardown(test_measured, make, forget),
        cmocka_unit_test_setup_teardown(test_deep, make, forget),
        cmocka_unit_test_setup_teardown(test_stubborn, make, forget),
        cmocka_unit_test_setup_teardown(test_door, make, forget),
        cmocka_unit_test(test_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
