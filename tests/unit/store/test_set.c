/* Sets: what they hold, what overlaps, and how damage is found. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "scratch.h"
#include "store/file.h"

#define A ID("a")
#define B ID("b")
#define C ID("c")

static struct store *s;
static struct store_work *w;

static int set_up(void **state)
{
    struct err e = ERR_INIT;

    (void)scratch_set_up(state);
    s = open_store(0);
    return store_work_begin(s, &w, &e);
}

static int tear_down(void **state)
{
    store_work_end(w);
    assert_int_equal(count_entries(in("store/tmp")), 0);
    store_close(s);
    return scratch_tear_down(state);
}

static const char *in_set(const struct store_set *set, const char *name)
{
    static char paths[4][900];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", store_set_tree(set), name);
    return path;
}

/* ---- making ---- */

static void a_set_is_all_of_its_wheels(void **state)
{
    static const struct file other[] = {
        {"pkg2/__init__.py", "y = 2\n", false}, {"pkg/sub/z.py", "", false}, {NULL, NULL, false}};
    struct store_set *set, *again;
    struct stat one, two;
    struct err e = ERR_INIT;

    (void)state;
    publish(s, w, A, simple);
    unpack(w, B, (const struct file[]){other[1], other[0], other[2]});
    assert_int_equal(store_publish_wheel(s, w, B, &e), 0);
    set = make_set(s, (const char *const[]){A, B, NULL});
    check_text(in_set(set, "pkg/__init__.py"), "x = 1\n");
    check_text(in_set(set, "pkg2/__init__.py"), "y = 2\n");
    check_text(in_set(set, "pkg/sub/z.py"), "");
    check_text(in_set(set, "pyvenv.cfg"), "home = /usr/bin\n");
    assert_int_equal(stat(in_set(set, "pkg/__init__.py"), &one), 0);
    assert_int_equal(stat(in("store/wheels/" A "/tree/pkg/__init__.py"), &two), 0);
    assert_int_equal(one.st_ino, two.st_ino);
    assert_int_equal(stat(in_set(set, "pkg/sub"), &one), 0);
    assert_int_equal(one.st_mode, S_IFDIR | 0555);
    assert_int_equal(store_set_n_wheels(set), 2);
    assert_string_equal(store_set_wheel(set, 0), A);
    assert_string_equal(store_set_wheel(set, 1), B);
    assert_string_equal(store_set_info(set), "made by a test");
    assert_int_equal(store_set_check(set, &e), 0);
    assert_int_equal(store_set_open(s, store_set_id(set), &again, &e), 0);
    assert_string_equal(store_set_tree(again), store_set_tree(set));
    store_set_close(again);
    store_set_close(set);
    check_verified(s, 2, 1, 0);
    store_set_close(NULL);
    assert_int_equal(store_set_open(s, "nosuchset", &again, &e), -ENOENT);
    assert_int_equal(store_set_open(s, "../wheels", &again, &e), -ENOENT);
}

static void a_set_of_nothing(void **state)
{
    struct store_set *set = make_set(s, (const char *const[]){NULL});

    (void)state;
    assert_int_equal(store_set_check(set, NULL), 0);
    assert_int_equal(store_set_n_wheels(set), 0);
    store_set_close(set);
    check_verified(s, 0, 1, 0);
}

/* Python looks at a directory anew when its time differs from the one it saw. */
static void directories_of_two_sets_differ_in_time(void **state)
{
    struct store_set *one, *two;
    struct stat first, second;

    (void)state;
    publish(s, w, A, simple);
    one = make_set(s, (const char *const[]){A, NULL});
    two = make_set(s, (const char *const[]){A, NULL});
    assert_int_equal(stat(in_set(one, "pkg"), &first), 0);
    assert_int_equal(stat(in_set(two, "pkg"), &second), 0);
    assert_true(first.st_mtim.tv_sec != second.st_mtim.tv_sec || first.st_mtim.tv_nsec != second.st_mtim.tv_nsec);
    store_set_close(one);
    store_set_close(two);
}

static void files_of_no_wheel(void **state)
{
    static const struct file wheel[] = {
        {"bin/python", "evil", true}, {"pyvenv.cfg", "evil", false}, {NULL, NULL, false}};
    const char *wheels[] = {A};
    struct store_file files[] = {{.path = "bin/python", .link = "/usr/bin/python3"},
                                 {.path = "pyvenv.cfg", .content = ""}};
    struct store_set_make make = {wheels, 1, files, 2, NULL};
    autobuf struct buf overlaps = BUF_INIT;
    struct store_set *set = NULL;
    struct err e = ERR_INIT;
    char target[100] = "", *damaged;

    (void)state;
    publish(s, w, A, wheel);
    assert_int_equal(store_make_set(s, w, &make, &set, &overlaps, &damaged, &e), 0);
    assert_int_equal(readlink(in_set(set, "bin/python"), target, sizeof target - 1), 16);
    assert_string_equal(target, "/usr/bin/python3");
    check_text(in_set(set, "pyvenv.cfg"), "");
    assert_string_equal(buf_str(&overlaps), "bin/python\t-\t" A "\npyvenv.cfg\t-\t" A "\n");
    assert_string_equal(store_set_info(set), "");
    assert_int_equal(store_set_check(set, &e), 0);
    check_verified(s, 1, 1, 0);
    store_set_close(set);
    files[0].path = "../x";
    assert_int_equal(store_make_set(s, w, &make, &set, &overlaps, &damaged, &e), -EINVAL);
    files[0].path = "pyvenv.cfg";
    assert_int_equal(store_make_set(s, w, &make, &set, &overlaps, &damaged, &e), -EEXIST);
    files[0] = (struct store_file){.path = "x", .link = ""};
    assert_int_equal(store_make_set(s, w, &make, &set, &overlaps, &damaged, &e), -EINVAL);
    assert_null(damaged);
}

/* ---- overlaps ---- */

static struct store_set *make_overlapping(struct buf *overlaps)
{
    const char *wheels[] = {A, B, C};
    struct store_set_make make = {wheels, 3, NULL, 0, "x"};
    struct store_set *set = NULL;
    struct err e = ERR_INIT;
    char *damaged;

    if (store_make_set(s, w, &make, &set, overlaps, &damaged, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(store_set_check(set, &e), 0);
    check_verified(s, 3, 1, 0);
    return set;
}

static void the_first_wheel_wins(void **state)
{
    static const struct file a[] = {
        {"d/same", "1", false}, {"d/x", "a", false}, {"file", "a", false}, {NULL, NULL, false}};
    static const struct file b[] = {
        {"d", "b", false}, {"e/x", "b", false}, {"file/below", "b", false}, {NULL, NULL, false}};
    static const struct file c[] = {
        {"d/same", "1", false}, {"d/x", "c", false}, {"e/x", "b", true}, {NULL, NULL, false}};
    autobuf struct buf overlaps = BUF_INIT;
    struct store_set *set;

    (void)state;
    publish(s, w, A, a);
    publish(s, w, B, b);
    publish(s, w, C, c);
    set = make_overlapping(&overlaps);
    assert_string_equal(buf_str(&overlaps), "d\t" A "\t" B "\n"
                                            "file/below\t" A "\t" B "\n"
                                            "d/x\t" A "\t" C "\n"
                                            "e/x\t" B "\t" C "\n");
    check_text(in_set(set, "d/x"), "a");
    check_text(in_set(set, "file"), "a");
    check_text(in_set(set, "e/x"), "b");
    store_set_close(set);
}

/* Bytecode that is not looked at again (PEP 552) must not speak for a source of another wheel. */
static void bytecode_follows_its_source(void **state)
{
    static const struct file a[] = {{"m.py", "a", false}, {"n.py", "same", false}, {NULL, NULL, false}};
    static const struct file b[] = {{"__pycache__/m.cpython-311.opt-1.pyc", "b's", false},
                                    {"__pycache__/m.cpython-311.pyc", "b's", false},
                                    {"__pycache__/n.cpython-311.pyc", "n's", false},
                                    {"__pycache__/o.cpython-311.pyc", "nobody's", false},
                                    {"m.py", "b", false},
                                    {"n.py", "same", false},
                                    {NULL, NULL, false}};
    static const struct file c[] = {{"o.py", "c", false},
                                    {"p/__pycache__/q.a.cpython-311.pyc", "c", false},
                                    {"p/q.a.py", "c", false},
                                    {NULL, NULL, false}};
    autobuf struct buf overlaps = BUF_INIT;
    struct store_set *set;

    (void)state;
    publish(s, w, A, a);
    publish(s, w, B, b);
    publish(s, w, C, c);
    set = make_overlapping(&overlaps);
    assert_string_equal(buf_str(&overlaps), "m.py\t" A "\t" B "\n");
    assert_int_equal(access(in_set(set, "__pycache__/m.cpython-311.pyc"), F_OK), -1);
    assert_int_equal(access(in_set(set, "__pycache__/m.cpython-311.opt-1.pyc"), F_OK), -1);
    assert_int_equal(access(in_set(set, "__pycache__/o.cpython-311.pyc"), F_OK), -1);
    check_text(in_set(set, "__pycache__/n.cpython-311.pyc"), "n's");
    check_text(in_set(set, "p/__pycache__/q.a.cpython-311.pyc"), "c");
    store_set_close(set);
}

static void at_most_20_overlaps_are_told(void **state)
{
    struct file one[31] = {{0}}, two[31] = {{0}};
    static char names[30][8];
    autobuf struct buf overlaps = BUF_INIT;
    size_t lines = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%02d", i);
        one[i] = (struct file){names[i], "1", false};
        two[i] = (struct file){names[i], "2", false};
    }
    publish(s, w, A, one);
    publish(s, w, B, two);
    publish(s, w, C, simple);
    store_set_close(make_overlapping(&overlaps));
    for (const char *at = buf_str(&overlaps); (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 20);
}

/* ---- damage ---- */

/* Same size, and the time put back where asked. The file is read-only, and its inode must stay. */
static void change(const char *path, const char *text, bool hide)
{
    const struct timespec times[2] = {{FILE_TIME, 0}, {FILE_TIME, 0}};
    struct stat st;
    autofd int fd = -1;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(chmod(path, 0600), 0);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(ftruncate(fd, (off_t)strlen(text)), 0);
    assert_int_equal(fchmod(fd, st.st_mode & 07777), 0);
    if (hide)
        assert_int_equal(futimens(fd, times), 0);
}

static void remove_file(const char *path)
{
    char dir[900];
    struct stat st;

    (void)snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(chmod(dir, st.st_mode & 07777), 0);
}

static void check_damaged(const struct store_set *set, const char *why)
{
    struct err e = ERR_INIT;

    assert_int_equal(store_set_check(set, &e), -EUCLEAN);
    if (!strstr(e.text, why))
        fail_msg("found as \"%s\", not \"%s\"", e.text, why);
}

/* Discarded, it is gone, and so are the wheels that were damaged (or stay). */
static void check_discarded(struct store_set *set_take, bool wheel_stays)
{
    char id[STORE_ID_MAX];
    struct err e = ERR_INIT;

    (void)snprintf(id, sizeof id, "%s", store_set_id(set_take));
    store_set_discard(s, set_take);
    assert_int_equal(store_set_open(s, id, &set_take, &e), -ENOENT);
    assert_int_equal(count_entries(in("store/sets")), 0);
    assert_int_equal(store_has_wheel(s, NULL, A), wheel_stays);
    check_verified(s, wheel_stays, 0, 0);
    publish(s, w, A, simple);
}

static void damage_of_a_set_is_found(void **state)
{
    const char *const wheels[] = {A, NULL};
    struct store_set *set;

    (void)state;
    publish(s, w, A, simple);
    set = make_set(s, wheels);
    change(in_set(set, "pkg/__init__.py"), "x = 2\n", false);
    check_damaged(set, "pkg/__init__.py: it was changed");
    check_discarded(set, false);

    set = make_set(s, wheels);
    change(in_set(set, "pkg/__init__.py"), "x\n", true);
    check_damaged(set, "pkg/__init__.py: its size changed");
    check_discarded(set, false);

    set = make_set(s, wheels);
    assert_int_equal(truncate(in_set(set, "pkg/__init__.py"), 0), geteuid() ? -1 : 0);
    if (geteuid() == 0) {
        check_damaged(set, "pkg/__init__.py: its size changed");
        check_discarded(set, false);
        set = make_set(s, wheels);
    }
    assert_int_equal(chmod(in_set(set, "bin/tool"), 0755), 0);
    check_damaged(set, "bin/tool: its mode changed");
    check_discarded(set, false);

    set = make_set(s, wheels);
    remove_file(in_set(set, "pkg/data/x.txt")); /* a directory of the set; the wheel has another */
    check_damaged(set, "pkg/data");
    check_discarded(set, true);

    set = make_set(s, wheels);
    assert_int_equal(chmod(in_set(set, "pkg"), 0755), 0);
    write_file(in_set(set, "pkg/more.py"), "");
    assert_int_equal(chmod(in_set(set, "pkg"), 0555), 0);
    check_damaged(set, "pkg: something in it was changed");
    check_discarded(set, true);
}

static void damage_of_the_stores_own_files_is_found(void **state)
{
    struct store_set *set, *other;
    struct err e = ERR_INIT;
    char id[STORE_ID_MAX];

    (void)state;
    publish(s, w, A, simple);
    set = make_set(s, (const char *const[]){A, NULL});
    (void)snprintf(id, sizeof id, "%s", store_set_id(set));
    change(in("store/sets/%s/manifest", id), "", true);
    check_damaged(set, "its manifest was cut");
    change(in("store/sets/%s/manifest", id), "x\n", true);
    check_damaged(set, "manifest");
    assert_int_equal(unlink(in("store/sets/%s/manifest", id)), 0);
    check_damaged(set, "manifest");
    change(in("store/sets/%s/about", id), "cellblock about 2\n", true);
    assert_int_equal(store_set_open(s, id, &other, &e), -ENOENT);
    check_discarded(set, true);
    set = make_set(s, (const char *const[]){A, NULL});
    (void)snprintf(id, sizeof id, "%s", store_set_id(set));
    assert_int_equal(unlink(in("store/sets/%s/info", id)), 0);
    assert_int_equal(store_set_open(s, id, &other, &e), -ENOENT);
    store_set_close(set);
    check_verified(s, 1, 1, 1);
}

/* Only reading everything finds it. */
static void hidden_damage_is_found_by_verify(void **state)
{
    struct store_set *set;
    struct err e = ERR_INIT;
    char id[STORE_ID_MAX];

    (void)state;
    publish(s, w, A, simple);
    set = make_set(s, (const char *const[]){A, NULL});
    (void)snprintf(id, sizeof id, "%s", store_set_id(set));
    change(in_set(set, "pkg/__init__.py"), "x = 2\n", true);
    assert_int_equal(store_set_check(set, &e), 0);
    check_verified(s, 1, 1, 2);
    assert_false(store_has_wheel(s, NULL, A));
    assert_int_equal(access(in_set(set, "pkg/__init__.py"), F_OK), 0); /* it is in use */
    store_set_close(set);
    assert_int_equal(count_entries(in("store/sets")), 0);
    assert_int_equal(store_set_open(s, id, &set, &e), -ENOENT);
}

static void damaged_wheels_make_no_set(void **state)
{
    const char *wheels[] = {A, B};
    struct store_set_make make = {wheels, 2, NULL, 0, "x"};
    autobuf struct buf overlaps = BUF_INIT;
    struct store_set *set = NULL;
    struct store_work *second;
    struct err e = ERR_INIT;
    char *damaged = NULL;

    (void)state;
    publish(s, w, A, simple);
    publish(s, w, B, simple);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(store_work_begin(s, &second, &e), 0);
        assert_true(store_has_wheel(s, second, A) && store_has_wheel(s, second, B));
        if (i == 0)
            change(in("store/wheels/" B "/tree/pkg/__init__.py"), "x = 2\n", true);
        else if (i == 1)
            remove_file(in("store/wheels/" B "/tree/pkg/__init__.py"));
        else if (i == 2)
            change(in("store/wheels/" B "/about"), "", true);
        else if (i == 3)
            change(in("store/wheels/" B "/manifest"), "", true);
        else if (i == 4)
            assert_int_equal(rename(in("store/wheels/" B), in("taken")), 0);
        else
            assert_int_equal(chmod(in("store/wheels/" B "/tree/pkg/__init__.py"), 0644), 0);
        assert_int_equal(store_make_set(s, second, &make, &set, &overlaps, &damaged, &e), -EUCLEAN);
        assert_string_equal(damaged, B);
        assert_true(e.text[0] != '\0');
        assert_null(set);
        free(damaged);
        assert_false(store_has_wheel(s, NULL, B) || store_has_wheel(s, second, B));
        publish(s, second, B, simple); /* fetched again */
        assert_int_equal(store_make_set(s, second, &make, &set, &overlaps, &damaged, &e), 0);
        assert_null(damaged);
        store_set_close(set);
        set = NULL;
        store_work_end(second);
    }
    wheels[1] = C; /* never there */
    assert_int_equal(store_make_set(s, w, &make, &set, &overlaps, &damaged, &e), -EUCLEAN);
    assert_string_equal(damaged, C);
    free(damaged);
    wheels[1] = "../../x";
    assert_int_equal(store_make_set(s, w, &make, &set, &overlaps, &damaged, &e), -EUCLEAN);
    free(damaged);
}

/* Who has it open keeps its files; nobody else gets it. */
static void a_discarded_set_in_use_stays_for_its_users(void **state)
{
    struct store_set *set, *user, *third;
    struct err e = ERR_INIT;
    char id[STORE_ID_MAX];

    (void)state;
    publish(s, w, A, simple);
    set = make_set(s, (const char *const[]){A, NULL});
    (void)snprintf(id, sizeof id, "%s", store_set_id(set));
    assert_int_equal(store_set_open(s, id, &user, &e), 0);
    store_set_discard(s, set);
    assert_int_equal(store_set_open(s, id, &third, &e), -ENOENT);
    assert_int_equal(store_collect(s), 0);
    check_text(in_set(user, "pkg/__init__.py"), "x = 1\n");
    store_set_close(user);
    assert_int_equal(count_entries(in("store/sets")), 0);
    assert_true(store_has_wheel(s, NULL, A));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_set_is_all_of_its_wheels),
        TEST(a_set_of_nothing),
        TEST(directories_of_two_sets_differ_in_time),
        TEST(files_of_no_wheel),
        TEST(the_first_wheel_wins),
        TEST(bytecode_follows_its_source),
        TEST(at_most_20_overlaps_are_told),
        TEST(damage_of_a_set_is_found),
        TEST(damage_of_the_stores_own_files_is_found),
        TEST(hidden_damage_is_found_by_verify),
        TEST(damaged_wheels_make_no_set),
        TEST(a_discarded_set_in_use_stays_for_its_users),
    };

    return cmocka_run_group_tests_name("store set", tests, NULL, NULL);
}
