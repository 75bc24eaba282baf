/* The clock goes forward, and both units are of one clock. */
#include "base/clock.h"

#include <time.h>

#include "unit.h"

static void it_never_goes_back(void **state)
{
    int64_t last = clock_us();

    (void)state;
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_us();

        assert_true(now >= last);
        last = now;
    }
}

static void a_pause_is_seen(void **state)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t before = clock_us();

    (void)state;
    assert_int_equal(nanosleep(&pause, NULL), 0);
    assert_true(clock_us() - before >= 2000);
}

static void milliseconds_are_of_the_same_clock(void **state)
{
    int64_t low = clock_us() / 1000;
    int64_t ms = clock_ms();
    int64_t high = clock_us() / 1000;

    (void)state;
    assert_true(low <= ms && ms <= high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_never_goes_back),
        cmocka_unit_test(a_pause_is_seen),
        cmocka_unit_test(milliseconds_are_of_the_same_clock),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
