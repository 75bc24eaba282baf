/* The stdio transport: what comes in, and how it ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "child.h"

/* ---- what comes in ---- */

static void test_byte_by_byte(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    for (const char *at = PING; *at; at++)
        assert_int_equal(write(c.to, at, 1), 1);
    expect(c.from, PONG);
    send_text(c.to, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"); /* and no line end */
    fd_close(&c.to);
    expect(c.from, PONG);
    expect_end(c.from);
    assert_int_equal(child_end(&c), 0);
}

static void test_oversize(void **state)
{
    struct child c = child_start_on_pipes();
    autofree char *x = xnew_n(char, MIB + 1);

    (void)state;
    memset(x, 'x', MIB);
    send_text(c.to, "{\"method\":\"ping\",\"params\":{\"a\":\"");
    for (int i = 0; i < 5; i++)
        send_text(c.to, x);
    send_text(c.to, "\"},\"jsonrpc\":\"2.0\",\"id\":\"last\"}\n" PING);
    assert_non_null(strstr(read_line(c.from), "{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"error\":{\"code\":-32600,"));
    expect(c.from, PONG);
    fd_close(&c.to);
    assert_int_equal(child_end(&c), 0);
}

static void test_print_goes_to_stderr(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "print"));
    expect(c.from, ANSWER(1, "printed"));
    expect(c.err, "from printf\n");
    fd_close(&c.to);
    expect_end(c.from);
    assert_int_equal(child_end(&c), 0);
}

/* ---- the end ---- */

static void test_calls_end_after_stdin(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "soon"));
    fd_close(&c.to);
    expect(c.from, ANSWER(1, "soon"));
    assert_int_equal(child_end(&c), 0);
}

static void test_calls_are_cancelled_in_the_end(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "wait"));
    fd_close(&c.to);
    expect(c.err, "cancelled\n");
    expect_end(c.from);
    assert_int_equal(child_end(&c), 0);
}

static void test_stdout_closed_early(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "wait"));
    fd_close(&c.from);
    send_text(c.to, PING); /* stdin stays open */
    expect(c.err, "cancelled\n");
    assert_int_equal(child_end(&c), 0);
}

/* What a client asks for and does not read is kept up to a bound; then it counts as gone. */
static void test_client_that_never_reads(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "wait"));
    for (size_t i = 0; i < LIMIT_CLIENT_QUEUE / (600 * KIB) + 2; i++)
        send_text(c.to, CALL(2, "large"));
    assert_non_null(strstr(read_line(c.err), "does not read"));
    expect(c.err, "cancelled\n");
    assert_int_equal(child_end(&c), 0);
}

/* One that reads late gets all, whole and in order. */
static void test_client_that_reads_late(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    for (int i = 0; i < 4; i++)
        send_text(c.to, CALL(2, "large") CALL(3, "now"));
    (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(strlen(read_line(c.from)), strlen(ANSWER(2, "")) + 600 * KIB);
        expect(c.from, ANSWER(3, "done"));
    }
    fd_close(&c.to);
    expect_end(c.from);
    assert_int_equal(child_end(&c), 0);
}

static void test_end_with_a_full_pipe(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    send_text(c.to, CALL(2, "large"));
    fd_close(&c.to); /* and nobody reads */
    assert_int_equal(child_end(&c), 0);
}

static void test_stop(void **state)
{
    struct child c = child_start_on_pipes();
    int in = fd_memfile("in", CALL(5, "wait"), strlen(CALL(5, "wait"))), out = fd_memfile("out", "", 0);

    (void)state;
    send_text(c.to, PING CALL(1, "wait"));
    expect(c.from, PONG);
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    expect(c.err, "cancelled\n");
    expect_end(c.from);
    assert_int_equal(child_end(&c), 0);

    c = child_start(in, out); /* while it waits for calls, after the end of the file */
    (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    (void)kill(c.pid, SIGTERM);
    assert_in_range(child_end(&c), 0, 1000 + SIGTERM); /* it may have come before there was a handler */
    fd_close(&in);
    fd_close(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_oversize),
        cmocka_unit_test(test_print_goes_to_stderr),
        cmocka_unit_test(test_calls_end_after_stdin),
        cmocka_unit_test(test_calls_are_cancelled_in_the_end),
        cmocka_unit_test(test_stdout_closed_early),
        cmocka_unit_test(test_client_that_never_reads),
        cmocka_unit_test(test_client_that_reads_late),
        cmocka_unit_test(test_end_with_a_full_pipe),
        cmocka_unit_test(test_stop),
    };

    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s SERVER\n", argv[0]);
        return 2;
    }
    child_program(argv[1]);
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
