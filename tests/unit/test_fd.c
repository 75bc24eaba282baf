/* Descriptors: flags, ownership, whole writes, anonymous files and their passing, with every failure provoked. */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/* Injected faults (linked with --wrap=write,memfd_create,fcntl64): each is used up by the call that it hits. */
ssize_t __real_write(int fd, const void *data, size_t size);
int __real_memfd_create(const char *name, unsigned flags);
int __real_fcntl64(int fd, int op, ...);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_fcntl64(int fd, int op, int value);

static int write_interrupts;
static int write_error;
static size_t write_most;
static int memfd_error;
static int fcntl_error;

static int fault(int *error)
{
    errno = *error;
    *error = 0;
    return -1;
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (write_interrupts > 0) {
        write_interrupts--;
        errno = EINTR;
        return -1;
    }
    if (write_error)
        return fault(&write_error);
    return __real_write(fd, data, write_most && size > write_most ? write_most : size);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
    return memfd_error ? fault(&memfd_error) : __real_memfd_create(name, flags);
}

int __wrap_fcntl64(int fd, int op, int value)
{
    return fcntl_error ? fault(&fcntl_error) : __real_fcntl64(fd, op, value);
}

static int open_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

static int open_before;

static int count_before(void **state)
{
    (void)state;
    open_before = open_count();
    return 0;
}

/* Whatever a test did: no descriptor of it is left. */
static int count_after(void **state)
{
    (void)state;
    write_interrupts = write_error = memfd_error = fcntl_error = 0;
    write_most = 0;
    return open_count() == open_before ? 0 : -1;
}

static bool has_cloexec(int fd)
{
    return (fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) != 0;
}

static bool has_nonblock(int fd)
{
    return (fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0;
}

/* Room for `more` descriptors from here on. */
static void limit_to(int more, struct rlimit *ret_old)
{
    struct rlimit now;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(next >= 0);
    (void)close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_old), 0);
    now = *ret_old;
    now.rlim_cur = (rlim_t)(next + more);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

static void closing(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int copy = fd;

    (void)state;
    errno = EDOM;
    fd_close(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(errno, EDOM);
    assert_int_equal(fcntl(copy, F_GETFD, 0), -1);
    fd_close(&fd); /* a second time is nothing */
    assert_int_equal(fd, -1);
    fd = 9999; /* not open: errno is kept even so */
    errno = EDOM;
    fd_close(&fd);
    assert_int_equal(errno, EDOM);
}

static int made_and_taken(void)
{
    autofd int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
    autofd int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(closed >= 0);
    return steal_fd(&kept);
}

static void scopes_close_and_stealing_keeps(void **state)
{
    int fd = made_and_taken();

    (void)state;
    assert_true(fcntl(fd, F_GETFD, 0) >= 0);
    fd_close(&fd);
}

static void flags(void **state)
{
    autofd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_int_equal(fd_set_cloexec(fd, false), 0);
    assert_false(has_cloexec(fd));
    assert_int_equal(fd_set_cloexec(fd, true), 0);
    assert_true(has_cloexec(fd));
    assert_int_equal(fd_set_nonblock(fd, true), 0);
    assert_true(has_nonblock(fd));
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    assert_false(has_nonblock(fd));
    assert_int_equal(fd_set_cloexec(9999, true), -EBADF);
    assert_int_equal(fd_set_nonblock(-1, true), -EBADF);
}

static void socket_pairs(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    struct rlimit old;
    int pair[2] = {-7, -7};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char got[3] = "";

        assert_int_equal(fd_socketpair(types[i], pair), 0);
        assert_true(has_cloexec(pair[0]) && has_cloexec(pair[1]));
        assert_false(has_nonblock(pair[0]) || has_nonblock(pair[1]));
        assert_int_equal(fd_write_all(pair[0], "ab", 2), 0);
        assert_int_equal(read(pair[1], got, 2), 2);
        assert_string_equal(got, "ab");
        fd_close(&pair[0]);
        fd_close(&pair[1]);
    }
    assert_true(fd_socketpair(12345, pair) < 0);
    limit_to(1, &old);
    assert_int_equal(fd_socketpair(SOCK_STREAM, pair), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(pair[0], -1); /* a failure leaves the result alone */
}

static void pipes(void **state)
{
    struct rlimit old;
    int ends[2] = {-1, -1};
    char byte;

    (void)state;
    assert_int_equal(fd_pipe(ends), 0);
    assert_true(has_cloexec(ends[0]) && has_cloexec(ends[1]));
    assert_true(has_nonblock(ends[0]) && !has_nonblock(ends[1]));
    assert_int_equal(read(ends[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    fd_close(&ends[0]);
    fd_close(&ends[1]);
    limit_to(1, &old);
    assert_int_equal(fd_pipe(ends), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    fcntl_error = EINVAL;
    assert_int_equal(fd_pipe(ends), -EINVAL);
    assert_int_equal(ends[0], -1);
}

static void writing_all(void **state)
{
    char got[16] = "";
    int ends[2];

    (void)state;
    assert_int_equal(fd_pipe(ends), 0);
    write_interrupts = 2;
    write_most = 3;
    assert_int_equal(fd_write_all(ends[1], "0123456789", 10), 0);
    write_most = 0;
    assert_int_equal(read(ends[0], got, sizeof(got)), 10);
    assert_string_equal(got, "0123456789");
    assert_int_equal(fd_write_all(ends[1], NULL, 0), 0);
    write_error = ENOSPC;
    assert_int_equal(fd_write_all(ends[1], "x", 1), -ENOSPC);
    (void)signal(SIGPIPE, SIG_IGN);
    fd_close(&ends[0]);
    assert_int_equal(fd_write_all(ends[1], "x", 1), -EPIPE);
    (void)signal(SIGPIPE, SIG_DFL);
    fd_close(&ends[1]);
    assert_int_equal(fd_write_all(ends[1], "x", 1), -EBADF);
}

static void check_file(int fd)
{
    char got[8] = "";
    struct stat st;

    assert_true(fd >= 0);
    assert_true(has_cloexec(fd));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(st.st_nlink, 0); /* no name anywhere */
    assert_int_equal(read(fd, got, sizeof(got)), 4);
    assert_memory_equal(got, "a\0bc", 4);
}

static void memory_files(void **state)
{
    autofd int fd = fd_memfile("test", "a\0bc", 4);
    autofd int empty = fd_memfile("test", NULL, 0);
    autofd int fallback = -1;

    (void)state;
    check_file(fd);
    assert_true(empty >= 0);
    memfd_error = ENOSYS;
    fallback = fd_memfile("test", "a\0bc", 4);
    check_file(fallback);
}

static void memory_files_that_fail(void **state)
{
    char longer[5000];
    struct rlimit old;

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(setenv("TMPDIR", "/nonexistent/directory", 1), 0);
    memfd_error = ENOSYS;
    assert_int_equal(fd_memfile("test", "x", 1), -ENOENT);
    assert_int_equal(setenv("TMPDIR", longer, 1), 0);
    memfd_error = EPERM;
    assert_int_equal(fd_memfile("test", "x", 1), -ENAMETOOLONG);
    assert_int_equal(unsetenv("TMPDIR"), 0);
    write_error = ENOSPC;
    assert_int_equal(fd_memfile("test", "x", 1), -ENOSPC); /* and the file is closed: count_after */
    limit_to(0, &old);
    assert_int_equal(fd_memfile("test", "x", 1), -EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void messages_without_descriptors(void **state)
{
    char got[8] = "";
    size_t n = 0;
    int pair[2];

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(fd_send(pair[0], "one", 3, NULL, 0), 0);
    assert_int_equal(fd_send(pair[0], "two", 3, NULL, 0), 0);
    assert_int_equal(fd_recv(pair[1], got, sizeof(got), NULL, &n), 3);
    assert_memory_equal(got, "one", 3);
    assert_int_equal(fd_recv(pair[1], got, sizeof(got), NULL, NULL), 3);
    assert_memory_equal(got, "two", 3);
    assert_int_equal(n, 0);
    assert_int_equal(fd_set_nonblock(pair[1], true), 0);
    assert_int_equal(fd_recv(pair[1], got, sizeof(got), NULL, NULL), -EAGAIN);
    fd_close(&pair[0]);
    assert_int_equal(fd_recv(pair[1], got, sizeof(got), NULL, NULL), 0); /* end of file */
    assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE);         /* and no SIGPIPE */
    fd_close(&pair[1]);
    assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EBADF);
    assert_int_equal(fd_recv(pair[1], got, sizeof(got), NULL, NULL), -EBADF);
}

/* A descriptor whose content tells which one it is. */
static int numbered(char digit)
{
    int fd = fd_memfile("numbered", &digit, 1);

    assert_true(fd >= 0);
    return fd;
}

static void descriptors_arrive_in_order(void **state)
{
    int sent[FD_PASS_MAX];
    int got[FD_PASS_MAX];
    size_t n = FD_PASS_MAX;
    char data[4];
    int pair[2];

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair), 0);
    for (int i = 0; i < FD_PASS_MAX; i++)
        sent[i] = numbered((char)('0' + i));
    assert_int_equal(fd_send(pair[0], "hi", 2, sent, FD_PASS_MAX), 0);
    assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, &n), 2);
    assert_int_equal(n, FD_PASS_MAX);
    for (int i = 0; i < FD_PASS_MAX; i++) {
        char digit;

        assert_true(has_cloexec(got[i]));
        assert_int_equal(pread(got[i], &digit, 1, 0), 1);
        assert_int_equal(digit, '0' + i);
        fd_close(&sent[i]);
        fd_close(&got[i]);
    }
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

static void descriptors_without_room_are_closed(void **state)
{
    int sent[2] = {numbered('0'), numbered('1')};
    int got[2] = {-1, -1};
    size_t n = 1;
    char data[4];
    int pair[2];

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_STREAM, pair), 0);
    assert_int_equal(fd_send(pair[0], "hi", 2, sent, 2), 0);
    assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, &n), 2);
    assert_int_equal(n, 1);
    assert_true(got[0] >= 0);
    assert_int_equal(got[1], -1);
    assert_int_equal(fd_send(pair[0], "hi", 2, sent, 2), 0);
    assert_int_equal(fd_recv(pair[1], data, sizeof(data), NULL, NULL), 2);
    for (int i = 0; i < 2; i++) {
        fd_close(&sent[i]);
        fd_close(&got[i]);
        fd_close(&pair[i]);
    }
}

static void a_cut_message_is_an_error(void **state)
{
    int sent[1] = {numbered('0')};
    int got[1] = {-1};
    size_t n = 1;
    char data[4];
    int pair[2];

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(fd_send(pair[0], "longer than it", 14, sent, 1), 0);
    assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, &n), -EMSGSIZE);
    assert_int_equal(n, 0); /* its descriptor is closed: count_after */
    fd_close(&sent[0]);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

/* More descriptors than a message of ours ever has, from a peer that builds its own. */
static void too_many_descriptors_are_an_error(void **state)
{
    enum { N = 2 * FD_PASS_MAX };
    union {
        char bytes[CMSG_SPACE(sizeof(int) * N)];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = (char[]){"hi"}, .iov_len = 2};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int got[N];
    size_t n = N;
    char data[4];
    int pair[2];

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair), 0);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * N);
    for (size_t i = 0; i < N; i++)
        memcpy(CMSG_DATA(head) + i * sizeof(int), &pair[0], sizeof(int));
    assert_int_equal(sendmsg(pair[0], &message, 0), 2);
    assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, &n), -EMSGSIZE);
    assert_int_equal(n, 0);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

/* The receiver has no free descriptor: the kernel cuts the message, and it must not pass for one without any. */
static void no_free_descriptor_is_an_error(void **state)
{
    int sent[1] = {numbered('0')};
    int got[1] = {-1};
    size_t n = 1;
    struct rlimit old;
    char data[4];
    int pair[2];

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(fd_send(pair[0], "hi", 2, sent, 1), 0);
    limit_to(0, &old);
    assert_int_equal(fd_recv(pair[1], data, sizeof(data), got, &n), -EMSGSIZE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(n, 0);
    fd_close(&sent[0]);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_before, count_after)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closing),
        TEST(scopes_close_and_stealing_keeps),
        TEST(flags),
        TEST(socket_pairs),
        TEST(pipes),
        TEST(writing_all),
        TEST(memory_files),
        TEST(memory_files_that_fail),
        TEST(messages_without_descriptors),
        TEST(descriptors_arrive_in_order),
        TEST(descriptors_without_room_are_closed),
        TEST(a_cut_message_is_an_error),
        TEST(too_many_descriptors_are_an_error),
        TEST(no_free_descriptor_is_an_error),
    };

    return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
