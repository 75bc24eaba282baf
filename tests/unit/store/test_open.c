/* Which folder may be a store, answers, and work directories. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sha256.h"
#include "scratch.h"

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void check_refused(const char *path, int error)
{
    struct err e = ERR_INIT;
    struct store *s = NULL;

    assert_int_equal(store_open(path, 0, &s, &e), -error);
    assert_null(s);
    assert_true(e.text[0] != '\0');
}

static void a_new_one_is_made(void **state)
{
    struct store *s;
    mode_t mask = umask(077);

    (void)state;
    s = open_store(0);
    (void)umask(mask);
    assert_int_equal(mode_of(in("store")), 0711);
    assert_int_equal(mode_of(in("store/wheels")), 0711);
    assert_int_equal(mode_of(in("store/answers")), 0700);
    assert_int_equal(mode_of(in("store/cache")), 0711);
    check_text(in("store/format"), "cellblock store 1\n");
    assert_int_equal(access(in("store/CACHEDIR.TAG"), F_OK), 0);
    assert_string_equal(store_dir(s), in("store"));
    assert_string_equal(store_cache(s), in("store/cache"));
    store_close(s);
    store_close(open_store(0)); /* the same again */
    assert_int_equal(count_entries(in("store")), 7);
}

static void the_folders_above_are_made(void **state)
{
    struct store *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(store_open(in("a/b/c//"), 0, &s, &e), 0);
    assert_string_equal(store_dir(s), in("a/b/c"));
    store_close(s);
}

static void the_usual_place(void **state)
{
    struct store *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(setenv("XDG_CACHE_HOME", in("cache"), 1), 0);
    assert_int_equal(store_open(NULL, 0, &s, &e), 0);
    assert_string_equal(store_dir(s), in("cache/cellblock/store"));
    store_close(s);
    assert_int_equal(unsetenv("XDG_CACHE_HOME"), 0);
    if (geteuid() == 0)
        return; /* it would be the machine's own */
    assert_int_equal(setenv("HOME", in("home"), 1), 0);
    assert_int_equal(store_open("", 0, &s, &e), 0);
    assert_string_equal(store_dir(s), in("home/.cache/cellblock/store"));
    store_close(s);
}

static void what_others_decide_is_refused(void **state)
{
    (void)state;
    store_close(open_store(0));
    assert_int_equal(chmod(in("store"), 0775), 0);
    check_refused(in("store"), EPERM);
    assert_int_equal(chmod(in("store"), 0757), 0);
    check_refused(in("store"), EPERM);
    assert_int_equal(chmod(in("store"), 0700), 0);
    store_close(open_store(0));
    assert_int_equal(chmod(in("store/sets"), 0777), 0);
    check_refused(in("store"), EPERM);
    assert_int_equal(chmod(in("store/sets"), 0711), 0);
    assert_int_equal(symlink("store", in("link")), 0);
    check_refused(in("link"), ENOTDIR);
    check_refused(in("link/"), ENOTDIR);
    write_file(in("file"), "");
    check_refused(in("file"), ENOTDIR);
    check_refused(in("file/store"), ENOTDIR);
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(in("store"), 12345, 12345), 0);
    check_refused(in("store"), EPERM);
}

static void other_folders_are_refused(void **state)
{
    (void)state;
    write_file(in("store/thesis.txt"), "");
    check_refused(in("store"), EEXIST);
    assert_int_equal(count_entries(in("store")), 1);
    assert_int_equal(unlink(in("store/thesis.txt")), 0);
    write_file(in("store/format.abc"), ""); /* of one that was ended when it made a store */
    store_close(open_store(0));
}

static void other_formats_are_refused(void **state)
{
    static const char *const formats[] = {"cellblock store 2\n", "cellblock store 10\n", "", "cellblock store 1", "x"};

    (void)state;
    store_close(open_store(0));
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        write_file(in("store/format"), formats[i]);
        check_refused(in("store"), EPROTO);
    }
}

/* ---- answers ---- */

static const char *answer_file(void)
{
    return in("store/answers/2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"); /* of "key" */
}

static int find(struct store *s, const char *key, int64_t max_age_ms, const char *want)
{
    char set[STORE_ID_MAX], *text = NULL;
    int r = store_answer_find(s, key, max_age_ms, &text, set);

    if (r == 1) {
        assert_string_equal(text, want);
        assert_string_equal(set, "theset");
        free(text);
    }
    return r;
}

static void answers_are_found(void **state)
{
    struct store *s = open_store(0);
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(find(s, "key", -1, ""), 0);
    assert_int_equal(store_answer_put(s, "key", "theset", "pandas\n2.2\n", &e), 0);
    assert_int_equal(find(s, "key", -1, "pandas\n2.2\n"), 1);
    assert_int_equal(find(s, "key", 100000, "pandas\n2.2\n"), 1);
    assert_int_equal(find(s, "other", -1, ""), 0);
    assert_int_equal(store_answer_put(s, "key", "theset", "", &e), 0); /* the newer one counts */
    assert_int_equal(find(s, "key", -1, ""), 1);
    assert_int_equal(mode_of(answer_file()), 0600);
    assert_int_equal(store_answer_put(s, "key", "../sets", "", &e), -EINVAL);
    assert_int_equal(count_entries(in("store/answers")), 1);
    store_close(s);
}

static void put_raw(const char *text, size_t size)
{
    FILE *file = fopen(answer_file(), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    (void)fclose(file);
}

static void damaged_answers_are_none(void **state)
{
    struct store *s = open_store(0);
    struct err e = ERR_INIT;
    char text[2000];
    FILE *file;
    size_t size;

    (void)state;
    assert_int_equal(store_answer_put(s, "key", "theset", "text", &e), 0);
    file = fopen(answer_file(), "r");
    assert_non_null(file);
    size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    for (size_t cut = 0; cut < size; cut += 7) {
        put_raw(text, cut);
        assert_int_equal(find(s, "key", -1, ""), 0);
    }
    put_raw(text, size);
    assert_int_equal(find(s, "key", -1, "text"), 1);
    text[size - 10] ^= 1;
    put_raw(text, size);
    assert_int_equal(find(s, "key", -1, ""), 0);
    /* Whole, but of another key. */
    assert_int_equal(store_answer_put(s, "another", "theset", "text", &e), 0);
    assert_int_equal(unlink(answer_file()), 0);
    assert_int_equal(
        rename(in("store/answers/ae448ac86c4e8e4dec645729708ef41873ae79c6dff84eff73360989487f08e5"), answer_file()), 0);
    assert_int_equal(find(s, "key", -1, ""), 0);
    /* A symbolic link, a pipe and a directory. */
    assert_int_equal(unlink(answer_file()), 0);
    assert_int_equal(symlink("/etc/passwd", answer_file()), 0);
    assert_int_equal(find(s, "key", -1, ""), 0);
    assert_int_equal(unlink(answer_file()), 0);
    assert_int_equal(mkfifo(answer_file(), 0600), 0);
    assert_int_equal(find(s, "key", -1, ""), 0);
    assert_int_equal(store_answer_put(s, "key", "theset", "text", &e), 0);
    assert_int_equal(find(s, "key", -1, "text"), 1);
    store_close(s);
}

/* Written with a right sum, so that it is the field itself that is looked at. */
static void put_at_time(const char *first, const char *time)
{
    unsigned char hash[SHA256_BYTES];
    char text[600], hex[SHA256_HEX];
    int size;

    sha256_of("key", 3, hash);
    sha256_hex(hash, hex);
    size = snprintf(text, sizeof text, "%s\nkey %s\ntime %s\nset theset\ntext 4\ntext\n", first, hex, time);
    sha256_of(text, (size_t)size, hash);
    sha256_hex(hash, hex);
    size += snprintf(text + size, sizeof text - (size_t)size, "sum %s\n", hex);
    put_raw(text, (size_t)size);
}

static void old_and_future_answers(void **state)
{
    struct store *s = open_store(0);

    (void)state;
    put_at_time("cellblock answer 1", "1000");
    assert_int_equal(find(s, "key", 3600 * 1000, ""), 0);
    assert_int_equal(find(s, "key", -1, "text"), 1);
    put_at_time("cellblock answer 1", "99999999999999");
    assert_int_equal(find(s, "key", 3600 * 1000, ""), 0);
    assert_int_equal(find(s, "key", -1, "text"), 1);
    put_at_time("cellblock answer 2", "1000");
    assert_int_equal(find(s, "key", -1, ""), 0);
    store_close(s);
}

/* ---- works ---- */

static void works_come_and_go(void **state)
{
    struct store *s = open_store(0);
    struct store_work *w, *other;
    struct err e = ERR_INIT;
    char deep[3000] = "";

    (void)state;
    assert_int_equal(store_work_begin(s, &w, &e), 0);
    assert_int_equal(store_work_begin(s, &other, &e), 0);
    assert_int_equal(mode_of(store_work_dir(w)), 0711);
    assert_int_equal(mode_of(store_work_out(w)), 0700);
    assert_int_equal(count_entries(in("store/tmp")), 2);
    store_work_end(other);
    /* What a sandbox may leave: directories that nobody may enter, nested deeper than there are descriptors. */
    assert_int_equal(chdir(store_work_out(w)), 0);
    for (int i = 0; i < 1500; i++) {
        assert_int_equal(mkdir("d", 0700), 0);
        assert_int_equal(chdir("d"), 0);
    }
    assert_int_equal(mkfifo("pipe", 0), 0);
    assert_int_equal(chmod(".", 0), 0);
    assert_int_equal(chdir("/"), 0);
    (void)snprintf(deep, sizeof deep, "%s/a", store_work_out(w));
    make_dirs(deep, false);
    assert_int_equal(symlink("/etc", strcat(deep, "/link")), 0);
    assert_int_equal(chmod(store_work_out(w), 0), 0);
    store_work_end(w);
    store_work_end(NULL);
    assert_int_equal(count_entries(in("store/tmp")), 0);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    store_close(s);
}

static void works_are_given_away(void **state)
{
    struct store *s = open_store(0);
    struct store_work *w;
    struct err e = ERR_INIT;
    struct stat st;

    (void)state;
    assert_int_equal(store_work_begin(s, &w, &e), 0);
    assert_int_equal(store_work_give(w, geteuid(), getegid(), &e), 0);
    if (geteuid() == 0) {
        assert_int_equal(store_work_give(w, 12345, 12346, &e), 0);
        assert_int_equal(stat(store_work_out(w), &st), 0);
        assert_true(st.st_uid == 12345 && st.st_gid == 12346);
    }
    store_work_end(w);
    store_close(s);
}

static void works_of_the_dead_are_removed(void **state)
{
    struct store *s = open_store(0);
    struct store_work *w;
    struct err e = ERR_INIT;
    int status, ready[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        if (store_work_begin(s, &w, &e) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &status, 1), 1);
    assert_int_equal(store_collect(s), 0);
    assert_int_equal(count_entries(in("store/tmp")), 1); /* it lives */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(mkdir(in("store/tmp/justmade"), 0700), 0); /* about to get its lock */
    assert_int_equal(store_collect(s), 0);
    assert_int_equal(count_entries(in("store/tmp")), 1);
    assert_int_equal(access(in("store/tmp/justmade"), F_OK), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    store_close(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_one_is_made),         TEST(the_folders_above_are_made),
        TEST(the_usual_place),           TEST(what_others_decide_is_refused),
        TEST(other_folders_are_refused), TEST(other_formats_are_refused),
        TEST(answers_are_found),         TEST(damaged_answers_are_none),
        TEST(old_and_future_answers),    TEST(works_come_and_go),
        TEST(works_are_given_away),      TEST(works_of_the_dead_are_removed),
    };

    return cmocka_run_group_tests_name("store open", tests, NULL, NULL);
}
