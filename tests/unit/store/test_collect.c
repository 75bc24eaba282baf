/* Collecting: what goes, in which order, and what has to stay. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "scratch.h"

#define A ID("a")
#define B ID("b")
#define C ID("c")

static char *filler; /* 300 KiB */

static int set_up(void **state)
{
    filler = xcalloc(1, 300 * KIB + 1);
    memset(filler, 'f', 300 * KIB);
    return scratch_set_up(state);
}

static int tear_down(void **state)
{
    free(filler);
    return scratch_tear_down(state);
}

/* Wheels of 300 KiB, each with a set of its own; returns the sets' ids. */
static void fill(struct store *s, char ids[3][STORE_ID_MAX])
{
    static const char *const wheels[] = {A, B, C};
    struct store_work *w;
    struct err e = ERR_INIT;

    for (int i = 0; i < 3; i++) {
        const struct file files[] = {{"big", filler, false}, {NULL, NULL, false}};
        struct store_set *set;

        filler[0] = (char)('0' + i);
        assert_int_equal(store_work_begin(s, &w, &e), 0);
        publish(s, w, wheels[i], files);
        store_work_end(w);
        set = make_set(s, (const char *const[]){wheels[i], NULL});
        (void)snprintf(ids[i], STORE_ID_MAX, "%s", store_set_id(set));
        store_set_close(set);
        make_old("wheels", wheels[i], 5000 - 1000 * i);
        make_old("sets", ids[i], 5000 - 1000 * i);
    }
}

static bool has_set(const char *id)
{
    return access(in("store/sets/%s", id), F_OK) == 0;
}

static void the_oldest_goes_first(void **state)
{
    struct store *s = open_store(800 * KIB);
    char ids[3][STORE_ID_MAX];

    (void)state;
    fill(s, ids);
    make_old("sets", ids[0], 10); /* used just now, and its wheel with it */
    assert_int_equal(store_collect(s), 0);
    assert_true(has_set(ids[0]) && !has_set(ids[1]) && has_set(ids[2]));
    assert_true(store_has_wheel(s, NULL, A) && !store_has_wheel(s, NULL, B) && store_has_wheel(s, NULL, C));
    assert_int_equal(count_entries(in("store/tmp")), 0);
    assert_int_equal(store_collect(s), 0); /* it fits now */
    assert_true(has_set(ids[0]) && has_set(ids[2]));
    check_verified(s, 2, 2, 0);
    store_close(s);
}

static void what_was_used_a_moment_ago_stays(void **state)
{
    struct store *s = open_store(1);
    char ids[3][STORE_ID_MAX];
    struct store_set *set;
    struct err e = ERR_INIT;

    (void)state;
    fill(s, ids);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_set_open(s, ids[i], &set, &e), 0); /* that is a use */
        store_set_close(set);
    }
    assert_int_equal(store_collect(s), 0);
    assert_true(has_set(ids[0]) && has_set(ids[1]) && has_set(ids[2]));
    make_old("sets", ids[1], 61);
    make_old("sets", ids[2], -86400); /* a clock that was set back since */
    assert_int_equal(store_collect(s), 0);
    assert_true(has_set(ids[0]) && !has_set(ids[1]) && !has_set(ids[2]));
    store_close(s);
}

static void a_wheel_stays_as_long_as_a_set_has_it(void **state)
{
    struct store *s = open_store(1);
    char ids[3][STORE_ID_MAX];
    struct store_set *set;
    struct err e = ERR_INIT;

    (void)state;
    fill(s, ids);
    assert_int_equal(store_set_open(s, ids[0], &set, &e), 0);
    assert_int_equal(store_collect(s), 0);
    assert_true(has_set(ids[0]) && store_has_wheel(s, NULL, A)); /* removing it would free nothing */
    assert_false(has_set(ids[1]) || has_set(ids[2]) || store_has_wheel(s, NULL, B) || store_has_wheel(s, NULL, C));
    assert_int_equal(store_set_check(set, &e), 0);
    store_set_close(set);
    store_close(s);
}

static void nothing_is_counted_twice(void **state)
{
    struct store *s = open_store(2 * MIB);
    char ids[3][STORE_ID_MAX];
    struct store_list list;
    struct err e = ERR_INIT;
    struct store_set *sets[5];

    (void)state;
    fill(s, ids);
    for (int i = 0; i < 5; i++)
        sets[i] = make_set(s, (const char *const[]){A, B, C, NULL});
    assert_int_equal(store_list(s, &list, &e), 0);
    assert_true(list.n_sets == 8 && list.n_wheels == 3);
    assert_true(list.bytes > 900 * KIB && list.bytes < 1200 * KIB);
    assert_true(list.sets[0].bytes > 900 * KIB && list.sets[0].n_wheels == 3 && list.sets[0].in_use);
    assert_true(list.sets[7].bytes > 300 * KIB && list.sets[7].bytes < 350 * KIB && !list.sets[7].in_use);
    assert_string_equal(list.sets[7].id, ids[0]);
    assert_string_equal(list.sets[7].info, "made by a test");
    assert_true(list.sets[7].used_ms / 1000 <= time(NULL) - 5000);
    store_list_fini(&list);
    assert_int_equal(store_collect(s), 0);
    assert_true(has_set(ids[0]));
    for (int i = 0; i < 5; i++)
        store_set_close(sets[i]);
    store_close(s);
}

/* ---- other processes ---- */

struct holder {
    pid_t pid;
    int wake;
};

/* Another process that has a set open, or holds a wheel for a set it is about to make, until it is ended. */
static struct holder hold(const char *set, const char *wheel)
{
    int ready[2], wake[2], status = 0;
    struct holder h;
    char byte;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(wake), 0);
    h.pid = fork();
    assert_true(h.pid >= 0);
    if (h.pid == 0) {
        struct store *s = open_store(0);
        struct store_set *opened;
        struct store_work *w;

        (void)close(wake[1]);
        if (set && store_set_open(s, set, &opened, NULL) < 0)
            _exit(1);
        if (wheel && (store_work_begin(s, &w, NULL) < 0 || !store_has_wheel(s, w, wheel)))
            _exit(1);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        status = (int)read(wake[0], &byte, 1); /* to the end, also when the test dies */
        _exit(status);
    }
    (void)close(ready[1]);
    (void)close(wake[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    h.wake = wake[1];
    return h;
}

static void end(struct holder h)
{
    int status;

    assert_int_equal(kill(h.pid, SIGKILL), 0);
    assert_int_equal(waitpid(h.pid, &status, 0), h.pid);
    (void)close(h.wake);
}

/* From one process to another: nobody has it open in between. */
static void what_a_socket_holds_stays(void **state)
{
    struct store *s = open_store(1);
    struct store_set *set;
    char ids[3][STORE_ID_MAX];
    uint64_t freed;
    int ends[2];
    struct err e = ERR_INIT;

    (void)state;
    fill(s, ids);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(store_set_open(s, ids[0], &set, &e), 0);
    assert_int_equal(store_set_hold(set, ends[1]), 0);
    store_set_close(set);
    assert_int_equal(close(ends[1]), 0);
    make_old("sets", ids[0], 1000);
    assert_int_equal(store_collect(s), 0);
    assert_int_equal(store_empty(s, &freed, &e), 0);
    assert_true(has_set(ids[0]) && !has_set(ids[1]) && !has_set(ids[2]));
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(store_empty(s, &freed, &e), 0);
    assert_false(has_set(ids[0]));
    store_close(s);
}

static void what_another_process_has_stays(void **state)
{
    struct store *s = open_store(1);
    char ids[3][STORE_ID_MAX];
    struct holder set, wheel;
    uint64_t freed;
    struct err e = ERR_INIT;

    (void)state;
    fill(s, ids);
    set = hold(ids[0], NULL);
    wheel = hold(NULL, B);
    make_old("sets", ids[0], 1000);
    make_old("wheels", B, 1000);
    assert_int_equal(store_collect(s), 0);
    assert_true(has_set(ids[0]) && store_has_wheel(s, NULL, A));
    assert_true(!has_set(ids[1]) && store_has_wheel(s, NULL, B));
    assert_true(!has_set(ids[2]) && !store_has_wheel(s, NULL, C));
    assert_int_equal(store_empty(s, &freed, &e), 0);
    assert_true(has_set(ids[0]) && store_has_wheel(s, NULL, A) && store_has_wheel(s, NULL, B));
    check_verified(s, 2, 1, 0);
    end(set);
    end(wheel);
    assert_int_equal(store_collect(s), 0);
    assert_int_equal(count_entries(in("store/sets")) + count_entries(in("store/wheels")), 0);
    assert_int_equal(count_entries(in("store/tmp")), 0);
    store_close(s);
}

/* ---- answers, caches, all ---- */

static void answers_go_with_their_set(void **state)
{
    const struct timespec old[2] = {{1000, 0}, {1000, 0}};
    struct store *s = open_store(700 * KIB);
    char ids[3][STORE_ID_MAX], *text, set[STORE_ID_MAX];
    struct err e = ERR_INIT;

    (void)state;
    fill(s, ids);
    assert_int_equal(store_answer_put(s, "key", ids[0], "first", &e), 0);
    assert_int_equal(store_answer_put(s, "another", ids[2], "last", &e), 0);
    for (const char *const *name =
             (const char *const[]){"2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683",
                                   "ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5", NULL};
         *name; name++)
        assert_int_equal(utimensat(AT_FDCWD, in("store/answers/%s", *name), old, 0), 0);
    write_file(in("store/answers/.half"), "x");
    assert_int_equal(utimensat(AT_FDCWD, in("store/answers/.half"), old, 0), 0);
    write_file(in("store/answers/.young"), "x");
    assert_int_equal(store_collect(s), 0);
    assert_false(has_set(ids[0]));
    assert_int_equal(store_answer_find(s, "key", -1, &text, set), 0);
    assert_int_equal(store_answer_find(s, "another", -1, &text, set), 1);
    free(text);
    assert_int_equal(count_entries(in("store/answers")), 2);
    store_close(s);
}

static void caches_are_bounded(void **state)
{
    struct store *s = open_store(1 * MIB);
    struct store_work *w;
    struct err e = ERR_INIT;
    char deep[1000];

    (void)state;
    assert_int_equal(store_work_begin(s, &w, &e), 0);
    write_file(in("store/cache/uv/simple/x"), filler);
    (void)snprintf(deep, sizeof deep, "%s", in("store/cache/pip"));
    for (int i = 0; i < 100; i++)
        (void)strcat(deep, "/d");
    make_dirs(deep, false);
    assert_int_equal(store_collect(s), 0); /* a work may be using them */
    assert_int_equal(count_entries(in("store/cache")), 2);
    store_work_end(w);
    assert_int_equal(store_collect(s), 0);
    assert_int_equal(count_entries(in("store/cache")), 0);
    assert_int_equal(count_entries(in("store/tmp")), 0);
    write_file(in("store/cache/uv/simple/x"), "small");
    assert_int_equal(store_collect(s), 0);
    assert_int_equal(count_entries(in("store/cache")), 1);
    /* Ended in the middle of emptying it: the next one makes it anew. */
    assert_int_equal(rename(in("store/cache"), in("gone")), 0);
    assert_int_equal(store_work_begin(s, &w, &e), 0);
    assert_int_equal(count_entries(in("store/cache")), 0);
    store_work_end(w);
    store_close(s);
}

static void all_goes(void **state)
{
    struct store *s = open_store(0);
    char ids[3][STORE_ID_MAX];
    struct err e = ERR_INIT;
    uint64_t freed = 0;

    (void)state;
    fill(s, ids);
    make_old("sets", ids[1], 0);
    assert_int_equal(store_answer_put(s, "key", ids[0], "x", &e), 0);
    write_file(in("store/cache/uv/x"), filler);
    assert_int_equal(store_empty(s, &freed, &e), 0);
    assert_true(freed > 1200 * KIB && freed < 1500 * KIB);
    for (const char *const *part = (const char *const[]){"wheels", "sets", "answers", "tmp", "cache", NULL}; *part;
         part++)
        assert_int_equal(count_entries(in("store/%s", *part)), 0);
    assert_int_equal(store_empty(s, &freed, &e), 0);
    assert_int_equal(freed, 0);
    store_close(s);
}

static void what_cannot_be_read_goes(void **state)
{
    struct store *s = open_store(0);
    char ids[3][STORE_ID_MAX];
    struct holder user;

    (void)state;
    fill(s, ids);
    assert_int_equal(unlink(in("store/sets/%s/about", ids[0])), 0);
    assert_int_equal(unlink(in("store/sets/%s/lock", ids[0])), 0);
    user = hold(ids[1], NULL);
    assert_int_equal(unlink(in("store/sets/%s/about", ids[1])), 0);
    assert_int_equal(unlink(in("store/wheels/" C "/about")), 0);
    write_file(in("store/wheels/.DS_Store"), ""); /* not ours */
    assert_int_equal(store_collect(s), 0);
    assert_true(!has_set(ids[0]) && has_set(ids[1]) && has_set(ids[2]));
    assert_true(store_has_wheel(s, NULL, A) && !store_has_wheel(s, NULL, C));
    end(user);
    assert_int_equal(store_collect(s), 0);
    assert_false(has_set(ids[1]));
    store_close(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_goes_first),
        TEST(what_was_used_a_moment_ago_stays),
        TEST(a_wheel_stays_as_long_as_a_set_has_it),
        TEST(nothing_is_counted_twice),
        TEST(what_another_process_has_stays),
        TEST(what_a_socket_holds_stays),
        TEST(answers_go_with_their_set),
        TEST(caches_are_bounded),
        TEST(all_goes),
        TEST(what_cannot_be_read_goes),
    };

    return cmocka_run_group_tests_name("store collect", tests, NULL, NULL);
}
