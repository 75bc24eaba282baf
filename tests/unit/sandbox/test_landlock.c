/* Landlock in a child: what is left of its rights. Skipped where the kernel has none. */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "../unit.h"

static int child(const char *allowed, const char *other)
{
    const char *const writable[] = {allowed, "/does/not/exist"};
    struct err e = ERR_INIT;
    char path[128];

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_restrict(writable, 2, &e) < 0)
        return 1;
    (void)snprintf(path, sizeof path, "%s/x", allowed);
    if (mkdir(path, 0700) < 0 || rmdir(path) < 0)
        return 2;
    (void)snprintf(path, sizeof path, "%s/x", other);
    if (mkdir(path, 0700) == 0 || errno != EACCES)
        return 3;
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 || open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
        return 4;
    if (landlock_abi() >= 6 && (kill(getppid(), 0) == 0 || errno != EPERM))
        return 5;
    return 0;
}

/* The only wall: nothing but what is named can be read, nor listed. */
static int child_behind_wall(const char *allowed, const char *other)
{
    const char *const readable[] = {"/usr", "/lib", "/lib64", "/etc/hostname", "/does/not/exist"};
    const char *const writable[] = {allowed};
    struct err e = ERR_INIT;
    char path[128];
    int fd;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_wall(readable, 5, writable, 1, &e) < 0)
        return 1;
    (void)snprintf(path, sizeof path, "%s/x", allowed);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || unlink(path) < 0 || open(allowed, O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0)
        return 2;
    if (open(other, O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 || open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0)
        return 3;
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES || truncate("/etc/hostname", 0) == 0)
        return 4;
    if (open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 || open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
        return 5;
    if (open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0 || open("/proc/self/status", O_RDONLY) >= 0)
        return 6;
    return 0;
}

static void check(int (*run)(const char *allowed, const char *other), int abi)
{
    char allowed[] = "/tmp/cellblock-unit-XXXXXX", other[] = "/tmp/cellblock-unit-XXXXXX";
    int status = -1;
    pid_t pid;

    if (landlock_abi() < abi)
        skip();
    assert_non_null(mkdtemp(allowed));
    assert_non_null(mkdtemp(other));
    pid = fork();
    if (pid == 0)
        _exit(run(allowed, other));
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)rmdir(allowed);
    (void)rmdir(other);
}

static void test_restricted(void **state)
{
    (void)state;
    check(child, 2);
}

static void test_wall(void **state)
{
    (void)state;
    check(child_behind_wall, LANDLOCK_WALL_ABI);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restricted), cmocka_unit_test(test_wall)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
