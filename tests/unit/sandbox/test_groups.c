/* Groups that are given to another sandbox: only when the last one has left nothing in them. */
#include "sandbox/groups.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "../unit.h"

#define MIB ((size_t)1 << 20)
#define TRIES 200 /* the kernel may still count what is gone */
#define TRY_US 10000

static const struct cgroup_limits limits = {32 * MIB, 8};
static struct groups groups = GROUPS_INIT;

static int nothing(void)
{
    return 0;
}

static int too_much_memory(void)
{
    char *memory = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (size_t at = 0; memory != MAP_FAILED && at < 64 * MIB; at += 4096)
        *(volatile char *)(memory + at) = 1;
    return 0;
}

static int too_many_processes(void)
{
    for (int i = 0; i < 16; i++)
        if (fork() == 0)
            _exit(pause());
    return kill(0, SIGKILL); /* all of them */
}

static uint32_t use(const struct cgroup_limits *with, int (*code)(void))
{
    struct cgroup g = CGROUP_INIT;
    struct err e = ERR_INIT;
    int status;
    pid_t pid;

    if (groups_take(&groups, with, &g, &e) < 0)
        fail_msg("%s", e.text);
    pid = fork();
    if (pid == 0)
        _exit(setsid() < 0 || cgroup_enter(g.fds, g.n_fds) < 0 ? 99 : code());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    cgroup_close(&g);
    return g.id;
}

/* As the builder does: again and again, until the kernel is done with it. */
static void give(uint32_t id)
{
    int status = -EBUSY;

    for (int i = 0; i < TRIES && status == -EBUSY; i++) {
        if (i > 0)
            (void)usleep(TRY_US);
        status = groups_give(&groups, id);
    }
    assert_int_equal(status, 0);
}

static bool is_there(uint32_t id)
{
    return cgroup_usage(&groups.place, id, &(struct cgroup_usage){0}, NULL) == 0;
}

static void test_again(void **state)
{
    bool was_kept = false;

    (void)state;
    if (groups.place.version == 0)
        skip();
    for (int i = 0; i < TRIES && !was_kept; i++) {
        uint32_t id = use(&limits, nothing);

        give(id);
        was_kept = groups.n == 1 && groups.kept[0] == id && is_there(id);
    }
    assert_true(was_kept);
    assert_int_equal(use(&limits, nothing), groups.kept[0]);
    assert_int_equal(groups.n, 0);
}

static void check_spoilt(int (*code)(void))
{
    uint32_t id = use(&limits, code);

    give(id);
    assert_int_equal(groups.n, 0);
    assert_false(is_there(id));
}

static void test_not_after_a_limit(void **state)
{
    (void)state;
    if (!groups.place.memory[0] || !groups.place.processes[0])
        skip();
    check_spoilt(too_much_memory);
    check_spoilt(too_many_processes);
}

static void test_not_with_other_limits(void **state)
{
    struct cgroup_limits other = {64 * MIB, 8};
    uint32_t id, more;

    (void)state;
    if (groups.place.version == 0)
        skip();
    id = use(&limits, nothing);
    groups_keep_one(&groups);
    assert_int_equal(groups.n, 1);
    more = use(&other, nothing);
    assert_int_not_equal(more, groups.kept[0]);
    assert_int_equal(groups.n, 0);
    assert_false(is_there(groups.kept[0]));
    give(id);
    assert_int_equal(groups.n, 0);
    assert_false(is_there(id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_not_after_a_limit),
        cmocka_unit_test(test_not_with_other_limits),
    };
    struct err e = ERR_INIT;
    int failed;

    if (cgroups_open(&groups.place, 0, &e) < 0)
        (void)fprintf(stderr, "skipped: %s\n", e.text);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cgroups_close(&groups.place);
    return failed;
}
