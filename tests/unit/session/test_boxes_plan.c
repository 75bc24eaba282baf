/* What isolated code is shown and given: pure functions, tried without a sandbox. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "kernel/wire.h"
#include "session/boxes_impl.h"
#include "session/zygote.h"

static char root[64], base[128], venv[128], executable[160];

static int set_up(void **state)
{
    char path[160], real[192];

    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/test-boxes-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    (void)snprintf(base, sizeof base, "%s/python-3.12.1", root);
    (void)snprintf(venv, sizeof venv, "%s/venv", root);
    (void)snprintf(executable, sizeof executable, "%s/bin/python", venv);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s", i ? venv : base);
        (void)mkdir(path, 0755);
        (void)snprintf(path, sizeof path, "%s/bin", i ? venv : base);
        (void)mkdir(path, 0755);
        (void)snprintf(path, sizeof path, "%s/lib", i ? venv : base);
        (void)mkdir(path, 0755);
    }
    /* As uv has it: the version's directory has a shorter name too, by which the venv knows it. */
    (void)snprintf(path, sizeof path, "%s/python-3.12", root);
    (void)snprintf(real, sizeof real, "%s/bin/python", path);
    return symlink("python-3.12.1", path) < 0 || symlink(real, executable) < 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static bool shows(const struct plan *plan, const char *source, const char *target)
{
    for (size_t i = 0; i < plan->n; i++)
        if (plan->steps[i].kind == STEP_BIND && strcmp(plan->steps[i].target, target) == 0)
            return strcmp(plan->steps[i].source, source) == 0 && !(plan->steps[i].flags & STEP_WRITABLE);
    return false;
}

static struct interpreter interpreter(void)
{
    return (struct interpreter){.executable = executable, .prefix = venv, .base_prefix = base};
}

static void test_environment_is_shown(void **state)
{
    struct isolation isolation = {.n_mounts = 0};
    struct interpreter python = interpreter();
    autoplan struct plan plan = PLAN_INIT;
    struct err e = ERR_INIT;
    char alias[128];

    (void)state;
    assert_int_equal(boxes_make_plan(&isolation, TIER_FULL, &python, NULL, &plan, &e), 0);
    assert_true(shows(&plan, venv, venv));
    assert_true(shows(&plan, base, base));
    (void)snprintf(alias, sizeof alias, "%s/python-3.12", root);
    assert_true(shows(&plan, base, alias)); /* the link is followed by who starts the venv's python */
    assert_false(shows(&plan, root, root));
    assert_int_equal(plan.memory_bytes, LIMIT_BOX_MEMORY);
}

static void test_home_is_not(void **state)
{
    struct isolation isolation = {.n_mounts = 0};
    struct interpreter python = interpreter();
    autoplan struct plan plan = PLAN_INIT;
    struct err e = ERR_INIT;
    char *home = getenv("HOME"), *kept = home ? strdup(home) : NULL, below[160];

    (void)state;
    (void)snprintf(below, sizeof below, "%s/work", venv);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setenv("HOME", i ? below : venv, 1), 0);
        assert_int_equal(boxes_make_plan(&isolation, TIER_FULL, &python, NULL, &plan, &e), -EINVAL);
        assert_non_null(strstr(e.text, "--python"));
    }
    if (kept)
        (void)setenv("HOME", kept, 1);
    free(kept);
}

static void test_nobody_writes_to_python(void **state)
{
    struct sandbox_mount mounts[] = {{base, "/data", true, false}};
    struct isolation isolation = {.mounts = mounts, .n_mounts = 1};
    struct interpreter python = interpreter();
    autoplan struct plan plan = PLAN_INIT;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(boxes_make_plan(&isolation, TIER_FULL, &python, NULL, &plan, &e), -EPERM);
    mounts[0].source = root;
    assert_int_equal(boxes_make_plan(&isolation, TIER_FULL, &python, NULL, &plan, &e), -EPERM);
    mounts[0].writable = false;
    assert_int_equal(boxes_make_plan(&isolation, TIER_FULL, &python, NULL, &plan, &e), 0);
}

static void test_environment_variables(void **state)
{
    const char *const set[] = {"HOME=/data", "TOKEN=x"};
    struct isolation isolation = {.environment = set, .n_environment = 2};
    char **list;
    int homes = 0, tokens = 0;

    (void)state;
    assert_int_equal(setenv("CELLBLOCK_TEST_SECRET", "secret", 1), 0);
    list = boxes_make_environment(&isolation);
    for (char **at = list; *at; at++) {
        assert_null(strstr(*at, "secret"));
        homes += strncmp(*at, "HOME=", 5) == 0;
        tokens += strcmp(*at, "TOKEN=x") == 0;
    }
    assert_int_equal(homes, 1);
    assert_int_equal(tokens, 1);
    boxes_free_environment(list);
}

static uint64_t limit_of(const struct buf *text, int resource)
{
    struct zy_isolation head;

    memcpy(&head, buf_begin(text), sizeof head);
    for (uint32_t i = 0; i < head.n_limits; i++) {
        struct zy_limit limit;

        memcpy(&limit, buf_begin(text) + sizeof head + i * sizeof limit, sizeof limit);
        if (limit.resource == resource)
            return limit.value;
    }
    return 0;
}

static void test_limits(void **state)
{
    struct sandbox_mount mounts[] = {{"/srv", "/data", true, false}, {"/srv", "/more", false, false}};
    struct isolation isolation = {
        .mounts = mounts, .n_mounts = 2, .limits = {.processes = 7, .memory_bytes = 64 * MIB}};
    struct isolation_level level = {.tier = TIER_FULL, .landlock = true};
    autobuf struct buf text = BUF_INIT, wider = BUF_INIT;
    struct zy_isolation head;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(boxes_make_entering(&isolation, &level, NULL, &text, &e), 0);
    memcpy(&head, buf_begin(&text), sizeof head);
    assert_int_equal(head.landlock, 1);
    assert_int_equal(head.writable_size, sizeof "/data");
    assert_true(head.filter_size > 100);
    assert_int_equal(limit_of(&text, RLIMIT_NPROC), 7);
    assert_int_equal(limit_of(&text, RLIMIT_NOFILE), LIMIT_BOX_OPEN_FILES);
    assert_int_equal(limit_of(&text, RLIMIT_DATA), 64 * MIB);
    level.memory = true; /* a control group counts what is used: what is asked for may be more */
    assert_int_equal(boxes_make_entering(&isolation, &level, NULL, &wider, &e), 0);
    assert_true(limit_of(&wider, RLIMIT_DATA) > 64 * MIB);
}

/* Without namespaces what can be read is told too, from the plan. */
static void test_entering_plain(void **state)
{
    struct isolation isolation = {.network = NETWORK_NONE};
    struct isolation_level level = {.tier = TIER_LANDLOCK, .landlock = true};
    struct sandbox_config config = {.tier = TIER_LANDLOCK};
    autoplan struct plan plan = PLAN_INIT;
    autobuf struct buf text = BUF_INIT;
    struct zy_isolation head;
    const char *readable;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(plan_make(&config, &plan, &e), 0);
    assert_int_equal(boxes_make_entering(&isolation, &level, &plan, &text, &e), 0);
    memcpy(&head, buf_begin(&text), sizeof head);
    assert_int_equal(head.writable_size, 0);
    assert_true(head.readable_size > 100);
    readable = buf_begin(&text) + sizeof head + head.n_limits * sizeof(struct zy_limit);
    assert_string_equal(readable, "/usr");
    assert_int_equal(readable[head.readable_size - 1], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_environment_is_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_home_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_writes_to_python, set_up, tear_down),
        cmocka_unit_test(test_environment_variables),
        cmocka_unit_test(test_entering_plain),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
