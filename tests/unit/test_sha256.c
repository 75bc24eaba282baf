/* SHA-256 against the vectors of RFC 6234, 8.5, and every way to cut the input. */
#include "base/sha256.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void check(const void *data, size_t size, const char *want)
{
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX];

    sha256_of(data, size, hash);
    sha256_hex(hash, hex);
    assert_string_equal(hex, want);
}

static void check_repeated(const char *text, size_t size, int times, const char *want)
{
    unsigned char hash[SHA256_BYTES];
    char hex[SHA256_HEX];
    struct sha256 h;

    sha256_init(&h);
    while (times-- > 0)
        sha256_add(&h, text, size);
    sha256_end(&h, hash);
    sha256_hex(hash, hex);
    assert_string_equal(hex, want);
}

static void vectors_of_the_rfc(void **state)
{
    static const unsigned char test8[] = {0xe3, 0xd7, 0x25, 0x70, 0xdc, 0xdd, 0x78, 0x7c,
                                          0xe3, 0x88, 0x7a, 0xb2, 0xcd, 0x68, 0x46, 0x52};

    (void)state;
    check("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check("\x19", 1, "68aa2e2ee5dff96e3355e6c7ee373e3d6a4e17f75f9518d843709c0c9bc3e3d4");
    check(test8, sizeof test8, "175ee69b02ba9b58e2b0a5fd13819cea573f3940a94f825128cf4209beabb4e8");
    check_repeated("a", 1, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    check_repeated("0123456701234567012345670123456701234567012345670123456701234567", 64, 10,
                   "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5");
}

static void the_cut_of_the_input_is_no_matter(void **state)
{
    unsigned char data[200], whole[SHA256_BYTES], parts[SHA256_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7);
    for (size_t size = 0; size <= sizeof data; size++) {
        sha256_of(data, size, whole);
        for (size_t cut = 0; cut <= size; cut++) {
            struct sha256 h;

            sha256_init(&h);
            sha256_add(&h, data, cut);
            sha256_add(&h, data + cut, size - cut);
            sha256_end(&h, parts);
            assert_memory_equal(whole, parts, SHA256_BYTES);
        }
    }
}

static void only_64_digits_in_lower_case_are_read(void **state)
{
    char hex[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    unsigned char hash[SHA256_BYTES], want[SHA256_BYTES];

    (void)state;
    sha256_of("abc", 3, want);
    assert_true(sha256_parse(hex, 64, hash));
    assert_memory_equal(hash, want, SHA256_BYTES);
    assert_false(sha256_parse(hex, 63, hash));
    hex[0] = 'B';
    assert_false(sha256_parse(hex, 64, hash));
    hex[0] = 'g';
    assert_false(sha256_parse(hex, 64, hash));
    assert_memory_equal(hash, want, SHA256_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc),
        cmocka_unit_test(the_cut_of_the_input_is_no_matter),
        cmocka_unit_test(only_64_digits_in_lower_case_are_read),
    };

    return cmocka_run_group_tests_name("sha256", tests, NULL, NULL);
}
