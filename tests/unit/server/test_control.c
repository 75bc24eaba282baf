/* The control socket, with sessions that the test makes up: what goes on when no descriptor is to be had, and the end.
 */
#include "server/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "session/session.h"
#include "../unit.h"

static char dir[] = "/tmp/test-control-XXXXXX";
static size_t n_sessions = 1, n_listed;
static int failing, calls; /* accept4: how often it fails, how often it was called */

/* ---- sessions that are none ---- */

static struct session *const only = (struct session *)dir;

const char *sessions_runtime_dir(const struct sessions *all)
{
    (void)all;
    return dir;
}

struct session *session_find(struct sessions *all, const char *id)
{
    (void)all;
    return strcmp(id, "abcdef") == 0 ? only : NULL;
}

bool session_ended(const struct sessions *all, const char *id)
{
    (void)all;
    return strcmp(id, "ended2") == 0;
}

void session_describe(const struct session *s, struct session_info *ret)
{
    (void)s;
    *ret = (struct session_info){"abcdef", "/work\tspace\n", false, true, 5, 2};
}

void sessions_each(const struct sessions *all, void (*each)(void *data, const struct session_info *info), void *data)
{
    struct session_info info;

    (void)all;
    session_describe(only, &info);
    for (n_listed = 0; n_listed < n_sessions; n_listed++)
        each(data, &info);
}

int session_open_dir(const struct session *s, const char *path, int *ret_fd, struct err *e)
{
    (void)s;
    (void)ret_fd;
    return err_set(e, ENOTDIR, "%s", path);
}

int session_open_file(struct session *s, const char *path, int *ret_fd, int64_t *ret_size, struct err *e)
{
    (void)s;
    *ret_size = 0;
    if (strcmp(path, "file") != 0)
        return err_set(e, ENOENT, "%s is not there", path);
    *ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return 0;
}

int session_create_file(struct session *s, const char *path, int *ret_fd, struct err *e)
{
    (void)s;
    (void)ret_fd;
    return err_set(e, EACCES, "%s may not be made", path);
}

/* ---- faults ---- */

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    calls++;
    if (failing-- > 0) {
        errno = EMFILE;
        return -1;
    }
    return __real_accept4(fd, address, size, flags);
}

/* ---- asking ---- */

static uv_loop_t loop;
static uv_timer_t server; /* what else keeps the loop alive: without, uv_run would do nothing */
static struct control *control;

static void never(uv_timer_t *timer)
{
    (void)timer;
}

static int set_up(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    (void)strcpy(dir, "/tmp/test-control-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &server), 0);
    assert_int_equal(uv_timer_start(&server, never, 3600 * 1000, 0), 0);
    assert_int_equal(control_start(&loop, NULL, &control, &e), 0);
    failing = calls = 0;
    n_sessions = 1;
    return 0;
}

static int tear_down(void **state)
{
    char path[64];

    (void)state;
    control_stop(control);
    control_stop(control); /* again is fine, and so is none */
    control_stop(NULL);
    uv_close((uv_handle_t *)&server, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0); /* nothing is left in it */
    (void)snprintf(path, sizeof path, "%s/control", dir);
    assert_int_equal(unlink(path), 0);
    return rmdir(dir);
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/control", dir);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void turn(int times)
{
    for (int i = 0; i < times; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
}

/* The answer's size, 0 when the server hung up; *ret_fd: -1 when none came. */
static ssize_t ask(const char *question, size_t size, char *ret, size_t room, int *ret_fd)
{
    autofd int fd = dial();
    size_t n_fds = 1;
    ssize_t n;

    *ret_fd = -1;
    assert_int_equal(fd_send(fd, question, size, NULL, 0), 0);
    turn(10);
    assert_int_equal(fd_set_nonblock(fd, true), 0);
    n = fd_recv(fd, ret, room, ret_fd, &n_fds);
    return n == -ECONNRESET ? 0 : n;
}

/* question has a "|" where a NUL belongs. */
static void check(const char *question, const char *want, bool with_descriptor)
{
    char data[600], got[2000] = "", *at;
    size_t size = strlen(question);
    autofd int fd = -1;
    ssize_t n;

    memcpy(data, question, size + 1);
    for (at = data; (at = strchr(at, '|')) != NULL;)
        *at = '\0', at++;
    n = ask(data, size, got, sizeof got - 1, &fd);
    assert_true(n >= 0);
    for (ssize_t i = 0; i < n; i++)
        if (got[i] == '\0')
            got[i] = '|';
    assert_string_equal(got, want);
    assert_int_equal(fd >= 0, with_descriptor);
}

static void test_questions(void **state)
{
    (void)state;
    check("cellblock/1|open|abcdef|file|", "ok||", true);
    check("cellblock/1|open|abcdef|none|", "error|none is not there|", false);
    check("cellblock/1|open|abcdef||", "error|. is not there|", false);
    check("cellblock/1|open|abcdef|/work\tspace\n/file|", "ok||", true); /* as the code sees it */
    check("cellblock/1|create|abcdef|file|", "error|file may not be made|", false);
    check("cellblock/1|open|abcdeg|file|", "unknown|", false);
    check("cellblock/1|open|ended2|file|", "ended|", false);
    check("cellblock/1|list|||", "ok|abcdef\tlocal\tbusy\t5\t2\t/work?space?\n|", false);
    check("cellblock/1|remove|abcdef|file|", "error|this server does not know that question|", false);
    check("cellblock/2|open|abcdef|file|", "error|this server is of another version of cellblock|", false);
    check("cellblock/1|open|abcdef|file", "error|this server is of another version of cellblock|", false);
    check("cellblock/1|open|abcdef|file||", "error|this server is of another version of cellblock|", false);
    check("cellblock/1|open|abcdef|", "error|this server is of another version of cellblock|", false);
    check("|", "error|this server is of another version of cellblock|", false);
}

static void test_very_many_sessions(void **state)
{
    static char got[200 * 1024];
    autofd int fd = -1;
    ssize_t n;

    (void)state;
    n_sessions = 20000;
    n = ask("cellblock/1\0list\0\0\0", 19, got, sizeof got - 1, &fd);
    assert_true(n > 100000 && n <= 128 * 1024);
    assert_int_equal(n_listed, n_sessions);
    got[n - 2] = '\0'; /* the last line feed */
    assert_memory_equal(strrchr(got + 3, '\n') + 1, "+", 1);
}

/* No descriptor is to be had: who asks is sent away, the loop does not turn for nothing, and later all is well. */
static void test_no_descriptors(void **state)
{
    autofd int first = dial(), second = -1;
    char byte;

    (void)state;
    failing = 1;
    turn(20);
    assert_int_equal(calls, 2); /* it, and by way of the spare one */
    assert_int_equal(recv(first, &byte, 1, MSG_DONTWAIT), 0);
    check("cellblock/1|open|abcdef|file|", "ok||", true);
    failing = 2; /* not even that */
    second = dial();
    turn(1);
    check("cellblock/1|open|abcdef|file|", "ok||", true);
}

static void test_silent_askers(void **state)
{
    int askers[40], n_dropped = 0;
    char byte;

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        askers[i] = dial();
        turn(3);
    }
    for (size_t i = 0; i < 40; i++)
        n_dropped += recv(askers[i], &byte, 1, MSG_DONTWAIT) == 0;
    assert_int_equal(n_dropped, 24);
    assert_int_equal(recv(askers[0], &byte, 1, MSG_DONTWAIT), 0); /* the first ones */
    assert_true(recv(askers[39], &byte, 1, MSG_DONTWAIT) < 0);
    check("cellblock/1|open|abcdef|file|", "ok||", true);
    for (size_t i = 0; i < 20; i++)
        fd_close(&askers[i]);
    turn(3);
    for (size_t i = 20; i < 30; i++)
        fd_close(&askers[i]);
    turn(3);
    /* The rest is connected still when the server ends. */
    control_stop(control);
    turn(3);
    for (size_t i = 30; i < 40; i++) {
        assert_int_equal(recv(askers[i], &byte, 1, MSG_DONTWAIT), 0);
        fd_close(&askers[i]);
    }
    control = NULL;
}

static void test_loop_is_not_kept_alive(void **state)
{
    autofd int silent = dial();

    (void)state;
    assert_true(silent >= 0);
    turn(3);
    uv_unref((uv_handle_t *)&server);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_questions),     TEST(test_very_many_sessions),     TEST(test_no_descriptors),
        TEST(test_silent_askers), TEST(test_loop_is_not_kept_alive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
