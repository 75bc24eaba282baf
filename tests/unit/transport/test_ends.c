/* stdin and stdout of every kind that a host may give, and what others find of them afterwards. */
#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "child.h"

static void test_pipes(void **state)
{
    struct child c = child_start_on_pipes();

    (void)state;
    send_text(c.to, PING);
    expect(c.from, PONG);
    send_text(c.to, PING CALL(2, "now") "\n\r\n");
    expect(c.from, PONG);
    expect(c.from, ANSWER(2, "done"));
    fd_close(&c.to);
    expect_end(c.from);
    expect_end(c.err);
    assert_int_equal(child_end(&c), 0);
}

static void check_socket(int ours, int theirs, int their_out)
{
    struct child c = child_start(theirs, their_out);

    fd_close(&theirs);
    send_text(ours, PING);
    expect(ours, PONG);
    (void)shutdown(ours, SHUT_WR);
    expect_end(ours);
    (void)close(ours);
    assert_int_equal(child_end(&c), 0);
}

static void test_one_socket_for_both(void **state)
{
    int pair[2];

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_STREAM, pair), 0);
    check_socket(pair[0], pair[1], pair[1]);
}

static void test_two_sockets(void **state) /* as Node gives them */
{
    int in[2], out[2];
    struct child c;

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_STREAM, in) | fd_socketpair(SOCK_STREAM, out), 0);
    c = child_start(in[1], out[1]);
    fd_close(&in[1]);
    fd_close(&out[1]);
    send_text(in[0], PING);
    expect(out[0], PONG);
    fd_close(&in[0]);
    expect_end(out[0]);
    fd_close(&out[0]);
    assert_int_equal(child_end(&c), 0);
}

static void test_tcp(void **state) /* as inetd gives it */
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int theirs;

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(ours, (struct sockaddr *)&address, size), 0);
    theirs = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    fd_close(&listener);
    check_socket(ours, theirs, theirs);
}

static void test_terminal(void **state)
{
    struct termios mode;
    int ours, theirs;
    struct child c;

    (void)state;
    assert_int_equal(openpty(&ours, &theirs, NULL, NULL, NULL), 0);
    assert_int_equal(tcgetattr(theirs, &mode), 0);
    mode.c_lflag &= ~(tcflag_t)ECHO;
    mode.c_oflag &= ~(tcflag_t)OPOST;
    assert_int_equal(tcsetattr(theirs, TCSANOW, &mode), 0);
    c = child_start(theirs, theirs);
    send_text(ours, PING);
    expect(ours, PONG);
    /* The shell reads the same file: it must not find it non-blocking, not even when we are killed. */
    assert_false(fcntl(theirs, F_GETFL) & O_NONBLOCK);
    send_text(ours, "\x04");
    assert_int_equal(child_end(&c), 0);
    assert_false(fcntl(theirs, F_GETFL) & O_NONBLOCK);
    fd_close(&ours);
    fd_close(&theirs);
}

static int file_with(const char *text)
{
    int fd = fd_memfile("in", text, strlen(text));

    assert_true(fd >= 0);
    return fd;
}

static void check_files(const char *in_text, const char *want)
{
    int in = file_with(in_text), out = file_with("");
    struct child c = child_start(in, out);
    autofree char *got = xnew_n(char, strlen(want) + 2);

    assert_int_equal(child_end(&c), 0);
    assert_int_equal(pread(out, got, strlen(want) + 1, 0), strlen(want));
    assert_string_equal(got, want);
    fd_close(&in);
    fd_close(&out);
}

static void test_files(void **state)
{
    struct buf many = BUF_INIT, answers = BUF_INIT;

    (void)state;
    check_files("", "");
    check_files(PING CALL(2, "soon"), PONG ANSWER(2, "soon"));
    check_files("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", PONG); /* without a line end */
    for (int i = 0; i < 5000; i++) {                                         /* more than one read */
        (void)buf_puts(&many, PING);
        (void)buf_puts(&answers, PONG);
    }
    check_files(buf_str(&many), buf_str(&answers));
    buf_fini(&many);
    buf_fini(&answers);
}

static void test_dev_null(void **state)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), full = open("/dev/full", O_RDWR | O_CLOEXEC);
    struct child c = child_start(null, null);
    int in[2];

    (void)state;
    expect_end(c.err);
    assert_int_equal(child_end(&c), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    c = child_start(in[0], null);
    send_text(in[1], PING CALL(1, "now"));
    fd_close(&in[1]);
    assert_int_equal(child_end(&c), 0);
    fd_close(&in[0]);

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    c = child_start(in[0], full); /* writing fails: the client cannot be reached any more */
    send_text(in[1], PING);
    assert_int_equal(child_end(&c), 0);
    fd_close(&in[0]);
    fd_close(&in[1]);
    fd_close(&null);
    fd_close(&full);
}

static void test_directory_as_stdin(void **state)
{
    int dir = open("/", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct child c = child_start(dir, null);

    (void)state;
    assert_int_equal(child_end(&c), 0); /* nothing to read */
    fd_close(&dir);
    fd_close(&null);
}

static void test_not_readable(void **state)
{
    int pipe_fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct child c;

    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    c = child_start(pipe_fds[1], null); /* the end that is written to */
    assert_non_null(strstr(read_line(c.err), "cannot read stdin"));
    assert_int_equal(child_end(&c), 3);
    fd_close(&pipe_fds[0]);
    fd_close(&pipe_fds[1]);
    fd_close(&null);
}

/* Others have the pipe too: they find it as it was. */
static void test_flags_are_put_back(void **state)
{
    int in[2], out[2];
    struct child c;

    (void)state;
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(fcntl(out[1], F_SETFL, fcntl(out[1], F_GETFL) | O_APPEND), 0);
    c = child_start(in[0], out[1]);
    send_text(in[1], PING);
    expect(out[0], PONG);
    assert_true(fcntl(in[0], F_GETFL) & O_NONBLOCK);
    fd_close(&in[1]);
    assert_int_equal(child_end(&c), 0);
    assert_false(fcntl(in[0], F_GETFL) & O_NONBLOCK);
    assert_false(fcntl(out[1], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(out[1], F_GETFL) & O_APPEND);
    fd_close(&in[0]);
    fd_close(&out[0]);
    fd_close(&out[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipes),        cmocka_unit_test(test_one_socket_for_both),
        cmocka_unit_test(test_two_sockets),  cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_terminal),     cmocka_unit_test(test_files),
        cmocka_unit_test(test_dev_null),     cmocka_unit_test(test_directory_as_stdin),
        cmocka_unit_test(test_not_readable), cmocka_unit_test(test_flags_are_put_back),
    };

    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s SERVER\n", argv[0]);
        return 2;
    }
    child_program(argv[1]);
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
