/* The stdio transport in a process of its own (argv[1]), on every kind of descriptor a host may give. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"

#define PATIENCE_MS 30000 /* a test that waits longer has failed; nothing is measured */
#define PING "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
#define PONG "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
#define CALL(id, tool)                                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\"}}\n"
#define ANSWER(id, text)                                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}}\n"

static const char *program;

/* ---- the server as a child ---- */

struct child {
    pid_t pid;
    int to, from, err; /* our ends */
};

/* in and out become its 0 and 1. */
static pid_t spawn(int in, int out, int err)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    (void)dup2(err, 40);
    (void)dup2(in, 41);
    (void)dup2(out, 42);
    (void)dup2(40, 2);
    (void)dup2(41, 0);
    (void)dup2(42, 1);
    for (int fd = 3; fd < 64; fd++)
        (void)close(fd);
    (void)execl(program, program, (char *)NULL);
    _exit(127);
}

static struct child start(int in, int out)
{
    struct child c = {.to = -1, .from = -1};
    int err[2];

    assert_int_equal(fd_pipe(err), 0);
    c.pid = spawn(in, out, err[1]);
    c.err = err[0];
    fd_close(&err[1]);
    return c;
}

static struct child start_on_pipes(void)
{
    int in[2], out[2];
    struct child c;

    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    c = start(in[0], out[1]);
    fd_close(&in[0]);
    fd_close(&out[1]);
    c.to = in[1];
    c.from = out[0];
    return c;
}

/* Its exit code; it has to end by itself. */
static int end_of(struct child *c)
{
    int64_t until = clock_ms() + PATIENCE_MS;
    int status = -1;
    pid_t got;

    while ((got = waitpid(c->pid, &status, WNOHANG)) == 0 && clock_ms() < until)
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    if (got == 0) {
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, &status, 0);
        fail_msg("it did not end");
    }
    fd_close(&c->to);
    fd_close(&c->from);
    fd_close(&c->err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

/* Up to and with the next line end, or to the end: then NULL or what came. */
static const char *read_line(int fd)
{
    static char line[2 * MIB];
    size_t n = 0;

    while (n < sizeof line - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (poll(&p, 1, PATIENCE_MS) != 1)
            fail_msg("nothing came");
        got = read(fd, line + n, 1);
        if (got <= 0)
            break;
        if (line[n++] == '\n')
            break;
    }
    line[n] = '\0';
    return n ? line : NULL;
}

static void expect(int fd, const char *line)
{
    const char *got = read_line(fd);

    assert_non_null(got);
    assert_string_equal(got, line);
}

static void expect_end(int fd)
{
    assert_null(read_line(fd));
}

/* ---- kinds of descriptors ---- */

static void test_pipes(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    send_text(c.to, PING);
    expect(c.from, PONG);
    send_text(c.to, PING CALL(2, "now") "\n\r\n");
    expect(c.from, PONG);
    expect(c.from, ANSWER(2, "done"));
    fd_close(&c.to);
    expect_end(c.from);
    expect_end(c.err);
    assert_int_equal(end_of(&c), 0);
}

static void check_socket(int ours, int theirs, int their_out)
{
    struct child c = start(theirs, their_out);

    fd_close(&theirs);
    send_text(ours, PING);
    expect(ours, PONG);
    (void)shutdown(ours, SHUT_WR);
    expect_end(ours);
    (void)close(ours);
    assert_int_equal(end_of(&c), 0);
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
    c = start(in[1], out[1]);
    fd_close(&in[1]);
    fd_close(&out[1]);
    send_text(in[0], PING);
    expect(out[0], PONG);
    fd_close(&in[0]);
    expect_end(out[0]);
    fd_close(&out[0]);
    assert_int_equal(end_of(&c), 0);
}

static void test_tcp(void **state) /* as inetd gives it */
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
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
    c = start(theirs, theirs);
    send_text(ours, PING);
    expect(ours, PONG);
    /* The shell reads the same file: it must not find it non-blocking, not even when we are killed. */
    assert_false(fcntl(theirs, F_GETFL) & O_NONBLOCK);
    send_text(ours, "\x04");
    assert_int_equal(end_of(&c), 0);
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
    struct child c = start(in, out);
    autofree char *got = xnew_n(char, strlen(want) + 2);

    assert_int_equal(end_of(&c), 0);
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
    for (int i = 0; i < 5000; i++) { /* more than one read */
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
    struct child c = start(null, null);
    int in[2];

    (void)state;
    expect_end(c.err);
    assert_int_equal(end_of(&c), 0);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    c = start(in[0], null);
    send_text(in[1], PING CALL(1, "now"));
    fd_close(&in[1]);
    assert_int_equal(end_of(&c), 0);
    fd_close(&in[0]);

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    c = start(in[0], full); /* writing fails: the client cannot be reached any more */
    send_text(in[1], PING);
    assert_int_equal(end_of(&c), 0);
    fd_close(&in[0]);
    fd_close(&in[1]);
    fd_close(&null);
    fd_close(&full);
}

static void test_directory_as_stdin(void **state)
{
    int dir = open("/", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct child c = start(dir, null);

    (void)state;
    assert_int_equal(end_of(&c), 0); /* nothing to read */
    fd_close(&dir);
    fd_close(&null);
}

static void test_not_readable(void **state)
{
    int pipe_fds[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct child c;

    (void)state;
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    c = start(pipe_fds[1], null); /* the end that is written to */
    assert_non_null(strstr(read_line(c.err), "cannot read stdin"));
    assert_int_equal(end_of(&c), 3);
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
    c = start(in[0], out[1]);
    send_text(in[1], PING);
    expect(out[0], PONG);
    assert_true(fcntl(in[0], F_GETFL) & O_NONBLOCK);
    fd_close(&in[1]);
    assert_int_equal(end_of(&c), 0);
    assert_false(fcntl(in[0], F_GETFL) & O_NONBLOCK);
    assert_false(fcntl(out[1], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(out[1], F_GETFL) & O_APPEND);
    fd_close(&in[0]);
    fd_close(&out[0]);
    fd_close(&out[1]);
}

/* ---- what comes in ---- */

static void test_byte_by_byte(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    for (const char *at = PING; *at; at++)
        assert_int_equal(write(c.to, at, 1), 1);
    expect(c.from, PONG);
    send_text(c.to, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"); /* and no line end */
    fd_close(&c.to);
    expect(c.from, PONG);
    expect_end(c.from);
    assert_int_equal(end_of(&c), 0);
}

static void test_oversize(void **state)
{
    struct child c = start_on_pipes();
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
    assert_int_equal(end_of(&c), 0);
}

static void test_print_goes_to_stderr(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "print"));
    expect(c.from, ANSWER(1, "printed"));
    expect(c.err, "from printf\n");
    fd_close(&c.to);
    expect_end(c.from);
    assert_int_equal(end_of(&c), 0);
}

/* ---- the end ---- */

static void test_calls_end_after_stdin(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "soon"));
    fd_close(&c.to);
    expect(c.from, ANSWER(1, "soon"));
    assert_int_equal(end_of(&c), 0);
}

static void test_calls_are_cancelled_in_the_end(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "wait"));
    fd_close(&c.to);
    expect(c.err, "cancelled\n");
    expect_end(c.from);
    assert_int_equal(end_of(&c), 0);
}

static void test_stdout_closed_early(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "wait"));
    fd_close(&c.from);
    send_text(c.to, PING); /* stdin stays open */
    expect(c.err, "cancelled\n");
    assert_int_equal(end_of(&c), 0);
}

/* What a client asks for and does not read is kept up to a bound; then it counts as gone. */
static void test_client_that_never_reads(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    send_text(c.to, CALL(1, "wait"));
    for (size_t i = 0; i < LIMIT_CLIENT_QUEUE / (600 * KIB) + 2; i++)
        send_text(c.to, CALL(2, "large"));
    assert_non_null(strstr(read_line(c.err), "does not read"));
    expect(c.err, "cancelled\n");
    assert_int_equal(end_of(&c), 0);
}

/* One that reads late gets all, whole and in order. */
static void test_client_that_reads_late(void **state)
{
    struct child c = start_on_pipes();

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
    assert_int_equal(end_of(&c), 0);
}

static void test_end_with_a_full_pipe(void **state)
{
    struct child c = start_on_pipes();

    (void)state;
    send_text(c.to, CALL(2, "large"));
    fd_close(&c.to); /* and nobody reads */
    assert_int_equal(end_of(&c), 0);
}

static void test_stop(void **state)
{
    struct child c = start_on_pipes();
    int in = file_with(PING CALL(5, "wait")), out = file_with("");

    (void)state;
    send_text(c.to, PING CALL(1, "wait"));
    expect(c.from, PONG);
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    expect(c.err, "cancelled\n");
    expect_end(c.from);
    assert_int_equal(end_of(&c), 0);

    c = start(in, out); /* while it waits for calls, after the end of the file */
    (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    (void)kill(c.pid, SIGTERM);
    assert_in_range(end_of(&c), 0, 1000 + SIGTERM); /* it may have come before there was a handler */
    fd_close(&in);
    fd_close(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_one_socket_for_both),
        cmocka_unit_test(test_two_sockets),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_dev_null),
        cmocka_unit_test(test_directory_as_stdin),
        cmocka_unit_test(test_not_readable),
        cmocka_unit_test(test_flags_are_put_back),
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
    program = argv[1];
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
