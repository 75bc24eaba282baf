#include "../unit.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "packages/near.h"
#include "packages/packages.h"
#include "packages/provides.h"
#include "packages/provides_impl.h"

static void expect_sorted(const char *before, const char *name)
{
    if (before && strcmp(before, name) >= 0)
        fail_msg("%s stands before %s", before, name);
}

static void test_tables_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 0; i < provides_n_differing; i++)
        expect_sorted(i ? provides_differing[i - 1].module : NULL, provides_differing[i].module);
    for (size_t i = 0; i < provides_n_advice; i++)
        expect_sorted(i ? provides_advice[i - 1].module : NULL, provides_advice[i].module);
    for (size_t i = 0; i < provides_n_same; i++)
        expect_sorted(i ? provides_same[i - 1] : NULL, provides_same[i]);
    for (size_t i = 0; i < provides_n_standard; i++)
        expect_sorted(i ? provides_standard[i - 1] : NULL, provides_standard[i]);
    for (size_t i = 0; i < provides_n_popular; i++)
        expect_sorted(i ? provides_popular[i - 1] : NULL, provides_popular[i]);
}

static bool is_same(const char *module)
{
    for (size_t i = 0; i < provides_n_same; i++)
        if (strcmp(provides_same[i], module) == 0)
            return true;
    return false;
}

static void test_no_module_is_in_two_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < provides_n_standard; i++)
        if (provides_distribution(provides_standard[i]))
            fail_msg("%s is of the standard library", provides_standard[i]);
    for (size_t i = 0; i < provides_n_differing; i++)
        if (is_same(provides_differing[i].module))
            fail_msg("%s is called like its distribution, or not", provides_differing[i].module);
    for (size_t i = 0; i < provides_n_advice; i++)
        if (is_same(provides_advice[i].module) || provides_distribution(provides_advice[i].module))
            fail_msg("%s is to be installed, or not", provides_advice[i].module);
}

static char *advice(const char *module)
{
    static struct buf out;

    buf_fini(&out);
    buf_init(&out, 0);
    provides_advise(&out, module);
    return (char *)buf_str(&out);
}

/* The line for the module names a requirement that install_dependencies takes. */
static void expect_installable(const char *module)
{
    static const char call[] = "install_dependencies([\"";
    struct err e = ERR_INIT;
    char *spec = strstr(advice(module), call), *end = spec ? strstr(spec, "\"])") : NULL;

    if (!spec || !end)
        fail_msg("%s: %s", module, advice(module));
    spec += sizeof call - 1;
    *end = '\0';
    if (requirement_check(spec, &e) < 0)
        fail_msg("%s: %s", module, e.text);
}

static void test_what_is_advised_can_be_installed(void **state)
{
    (void)state;
    for (size_t i = 0; i < provides_n_differing; i++)
        expect_installable(provides_differing[i].module);
    for (size_t i = 0; i < provides_n_same; i++)
        expect_installable(provides_same[i]);
    for (size_t i = 0; i < provides_n_advice; i++)
        if (strstr(provides_advice[i].text, "install_dependencies("))
            expect_installable(provides_advice[i].module);
}

/* A module, and what its line says. */
static const struct {
    const char *module, *says;
} lines[] = {
    {"cv2", "install_dependencies([\"opencv-python-headless\"])"},
    {"PIL",
     "`PIL` is not installed here. It is in the distribution pillow: call install_dependencies([\"pillow\"]).\n"},
    {"sklearn", "install_dependencies([\"scikit-learn\"])"},
    {"yaml", "install_dependencies([\"PyYAML\"])"},
    {"bs4", "install_dependencies([\"beautifulsoup4\"])"},
    {"dateutil", "install_dependencies([\"python-dateutil\"])"},
    {"Crypto", "install_dependencies([\"pycryptodome\"])"},
    {"fitz", "install_dependencies([\"PyMuPDF\"])"},
    {"flask_cors", "install_dependencies([\"flask-cors\"])"},
    {"numpy", "It is in the distribution numpy: call install_dependencies([\"numpy\"])"},
    /* names with dots */
    {"google.protobuf", "install_dependencies([\"protobuf\"])"},
    {"google.cloud.storage", "install_dependencies([\"google-cloud-storage\"])"},
    {"google.cloud.storage.blob", "install_dependencies([\"google-cloud-storage\"])"},
    {"google.cloud.weather", "probably in the distribution google-cloud-weather"},
    {"azure.storage.blob", "install_dependencies([\"azure-storage-blob\"])"},
    {"google", "shared by many distributions"},
    {"numpy.foo", "`numpy` was found, but has no `foo`"},
    {"a.b.c", "`a.b` was found, but has no `c`"},
    /* the standard library, and what left it */
    {"tkinter", "python3-tk"},
    {"distutils", "no longer part of Python (since 3.12): setuptools has it"},
    {"tomllib", "from 3.11 on"},
    {"asyncio", "a part of Python that this one is without"},
    {"winreg", "Windows only"},
    {"urllib2", "Python 2, in Python 3 it is urllib.request"},
    /* nearly */
    {"panda", "Did you mean `pandas`?"},
    {"Numpy", "Did you mean `numpy`?"},
    {"maths", "Did you mean `math`?"},
    {"reqeusts", "Did you mean `requests`?"},
    {"matplotib", "Did you mean `matplotlib`?"},
    {"colections", "Did you mean `collections`?"},
    {"beautifulsoup4", "name of a distribution, its module is called `bs4`"},
    {"Scikit_Learn", "its module is called `sklearn`"},
    {"psycopg2_binary", "its module is called `psycopg2`"},
    {"pil", "Did you mean `PIL`?"},
    /* neither */
    {"my_own_thing", "`my_own_thing` is not installed here. Which distribution has a module of this name is not known"},
    {"größe", "`größe` is not installed here."},
    {"ab", "`ab` is not installed here. Which"},
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *line = advice(lines[i].module), *end = strchr(line, '\n');

        if (!strstr(line, lines[i].says) || !end || end[1])
            fail_msg("%s: %s", lines[i].module, line);
    }
    assert_null(strstr(advice("my_own_thing"), "mean"));
    assert_null(strstr(advice("utils"), "mean"));
    assert_null(strstr(advice("config"), "mean"));
    assert_null(strstr(advice("helpers"), "mean"));
}

/* Code can raise ModuleNotFoundError with any name, and must not write lines of ours with it. */
static void test_what_is_no_name_says_nothing(void **state)
{
    static const char *const bad[] = {
        "",   "a b", "a\nYou may go on", "a`b", "a..b", ".a", "a.", "1a", "a.1b", "a-b", "a\x7f", "a\"", "[a]",
        "\t", "."};
    char wide[1000];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(advice(bad[i]), "");
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    assert_string_equal(advice(wide), "");
    wide[200] = '\0';
    assert_non_null(strstr(advice(wide), "not installed here"));
    for (size_t i = 1; i < 200; i += 2)
        wide[i] = '.';
    wide[199] = 'x';
    assert_non_null(strstr(advice(wide), "was found, but"));
}

/* ---- names that no index has ---- */

static void expect_near(const char *name, bool surely, const char *expected)
{
    autobuf struct buf out = BUF_INIT;
    bool found = near_names(name, surely, &out);

    if (found != (*expected != '\0') || strcmp(buf_str(&out), expected) != 0)
        fail_msg("%s: %s, not %s", name, buf_str(&out), expected);
}

static void test_what_is_near_to_a_name(void **state)
{
    static const char *const cases[][2] = {
        {"pandsa", "pandas"},
        {"numpyy", "numpy"},
        {"sklern", "scikit-learn"},
        {"beautifulsoup", "beautifulsoup4"},
        {"python-opencv", "opencv-python-headless, opencv-python"},
        {"opencv", "opencv-python-headless, opencv-python"},
        {"skimage", "scikit-image"},
        {"Pillow-PIL", "pillow"},
        {"tensor-flow", "tensorflow"},
        {"PIL", "pillow"},
        {"cv2", "opencv-python-headless"},
        {"yaml", "PyYAML"},
        {"pytorch", "torch"},
        {"pandas2", "pandas"},
        {"requests_module", "requests"},
        {"HuggingFace.hub", ""}, /* known itself */
        {"numpy", ""},
        {"python", ""},
        {"json", ""},
        {"foo", ""},
        {"pandas-numpy", ""},
        {"qwertyuiop", ""},
        {"my-internal-tool", ""},
        {"a", ""},
        {"", ""},
        {"-", ""},
        {"[x]", ""},
        {"pandaspandaspandaspandaspandaspandaspandaspandaspandas", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_near(cases[i][0], false, cases[i][1]);
    expect_near("sklearn", true, "scikit-learn");
    expect_near("psycopg2", true, "psycopg2-binary");
    expect_near("pandsa", true, "");
}

static void test_well_known_names_are_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < provides_n_differing; i++) {
        autofree char *name = xstrndup(provides_differing[i].text, strcspn(provides_differing[i].text, "["));

        expect_near(name, false, "");
    }
    for (size_t i = 0; i < provides_n_popular; i++)
        expect_near(provides_popular[i], false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_sorted),
        cmocka_unit_test(test_no_module_is_in_two_tables),
        cmocka_unit_test(test_what_is_advised_can_be_installed),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_what_is_no_name_says_nothing),
        cmocka_unit_test(test_what_is_near_to_a_name),
        cmocka_unit_test(test_well_known_names_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
