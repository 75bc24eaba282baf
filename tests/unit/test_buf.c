/* The byte buffer: contents, growth, bounds, consuming and stealing. */
#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void an_empty_one_is_an_empty_string(void **state)
{
    autobuf struct buf b = BUF_INIT;
    size_t size = 99;
    char *text;

    (void)state;
    assert_string_equal(buf_str(&b), "");
    text = buf_steal(&b, &size);
    assert_string_equal(text, "");
    assert_int_equal(size, 0);
    free(text);
    buf_clear(&b);
    buf_consume(&b, 0);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    assert_string_equal(buf_str(&b), "");
}

static void appends_of_every_kind_follow_each_other(void **state)
{
    autobuf struct buf b = BUF_INIT;
    char *room;

    (void)state;
    assert_int_equal(buf_append(&b, "a\0b", 3), 0);
    assert_int_equal(buf_puts(&b, "cd"), 0);
    assert_int_equal(buf_printf(&b, "%d-%s", 7, "x"), 0);
    room = buf_reserve(&b, 100);
    assert_non_null(room);
    memcpy(room, "!!", 2);
    buf_commit(&b, 2);
    assert_int_equal(b.len, 10);
    assert_memory_equal(buf_str(&b), "a\0bcd7-x!!", 11); /* and a NUL */
}

static void printf_longer_than_the_room_is_whole(void **state)
{
    autobuf struct buf b = BUF_INIT;
    char text[3000];

    (void)state;
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(buf_printf(&b, "<%s>", text), 0);
    assert_int_equal(b.len, sizeof(text) + 1);
    assert_int_equal(buf_str(&b)[b.len - 1], '>');
}

static void over_the_bound_nothing_is_added(void **state)
{
    autobuf struct buf b = BUF_INIT;

    (void)state;
    buf_init(&b, 8);
    assert_int_equal(buf_puts(&b, "12345"), 0);
    assert_int_equal(buf_puts(&b, "6789"), -ENOBUFS);
    assert_int_equal(buf_printf(&b, "%d", 6789), -ENOBUFS);
    assert_null(buf_reserve(&b, 4));
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_append(&b, "x", SIZE_MAX - 2), -ENOBUFS);
    assert_string_equal(buf_str(&b), "12345");
    assert_int_equal(buf_puts(&b, "678"), 0); /* up to the bound it goes */
    assert_int_equal(buf_printf(&b, "%s", ""), 0);
    assert_string_equal(buf_str(&b), "12345678");
    buf_consume(&b, 4); /* what is consumed does not count */
    assert_int_equal(buf_printf(&b, "%s", "abcd"), 0);
    assert_string_equal(buf_str(&b), "5678abcd");
    buf_fini(&b);
    assert_int_equal(buf_puts(&b, "123456789"), -ENOBUFS); /* the bound outlives fini */
}

static void consuming_keeps_the_rest(void **state)
{
    autobuf struct buf b = BUF_INIT;
    unsigned next = 0;
    unsigned seen = 0;

    (void)state;
    /* A stream through the buffer, reads and writes of odd sizes: order stays, and memory does not grow with it. */
    for (int round = 0; round < 5000; round++) {
        unsigned char part[97];
        size_t size = 1 + (size_t)round * 7 % sizeof(part);

        for (size_t i = 0; i < size; i++)
            part[i] = (unsigned char)next++;
        assert_int_equal(buf_append(&b, part, size), 0);
        size = round % 3 ? b.len * 2 / 3 : b.len / 2;
        for (size_t i = 0; i < size; i++)
            assert_int_equal((unsigned char)buf_begin(&b)[i], (unsigned char)seen++);
        buf_consume(&b, size);
    }
    assert_true(b.cap <= 4096);
    assert_int_equal(seen + b.len, next);
    buf_consume(&b, b.len);
    assert_int_equal(b.off, 0);
}

static void stealing_takes_what_is_left(void **state)
{
    autobuf struct buf b = BUF_INIT;
    size_t size;
    char *text;

    (void)state;
    assert_int_equal(buf_puts(&b, "head-tail"), 0);
    buf_consume(&b, 5);
    text = buf_steal(&b, &size);
    assert_string_equal(text, "tail");
    assert_int_equal(size, 4);
    assert_null(b.data);
    assert_int_equal(buf_puts(&b, "new"), 0);
    assert_string_equal(buf_str(&b), "new");
    assert_string_equal(text, "tail");
    free(text);
    text = buf_steal(&b, NULL);
    assert_string_equal(text, "new");
    free(text);
}

static void clearing_keeps_the_memory(void **state)
{
    autobuf struct buf b = BUF_INIT;
    size_t cap;

    (void)state;
    assert_int_equal(buf_puts(&b, "something"), 0);
    cap = b.cap;
    buf_clear(&b);
    assert_int_equal(b.cap, cap);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_puts(&b, "else"), 0);
    assert_string_equal(buf_str(&b), "else");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_is_an_empty_string),
        cmocka_unit_test(appends_of_every_kind_follow_each_other),
        cmocka_unit_test(printf_longer_than_the_room_is_whole),
        cmocka_unit_test(over_the_bound_nothing_is_added),
        cmocka_unit_test(consuming_keeps_the_rest),
        cmocka_unit_test(stealing_takes_what_is_left),
        cmocka_unit_test(clearing_keeps_the_memory),
    };

    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
