/* Random bytes and handles, also when getrandom(2) is cut short or interrupted (linked with --wrap=getrandom). */
#include "base/random.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "unit.h"

ssize_t __real_getrandom(void *data, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *data, size_t size, unsigned flags);

static bool troubled;
static int calls;

/* Every second call is interrupted, and no more than three bytes come at once. */
ssize_t __wrap_getrandom(void *data, size_t size, unsigned flags)
{
    if (!troubled)
        return __real_getrandom(data, size, flags);
    if (calls++ % 2) {
        errno = EINTR;
        return -1;
    }
    return __real_getrandom(data, size < 3 ? size : 3, flags);
}

static void bytes_fill_all_and_no_more(void **state)
{
    unsigned char seen[64] = {0};
    unsigned char part[66];

    (void)state;
    for (int round = 0; round < 32; round++) { /* a byte that stays 0 in 32 rounds was not written */
        memset(part, 0, sizeof(part));
        random_bytes(part + 1, 64);
        for (size_t i = 0; i < 64; i++)
            seen[i] |= part[i + 1];
        assert_int_equal(part[0] | part[65], 0);
    }
    for (size_t i = 0; i < 64; i++)
        assert_int_not_equal(seen[i], 0);
    random_bytes(part, 0);
}

static void cut_and_interrupted_calls_are_continued(void **state)
{
    troubled = true;
    bytes_fill_all_and_no_more(state);
    troubled = false;
    assert_true(calls >= 32 * 43);
}

static void numbers_differ(void **state)
{
    (void)state;
    assert_true(random_u64() != random_u64());
}

static void a_handle_uses_its_alphabet_only(void **state)
{
    static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
    int counts[256] = {0};
    char id[12];
    char other[12];

    (void)state;
    id[11] = '#';
    for (int round = 0; round < 1000; round++) {
        random_id(id, 10);
        assert_int_equal(strlen(id), 10);
        assert_int_equal(strspn(id, alphabet), 10);
        for (int i = 0; i < 10; i++)
            counts[(unsigned char)id[i]]++;
    }
    assert_int_equal(id[11], '#');
    for (int i = 0; i < 32; i++) /* 312 each on average; a character that cannot occur would have 0 */
        assert_true(counts[(unsigned char)alphabet[i]] > 100);
    random_id(other, 10);
    assert_string_not_equal(id, other);
    random_id(other, 0);
    assert_string_equal(other, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_fill_all_and_no_more),
        cmocka_unit_test(cut_and_interrupted_calls_are_continued),
        cmocka_unit_test(numbers_differ),
        cmocka_unit_test(a_handle_uses_its_alphabet_only),
    };

    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
