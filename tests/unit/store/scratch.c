#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sha256.h"
#include "store/tree.h"

char scratch[] = "/tmp/test-store-XXXXXX";

const struct file simple[] = {
    {"bin/tool", "#!/bin/sh\n", true},
    {"pkg/__init__.py", "x = 1\n", false},
    {"pkg/data/x.txt", "", false},
    {NULL, NULL, false},
};

int scratch_set_up(void **state)
{
    (void)state;
    (void)strcpy(scratch, "/tmp/test-store-XXXXXX");
    assert_non_null(mkdtemp(scratch));
    return 0;
}

int scratch_tear_down(void **state)
{
    (void)state;
    return tree_remove(AT_FDCWD, scratch);
}

const char *in(const char *format, ...)
{
    static char paths[8][700];
    static unsigned next;
    char *path = paths[next++ % 8];
    int size = snprintf(path, sizeof paths[0], "%s/", scratch);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(path + size, sizeof paths[0] - (size_t)size, format, args);
    va_end(args);
    return path;
}

struct store *open_store(uint64_t max_bytes)
{
    struct err e = ERR_INIT;
    struct store *s = NULL;

    if (store_open(in("store"), max_bytes, &s, &e) < 0)
        fail_msg("%s", e.text);
    return s;
}

void make_dirs(const char *path, bool of_a_file)
{
    char part[1000];

    (void)snprintf(part, sizeof part, "%s%s", path, of_a_file ? "" : "/");
    for (char *slash = part + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        if (mkdir(part, 0755) < 0)
            assert_int_equal(errno, EEXIST);
    }
}

void write_file(const char *path, const char *text)
{
    autofd int fd = -1;

    make_dirs(path, true);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

void unpack_manifest(const struct store_work *w, const char *id, const char *text)
{
    char path[900];

    (void)snprintf(path, sizeof path, "%s/%s/manifest", store_work_out(w), id);
    write_file(path, text);
}

void unpack(const struct store_work *w, const char *id, const struct file *files)
{
    autobuf struct buf manifest = BUF_INIT;
    char path[900], hex[SHA256_HEX];
    unsigned char hash[SHA256_BYTES];

    (void)snprintf(path, sizeof path, "%s/%s/tree", store_work_out(w), id);
    make_dirs(path, false);
    for (; files->path; files++) {
        (void)snprintf(path, sizeof path, "%s/%s/tree/%s", store_work_out(w), id, files->path);
        write_file(path, files->text);
        sha256_of(files->text, strlen(files->text), hash);
        sha256_hex(hash, hex);
        assert_int_equal(buf_printf(&manifest, "%s %zu %c %s\n", hex, strlen(files->text),
                                    files->executable ? 'x' : '-', files->path),
                         0);
    }
    unpack_manifest(w, id, buf_str(&manifest));
}

void publish(struct store *s, struct store_work *w, const char *id, const struct file *files)
{
    struct err e = ERR_INIT;

    unpack(w, id, files);
    if (store_publish_wheel(s, w, id, &e) < 0)
        fail_msg("%s", e.text);
}

struct store_set *make_set(struct store *s, const char *const *wheels)
{
    static const struct store_file file = {.path = "pyvenv.cfg", .content = "home = /usr/bin\n"};
    struct store_set_make make = {.wheels = wheels, .files = &file, .n_files = 1, .info = "made by a test"};
    autobuf struct buf overlaps = BUF_INIT;
    struct err e = ERR_INIT;
    struct store_work *w;
    struct store_set *set = NULL;
    char *damaged;

    while (wheels[make.n_wheels])
        make.n_wheels++;
    assert_int_equal(store_work_begin(s, &w, &e), 0);
    if (store_make_set(s, w, &make, &set, &overlaps, &damaged, &e) < 0)
        fail_msg("%s", e.text);
    assert_null(damaged);
    store_work_end(w);
    return set;
}

void make_old(const char *what, const char *id, int seconds)
{
    const struct timespec then = {time(NULL) - seconds, 0}, times[2] = {then, then};

    assert_int_equal(utimensat(AT_FDCWD, in("store/%s/%s/lock", what, id), times, 0), 0);
}

size_t count_entries(const char *path)
{
    DIR *list = opendir(path);
    size_t n = 0;

    assert_non_null(list);
    while (readdir(list))
        n++;
    (void)closedir(list);
    return n - 2;
}

void check_text(const char *path, const char *want)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    char got[500] = "";

    assert_true(fd >= 0);
    assert_int_equal(read(fd, got, sizeof got - 1), (ssize_t)strlen(want));
    assert_string_equal(got, want);
}

static void print_damage(void *data, const char *line)
{
    (void)data;
    print_message("%s\n", line);
}

void check_verified(struct store *s, size_t wheels, size_t sets, size_t damaged)
{
    struct store_verified sum;
    struct err e = ERR_INIT;

    if (store_verify(s, damaged ? NULL : print_damage, NULL, &sum, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(sum.wheels, wheels);
    assert_int_equal(sum.sets, sets);
    assert_int_equal(sum.damaged, damaged);
}
