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

static void test_restricted(void **state)
{
    char allowed[] = "/tmp/cellblock-unit-XXXXXX", other[] = "/tmp/cellblock-unit-XXXXXX";
    int status = -1;
    pid_t pid;

    (void)state;
    if (landlock_abi() < 2)
        skip();
    assert_non_null(mkdtemp(allowed));
    assert_non_null(mkdtemp(other));
    pid = fork();
    if (pid == 0)
        _exit(child(allowed, other));
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)rmdir(allowed);
    (void)rmdir(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restricted)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
