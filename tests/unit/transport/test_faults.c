/* The stdio transport when what it calls fails: a clear message at the start, and an orderly end later. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "child.h"

static void test_start(void **state)
{
    static const struct {
        const char *fault, *message;
    } rows[] = {
        {"fcntl:1", "cannot use stdin: "},         {"fcntl:3", "cannot use stdout: "},
        {"open:1", "cannot open /dev/null: "},     {"dup2:1", "cannot open /dev/null: "},
        {"dup2:2", "cannot use stderr: "},         {"uv_pipe_open:1", "cannot use stdin: "},
        {"uv_pipe_open:2", "cannot use stdout: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct child c;

        assert_int_equal(setenv("STDIO_FAULT", rows[i].fault, 1), 0);
        c = child_start_on_pipes();
        assert_int_equal(strncmp(read_line(c.err), rows[i].message, strlen(rows[i].message)), 0);
        expect_end(c.from);
        assert_int_equal(child_end(&c), 3);
    }
    (void)unsetenv("STDIO_FAULT");
}

/* Not all is written at once: still every line is whole. */
static void test_short_writes(void **state)
{
    static const char *const faults[] = {"full:0", "short:0", "full:1", "short:2"};

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct child c;

        assert_int_equal(setenv("STDIO_FAULT", faults[i], 1), 0);
        c = child_start_on_pipes();
        send_text(c.to, PING CALL(2, "now") PING);
        expect(c.from, PONG);
        expect(c.from, ANSWER(2, "done"));
        expect(c.from, PONG);
        fd_close(&c.to);
        expect_end(c.from);
        assert_int_equal(child_end(&c), 0);
    }
    (void)unsetenv("STDIO_FAULT");
}

static void test_write_fails(void **state)
{
    struct child c;

    (void)state;
    assert_int_equal(setenv("STDIO_FAULT", "full:0 uv_write:0", 1), 0);
    c = child_start_on_pipes();
    (void)unsetenv("STDIO_FAULT");
    send_text(c.to, CALL(1, "wait") PING);
    expect(c.err, "cancelled\n");
    expect_end(c.from);
    assert_int_equal(child_end(&c), 0);
}

static void test_read_of_a_file_fails(void **state)
{
    int in = fd_memfile("in", PING, strlen(PING)), out = fd_memfile("out", "", 0);
    struct child c;

    (void)state;
    assert_int_equal(setenv("STDIO_FAULT", "uv_fs_read:1", 1), 0);
    c = child_start(in, out);
    (void)unsetenv("STDIO_FAULT");
    assert_int_equal(child_end(&c), 0);
    fd_close(&in);
    fd_close(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_short_writes),
        cmocka_unit_test(test_write_fails),
        cmocka_unit_test(test_read_of_a_file_fails),
    };

    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s SERVER\n", argv[0]);
        return 2;
    }
    child_program(argv[1]);
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
