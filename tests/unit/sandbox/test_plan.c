/* Plans: what is in them, in which order, what is refused, and that they survive being packed. */
#include "sandbox/plan.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "../unit.h"

static const char *const prefixes[] = {"/opt/conda/envs/x", "/usr/local", "/opt/conda"};

static void make(const struct sandbox_config *config, struct plan *plan)
{
    struct err e = ERR_INIT;

    assert_int_equal(plan_make(config, plan, &e), 0);
    assert_string_equal(e.text, "");
}

/* The place of the first step of the kind whose target it is (NULL: any), or -1. */
static int place(const struct plan *plan, enum step_kind kind, const char *target)
{
    for (size_t i = 0; i < plan->n; i++)
        if (plan->steps[i].kind == kind && (!target || strcmp(plan->steps[i].target, target) == 0))
            return (int)i;
    return -1;
}

static void test_order(void **state)
{
    static const enum step_kind order[] = {
        STEP_PRIVATE,  STEP_ROOT,  STEP_BIND,     STEP_DEVICE, STEP_PROC,    STEP_HOSTNAME,
        STEP_LOOPBACK, STEP_PIVOT, STEP_READONLY, STEP_USER,   STEP_NESTING, STEP_SEAL,
    };
    struct sandbox_config config = {.tier = TIER_FULL};
    autoplan struct plan plan = PLAN_INIT;

    (void)state;
    make(&config, &plan);
    for (size_t i = 1; i < sizeof order / sizeof *order; i++)
        assert_true(place(&plan, order[i - 1], NULL) < place(&plan, order[i], NULL));
    assert_int_equal(place(&plan, STEP_PRIVATE, NULL), 0);
    assert_int_equal(place(&plan, STEP_SEAL, NULL), (int)plan.n - 1);
    /* Nothing is mounted once the host's root is gone. */
    for (size_t i = (size_t)place(&plan, STEP_PIVOT, NULL) + 1; i < plan.n; i++)
        assert_true(plan.steps[i].kind == STEP_READONLY || plan.steps[i].kind >= STEP_USER);
}

static void test_content(void **state)
{
    struct sandbox_config config = {.tier = TIER_FULL, .tmp_bytes = 1234, .inodes = 99};
    autoplan struct plan plan = PLAN_INIT;
    const int all = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET;

    (void)state;
    make(&config, &plan);
    assert_int_equal(plan.namespaces, all);
    for (size_t i = 0; i < plan.n; i++) {
        const struct step *s = &plan.steps[i];

        if (s->kind == STEP_BIND)
            assert_false(s->flags & STEP_WRITABLE);
        if (s->kind == STEP_TMPFS) {
            assert_true(s->size > 0);
            assert_int_equal(s->inodes, 99);
        }
    }
    assert_int_equal(plan.steps[place(&plan, STEP_TMPFS, "/tmp")].size, 1234);
    assert_int_equal(plan.steps[place(&plan, STEP_TMPFS, "/tmp")].mode, 01777);
    assert_true(place(&plan, STEP_TMPFS, "/dev/shm") > place(&plan, STEP_DIR, "/dev"));
    assert_true(place(&plan, STEP_TMPFS, SANDBOX_WORKSPACE) > 0 && place(&plan, STEP_DIR, SANDBOX_PACKAGES) > 0);
    assert_int_equal(place(&plan, STEP_DEVICE, "/dev/tty"), -1);
    assert_int_equal(place(&plan, STEP_DEVICE, "/dev/ptmx"), -1);
    assert_int_equal(place(&plan, STEP_BIND, "/etc"), -1);
    assert_int_equal(place(&plan, STEP_BIND, "/dev"), -1);
    assert_int_equal(place(&plan, STEP_BIND, "/etc/resolv.conf"), -1);
}

static void test_variants(void **state)
{
    struct sandbox_config config = {.tier = TIER_NO_PROC, .network = NETWORK_HOST};
    autoplan struct plan plan = PLAN_INIT;

    (void)state;
    make(&config, &plan);
    assert_false(plan.namespaces & CLONE_NEWNET);
    assert_int_equal(place(&plan, STEP_LOOPBACK, NULL), -1);
    assert_int_equal(place(&plan, STEP_PROC, NULL), -1);
    assert_true(place(&plan, STEP_DIR, "/proc") > 0);
    assert_true(place(&plan, STEP_BIND, "/etc/resolv.conf") >= (int)plan_count_shared(&plan));
}

static void test_shared(void **state)
{
    const struct sandbox_mount mounts[] = {{"/srv/out", "/data/in/out", true, false},
                                           {"/srv/in", "/data/in", false, false},
                                           {"/srv/t", "/tmp/t", false, false}};
    struct sandbox_config config = {
        .tier = TIER_FULL, .prefixes = prefixes, .n_prefixes = 3, .mounts = mounts, .n_mounts = 3};
    autoplan struct plan plan = PLAN_INIT;

    (void)state;
    make(&config, &plan);
    /* What lies below another comes after it; what /usr has is not shown again. */
    assert_true(place(&plan, STEP_BIND, "/opt/conda") > 0);
    assert_true(place(&plan, STEP_BIND, "/opt/conda/envs/x") > place(&plan, STEP_BIND, "/opt/conda"));
    assert_int_equal(place(&plan, STEP_BIND, "/usr/local"), -1);
    assert_true(place(&plan, STEP_BIND, "/data/in/out") > place(&plan, STEP_BIND, "/data/in"));
    assert_true(place(&plan, STEP_BIND, "/tmp/t") > place(&plan, STEP_TMPFS, "/tmp"));
    /* Only what the system has is mounted once for all sandboxes. */
    assert_true(place(&plan, STEP_BIND, "/usr") < (int)plan_count_shared(&plan));
    assert_true(place(&plan, STEP_DEVICE, "/dev/null") < (int)plan_count_shared(&plan));
    assert_true(place(&plan, STEP_BIND, "/opt/conda") >= (int)plan_count_shared(&plan));
    assert_true(place(&plan, STEP_BIND, "/data/in") >= (int)plan_count_shared(&plan));
    assert_true(place(&plan, STEP_BIND, "/data/in/out") >= (int)plan_count_shared(&plan));
    assert_true(place(&plan, STEP_PROC, "/proc") >= (int)plan_count_shared(&plan));
    assert_int_equal(plan.steps[place(&plan, STEP_BIND, "/data/in")].flags, 0);
    assert_int_equal(plan.steps[place(&plan, STEP_BIND, "/data/in/out")].flags, STEP_WRITABLE);
    assert_true(place(&plan, STEP_BIND, "/data/in/out") < place(&plan, STEP_PIVOT, NULL));
}

static void test_refused(void **state)
{
    static const struct sandbox_mount bad[] = {
        {"/srv", "data", false, false},
        {"srv", "/data", false, false},
        {"/srv", "/", false, false},
        {"/", "/data", false, false},
        {"/srv", "/proc/1", false, false},
        {"/srv", "/dev/null", false, false},
        {"/srv", "/data/../usr", false, false},
        {"/srv/./x", "/data", false, false},
        {"/srv", "/usr", false, false},
        {"/srv", "/etc", false, false},
        {"/srv", "/old/x", false, false},
        {"/srv", "/sys", false, false},
        {"/srv", "/tmp", true, false},
        {"/srv", SANDBOX_PACKAGES, false, false},
        {"/srv", "/data/..", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sandbox_config config = {.tier = TIER_FULL, .mounts = &bad[i], .n_mounts = 1};
        struct plan plan = PLAN_INIT;
        struct err e = ERR_INIT;

        assert_int_equal(plan_make(&config, &plan, &e), -EINVAL);
        assert_true(strlen(e.text) > 20);
        assert_null(plan.steps);
    }
}

/* Without namespaces: nothing is mounted; what can be read is a list, which is checked as the user that will read. */
static void test_wall(void **state)
{
    const struct sandbox_mount mounts[] = {{"/srv/in", "/srv/in", false, false}, {"/srv/out", "/srv/out", true, false}};
    struct sandbox_config config = {.tier = TIER_LANDLOCK,
                                    .prefixes = prefixes,
                                    .n_prefixes = 3,
                                    .mounts = mounts,
                                    .n_mounts = 2,
                                    .workspace_bytes = 1000,
                                    .tmp_bytes = 24,
                                    .inodes = 7};
    autoplan struct plan plan = PLAN_INIT;
    const char *readable[PLAN_TARGETS_MAX];
    size_t n;

    (void)state;
    make(&config, &plan);
    assert_int_equal(plan.namespaces, 0);
    assert_int_equal(place(&plan, STEP_HOME, NULL), 0);
    assert_int_equal(place(&plan, STEP_IDENTITY, NULL), 1);
    assert_int_equal(place(&plan, STEP_SEAL, NULL), (int)plan.n - 1);
    assert_int_equal(plan.steps[0].size, 1024);
    assert_int_equal(plan.steps[0].inodes, 14);
    for (size_t i = 0; i < plan.n; i++)
        assert_true(plan.steps[i].kind >= STEP_HOME || plan.steps[i].kind == STEP_SEAL);
    assert_true(place(&plan, STEP_READABLE, "/opt/conda") > 1 && place(&plan, STEP_READABLE, "/srv/in") > 1);
    assert_true(place(&plan, STEP_CHANGEABLE, "/srv/out") > 1);
    n = plan_targets(&plan, STEP_READABLE, readable, PLAN_TARGETS_MAX);
    assert_in_range(n, 20, PLAN_TARGETS_MAX - 1);
    for (size_t i = 0; i < n; i++) { /* these would show everything */
        static const char *const never[] = {"/",    "/etc", "/proc",       "/proc/self",       "/dev",    "/dev/shm",
                                            "/tmp", "/sys", "/etc/passwd", "/etc/resolv.conf", "/srv/out"};

        for (size_t j = 0; j < sizeof never / sizeof *never; j++)
            assert_string_not_equal(readable[i], never[j]);
    }
    assert_int_equal(plan_targets(&plan, STEP_READABLE, readable, 3), 3);
}

static void test_wall_refused(void **state)
{
    static const struct sandbox_mount bad[] = {
        {"/srv", "/data", false, false},   {"/", "/", false, false},
        {"/proc", "/proc", false, false},  {"/etc", "/etc", false, false},
        {"/tmp", "/tmp", true, false},     {"srv", "srv", false, false},
        {"/run/x", "/run/x", true, false}, {"/srv/..", "/srv/..", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sandbox_config config = {.tier = TIER_LANDLOCK, .mounts = &bad[i], .n_mounts = 1};
        struct plan plan = PLAN_INIT;
        struct err e = ERR_INIT;

        assert_int_equal(plan_make(&config, &plan, &e), -EINVAL);
        assert_true(strlen(e.text) > 20);
        assert_null(plan.steps);
    }
}

static void test_same_place(void **state)
{
    const struct sandbox_mount same[] = {{"/a", "/data", false, false}, {"/a", "/data", false, false}};
    const struct sandbox_mount other[] = {{"/a", "/data", false, false}, {"/b", "/data", false, false}};
    struct sandbox_config config = {.tier = TIER_FULL, .mounts = same, .n_mounts = 2};
    autoplan struct plan plan = PLAN_INIT;
    struct plan none = PLAN_INIT;
    struct err e = ERR_INIT;

    (void)state;
    make(&config, &plan);
    config.mounts = other;
    assert_int_equal(plan_make(&config, &none, &e), -EINVAL);
    assert_non_null(strstr(e.text, "/data"));
}

static void check_packed(enum sandbox_tier tier)
{
    struct sandbox_config config = {.tier = tier, .prefixes = prefixes, .n_prefixes = 3};
    autoplan struct plan plan = PLAN_INIT;
    autoplan struct plan back = PLAN_INIT;
    autobuf struct buf bytes = BUF_INIT;

    make(&config, &plan);
    assert_int_equal(plan_pack(&plan, &bytes), 0);
    assert_int_equal(plan_unpack(buf_begin(&bytes), bytes.len, &back), 0);
    assert_int_equal(back.n, plan.n);
    assert_int_equal(back.namespaces, plan.namespaces);
    for (size_t i = 0; i < plan.n; i++) {
        const struct step *a = &plan.steps[i], *b = &back.steps[i];

        assert_true(a->kind == b->kind && a->flags == b->flags && a->mode == b->mode && a->size == b->size);
        assert_int_equal(a->inodes, b->inodes);
        assert_true((!a->source && !b->source) || strcmp(a->source, b->source) == 0);
        assert_true((!a->target && !b->target) || strcmp(a->target, b->target) == 0);
    }
    /* Cut anywhere it is none, and nothing leaks or is read past the end (that is for the sanitizers). */
    for (size_t size = 0; size < bytes.len; size++) {
        struct plan none = PLAN_INIT;
        char *cut = malloc(size ? size : 1);

        memcpy(cut, buf_begin(&bytes), size);
        assert_int_equal(plan_unpack(cut, size, &none), -EBADMSG);
        assert_null(none.steps);
        free(cut);
    }
}

static void test_packed(void **state)
{
    (void)state;
    check_packed(TIER_FULL);
    check_packed(TIER_LANDLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),  cmocka_unit_test(test_content), cmocka_unit_test(test_variants),
        cmocka_unit_test(test_shared), cmocka_unit_test(test_refused), cmocka_unit_test(test_same_place),
        cmocka_unit_test(test_packed), cmocka_unit_test(test_wall),    cmocka_unit_test(test_wall_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
