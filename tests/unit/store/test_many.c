/*
 * Several processes in one store, and processes that are killed at any point: what is there is whole, always. The
 * points are random; what is asked for afterwards is not, so a failure is one of the store, not of the luck of the
 * draw.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"
#include "scratch.h"

#define A ID("a")
#define B ID("b")
#define N_WHEELS 4
#define ROUNDS 60
#define WORKERS 3

static const char *const wheel_ids[N_WHEELS] = {A, B, ID("c"), ID("d")};

/* ---- two at once ---- */

static void publisher(int go)
{
    struct store *s = open_store(0);
    struct store_work *w;
    char byte;

    if (store_work_begin(s, &w, NULL) < 0)
        _exit(2);
    unpack(w, A, simple);
    if (read(go, &byte, 1) != 0) /* until the parent closes it: all go at once */
        _exit(3);
    if (store_publish_wheel(s, w, A, NULL) < 0 || !store_has_wheel(s, w, A))
        _exit(4);
    store_set_close(make_set(s, (const char *const[]){A, NULL}));
    store_work_end(w);
    store_close(s);
    _exit(0);
}

static void the_same_wheel_at_once(void **state)
{
    struct store *s = open_store(0);

    (void)state;
    for (int round = 0; round < 20; round++) {
        pid_t pids[4];
        int go[2], status;
        uint64_t freed;

        assert_int_equal(pipe(go), 0);
        for (int i = 0; i < 4; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0) {
                (void)close(go[1]);
                publisher(go[0]);
            }
        }
        (void)close(go[0]);
        (void)close(go[1]);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_int_equal(status, 0);
        }
        check_verified(s, 1, 4, 0);
        assert_int_equal(count_entries(in("store/tmp")), 0);
        assert_int_equal(store_empty(s, &freed, NULL), 0);
    }
    store_close(s);
}

/* ---- killed ---- */

/* Does everything that a fetch does, again and again, in a store that holds less than that. */
static void worker(void)
{
    struct store *s = open_store(200 * KIB);
    char big[64 * 1024];
    const struct file files[] = {{"pkg/a.py", "a = 1\n", false}, {"pkg/b.txt", big, false}, {NULL, NULL, false}};

    memset(big, 'b', sizeof big);
    big[sizeof big - 1] = '\0';
    for (unsigned i = 0;; i++) {
        const char *wheels[2] = {wheel_ids[random_u64() % N_WHEELS], wheel_ids[random_u64() % N_WHEELS]};
        struct store_set_make make = {wheels, 2, NULL, 0, "x"};
        autobuf struct buf overlaps = BUF_INIT;
        struct store_set *set = NULL;
        struct store_work *w;
        char *damaged = NULL;
        uint64_t freed;

        if (store_work_begin(s, &w, NULL) < 0)
            _exit(2);
        for (int j = 0; j < 2; j++)
            if (!store_has_wheel(s, w, wheels[j]) && (wheels[0] != wheels[1] || j == 0)) {
                unpack(w, wheels[j], files);
                if (store_publish_wheel(s, w, wheels[j], NULL) < 0)
                    _exit(3);
            }
        if (store_make_set(s, w, &make, &set, &overlaps, &damaged, NULL) < 0)
            _exit(4); /* nothing is damaged here, and what a work holds stays */
        if (store_answer_put(s, "key", store_set_id(set), "x", NULL) < 0 || store_set_check(set, NULL) < 0)
            _exit(5);
        store_set_close(set);
        store_work_end(w);
        if (i % 3 == 2 && store_empty(s, &freed, NULL) < 0)
            _exit(6);
        if (store_collect(s) < 0)
            _exit(7);
    }
}

static void wait_us(unsigned us)
{
    const struct timespec time = {us / 1000000, (long)(us % 1000000) * 1000};

    (void)nanosleep(&time, NULL);
}

static void killed_at_any_point(void **state)
{
    struct store *s = open_store(0);
    pid_t pids[WORKERS] = {0};
    int status;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t *pid = &pids[round % WORKERS];
        struct store_verified sum;
        struct err e = ERR_INIT;

        if (*pid) {
            assert_int_equal(kill(*pid, SIGKILL), 0);
            assert_int_equal(waitpid(*pid, &status, 0), *pid);
            if (!WIFSIGNALED(status))
                fail_msg("a worker failed at step %d", WEXITSTATUS(status));
        }
        *pid = fork();
        if (*pid == 0)
            worker();
        wait_us((unsigned)(random_u64() % 20000));
        /* While the others go on. */
        if (round % 5 == 0 && store_verify(s, NULL, NULL, &sum, &e) < 0)
            fail_msg("%s", e.text);
        if (round % 5 == 0)
            assert_int_equal(sum.damaged, 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(kill(pids[i], SIGKILL), 0);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
    }
    check_verified(s, count_entries(in("store/wheels")), count_entries(in("store/sets")), 0);
    store_close(s);
}

/* What the dead left is no obstacle, and goes. */
static void the_store_goes_on_afterwards(void **state)
{
    struct store *s = open_store(0);
    struct store_work *w;
    struct err e = ERR_INIT;
    char set[STORE_ID_MAX], *text;
    uint64_t freed;

    (void)state;
    assert_int_equal(store_work_begin(s, &w, &e), 0);
    publish(s, w, A, simple);
    publish(s, w, B, simple);
    store_set_close(make_set(s, (const char *const[]){A, B, NULL}));
    store_work_end(w);
    if (store_answer_find(s, "key", -1, &text, set))
        free(text);
    assert_int_equal(store_empty(s, &freed, &e), 0);
    assert_int_equal(count_entries(in("store/wheels")) + count_entries(in("store/sets")), 0);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_wheel_at_once, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup(killed_at_any_point, scratch_set_up),
        cmocka_unit_test_teardown(the_store_goes_on_afterwards, scratch_tear_down),
    };

    return cmocka_run_group_tests_name("store many", tests, NULL, NULL);
}
