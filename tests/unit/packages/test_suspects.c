#include "../unit.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "packages/explain.h"
#include "packages/suspects.h"
#include "packages/words.h"

static void check(enum explain_kind kind, const char *package, const char *text, const char *expected)
{
    struct explain x = {.kind = kind, .section = (char *)text};
    autowords struct words names = {NULL, 0};
    autofree char *all = xstrdup("");

    (void)strncpy(x.package, package, sizeof x.package - 1);
    suspects_of(&x, &names);
    for (size_t i = 0; i < names.n; i++) {
        char *longer = xasprintf("%s%s%s", all, i ? " " : "", names.items[i]);

        free(all);
        all = longer;
    }
    assert_string_equal(all, expected);
}

static void of_uv(void **state)
{
    (void)state;
    check(EXPLAIN_NO_WHEEL, "above",
          "Because above<=0.2.6 has no usable wheels and above>=0.2.7 depends on Below.x==0.3, and Below_x==0.3 has no "
          "usable wheels\nAnd all of other>=1,<3 have no usable wheels.\n"
          "hint: Wheels are required for `above` because\nhint: Wheels are required for `below-x` because",
          "above below-x other");
    check(EXPLAIN_NO_WHEEL, "alone", "", "alone");
    check(EXPLAIN_NO_WHEEL, "", " has no usable wheels", "");
}

static void of_pip(void **state)
{
    (void)state;
    check(EXPLAIN_CONFLICT, "",
          "The conflict is caused by:\n    above 2.1 depends on below>=0.0.4\n    above 2.0 depends on below>=0.0.4\n\n"
          "Additionally, some packages in these conflicts have no matching distributions available for your "
          "environment:\n    below\n    third\n\nTo fix this you could try to:\n1. loosen",
          "below third");
    check(EXPLAIN_NO_VERSION, "below", "ERROR: No matching distribution found for below>=1.", "below");
    check(EXPLAIN_NO_VERSION, "a", "b depends on c", "a");
}

static void bounds(void **state)
{
    autowords struct words names = {NULL, 0};
    struct explain x = {.kind = EXPLAIN_CONFLICT};
    char text[4096] = "", *at = text;

    (void)state;
    for (int i = 0; i < 40; i++)
        at += sprintf(at, "x depends on n%d\n", i);
    x.section = text;
    suspects_of(&x, &names);
    assert_int_equal(names.n, SUSPECTS_MAX);
    memset(text, 'n', sizeof text - 1);
    memcpy(text, " depends on ", 12);
    words_fini(&names);
    suspects_of(&x, &names);
    assert_int_equal(names.n, 1);
    assert_true(strlen(names.items[0]) < sizeof x.package);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_uv),
        cmocka_unit_test(of_pip),
        cmocka_unit_test(bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
