/* Control groups as this machine has them: real processes against real limits. Skipped where there are none. */
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "../unit.h"

#define MIB ((size_t)1 << 20)
#define WAIT_MS 10000
#define CANNOT 77

static struct cgroups groups;
static bool available;

static void need(bool controller)
{
    if (!available || !controller)
        skip();
}

static struct cgroup make(uint32_t id, uint64_t memory_bytes, uint64_t processes)
{
    struct cgroup_limits limits = {memory_bytes, processes};
    struct cgroup g = CGROUP_INIT;
    struct err e = ERR_INIT;

    if (cgroup_make(&groups, id, &limits, &g, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(g.id, id);
    return g;
}

static struct cgroup_usage usage(uint32_t id)
{
    struct cgroup_usage use;
    struct err e = ERR_INIT;

    if (cgroup_usage(&groups, id, &use, &e) < 0)
        fail_msg("%s", e.text);
    return use;
}

static void end(struct cgroup *g)
{
    struct err e = ERR_INIT;

    cgroup_close(g);
    if (cgroup_remove(&groups, g->id, WAIT_MS, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(cgroup_remove(&groups, g->id, 0, &e), 0); /* again */
}

/* Run in a child inside of the group: its wait status. */
static int run_inside(const struct cgroup *g, int (*code)(void))
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(cgroup_enter(g->fds, g->n_fds) < 0 ? 99 : code());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- memory ---- */

static int fill(int flags, int fd)
{
    char *memory = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (memory == MAP_FAILED)
        return 98;
    for (size_t at = 0; at < 64 * MIB; at += 4096)
        *(volatile char *)(memory + at) = 1;
    return 0;
}

static int fill_anonymous(void)
{
    return fill(MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* What RLIMIT_AS does not count. */
static int fill_file(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    return fd < 0 || ftruncate(fd, 64 * MIB) < 0 ? 97 : fill(MAP_SHARED, fd);
}

static void check_memory(int (*code)(void))
{
    struct cgroup g = make(1, 32 * MIB, 0);
    struct cgroup_usage use;
    int status = run_inside(&g, code);

    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    use = usage(1);
    assert_true(use.memory_kills >= 1);
    assert_true(use.memory_peak_bytes == 0 || use.memory_peak_bytes > 16 * MIB);
    assert_true(use.memory_peak_bytes < 48 * MIB); /* some charges cannot be refused */
    end(&g);
    g = make(1, 256 * MIB, 0);
    status = run_inside(&g, code);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(usage(1).memory_kills, 0);
    end(&g);
}

static void test_memory(void **state)
{
    (void)state;
    need(groups.memory[0]);
    check_memory(fill_anonymous);
    check_memory(fill_file);
}

/* ---- processes ---- */

/* How many processes could be started. They live as long as this one, which has the other end of their pipe. */
static int bomb(void)
{
    int n = 0, ends[2];
    char byte;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return 98;
    while (n < 90 && (pid = fork()) >= 0) {
        if (pid == 0) {
            (void)close(ends[1]);
            (void)!read(ends[0], &byte, 1);
            _exit(0);
        }
        n++;
    }
    return errno == EAGAIN ? n : 99;
}

static void test_processes(void **state)
{
    struct cgroup_usage use;
    struct cgroup g;
    int status;

    (void)state;
    need(groups.processes[0]);
    g = make(2, 0, 8);
    status = run_inside(&g, bomb);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    use = usage(2);
    assert_true(use.processes_refused >= 1);
    assert_int_equal(use.memory_kills, 0);
    end(&g);
}

/* ---- ending ---- */

static void test_a_group_with_processes_stays(void **state)
{
    struct cgroup g;
    struct err e = ERR_INIT;
    int in[2], out[2];
    char byte = 0;
    pid_t pid;

    (void)state;
    need(true);
    g = make(3, 0, 30);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        (void)close(in[1]);
        if (cgroup_enter(g.fds, g.n_fds) < 0 || write(out[1], &byte, 1) != 1)
            _exit(1);
        _exit(read(in[0], &byte, 1) == 0 ? 0 : 1);
    }
    fd_close(&out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(cgroup_remove(&groups, 3, 0, &e), -EBUSY);
    fd_close(&in[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    fd_close(&in[0]);
    fd_close(&out[0]);
    end(&g);
}

/* ---- from another process ---- */

static void test_packed(void **state)
{
    struct cgroups copy;
    char text[CGROUPS_TEXT_MAX];
    struct cgroup_usage use;
    struct err e = ERR_INIT;
    struct cgroup g;

    (void)state;
    need(true);
    cgroups_pack(&groups, text);
    assert_int_equal(cgroups_unpack(text, &copy), 0);
    g = make(4, 64 * MIB, 10);
    assert_int_equal(cgroup_usage(&copy, 4, &use, &e), 0);
    assert_int_equal(cgroup_usage(&copy, 5, &use, &e), -ENOENT);
    end(&g);
    assert_int_equal(cgroup_usage(&copy, 4, &use, &e), -ENOENT);
}

static void test_nonsense_is_not_unpacked(void **state)
{
    static const char *const texts[] = {
        "",           "1",          "1\n",     "1\n/a\n",   "1\n/a\n/b",     "3\n/a\n/b\n",
        "1\na\n/b\n", "1\n/a\nb\n", "1\n\n\n", "0\n/a\n\n", "1\n/a\n/b\n\n",
    };
    struct cgroups c = CGROUPS_INIT, none = CGROUPS_INIT;
    char text[CGROUPS_TEXT_MAX + 8];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(cgroups_unpack(texts[i], &c), -EINVAL);
    memset(text, 'a', sizeof text);
    memcpy(text, "1\n/", 3);
    memcpy(text + CGROUP_PATH_MAX + 4, "\n\n", 3);
    assert_int_equal(cgroups_unpack(text, &c), -EINVAL);
    assert_memory_equal(&c, &none, sizeof c);
    assert_int_equal(cgroups_unpack("2\n/a\n\n", &c), 0);
    assert_string_equal(c.memory, "/a");
    assert_string_equal(c.processes, "");
    assert_int_equal(cgroups_unpack("0\n\n\n", &c), 0);
}

/* ---- the place ---- */

static void test_dead_server(void **state)
{
    char path[CGROUPS_TEXT_MAX] = "";
    struct cgroups second;
    struct err e = ERR_INIT;
    int ends[2];
    pid_t pid;

    (void)state;
    need(true);
    assert_int_equal(fd_pipe(ends), 0);
    assert_int_equal(fd_set_nonblock(ends[0], false), 0);
    pid = fork();
    if (pid == 0) {
        struct cgroup_limits limits = {64 * MIB, 10};
        struct cgroup g;

        if (cgroups_open(&second, 0, &e) < 0 || cgroup_make(&second, 7, &limits, &g, &e) < 0)
            _exit(1);
        cgroups_pack(&second, path);
        (void)!write(ends[1], path, sizeof path);
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(read(ends[0], path, sizeof path), sizeof path);
    fd_close(&ends[0]);
    fd_close(&ends[1]);
    assert_int_equal(cgroups_unpack(path, &second), 0);
    cgroups_close(&groups); /* opening again cleans up */
    assert_int_equal(cgroups_open(&groups, 0, &e), 0);
    assert_true(!second.memory[0] || access(second.memory, F_OK) < 0);
    assert_true(!second.processes[0] || access(second.processes, F_OK) < 0);
}

/* Before: nobody closed it. */
static void test_opened_twice(void **state)
{
    struct cgroups before = groups;
    struct err e = ERR_INIT;
    struct cgroup g;

    (void)state;
    need(true);
    g = make(6, 64 * MIB, 10);
    cgroup_close(&g);
    assert_int_equal(cgroups_open(&groups, 0, &e), 0);
    assert_string_equal(groups.memory, before.memory);
    assert_string_equal(groups.processes, before.processes);
    assert_int_equal(cgroup_usage(&groups, 6, &(struct cgroup_usage){0}, &e), -ENOENT);
}

/* Nobody is let in by a mode of a file: a user without any right gets an explanation. */
static void test_without_privilege(void **state)
{
    int status = -1;
    pid_t pid;

    (void)state;
    if (geteuid() != 0)
        skip();
    pid = fork();
    if (pid == 0) {
        struct cgroups none;
        struct err e = ERR_INIT;

        if (setgroups(0, NULL) < 0 || setgid(65533) < 0 || setuid(65533) < 0)
            _exit(CANNOT); /* in a user namespace */
        if (cgroups_open(&none, 0, &e) != -ENOTSUP || e.code != ENOTSUP || none.version != 0)
            _exit(2);
        _exit(strstr(e.text, "Delegate=yes") && strstr(e.text, "or as root") ? 0 : 3);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
        skip();
    assert_int_equal(status, 0);
}

static void test_nothing_is_left(void **state)
{
    struct cgroups before = groups;
    struct cgroup g;

    (void)state;
    need(true);
    g = make(8, 64 * MIB, 10);
    cgroup_close(&g);
    cgroups_close(&groups);
    assert_true(!before.memory[0] || access(before.memory, F_OK) < 0);
    assert_true(!before.processes[0] || access(before.processes, F_OK) < 0);
    assert_int_equal(groups.version, 0);
    assert_int_equal(cgroup_make(&groups, 1, &(struct cgroup_limits){0, 0}, &g, NULL), -ENOTSUP);
    assert_int_equal(cgroup_usage(&groups, 1, &(struct cgroup_usage){0}, NULL), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_a_group_with_processes_stays),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_nonsense_is_not_unpacked),
        cmocka_unit_test(test_dead_server),
        cmocka_unit_test(test_opened_twice),
        cmocka_unit_test(test_without_privilege),
        cmocka_unit_test(test_nothing_is_left),
    };
    struct err e = ERR_INIT;
    int failed;

    available = cgroups_open(&groups, 0, &e) == 0;
    if (!available)
        (void)fprintf(stderr, "skipped: %s\n", e.text);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cgroups_close(&groups);
    return failed;
}
