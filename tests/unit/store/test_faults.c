/*
 * Every step that changes something fails once (linked with --wrap for each): the caller is told, and the store is as
 * whole as before. And a file system that knows no hard links.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

#define A ID("a")
#define B ID("b")

static int fail_at = -1, calls;
static int link_error; /* 0: links work */

static bool fails(void)
{
    if (calls++ != fail_at)
        return false;
    errno = ENOSPC;
    return true;
}

#define WRAP(name, parameters, arguments)                                                                              \
    int __real_##name parameters;                                                                                      \
    int __wrap_##name parameters;                                                                                      \
    int __wrap_##name parameters                                                                                       \
    {                                                                                                                  \
        return fails() ? -1 : __real_##name arguments;                                                                 \
    }

WRAP(mkdirat, (int at, const char *name, mode_t mode), (at, name, mode))
WRAP(renameat, (int at, const char *name, int to, const char *new_name), (at, name, to, new_name))
WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(fchmodat, (int at, const char *name, mode_t mode, int flags), (at, name, mode, flags))
WRAP(futimens, (int fd, const struct timespec times[2]), (fd, times))
WRAP(utimensat, (int at, const char *name, const struct timespec times[2], int flags), (at, name, times, flags))

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_linkat(int at, const char *name, int to, const char *new_name, int flags);
int __wrap_linkat(int at, const char *name, int to, const char *new_name, int flags);

/* cmocka writes too. */
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    return fd > 2 && fails() ? -1 : __real_write(fd, data, size);
}

int __wrap_linkat(int at, const char *name, int to, const char *new_name, int flags)
{
    if (link_error) {
        errno = link_error;
        return -1;
    }
    return fails() ? -1 : __real_linkat(at, name, to, new_name, flags);
}

/* A whole fetch. The step that failed, or 0. */
static int fetch(struct store *s)
{
    static const char *const wheels[] = {A, B};
    static const struct store_file file = {.path = "bin/python", .link = "/usr/bin/python3"};
    struct store_set_make make = {wheels, 2, &file, 1, "info"};
    autobuf struct buf overlaps = BUF_INIT;
    struct store_set *set = NULL;
    struct store_work *w = NULL;
    struct err e = ERR_INIT;
    char *damaged = NULL;
    int failed = 0, wanted = fail_at;

    if (store_work_begin(s, &w, &e) < 0)
        return 1;
    fail_at = -1; /* the sandbox's work is none of the store's */
    unpack(w, A, simple);
    unpack(w, B, simple);
    fail_at = wanted;
    if (store_publish_wheel(s, w, A, &e) < 0 || store_publish_wheel(s, w, B, &e) < 0)
        failed = 2;
    else if (store_make_set(s, w, &make, &set, &overlaps, &damaged, &e) < 0)
        failed = 3;
    else if (store_answer_put(s, "key", store_set_id(set), "text", &e) < 0)
        failed = 4;
    if (failed)
        assert_int_equal(e.code, ENOSPC);
    assert_null(damaged);
    store_set_close(set);
    store_work_end(w);
    return failed;
}

static void each_step_may_fail(void **state)
{
    bool seen[5] = {false};
    int n = 0, used;

    (void)state;
    do {
        struct store *s;
        char *text = NULL, id[STORE_ID_MAX];
        uint64_t freed;
        int failed;

        fail_at = -1;
        s = open_store(0);
        fail_at = n;
        calls = 0;
        failed = fetch(s);
        fail_at = -1;
        used = calls;
        seen[failed] = true;
        check_verified(s, count_entries(in("store/wheels")), count_entries(in("store/sets")), 0);
        assert_int_equal(count_entries(in("store/sets")), failed == 0 || failed == 4);
        assert_int_equal(store_answer_find(s, "key", -1, &text, id), failed == 0);
        free(text);
        assert_int_equal(fetch(s), 0); /* and it goes on */
        assert_int_equal(store_empty(s, &freed, NULL), 0);
        /* What could not be removed at once is removed by the next, when it is not young any more. */
        assert_true(count_entries(in("store/tmp")) <= 1);
        store_close(s);
        n++;
    } while (used > n || !seen[0]);
    for (int i = 0; i < 5; i++)
        assert_true(seen[i]);
}

static void without_hard_links_files_are_copied(void **state)
{
    static const int errors[] = {EMLINK, EPERM, EXDEV, EOPNOTSUPP};
    struct store *s = open_store(0);
    struct store_work *w;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(store_work_begin(s, &w, &e), 0);
    publish(s, w, A, simple);
    publish(s, w, B, simple);
    store_work_end(w);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct store_set *set;
        struct stat one, two;

        link_error = errors[i];
        set = make_set(s, (const char *const[]){A, B, NULL});
        link_error = 0;
        assert_int_equal(store_set_check(set, &e), 0);
        assert_int_equal(stat(in("store/sets/%s/tree/bin/tool", store_set_id(set)), &one), 0);
        assert_int_equal(stat(in("store/wheels/" A "/tree/bin/tool"), &two), 0);
        assert_true(one.st_ino != two.st_ino && one.st_mode == two.st_mode);
        check_text(in("store/sets/%s/tree/pkg/__init__.py", store_set_id(set)), "x = 1\n");
        store_set_close(set);
    }
    check_verified(s, 2, 4, 0);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_step_may_fail, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(without_hard_links_files_are_copied, scratch_set_up, scratch_tear_down),
    };

    return cmocka_run_group_tests_name("store faults", tests, NULL, NULL);
}
