/* Processes are found by their mark, whatever they did to their parent and session. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/fd.h"
#include "kernel/mark.h"
#include "session/processes.h"

static uint64_t server;

/* A daemon: orphaned, in a session of its own. Holds the write end of a pipe as long as it lives. */
static int start_daemon(uint64_t mark)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(fd_pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        struct rlimit limit = {MARK_BASE + mark, MARK_BASE + mark};

        if (setrlimit(RLIMIT_RTTIME, &limit) < 0 || setsid() < 0)
            _exit(1);
        if (fork() > 0)
            _exit(0);
        (void)setsid();
        while (write(ends[1], "x", 1) == 1)
            (void)pause();
        _exit(1);
    }
    assert_true(pid > 0);
    (void)waitpid(pid, NULL, 0);
    fd_close(&ends[1]);
    return ends[0];
}

static void wait_started(int fd)
{
    char c;

    assert_int_equal(fd_set_nonblock(fd, false), 0);
    assert_int_equal(read(fd, &c, 1), 1);
}

static void test_one_kernel(void **state)
{
    int mine = start_daemon(processes_mark(server, 5)), other = start_daemon(processes_mark(server, 6));
    char c;

    (void)state;
    wait_started(mine);
    wait_started(other);
    assert_int_equal(processes_kill(processes_mark(server, 5), false, -1), 1);
    assert_int_equal(read(mine, &c, 1), 0); /* ended */
    assert_int_equal(processes_kill(processes_mark(server, 6), false, -1), 1);
    assert_int_equal(read(other, &c, 1), 0);
    fd_close(&mine);
    fd_close(&other);
}

static void test_whole_server(void **state)
{
    int one = start_daemon(processes_mark(server, 7)), two = start_daemon(processes_mark(server, 8));
    char c;

    (void)state;
    wait_started(one);
    wait_started(two);
    assert_int_equal(processes_kill(processes_mark(server, 0), true, -1), 2); /* not this process */
    assert_int_equal(read(one, &c, 1), 0);
    assert_int_equal(read(two, &c, 1), 0);
    fd_close(&one);
    fd_close(&two);
}

static void test_nested_server_is_lower(void **state)
{
    uint64_t inner = 0;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(processes_mark_self(&inner, &e), 0);
    assert_true(inner < server);
    server = inner;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_kernel),
        cmocka_unit_test(test_whole_server),
        cmocka_unit_test(test_nested_server_is_lower),
        cmocka_unit_test(test_one_kernel),
    };
    struct err e = ERR_INIT;

    if (processes_mark_self(&server, &e) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
