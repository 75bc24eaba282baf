/* Wheels that a sandbox unpacked: the good come into the store, sealed; all else is refused, and nothing of it stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/sha256.h"
#include "scratch.h"
#include "store/file.h"

#define A ID("a")
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

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

/* A path in the tree of the wheel that is being unpacked. */
static const char *unpacked(const char *name)
{
    static char paths[4][900];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/" A "/tree/%s", store_work_out(w), name);
    return path;
}

/* A wheel that was refused may have been sealed in part: for the next attempt the test has to write there again. */
static void check_refused(const char *why)
{
    static const char *const dirs[] = {"", "bin", "pkg", "pkg/data"};
    struct err e = ERR_INIT;

    assert_int_equal(store_publish_wheel(s, w, A, &e), -EUCLEAN);
    if (!strstr(e.text, why))
        fail_msg("refused as \"%s\", not \"%s\"", e.text, why);
    assert_false(store_has_wheel(s, w, A));
    assert_int_equal(count_entries(in("store/wheels")), 0);
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        (void)!fchmodat(AT_FDCWD, unpacked(dirs[i]), 0755, AT_SYMLINK_NOFOLLOW);
}

static struct stat status(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static void a_good_one_is_sealed(void **state)
{
    struct stat st;

    (void)state;
    unpack(w, A, simple);
    assert_int_equal(chmod(unpacked("pkg/__init__.py"), 0), 0);
    assert_int_equal(chmod(unpacked("pkg/data"), 0), 0); /* the owner may take rights from itself */
    assert_int_equal(chmod(unpacked("bin"), 0777), 0);
    assert_int_equal(mkdir(unpacked("empty"), 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(unpacked("pkg/__init__.py"), 12345, 12345), 0);
        assert_int_equal(chown(unpacked("pkg"), 12345, 12345), 0);
        assert_int_equal(chown(unpacked(""), 12345, 12345), 0);
    }
    assert_int_equal(store_publish_wheel(s, w, A, NULL), 0);
    assert_true(store_has_wheel(s, w, A) && store_has_wheel(s, NULL, A));
    st = status(in("store/wheels/" A "/tree/pkg/__init__.py"));
    assert_true(st.st_mode == (S_IFREG | 0444) && st.st_uid == geteuid() && st.st_mtim.tv_sec == FILE_TIME);
    st = status(in("store/wheels/" A "/tree/bin/tool"));
    assert_true(st.st_mode == (S_IFREG | 0555) && st.st_mtim.tv_nsec == 0);
    assert_true(status(in("store/wheels/" A "/tree/pkg/data")).st_mode == (S_IFDIR | 0555));
    st = status(in("store/wheels/" A "/tree"));
    assert_true(st.st_mode == (S_IFDIR | 0555) && st.st_uid == geteuid());
    assert_true(status(in("store/wheels/" A)).st_mode == (S_IFDIR | 0755));
    check_text(in("store/wheels/" A "/tree/pkg/__init__.py"), "x = 1\n");
    check_verified(s, 1, 0, 0);
}

static void one_that_is_there_already_stays(void **state)
{
    static const struct file other[] = {{"pkg/other.py", "", false}, {NULL, NULL, false}};
    struct store_work *second;
    struct err e = ERR_INIT;

    (void)state;
    publish(s, w, A, simple);
    assert_int_equal(store_work_begin(s, &second, &e), 0);
    publish(s, second, A, other);
    store_work_end(second);
    publish(s, w, A, simple); /* and by the same work again */
    assert_int_equal(access(in("store/wheels/" A "/tree/pkg/other.py"), F_OK), -1);
    check_verified(s, 1, 0, 0);
}

static void an_empty_one_is_fine(void **state)
{
    static const struct file none[] = {{NULL, NULL, false}};

    (void)state;
    publish(s, w, A, none);
    check_verified(s, 1, 0, 0);
}

static void ids_are_names(void **state)
{
    static const char *const bad[] = {"", ".", "..", "../x", "a/b", ".x", "a b", "a\n"};
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(store_publish_wheel(s, w, bad[i], &e), -EUCLEAN);
        assert_false(store_has_wheel(s, w, bad[i]) || store_has_wheel(s, NULL, bad[i]));
    }
    assert_int_equal(store_publish_wheel(s, w, A, &e), -EUCLEAN); /* nothing was unpacked */
}

static void files_must_be_those_of_the_manifest(void **state)
{
    (void)state;
    unpack(w, A, simple);
    write_file(unpacked("pkg/more.py"), "");
    check_refused("pkg/more.py: its manifest does not have it");
    assert_int_equal(unlink(unpacked("pkg/more.py")), 0);
    assert_int_equal(unlink(unpacked("pkg/data/x.txt")), 0);
    check_refused("pkg/data/x.txt: it is missing");
    assert_int_equal(mkdir(unpacked("pkg/data/x.txt"), 0755), 0);
    check_refused("it is missing");
    assert_int_equal(rmdir(unpacked("pkg/data/x.txt")), 0);
    write_file(unpacked("pkg/data/x.txt"), "");
    assert_int_equal(unlink(unpacked("pkg/__init__.py")), 0);
    write_file(unpacked("pkg/__init__.py"), "x = 2\n");
    check_refused("pkg/__init__.py: its content is not that of its manifest");
    assert_int_equal(unlink(unpacked("pkg/__init__.py")), 0);
    write_file(unpacked("pkg/__init__.py"), "x = 1\n\n");
    check_refused("pkg/__init__.py: its size is not that of its manifest");
}

static void manifests_must_be_right(void **state)
{
    static const char *const bad[] = {
        EMPTY " 0 - ../../../../../../etc/passwd\n",
        EMPTY " 0 - /etc/passwd\n",
        EMPTY " 0 - a\\b",
        "x\n",
        EMPTY " 0 l pkg/data/x.txt\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unpack(w, A, simple);
        unpack_manifest(w, A, bad[i]);
        check_refused("its manifest");
    }
    assert_int_equal(unlink(in("store/tmp/%s/out/" A "/manifest", strrchr(store_work_dir(w), '/') + 1)), 0);
    check_refused("its manifest");
    /* Not even read, if it is no file. */
    assert_int_equal(symlink("/etc/passwd", in("store/tmp/%s/out/" A "/manifest", strrchr(store_work_dir(w), '/') + 1)),
                     0);
    check_refused("its manifest");
}

static void other_things_than_files_are_refused(void **state)
{
    (void)state;
    unpack(w, A, simple);
    assert_int_equal(unlink(unpacked("pkg/data/x.txt")), 0);
    assert_int_equal(symlink("/etc/passwd", unpacked("pkg/data/x.txt")), 0);
    check_refused("pkg/data/x.txt: it is a symbolic link");
    assert_int_equal(unlink(unpacked("pkg/data/x.txt")), 0);
    assert_int_equal(mkfifo(unpacked("pkg/data/x.txt"), 0644), 0);
    check_refused("pkg/data/x.txt: it is neither a file nor a directory");
    assert_int_equal(unlink(unpacked("pkg/data/x.txt")), 0);
    if (mknod(unpacked("pkg/data/x.txt"), S_IFCHR | 0666, makedev(1, 3)) == 0) { /* root in no container */
        check_refused("pkg/data/x.txt: it is neither a file nor a directory");
        assert_int_equal(unlink(unpacked("pkg/data/x.txt")), 0);
    }
    /* Directories that are links. */
    assert_int_equal(rename(unpacked("pkg/data"), unpacked("moved")), 0);
    assert_int_equal(symlink("../moved", unpacked("pkg/data")), 0);
    check_refused("symbolic link");
    assert_int_equal(rename(unpacked(""), in("elsewhere")), 0);
    assert_int_equal(symlink(in("elsewhere"), in("store/tmp/%s/out/" A "/tree", strrchr(store_work_dir(w), '/') + 1)),
                     0);
    check_refused("it has no tree");
}

static void hard_links_are_refused(void **state)
{
    struct stat st;

    (void)state;
    write_file(in("secret"), "");
    assert_int_equal(chmod(in("secret"), 0600), 0);
    unpack(w, A, simple);
    assert_int_equal(unlink(unpacked("pkg/data/x.txt")), 0);
    assert_int_equal(link(in("secret"), unpacked("pkg/data/x.txt")), 0);
    check_refused("pkg/data/x.txt: it is a hard link");
    st = status(in("secret"));
    assert_true((st.st_mode & 07777) == 0600); /* untouched */
}

static void rights_are_refused(void **state)
{
    static const unsigned char acl[] = {2, 0,  0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  6,
                                        0, 57, 48,  0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                                        6, 0,  255, 255, 255, 255, 32, 0, 4,   0,   255, 255, 255, 255};

    (void)state;
    unpack(w, A, simple);
    assert_int_equal(chmod(unpacked("bin/tool"), 04755), 0);
    check_refused("bin/tool: it has a set-user-id bit");
    assert_int_equal(chmod(unpacked("bin/tool"), 02755), 0);
    check_refused("bin/tool: it has a set-user-id bit");
    assert_int_equal(chmod(unpacked("bin/tool"), 0644), 0);
    assert_int_equal(chmod(unpacked("pkg"), 02777), 0); /* some file systems hand that on by themselves */
    /* User 12345 may write, says an access control list (acl(5)). */
    if (setxattr(unpacked("pkg/__init__.py"), "system.posix_acl_access", acl, sizeof acl, 0) < 0)
        assert_int_equal(errno, EOPNOTSUPP);
    assert_int_equal(store_publish_wheel(s, w, A, NULL), 0);
    assert_int_equal(status(in("store/wheels/" A "/tree/pkg")).st_mode & 07777, 0555);
    assert_true(getxattr(in("store/wheels/" A "/tree/pkg/__init__.py"), "system.posix_acl_access", NULL, 0) < 0);
}

static void depth_and_length_are_bounded(void **state)
{
    char path[400] = "";

    (void)state;
    unpack(w, A, simple);
    for (int i = 0; i < 70; i++)
        (void)strcat(path, "d/");
    make_dirs(unpacked(path), false);
    check_refused("nested too deeply");
    assert_int_equal(rename(unpacked("d"), in("deep")), 0);
    /* Longer than the store has room for; made from inside. */
    memset(path, 'a', 250);
    path[250] = '\0';
    assert_int_equal(chdir(unpacked("")), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chdir(path), 0);
    }
    assert_int_equal(chdir("/"), 0);
    check_refused("too long");
}

static void number_and_size_are_bounded(void **state)
{
    autobuf struct buf manifest = BUF_INIT;
    int fd;

    (void)state;
    for (int i = 0; i < LIMIT_WHEEL_FILES + 1; i++)
        assert_int_equal(buf_printf(&manifest, EMPTY " 0 - f%06d\n", i), 0);
    unpack(w, A, simple);
    unpack_manifest(w, A, buf_str(&manifest));
    check_refused("50001 files, at most 50000");
    buf_clear(&manifest);
    /* A hole takes no room, but counts. */
    assert_int_equal(buf_printf(&manifest, EMPTY " %zu - big\n", LIMIT_WHEEL_UNPACKED + 1), 0);
    assert_int_equal(rename(unpacked(""), in("elsewhere")), 0);
    unpack_manifest(w, A, buf_str(&manifest));
    assert_int_equal(mkdir(unpacked(""), 0755), 0);
    fd = open(unpacked("big"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, LIMIT_WHEEL_UNPACKED + 1), 0);
    (void)close(fd);
    check_refused("too large");
}

static void directories_are_bounded(void **state)
{
    autobuf struct buf manifest = BUF_INIT;
    int fd;

    (void)state;
    unpack(w, A, simple);
    fd = open(unpacked("pkg"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 0; i <= 1000; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "d%d", i);
        assert_int_equal(mkdirat(fd, name, 0755), 0);
    }
    (void)close(fd);
    check_refused("too many directories");
    /* Few files can need many. */
    for (int i = 0; i < 26000; i++)
        assert_int_equal(buf_printf(&manifest, EMPTY " 0 - %05d/a/f\n", i), 0);
    unpack_manifest(w, A, buf_str(&manifest));
    check_refused("52000 directories");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_good_one_is_sealed),
        TEST(one_that_is_there_already_stays),
        TEST(an_empty_one_is_fine),
        TEST(ids_are_names),
        TEST(files_must_be_those_of_the_manifest),
        TEST(manifests_must_be_right),
        TEST(other_things_than_files_are_refused),
        TEST(hard_links_are_refused),
        TEST(rights_are_refused),
        TEST(depth_and_length_are_bounded),
        TEST(number_and_size_are_bounded),
        TEST(directories_are_bounded),
    };

    return cmocka_run_group_tests_name("store publish", tests, NULL, NULL);
}
