/* Version 2 against a model of it: where the server's group is made, who is moved, and that all is undone. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "sandbox/cgroup_impl.h"
#include "../unit.h"
#include "cgroup_model.h"

#define TEXT_MAX 1024

/* ---- a machine: top/slice/scope, the server in scope ---- */

static char proc[32], top[64], slice[128], scope[192]; /* with room for what is appended */
static pid_t child;

static void be_in(const char *path)
{
    char line[TEXT_MAX];

    (void)snprintf(line, sizeof line, "12:cpuset:/\n0::%s\n", path);
    model_put(proc, "self/cgroup", line);
}

static int setup(void **state)
{
    char line[TEXT_MAX], path[128];

    (void)state;
    (void)snprintf(proc, sizeof proc, "/tmp/cellblock-unit-XXXXXX");
    assert_non_null(mkdtemp(proc));
    (void)snprintf(top, sizeof top, "%s/fs", proc);
    (void)snprintf(path, sizeof path, "%s/self", proc);
    assert_int_equal(mkdir(path, 0700), 0);
    model_start(top);
    model_put(top, "cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma\n");
    model_put(top, "cgroup.subtree_control", "memory pids");
    (void)snprintf(slice, sizeof slice, "%s/user.slice", top);
    assert_int_equal(mkdir(slice, 0700), 0);
    model_put(slice, "cgroup.subtree_control", "memory pids");
    (void)snprintf(scope, sizeof scope, "%s/run-u1.scope", slice);
    assert_int_equal(mkdir(scope, 0700), 0);
    (void)snprintf(line, sizeof line,
                   "22 1 0:20 / /proc rw - proc proc rw\n"
                   "30 24 0:26 / %s rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
                   top);
    model_put(proc, "self/mountinfo", line);
    be_in("/user.slice/run-u1.scope");
    child = fork();
    if (child == 0) {
        (void)alarm(60);
        for (;;)
            (void)pause();
    }
    model_add(scope, getpid());
    model_add(scope, child);
    return 0;
}

static int teardown(void **state)
{
    char command[TEXT_MAX];

    (void)state;
    (void)kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)snprintf(command, sizeof command, "rm -rf %s", proc);
    return system(command);
}

/* The only group of a server in dir: its name, or NULL. */
static const char *base_in(const char *dir)
{
    static char name[TEXT_MAX];

    assert_int_equal(cgroup_server_name(getpid(), name, sizeof name), 0);
    return model_exists(dir, name) ? name : NULL;
}

static void open_place(struct cgroups *c)
{
    struct err e = ERR_INIT;

    if (cgroups_open_at(c, proc, getpid(), &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(c->version, 2);
}

static void refused(const char *why)
{
    struct cgroups c;
    struct err e = ERR_INIT;

    assert_int_equal(cgroups_open_at(&c, proc, getpid(), &e), -ENOTSUP);
    if (!strstr(e.text, why))
        fail_msg("%s", e.text);
    assert_int_equal(c.version, 0);
    assert_null(base_in(scope));
    assert_null(base_in(slice));
    assert_true(model_has(scope, getpid()) && model_has(scope, child));
    assert_string_equal(model_get(scope, "cgroup.subtree_control"), "");
}

/* ---- tests ---- */

static void test_delegated(void **state)
{
    struct cgroups c;
    char leaf[CGROUP_FILE_MAX];

    (void)state;
    open_place(&c);
    assert_string_equal(c.memory, c.processes);
    assert_string_equal(c.home, scope);
    assert_non_null(base_in(scope));
    assert_int_equal(cgroup_path(leaf, sizeof leaf, c.memory, CGROUP_LEAF), 0);
    assert_true(model_has(leaf, getpid()) && model_has(leaf, child) && !model_populated(scope));
    assert_string_equal(model_get(scope, "cgroup.subtree_control"), "memory pids");
    assert_string_equal(model_get(c.memory, "cgroup.subtree_control"), "memory pids");
    assert_false(model_exists(c.memory, "s0"));
    cgroups_close(&c);
    assert_null(base_in(scope));
    assert_true(model_has(scope, getpid()) && model_has(scope, child));
    assert_string_equal(model_get(scope, "cgroup.subtree_control"), "");
    open_place(&c); /* and again */
    cgroups_close(&c);
}

static void test_group(void **state)
{
    struct cgroup_limits limits = {64 << 20, 100};
    struct cgroup_usage use;
    struct cgroup g = CGROUP_INIT;
    struct err e = ERR_INIT;
    struct cgroups c;
    char path[CGROUP_FILE_MAX];

    (void)state;
    open_place(&c);
    assert_int_equal(cgroup_make(&c, 5, &limits, &g, &e), 0);
    assert_int_equal(g.n_fds, 1);
    assert_int_equal(cgroup_path(path, sizeof path, c.memory, "s5"), 0);
    assert_string_equal(model_get(path, "memory.max"), "67108864");
    assert_string_equal(model_get(path, "memory.swap.max"), "0");
    assert_string_equal(model_get(path, "memory.oom.group"), "1");
    assert_string_equal(model_get(path, "pids.max"), "100");
    model_put(path, "memory.current", "4096\n");
    model_put(path, "memory.peak", "8192\n");
    model_put(path, "memory.events", "low 0\nhigh 1\nmax 22\noom 3\noom_kill 4\noom_group_kill 5\n");
    model_put(path, "pids.current", "3\n");
    model_put(path, "pids.events", "max 7\n");
    assert_int_equal(cgroup_usage(&c, 5, &use, &e), 0);
    assert_true(use.memory_bytes == 4096 && use.memory_peak_bytes == 8192 && use.memory_kills == 4);
    assert_true(use.processes == 3 && use.processes_refused == 7);
    cgroup_close(&g);
    assert_int_equal(cgroup_remove(&c, 5, 0, &e), 0);
    assert_false(model_exists(c.memory, "s5"));
    cgroups_close(&c);
}

/* A terminal's scope, with a shell: nobody is moved, the group is made beside it. */
static void test_others(void **state)
{
    struct cgroups c;

    (void)state;
    model_add(scope, getppid());
    open_place(&c);
    assert_null(base_in(scope));
    assert_non_null(base_in(slice));
    assert_string_equal(c.home, "");
    assert_true(model_has(scope, getpid()) && model_has(scope, child) && model_has(scope, getppid()));
    assert_string_equal(model_get(scope, "cgroup.subtree_control"), "");
    assert_string_equal(model_get(slice, "cgroup.subtree_control"), "memory pids");
    cgroups_close(&c);
    assert_null(base_in(slice));
    assert_string_equal(model_get(slice, "cgroup.subtree_control"), "memory pids");
    model_put(scope, "memory.max", "1073741824\n"); /* there, it would be a way around this */
    refused("other programs run in it");
    model_put(scope, "memory.max", "max\n");
    open_place(&c);
    cgroups_close(&c);
    model_add(scope, 0); /* somebody in another PID namespace */
    model_remove(scope, getppid());
    open_place(&c);
    assert_string_equal(c.home, "");
    cgroups_close(&c);
}

static void test_top(void **state)
{
    char line[TEXT_MAX];
    struct cgroups c;

    (void)state;
    /* A container: what it sees begins with its own group. */
    (void)snprintf(line, sizeof line, "30 24 0:26 /user.slice/run-u1.scope %s rw - cgroup2 cgroup rw\n", scope);
    model_put(proc, "self/mountinfo", line);
    model_add(scope, getppid());
    refused("other programs run in it");
    model_remove(scope, getppid());
    open_place(&c);
    assert_string_equal(c.home, scope);
    cgroups_close(&c);
    be_in("/../other.scope");
    refused("no control group file system");
    /* The real root may have processes. */
    (void)snprintf(line, sizeof line, "30 24 0:26 / %s rw - cgroup2 cgroup rw\n", top);
    model_put(proc, "self/mountinfo", line);
    be_in("/");
    model_add(top, getpid());
    model_add(top, child);
    model_put(top, "cgroup.subtree_control", "");
    open_place(&c);
    assert_string_equal(c.home, "");
    assert_non_null(base_in(top));
    cgroups_close(&c);
    assert_null(base_in(top));
    model_add(scope, getpid());
    model_add(scope, child);
}

static void test_some_controllers(void **state)
{
    struct cgroup_limits limits = {64 << 20, 100};
    struct cgroup g = CGROUP_INIT;
    struct cgroups c;
    struct err e = ERR_INIT;
    char path[CGROUP_FILE_MAX];

    (void)state;
    model_put(scope, "cgroup.controllers", "cpu pids\n");
    open_place(&c);
    assert_string_equal(c.memory, "");
    assert_int_equal(cgroup_make(&c, 1, &limits, &g, &e), 0);
    (void)snprintf(path, sizeof path, "%s/s1", c.processes);
    assert_string_equal(model_get(path, "pids.max"), "100");
    cgroup_close(&g);
    cgroups_close(&c);
    assert_null(base_in(scope));
    assert_true(model_has(scope, getpid()));
    assert_string_equal(model_get(scope, "cgroup.subtree_control"), "");
    model_put(scope, "cgroup.controllers", "cpu\n");
    model_put(slice, "cgroup.controllers", "cpu\n");
    refused("has no controllers");
}

/* Nothing half done stays. */
static void test_failures(void **state)
{
    struct cgroups c;

    (void)state;
    model_put(scope, "memory.max", "1073741824\n");
    model_refuse = "/" CGROUP_LEAF;
    refused("it belongs to somebody else");
    model_refuse = NULL;
    model_appears = getppid(); /* after the look at who is there */
    refused("other programs run in it");
    assert_true(model_has(scope, getppid()));
    model_remove(scope, getppid());
    open_place(&c);
    cgroups_close(&c);
}

/* One that was forked while the others were moved. */
static void test_forked_meanwhile(void **state)
{
    struct cgroups c;

    (void)state;
    model_remove(scope, child);
    model_appears = child;
    open_place(&c);
    assert_string_equal(c.home, scope);
    assert_false(model_populated(scope));
    cgroups_close(&c);
    assert_true(model_has(scope, child) && model_has(scope, getpid()));
}

static void test_builder_died(void **state)
{
    struct cgroup_limits limits = {64 << 20, 100};
    struct cgroup g = CGROUP_INIT;
    struct cgroups first, second;
    struct err e = ERR_INIT;
    char path[CGROUP_FILE_MAX];

    (void)state;
    open_place(&first);
    assert_int_equal(cgroup_make(&first, 3, &limits, &g, &e), 0);
    cgroup_close(&g);
    (void)snprintf(path, sizeof path, "%s/" CGROUP_LEAF, first.memory + strlen(top));
    be_in(path);
    open_place(&second);
    assert_string_equal(second.memory, first.memory);
    assert_string_equal(second.home, scope);
    assert_false(model_exists(second.memory, "s3"));
    cgroups_close(&second);
    assert_null(base_in(scope));
    assert_true(model_has(scope, getpid()) && model_has(scope, child));
}

static void test_left_over(void **state)
{
    char own[128], other[128], dead[CGROUP_PATH_MAX], elsewhere[CGROUP_PATH_MAX], path[CGROUP_FILE_MAX];
    struct cgroups c;

    (void)state;
    assert_int_equal(cgroup_server_name(getpid(), own, sizeof own), 0);
    assert_int_equal(cgroup_server_name(getppid(), other, sizeof other), 0);
    (void)snprintf(dead, sizeof dead, "%s/cellblock-%d-1%s", scope, (int)getppid(), strrchr(own, '-'));
    (void)snprintf(elsewhere, sizeof elsewhere, "%s/cellblock-%d-1-7", scope, (int)getppid());
    (void)snprintf(path, sizeof path, "%s/%s", scope, other);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(mkdir(dead, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/s4", dead);
    assert_int_equal(mkdir(path, 0700), 0);
    open_place(&c);
    assert_false(model_exists(dead, ""));
    assert_true(model_exists(scope, other));
    assert_true(model_exists(elsewhere, "")); /* another PID namespace's */
    cgroups_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delegated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_top, setup, teardown),
        cmocka_unit_test_setup_teardown(test_some_controllers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forked_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_builder_died, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_over, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
