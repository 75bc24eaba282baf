/* The command line and its variables, and what isolated sessions get of them. */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "../unit.h"

#define ARGS_MAX 12

static int clear(void **state)
{
    extern char **environ;

    (void)state;
    for (char **at = environ; *at;) {
        char name[100];
        size_t size = strcspn(*at, "=");

        if (strncmp(*at, "CELLBLOCK_", 10) != 0 || size >= sizeof name) {
            at++;
            continue;
        }
        memcpy(name, *at, size);
        name[size] = '\0';
        assert_int_equal(unsetenv(name), 0);
    }
    return 0;
}

static int parse(struct options *o, struct err *e, const char *const *args)
{
    char *argv[ARGS_MAX + 2] = {(char *)"cellblock"};
    int argc = 1;

    for (; args[argc - 1]; argc++)
        argv[argc] = (char *)args[argc - 1];
    *o = (struct options){0};
    *e = (struct err)ERR_INIT;
    return options_parse(argc, argv, o, e);
}

#define PARSE(...) parse(&o, &e, (const char *const[]){__VA_ARGS__, NULL})

static void test_commands(void **state)
{
    struct options o;
    struct err e;

    (void)state;
    assert_int_equal(parse(&o, &e, (const char *const[]){NULL}), 0);
    assert_int_equal(o.command, COMMAND_STDIO);
    assert_int_equal(PARSE("run", "-c", "--help"), 0); /* code, whatever it looks like */
    assert_int_equal(o.command, COMMAND_RUN);
    assert_string_equal(o.code, "--help");
    assert_int_equal(PARSE("cp", "-r", "abcdef:x", "y"), 0);
    assert_int_equal(o.command, COMMAND_CP);
    assert_true(o.recursive && strcmp(o.from, "abcdef:x") == 0 && strcmp(o.to, "y") == 0);
    assert_int_equal(PARSE("sessions"), 0);
    assert_int_equal(o.command, COMMAND_SESSIONS);
    assert_int_equal(PARSE("stdio", "--memory", "wrong", "--help"), 0);
    assert_int_equal(o.command, COMMAND_HELP);
    assert_int_equal(PARSE("cp", "x"), -EINVAL);
    assert_int_equal(PARSE("cp", "x", "y", "z"), -EINVAL);
    assert_int_equal(PARSE("cp", "--local", "x", "y"), -EINVAL);
    assert_int_equal(PARSE("sessions", "x"), -EINVAL);
    assert_int_equal(PARSE("stdio", "-r"), -EINVAL);
}

static void test_store(void **state)
{
    struct options o;
    struct err e;

    (void)state;
    assert_int_equal(setenv("CELLBLOCK_STORE", "/variable", 1), 0);
    assert_int_equal(setenv("CELLBLOCK_MEMORY", "wrong", 1), 0); /* no matter of this command */
    assert_int_equal(PARSE("store"), 0);
    assert_true(o.command == COMMAND_STORE && !o.action && o.store_bytes == 0);
    assert_string_equal(o.store, "/variable");
    assert_int_equal(PARSE("store", "--store=/typed", "empty", "--store-size", "20g"), 0);
    assert_string_equal(o.store, "/typed");
    assert_string_equal(o.action, "empty");
    assert_true(o.store_bytes == 20480 * MIB);
    assert_int_equal(setenv("CELLBLOCK_STORE", "", 1), 0);
    assert_int_equal(PARSE("store", "verify"), 0);
    assert_null(o.store);
    assert_int_equal(PARSE("store", "burn"), -EINVAL);
    assert_non_null(strstr(e.text, "list, empty or verify"));
    assert_int_equal(PARSE("store", "list", "list"), -EINVAL);
    assert_int_equal(PARSE("store", "--memory=1g"), -EINVAL);
    assert_int_equal(PARSE("store", "--store-size=1k"), -EINVAL);
    assert_int_equal(unsetenv("CELLBLOCK_MEMORY"), 0);
    assert_int_equal(PARSE("stdio", "--local", "--store=/x"), -EINVAL);
    assert_non_null(strstr(e.text, "--store"));
    assert_int_equal(PARSE("stdio", "--store=/x"), 0);
    assert_string_equal(o.store, "/x");
    options_fini(&o);
    assert_int_equal(unsetenv("CELLBLOCK_STORE"), 0);
}

static void test_limits(void **state)
{
    struct options o;
    struct isolation i;
    struct err e;

    (void)state;
    assert_int_equal(PARSE("stdio", "--memory=2g", "--workspace-size", "10m", "--tmp-size=5m", "--max-file-size=1m"),
                     0);
    assert_int_equal(options_isolation(&o, &i, &e), 0);
    assert_true(i.limits.memory_bytes == 2048 * MIB && i.limits.workspace_bytes == 10 * MIB);
    assert_true(i.limits.tmp_bytes == 5 * MIB && i.limits.file_bytes == MIB);
    options_fini(&o);
    assert_int_equal(PARSE("--processes", "50", "--open-files", "64", "--cpu-time=7", "--max-sessions=3"), 0);
    assert_int_equal(options_isolation(&o, &i, &e), 0);
    assert_true(i.limits.processes == 50 && i.limits.open_files == 64 && i.limits.cpu_seconds == 7);
    assert_true(o.max_sessions == 3 && i.limits.memory_bytes == 0 && i.network == NETWORK_NONE);
    assert_true(i.n_mounts == 0 && i.n_environment == 0 && i.required == TIER_NONE);
    options_fini(&o);
}

static void test_variables(void **state)
{
    struct options o;
    struct isolation i;
    struct err e;

    (void)state;
    assert_int_equal(setenv("CELLBLOCK_MEMORY", "128m", 1), 0);
    assert_int_equal(setenv("CELLBLOCK_CPU_TIME", "", 1), 0); /* as good as not set */
    assert_int_equal(setenv("CELLBLOCK_ENV", "A=1\n\nB=two, three\n", 1), 0);
    assert_int_equal(setenv("CELLBLOCK_MOUNT", "", 1), 0);
    assert_int_equal(setenv("CELLBLOCK_REQUIRE_ISOLATION", "full", 1), 0);
    assert_int_equal(PARSE("stdio"), 0);
    assert_int_equal(options_isolation(&o, &i, &e), 0);
    assert_true(i.limits.memory_bytes == 128 * MIB && i.limits.cpu_seconds == 0 && i.required == TIER_FULL);
    assert_int_equal(i.n_environment, 2);
    assert_string_equal(i.environment[0], "A=1");
    assert_string_equal(i.environment[1], "B=two, three");
    options_fini(&o);
    /* What is typed replaces what the environment says. */
    assert_int_equal(PARSE("stdio", "--memory=256m", "--env=C=3", "--env", "D=4", "--require-isolation=any"), 0);
    assert_int_equal(options_isolation(&o, &i, &e), 0);
    assert_true(i.limits.memory_bytes == 256 * MIB && i.required == TIER_NONE);
    assert_int_equal(i.n_environment, 2);
    assert_string_equal(i.environment[0], "C=3");
    assert_string_equal(i.environment[1], "D=4");
    options_fini(&o);
    /* A variable that is wrong stops what would use it, and nothing else. */
    assert_int_equal(setenv("CELLBLOCK_MEMORY", "lots", 1), 0);
    assert_int_equal(PARSE("stdio"), -EINVAL);
    assert_non_null(strstr(e.text, "CELLBLOCK_MEMORY"));
    options_fini(&o);
    assert_int_equal(PARSE("doctor"), 0);
    assert_int_equal(PARSE("cp", "abcdef:x", "y"), 0);
    assert_int_equal(PARSE("--help"), 0);
}

static void test_environment(void **state)
{
    struct options o;
    struct isolation i;
    struct err e;

    (void)state;
    assert_int_equal(setenv("UNIT_TEST_VALUE", "a=b", 1), 0);
    assert_int_equal(PARSE("--env", "UNIT_TEST_VALUE", "--env=EMPTY=", "--env=X=1", "--env=X=2", "--env=XX=3"), 0);
    assert_int_equal(options_isolation(&o, &i, &e), 0);
    assert_int_equal(i.n_environment, 4);
    assert_string_equal(i.environment[0], "UNIT_TEST_VALUE=a=b");
    assert_string_equal(i.environment[1], "EMPTY=");
    assert_string_equal(i.environment[2], "X=2"); /* the last one of a name counts */
    assert_string_equal(i.environment[3], "XX=3");
    options_fini(&o);
    assert_int_equal(unsetenv("UNIT_TEST_VALUE"), 0);
    assert_int_equal(PARSE("--env", "UNIT_TEST_VALUE"), -EINVAL);
    assert_non_null(strstr(e.text, "UNIT_TEST_VALUE=VALUE"));
    options_fini(&o);
    for (const char *const *bad = (const char *const[]){"", "=x", "1A=x", "A B=x", "A-B", NULL}; *bad; bad++) {
        assert_int_equal(PARSE("--env", *bad), -EINVAL);
        options_fini(&o);
    }
}

static void test_too_much(void **state)
{
    static char lines[OPTION_LIST_MAX * 2 + 10], big[70000] = "A=";
    struct options o;
    struct err e;

    (void)state;
    for (size_t i = 0; i < OPTION_LIST_MAX + 1; i++)
        (void)strcat(lines, "A\n");
    assert_int_equal(setenv("CELLBLOCK_ENV", lines, 1), 0);
    assert_int_equal(PARSE("stdio"), -E2BIG);
    options_fini(&o);
    assert_int_equal(unsetenv("CELLBLOCK_ENV"), 0);
    memset(big + 2, 'x', sizeof big - 3);
    assert_int_equal(PARSE("--env", big), -E2BIG);
    options_fini(&o);
}

static void test_mounts(void **state)
{
    struct options o;
    struct isolation i;
    struct err e;

    (void)state;
    assert_int_equal(PARSE("--mount", "/usr/bin:/data/bin", "--mount=/usr/lib:/data/lib:ro"), 0);
    assert_int_equal(options_isolation(&o, &i, &e), 0);
    assert_int_equal(i.n_mounts, 2);
    assert_string_equal(i.mounts[0].source, "/usr/bin");
    assert_string_equal(i.mounts[1].target, "/data/lib");
    options_fini(&o);
    /* What the sandbox has of its own, however it is written. */
    for (const char *const *bad = (const char *const[]){"/etc", "/usr//", "//proc/x", "/tmp/", "/a/../etc", "/", NULL};
         *bad; bad++) {
        char text[64] = "/usr/bin:";

        (void)strcat(text, *bad);
        assert_int_equal(PARSE("--mount", text), -EINVAL);
        assert_true(strncmp(e.text, "--mount: ", 9) == 0);
        options_fini(&o);
    }
    assert_int_equal(PARSE("--mount", "/usr/bin:/data", "--mount", "/usr/lib:/data"), -EINVAL);
    assert_non_null(strstr(e.text, "two things"));
    options_fini(&o);
    assert_int_equal(setenv("CELLBLOCK_MOUNT", "/usr/bin:/b\n/proc:/c", 1), 0);
    assert_int_equal(PARSE("stdio"), -EPERM);
    assert_true(strncmp(e.text, "CELLBLOCK_MOUNT /proc ", 22) == 0);
    options_fini(&o);
}

static void test_levels(void **state)
{
    static const char *const names[] = {"any", "landlock", "no-proc", "full"};
    struct options o;
    struct err e;

    (void)state;
    for (int level = 0; level < 4; level++) {
        assert_int_equal(PARSE("--require-isolation", names[level]), 0);
        assert_int_equal(o.isolation.required, level);
    }
    assert_int_equal(PARSE("--require-isolation", "none"), -EINVAL);
    assert_non_null(strstr(e.text, "--local"));
    assert_int_equal(PARSE("--require-isolation", "FULL"), -EINVAL);
    assert_int_equal(PARSE("--require-isolation", ""), -EINVAL);
}

/* Nothing that was asked for is dropped in silence. */
static void test_local(void **state)
{
    struct options o;
    struct isolation i;
    struct err e;

    (void)state;
    assert_int_equal(PARSE("--local", "--memory", "1g"), -EINVAL);
    assert_true(strncmp(e.text, "--memory ", 9) == 0);
    assert_int_equal(PARSE("run", "--local", "--network", "-c", "1"), -EINVAL);
    assert_int_equal(PARSE("--local", "--mount", "/usr/bin:/x"), -EINVAL);
    options_fini(&o);
    assert_int_equal(PARSE("--local", "--require-isolation", "any"), -EINVAL);
    assert_non_null(strstr(e.text, "contradict"));
    assert_int_equal(PARSE("--local", "--network=0"), 0);
    assert_int_equal(options_isolation(&o, &i, &e), -EINVAL);
    assert_int_equal(setenv("CELLBLOCK_LOCAL", "1", 1), 0);
    assert_int_equal(setenv("CELLBLOCK_TMP_SIZE", "1g", 1), 0);
    assert_int_equal(PARSE("stdio"), -EINVAL);
    assert_true(strncmp(e.text, "CELLBLOCK_TMP_SIZE ", 19) == 0);
    assert_int_equal(PARSE("--local=0"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_commands, clear),    cmocka_unit_test_setup(test_store, clear),
        cmocka_unit_test_setup(test_limits, clear),      cmocka_unit_test_setup(test_variables, clear),
        cmocka_unit_test_setup(test_environment, clear), cmocka_unit_test_setup(test_too_much, clear),
        cmocka_unit_test_setup(test_mounts, clear),      cmocka_unit_test_setup(test_levels, clear),
        cmocka_unit_test_setup(test_local, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
