#include "kernel/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

/* A frame in memory of exactly its size, so that a sanitizer sees every step beyond it. */
static char *exact(const char *data, size_t size)
{
    char *copy = malloc(size ? size : 1);

    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

static long parse(const char *data, size_t size)
{
    struct wire_frame frame;
    char *copy = exact(data, size);
    long result = wire_parse(copy, size, &frame);

    free(copy);
    return result;
}

static size_t build(char *out, size_t room, const struct wire_part *parts, size_t n)
{
    size_t size = wire_size(parts, n);

    assert_true(size > 0 && size <= room);
    wire_build(out, WIRE_EXEC, 7, parts, n);
    return size;
}

static const struct wire_part some_parts[] = {
    {WIRE_CODE, "print(1)", 8},
    {WIRE_STDIN, "", 0},
    {WIRE_STDIN, "second", 6},
};

static void test_round_trip(void **state)
{
    struct wire_frame frame;
    char data[256];
    const char *field;
    size_t size = build(data, sizeof data, some_parts, 3), pos = 0, field_size;
    uint32_t tag;

    (void)state;
    assert_int_equal(wire_parse(data, size, &frame), (long)size);
    assert_int_equal(frame.header.type, WIRE_EXEC);
    assert_int_equal(frame.header.seq, 7);
    assert_int_equal(frame.header.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(wire_next(&frame, &pos, &tag, &field, &field_size), 1);
        assert_int_equal(tag, some_parts[i].tag);
        assert_int_equal(field_size, some_parts[i].size);
        assert_memory_equal(field, some_parts[i].data, field_size);
    }
    assert_int_equal(wire_next(&frame, &pos, &tag, &field, &field_size), 0);
    assert_int_equal(wire_next(&frame, &pos, &tag, &field, &field_size), 0);
}

static void test_find(void **state)
{
    struct wire_frame frame;
    char data[256];
    const char *field = NULL;
    size_t size = build(data, sizeof data, some_parts, 3), field_size = 99;

    (void)state;
    assert_int_equal(wire_parse(data, size, &frame), (long)size);
    assert_int_equal(wire_find(&frame, WIRE_STDIN, &field, &field_size), 1);
    assert_int_equal(field_size, 0); /* the first of them */
    assert_int_equal(wire_find(&frame, WIRE_SITE, &field, &field_size), 0);
    assert_int_equal(field_size, 0); /* untouched */
}

static void test_no_fields(void **state)
{
    struct wire_frame frame;
    char data[64];
    const char *field;
    size_t size = build(data, sizeof data, NULL, 0), pos = 0, field_size;
    uint32_t tag;

    (void)state;
    assert_int_equal(size, sizeof(struct wire_header));
    assert_int_equal(wire_parse(data, size, &frame), (long)size);
    assert_int_equal(wire_next(&frame, &pos, &tag, &field, &field_size), 0);
}

/* Every beginning of a frame asks for more; bytes of the next frame do not matter. */
static void test_in_pieces(void **state)
{
    char data[256];
    size_t size = build(data, sizeof data, some_parts, 3);

    (void)state;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(parse(data, i), 0);
    memset(data + size, 0xff, 10);
    assert_int_equal(parse(data, size + 10), (long)size);
}

static struct wire_header *header_of(char *data)
{
    return (struct wire_header *)(void *)data;
}

static struct wire_field *field_of(char *data)
{
    return (struct wire_field *)(void *)(data + sizeof(struct wire_header));
}

/* Headers that no body can make good are refused before the body comes. */
static void test_bad_headers(void **state)
{
    _Alignas(8) char data[256];

    (void)state;
    (void)build(data, sizeof data, some_parts, 3);
    header_of(data)->size = LIMIT_FRAME + 1;
    assert_int_equal(parse(data, sizeof(struct wire_header)), -EBADMSG);
    header_of(data)->size = UINT32_MAX;
    assert_int_equal(parse(data, sizeof(struct wire_header)), -EBADMSG);
    header_of(data)->size = LIMIT_FRAME;
    assert_int_equal(parse(data, sizeof(struct wire_header)), 0);
    header_of(data)->count = LIMIT_FRAME_FIELDS + 1;
    assert_int_equal(parse(data, sizeof(struct wire_header)), -EBADMSG);
    header_of(data)->count = 3;
    header_of(data)->size = 3 * sizeof(struct wire_field) - 1; /* no room for the fields */
    assert_int_equal(parse(data, sizeof(struct wire_header)), -EBADMSG);
    (void)build(data, sizeof data, some_parts, 3);
    header_of(data)->type = 0;
    assert_int_equal(parse(data, sizeof(struct wire_header)), -EBADMSG);
}

static void test_bad_fields(void **state)
{
    static const uint32_t sizes[] = {9, 1000, 0x7fffffff, UINT32_MAX - 7, UINT32_MAX};
    const struct wire_part one[] = {{WIRE_CODE, "12345678", 8}};
    _Alignas(8) char data[256];
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size = build(data, sizeof data, one, 1);
        field_of(data)->size = sizes[i]; /* passes the end */
        assert_int_equal(parse(data, size), -EBADMSG);
    }
    size = build(data, sizeof data, one, 1);
    field_of(data)->size = 7; /* a byte is left over */
    assert_int_equal(parse(data, size), -EBADMSG);
    field_of(data)->size = 8;
    header_of(data)->count = 0; /* all bytes are left over */
    assert_int_equal(parse(data, size), -EBADMSG);
    header_of(data)->count = 2; /* the second field is not there */
    assert_int_equal(parse(data, size), -EBADMSG);
    header_of(data)->count = 1;
    assert_int_equal(parse(data, size), (long)size);
}

static void test_limits(void **state)
{
    struct wire_part parts[LIMIT_FRAME_FIELDS + 1];

    (void)state;
    for (size_t i = 0; i <= LIMIT_FRAME_FIELDS; i++)
        parts[i] = (struct wire_part){WIRE_ARG, "", 0};
    assert_int_equal(wire_size(parts, LIMIT_FRAME_FIELDS),
                     sizeof(struct wire_header) + LIMIT_FRAME_FIELDS * sizeof(struct wire_field));
    assert_int_equal(wire_size(parts, LIMIT_FRAME_FIELDS + 1), 0);
    parts[0].size = LIMIT_FRAME - sizeof(struct wire_field);
    assert_int_equal(wire_size(parts, 1), sizeof(struct wire_header) + LIMIT_FRAME);
    assert_int_equal(wire_size(parts, 2), 0);
    parts[0].size++;
    assert_int_equal(wire_size(parts, 1), 0);
    parts[0].size = SIZE_MAX;
    assert_int_equal(wire_size(parts, 1), 0);
    parts[0].size = SIZE_MAX / 2;
    parts[1].size = SIZE_MAX / 2 + 2;
    assert_int_equal(wire_size(parts, 2), 0);
}

/* Any single damaged byte: an answer without a step outside, and fields that stay inside. */
static void test_damage(void **state)
{
    char data[256];
    size_t size = build(data, sizeof data, some_parts, 3);

    (void)state;
    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            char *copy = exact(data, size);
            struct wire_frame frame;
            const char *field;
            size_t pos = 0, field_size;
            uint32_t tag;
            long result;

            copy[i] = (char)(copy[i] ^ (1 << bit));
            result = wire_parse(copy, size, &frame);
            assert_true(result == 0 || result == -EBADMSG || result == (long)size);
            while (result > 0 && wire_next(&frame, &pos, &tag, &field, &field_size))
                assert_true(field >= copy && field + field_size <= copy + size);
            free(copy);
        }
    }
}

static void test_mark_size(void **state)
{
    (void)state;
    assert_int_equal(WIRE_MARK_SIZE, 28);
    assert_int_equal(sizeof WIRE_MARK_PREFIX - 1, WIRE_MARK_PREFIX_SIZE);
    assert_int_equal(sizeof(struct zy_msg), 40);
    assert_int_equal(sizeof(struct wire_header), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_find),        cmocka_unit_test(test_no_fields),
        cmocka_unit_test(test_in_pieces),  cmocka_unit_test(test_bad_headers), cmocka_unit_test(test_bad_fields),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_damage),      cmocka_unit_test(test_mark_size),
    };

    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
