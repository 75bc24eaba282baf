/* Bytes with marks, display items, and the cut. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "kernel/wire.h"
#include "session/output.h"

static const char nonce[] = "0123456789abcdef";
static char dir[] = "/tmp/test-output-XXXXXX";
static int dir_fd;

static void text(struct output *o, const char *bytes)
{
    output_bytes(o, nonce, bytes, strlen(bytes));
}

static void mark(struct output *o, unsigned index)
{
    char bytes[WIRE_MARK_SIZE + 1];

    memcpy(bytes, WIRE_MARK_PREFIX, WIRE_MARK_PREFIX_SIZE);
    (void)snprintf(bytes + WIRE_MARK_PREFIX_SIZE, sizeof bytes - WIRE_MARK_PREFIX_SIZE, "%s%08x", nonce, index);
    output_bytes(o, nonce, bytes, WIRE_MARK_SIZE);
}

static void show(struct output *o, unsigned index, const char *mime, const char *data)
{
    output_display(o, index, mime, strlen(mime), data, strlen(data));
}

/* "text:a\n|image:PNG" */
static void check(struct output *o, const char *want)
{
    char got[4000] = "";
    const struct exec_item *items;
    size_t n;
    char *path;

    output_finish(o, dir_fd, dir, 1, &items, &n, &path);
    for (size_t i = 0; i < n; i++)
        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s:%.*s", i ? "|" : "",
                       items[i].kind == EXEC_TEXT    ? "text"
                       : items[i].kind == EXEC_IMAGE ? "image"
                                                     : "file",
                       (int)items[i].size, items[i].data);
    assert_string_equal(got, want);
    free(path);
    output_free(o);
}

static void test_order(void **state)
{
    struct output *o = output_new(NULL, NULL);

    (void)state;
    text(o, "a\n");
    show(o, 1, "image/png", "PNG");
    mark(o, 1);
    text(o, "b\n");
    mark(o, 2); /* before its item */
    text(o, "c");
    show(o, 2, "image/jpeg", "JPG");
    check(o, "text:a\n|image:PNG|text:b\n|image:JPG|text:c");
}

static void test_binary_data_is_whole(void **state)
{
    struct output *o = output_new(NULL, NULL);
    const struct exec_item *items;
    char *path;
    size_t n;

    (void)state;
    output_display(o, 1, "image/png", 9, "\x89PNG\0\0x", 7);
    mark(o, 1);
    output_finish(o, dir_fd, dir, 1, &items, &n, &path);
    assert_int_equal(n, 1);
    assert_int_equal(items[0].size, 7);
    assert_memory_equal(items[0].data, "\x89PNG\0\0x", 7);
    output_free(o);
}

static void test_text_has_lines_of_its_own(void **state)
{
    struct output *o = output_new(NULL, NULL);

    (void)state;
    text(o, "a");
    show(o, 1, "text/plain", "5");
    mark(o, 1);
    text(o, "b");
    check(o, "text:a\n5\nb");
}

static void test_mark_in_pieces(void **state)
{
    char bytes[WIRE_MARK_SIZE + 4];
    struct output *o = output_new(NULL, NULL);

    (void)state;
    memcpy(bytes, "x\n\0CB", 5);
    memcpy(bytes + 5, "0123456789abcdef00000001\0y", 26);
    show(o, 1, "image/png", "P");
    for (size_t i = 0; i < 31; i++)
        output_bytes(o, nonce, bytes + i, 1);
    check(o, "text:x\n|image:P|text:y");
}

static void test_no_mark(void **state)
{
    struct output *o = output_new(NULL, NULL);
    const struct exec_item *items;
    size_t n;
    char *path;

    (void)state;
    output_bytes(o, nonce, "a\0b\0CBffffffffffffffff00000001\0", 31); /* another nonce */
    output_bytes(o, nonce, "\0CB01", 5);                              /* never completed */
    output_finish(o, dir_fd, dir, 1, &items, &n, &path);
    assert_int_equal(n, 1);
    assert_int_equal(items[0].size, 36);
    output_free(o);
}

static void test_unmarked_item_comes_last(void **state)
{
    struct output *o = output_new(NULL, NULL);

    (void)state;
    show(o, 1, "image/png", "P");
    text(o, "a\n");
    check(o, "text:a\n|image:P");
}

static void test_clear(void **state)
{
    struct output *o = output_new(NULL, NULL);

    (void)state;
    text(o, "old\n");
    show(o, 1, "image/png", "OLD");
    mark(o, 1);
    output_clear(o, 2);
    mark(o, 2);
    text(o, "new\n");
    mark(o, 3);
    text(o, "newer\n");
    output_clear(o, 3); /* after its mark */
    check(o, "text:newer\n");
}

static void test_cut(void **state)
{
    struct output *o = output_new(NULL, NULL);
    const struct exec_item *items;
    char line[64], *path;
    size_t n, chars = 0;
    struct stat st;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(line, sizeof line, "line %d \xc3\xa4\n", i);
        text(o, line);
        if (i == 2500) {
            show(o, 1, "image/png", "P");
            mark(o, 1);
        }
    }
    output_finish(o, dir_fd, dir, 7, &items, &n, &path);
    assert_non_null(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, output_total(o));
    for (size_t i = 0; i < n; i++)
        if (items[i].kind == EXEC_TEXT) {
            chars += utf8_length(items[i].data, items[i].size);
            assert_true(utf8_valid(items[i].data, items[i].size));
        }
    assert_in_range(chars, LIMIT_TEXT_CHARS - 1000, LIMIT_TEXT_CHARS + 500);
    assert_memory_equal(items[0].data, "line 0 ", 7);
    assert_non_null(strstr(items[0].data, "left out"));
    assert_non_null(strstr(items[0].data, path));
    assert_memory_equal(items[n - 1].data + items[n - 1].size - 13, "line 4999 \xc3\xa4\n", 13);
    (void)unlink(path);
    free(path);
    output_free(o);
}

static void test_flood(void **state)
{
    static char block[1 << 20];
    struct output *o = output_new(NULL, NULL);
    const struct exec_item *items;
    size_t n, total = 0;
    char *path;

    (void)state;
    memset(block, 'x', sizeof block);
    for (size_t i = 79; i < sizeof block; i += 80)
        block[i] = '\n';
    for (int i = 0; i < 100; i++)
        output_bytes(o, nonce, block, sizeof block);
    text(o, "the end\n");
    output_finish(o, dir_fd, dir, 8, &items, &n, &path);
    for (size_t i = 0; i < n; i++)
        total += items[i].size;
    assert_in_range(total, 1, 4 * LIMIT_TEXT_CHARS);
    assert_string_equal(items[n - 1].data + items[n - 1].size - 8, "the end\n");
    (void)unlink(path);
    free(path);
    output_free(o);
}

/* What is shown is held until the end: its bytes and its number are bounded, and what is cleared counts no more. */
static void test_flood_of_displays(void **state)
{
    static char block[1 << 20];
    struct output *o = output_new(NULL, NULL);
    const struct exec_item *items;
    size_t n, held = 0;
    char *path;

    (void)state;
    for (uint32_t i = 1; i <= 200; i++) /* an animation: each picture replaces the one before */
    {
        output_clear(o, 2 * i);
        mark(o, 2 * i);
        output_display(o, 2 * i + 1, "image/png", 9, block, sizeof block);
        mark(o, 2 * i + 1);
    }
    for (uint32_t i = 1000; i < 1200; i++)
        output_display(o, i, "image/png", 9, block, sizeof block);
    for (uint32_t i = 2000; i < 2000 + 2 * LIMIT_DISPLAYS; i++)
        output_display(o, i, "text/plain", 10, "", 0);
    output_finish(o, -1, dir, 10, &items, &n, &path);
    for (size_t i = 0; i < n; i++)
        held += items[i].kind == EXEC_IMAGE || items[i].kind == EXEC_FILE;
    assert_int_equal(held, LIMIT_DISPLAY_BYTES / sizeof block);
    assert_non_null(strstr(items[n - 1].data, "too many or too large"));
    free(path);
    output_free(o);
}

static void test_images_over_the_limit(void **state)
{
    struct output *o = output_new(NULL, NULL);
    const struct exec_item *items;
    static char big[LIMIT_IMAGE + 2];
    char *path;
    size_t n;
    struct stat st;

    (void)state;
    memset(big, 'P', sizeof big - 1);
    show(o, 1, "image/png", big);
    mark(o, 1);
    show(o, 2, "image/png", "small");
    mark(o, 2);
    output_finish(o, dir_fd, dir, 9, &items, &n, &path);
    assert_int_equal(n, 2);
    assert_int_equal(items[0].kind, EXEC_FILE);
    assert_int_equal(stat(items[0].data, &st), 0);
    assert_int_equal(st.st_size, sizeof big - 1);
    assert_int_equal(items[1].kind, EXEC_IMAGE);
    (void)unlink(items[0].data);
    output_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_binary_data_is_whole),
        cmocka_unit_test(test_text_has_lines_of_its_own),
        cmocka_unit_test(test_mark_in_pieces),
        cmocka_unit_test(test_no_mark),
        cmocka_unit_test(test_unmarked_item_comes_last),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_flood_of_displays),
        cmocka_unit_test(test_images_over_the_limit),
    };
    int r;

    if (!mkdtemp(dir) || (dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        return 1;
    r = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(dir);
    return r;
}
