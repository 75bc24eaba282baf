/* What server, fetch process and the program in the sandbox tell each other: record.c, reply.c, lock.c, key.c,
 * places.c. */
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "fetch/fetch.h"
#include "fetch/key.h"
#include "fetch/lock.h"
#include "fetch/places.h"
#include "fetch/record.h"
#include "fetch/reply.h"
#include "packages/words.h"

#define TAG "cpython-311"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void records(void **state)
{
    static const char *const bad[] = {"a=1", "a\n", "=1\n", "a=\\x\n", "a=\\\n", "a=\xff\n", "\n", "a=1\n\n"};
    autobuf struct buf out = BUF_INIT;
    autorecord struct record r = RECORD_INIT, none = RECORD_INIT;

    (void)state;
    record_add(&out, "one", "two\nlines \\ = and more");
    record_add(&out, "none", NULL);
    record_add(&out, "empty", "");
    record_add(&out, "one", "again");
    assert_int_equal(record_parse(buf_begin(&out), out.len, &r), 0);
    assert_int_equal(r.n, 3);
    assert_string_equal(record_value(&r, "one"), "two\nlines \\ = and more");
    assert_string_equal(record_value(&r, "empty"), "");
    assert_null(record_value(&r, "none"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(record_parse(bad[i], strlen(bad[i]), &none), -EBADMSG);
    assert_int_equal(record_parse("a=\0b\n", 5, &none), -EBADMSG);
    assert_int_equal(record_parse("", 0, &none), 0);
}

static void too_many_records(void **state)
{
    autobuf struct buf out = BUF_INIT;
    autorecord struct record r = RECORD_INIT;

    (void)state;
    for (int i = 0; i <= RECORD_ENTRIES_MAX; i++)
        (void)buf_puts(&out, "a=\n");
    assert_int_equal(record_parse(buf_begin(&out), out.len, &r), -EBADMSG);
}

static int read_text(const char *text, struct reply *ret)
{
    return reply_read(text, strlen(text), ret);
}

static void replies(void **state)
{
    static const char *const bad[] = {
        "",
        "set=x\n",
        "answer=ok\nspec=x\n",
        "answer=ok\nasked=new\n",
        "answer=ok\nasked=odd\nspec=x\n",
        "answer=ok\nasked=new\nspec=x\nspec=y\n",
        "answer=ok\nasked=new\nasked=new\nspec=x\n",
        "answer=ok\nset=a\nset=b\n",
        "answer=ok\nasked=new\nspec=x\nset=a\n",
        "answer=ok\nother=x\n",
    };
    struct reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(read_text(bad[i], &reply), -EBADMSG);
    assert_int_equal(read_text("answer=ok\nset=s\nasked=new\nspec=toy_Good >= 1\nversion=2\nasked=present\nspec=b\n"
                               "came=new\nspec=c==1\nversion=1\n",
                               &reply),
                     0);
    assert_true(reply.ok);
    assert_string_equal(reply.set, "s");
    assert_int_equal(reply.n_items, 3);
    /* The same question in another order and spelling, and another question. */
    assert_true(reply_fit(&reply, (const char *const[]){"B", "toy-good>=1"}, 2));
    assert_int_equal(reply.n_items, 3);
    assert_string_equal(reply.items[0].spec, "B");
    assert_string_equal(reply.items[1].spec, "toy-good>=1");
    assert_string_equal(reply.items[1].version, "2");
    assert_string_equal(reply.items[2].spec, "c==1");
    assert_false(reply_fit(&reply, (const char *const[]){"b"}, 1));
    reply_fini(&reply);
}

static void locks(void **state)
{
    static const char *const bad[] = {
        "a\t1\ta-1.whl\t-\t-",                     /* too few */
        "a\t1\ta-1.whl\t-\t-\thttps://x/\tmore",   /* too many */
        "../a\t1\ta-1.whl\t-\t-\thttps://x/",      /* no name */
        "a\t../1\ta-1.whl\t-\t-\thttps://x/",      /* no version */
        "a\t1.*\ta-1.whl\t-\t-\thttps://x/",       /* not one version */
        "a\t1\t../a-1.whl\t-\t-\thttps://x/",      /* a path */
        "a\t1\ta-1.whl\tabc\t-\thttps://x/",       /* no hash */
        "a\t1\ta-1.whl\t" SHA "0\t-\thttps://x/",  /* too long */
        "a\t1\ta-1.whl\t" SHA "\t-\thttps://x/\r", /* a control character */
        "a\t1\ta-1.whl\t" SHA "\t-\t\xff",         /* no text */
        "a\t1\ta-1.whl\t\t-\thttps://x/",          /* empty */
    };
    autowheels struct wheels wheels = {NULL, 0};
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        autowheels struct wheels none = {NULL, 0};

        assert_int_equal(lock_parse(bad[i], TAG, &none, &e), -EBADMSG);
    }
    assert_int_equal(lock_parse("Toy_Good \t 2.0 \t toy.whl \t " SHA " \t 12 \t https://x/\n"
                                "b\t1\tb.whl\t-\t-\tfile:wheels/b.whl\n",
                                TAG, &wheels, &e),
                     0);
    assert_int_equal(wheels.n, 2);
    assert_string_equal(wheels_find(&wheels, "toy-good")->id, SHA "-" TAG);
    assert_null(wheels_find(&wheels, "b")->id);
    /* An id is taken where none was known; never another one, of another Python, or a path. */
    lock_parse_done("toy-good\t2.0\t1" SHA "\nb\t1\t../../etc\nb\t1\t" SHA "-cpython-399\nb\t1\t" SHA "-" TAG "/x\n",
                    TAG, &wheels);
    assert_null(wheels_find(&wheels, "b")->id);
    lock_parse_done("b\t1\t" SHA "-" TAG "\nnobody\t1\t" SHA "-" TAG "\n", TAG, &wheels);
    assert_string_equal(wheels_find(&wheels, "b")->id, SHA "-" TAG);
    assert_string_equal(wheels_find(&wheels, "toy-good")->id, SHA "-" TAG);
}

static void failures(void **state)
{
    struct lock_failure found[2];
    size_t n =
        lock_parse_failed("a\thash\tit differs\nbroken\n../x\thash\ty\nB.c\tnetwork\tgone\nd\thash\tz\n", found, 2);

    (void)state;
    assert_int_equal(n, 2);
    assert_string_equal(found[0].reason, "it differs");
    assert_string_equal(found[1].key, "b-c");
    for (size_t i = 0; i < n; i++) {
        free(found[i].key);
        free(found[i].kind);
        free(found[i].reason);
    }
}

/* What hostile code may have left instead of the file. */
static void traps(void **state)
{
    char top[] = "/tmp/cellblock-test-XXXXXX";
    autofd int at = open(mkdtemp(top), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
    autofree char *text = NULL;

    (void)state;
    assert_int_equal(symlinkat("/etc/passwd", at, "link"), 0);
    assert_int_equal(mkfifoat(at, "pipe", 0600), 0);
    assert_int_equal(mkdirat(at, "directory", 0700), 0);
    assert_null(lock_read_file(at, "link"));
    assert_null(lock_read_file(at, "pipe"));
    assert_null(lock_read_file(at, "directory"));
    assert_null(lock_read_file(at, "nothing"));
    fd = openat(at, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(fd, "a\0b", 3), 0);
    assert_null(lock_read_file(at, "file"));
    assert_int_equal(ftruncate(fd, 1), 0);
    text = lock_read_file(at, "file");
    assert_string_equal(text, "a");
    assert_int_equal(unlinkat(at, "link", 0) + unlinkat(at, "pipe", 0) + unlinkat(at, "file", 0), 0);
    assert_int_equal(unlinkat(at, "directory", AT_REMOVEDIR) + rmdir(top), 0);
}

static void keys(void **state)
{
    static const struct fetch_base base = {"/usr/bin/python3", "3.11.2", "/usr", "/usr",
                                           "/usr/lib/python3/dist-packages"};
    static char *const one[] = {"A_b >= 1", "c", NULL}, *const other[] = {"C", "a.B>=1", NULL},
                       *const third[] = {"c", "a-b>=2", NULL}, *const single[] = {"x", NULL};
    const struct words specs = {(char **)one, 2}, turned = {(char **)other, 2}, others = {(char **)third, 2};
    const struct words x = {(char **)single, 1};
    autofree char *first = key_make(&(struct key_parts){.base = &base, .specs = &specs});
    autofree char *same = key_make(&(struct key_parts){.base = &base, .specs = &turned});
    autofree char *different = key_make(&(struct key_parts){.base = &base, .specs = &others});
    autofree char *more = key_make(&(struct key_parts){.base = &base, .specs = &specs, .wheels = &x});
    autofree char *hashes = key_make(&(struct key_parts){.base = &base, .specs = &specs, .hashes = &x});
    autofree char *file = key_make(&(struct key_parts){.base = &base, .specs = &specs, .of_file = true});
    autofree char *uv = key_make(&(struct key_parts){.base = &base, .specs = &specs, .uv = "/usr/bin/env"});
    autofree char *built = key_make(&(struct key_parts){.base = &base, .specs = &specs, .builds = BUILDS_OFFLINE});
    autofree char *marker = key_of_spec("A ; python_version < '3'");

    (void)state;
    assert_string_equal(first, same);
    assert_string_not_equal(first, different);
    assert_string_not_equal(first, more);
    assert_string_not_equal(first, uv);
    assert_string_not_equal(first, hashes);
    assert_string_not_equal(more, hashes);
    assert_string_not_equal(first, file);
    assert_string_not_equal(first, built);
    assert_string_equal(marker, "a ; python_version < '3'");
}

static void places(void **state)
{
    autowords struct words found = {NULL, 0}, none = {NULL, 0};

    (void)state;
    places_of_value("https://x/usr/lib, /usr/share /usr/share/ file:///usr/lib /nonexistent/x /etc / /proc/self",
                    &found);
    assert_int_equal(found.n, 2);
    assert_string_equal(found.items[0], "/usr/share");
    assert_string_equal(found.items[1], "/usr/lib");
    words_fini(&found);
    places_of_file(
        "[global]\n# cert = /usr/include\nlog = /usr/bin\nfind-links =\n  /usr/share\n  %2F\ncert: /usr/lib\n"
        "extra-index-url = here=file://localhost/usr/bi%6E\n",
        &found);
    assert_int_equal(found.n, 3);
    assert_string_equal(found.items[0], "/usr/share");
    assert_string_equal(found.items[1], "/usr/lib");
    assert_string_equal(found.items[2], "/usr/bin");
    places_of_file(NULL, &none);
    places_of_value("/usr/../etc/shadow /usr/./lib //usr/lib file:./ file:usr", &none);
    assert_int_equal(none.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records), cmocka_unit_test(too_many_records), cmocka_unit_test(replies),
        cmocka_unit_test(locks),   cmocka_unit_test(failures),         cmocka_unit_test(traps),
        cmocka_unit_test(keys),    cmocka_unit_test(places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
