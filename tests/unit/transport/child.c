#include "child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/limits.h"

#define PATIENCE_MS 30000 /* a test that waits longer has failed */

static const char *program;

void child_program(const char *path)
{
    program = path;
}

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

struct child child_start(int in, int out)
{
    struct child c = {.to = -1, .from = -1};
    int err[2];

    assert_int_equal(fd_pipe(err), 0);
    c.pid = spawn(in, out, err[1]);
    c.err = err[0];
    fd_close(&err[1]);
    return c;
}

struct child child_start_on_pipes(void)
{
    int in[2], out[2];
    struct child c;

    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    c = child_start(in[0], out[1]);
    fd_close(&in[0]);
    fd_close(&out[1]);
    c.to = in[1];
    c.from = out[0];
    return c;
}

int child_end(struct child *c)
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

void send_text(int fd, const char *text)
{
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

const char *read_line(int fd)
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

void expect(int fd, const char *line)
{
    const char *got = read_line(fd);

    assert_non_null(got);
    assert_string_equal(got, line);
}

void expect_end(int fd)
{
    assert_null(read_line(fd));
}
