/* The compiled filter, run by a small interpreter of seccomp's BPF: what it answers to which call. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/err.h"
#include "sandbox/filter.h"
#include "sandbox/syscalls.h"
#include "../unit.h"

#define ERRNO(code) (SECCOMP_RET_ERRNO | (code))
#define KILL SECCOMP_RET_KILL_PROCESS
#define ALLOW SECCOMP_RET_ALLOW

static struct buf program = BUF_INIT;
static uint32_t own_arch;

static int jump(const struct sock_filter *i, uint32_t a)
{
    switch (BPF_OP(i->code)) {
    case BPF_JEQ:
        return a == i->k;
    case BPF_JGT:
        return a > i->k;
    case BPF_JGE:
        return a >= i->k;
    case BPF_JSET:
        return (a & i->k) != 0;
    default:
        fail_msg("jump %#x", i->code);
        return 0;
    }
}

static uint32_t run(const struct seccomp_data *data)
{
    const struct sock_filter *code = (const struct sock_filter *)buf_begin(&program);
    size_t n = program.len / sizeof *code;
    uint32_t a = 0, memory[BPF_MEMWORDS] = {0};

    for (size_t pc = 0; pc < n; pc++) {
        const struct sock_filter *i = &code[pc];

        if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
            assert_true(i->k + 4 <= sizeof *data);
            memcpy(&a, (const char *)data + i->k, 4);
        } else if (i->code == (BPF_LD | BPF_MEM) || i->code == BPF_ST) {
            assert_true(i->k < BPF_MEMWORDS);
            if (i->code == BPF_ST)
                memory[i->k] = a;
            else
                a = memory[i->k];
        } else if (i->code == (BPF_ALU | BPF_AND | BPF_K)) {
            a &= i->k;
        } else if (i->code == (BPF_JMP | BPF_JA)) {
            pc += i->k;
        } else if (BPF_CLASS(i->code) == BPF_JMP) {
            pc += jump(i, a) ? i->jt : i->jf;
        } else if (i->code == (BPF_RET | BPF_K)) {
            return i->k;
        } else {
            fail_msg("instruction %#x", i->code);
        }
    }
    fail_msg("it ran past its end");
    return 0;
}

static uint32_t ask(int number, uint64_t a, uint64_t b, uint64_t c)
{
    struct seccomp_data data = {.nr = number, .arch = own_arch, .args = {a, b, c, 7, 7, 7}};

    return run(&data);
}

static uint32_t ask_name(const char *name, uint64_t a, uint64_t b, uint64_t c)
{
    int number = seccomp_syscall_resolve_name(name);

    assert_true(number >= 0);
    return ask(number, a, b, c);
}

static int compile(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    own_arch = seccomp_arch_native();
    return filter_compile(&program, &e);
}

static int forget(void **state)
{
    (void)state;
    buf_fini(&program);
    return 0;
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < syscalls_n_allowed; i++) {
        int number = seccomp_syscall_resolve_name(syscalls_allowed[i]);

        assert_true(number != __NR_SCMP_ERROR); /* a typing error */
        if (number >= 0)
            assert_int_equal(ask(number, ~0ull, ~0ull, ~0ull), ALLOW);
    }
    for (size_t i = 0; i < syscalls_n_refused; i++) {
        int number = seccomp_syscall_resolve_name(syscalls_refused[i]);

        if (number >= 0)
            assert_int_equal(ask(number, 0, 0, 0), ERRNO(EPERM));
    }
}

static int is_named(const char *name)
{
    for (size_t i = 0; i < syscalls_n_allowed; i++)
        if (strcmp(syscalls_allowed[i], name) == 0)
            return 1;
    for (size_t i = 0; i < syscalls_n_refused; i++)
        if (strcmp(syscalls_refused[i], name) == 0)
            return 1;
    for (size_t i = 0; i < syscalls_n_rules; i++)
        if (strcmp(syscalls_rules[i].name, name) == 0)
            return 1;
    return 0;
}

/* Each name once, and everything else ENOSYS, also numbers that nobody has given out yet. */
static void test_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < syscalls_n_allowed; i++)
        for (size_t j = 0; j < syscalls_n_refused; j++)
            assert_string_not_equal(syscalls_allowed[i], syscalls_refused[j]);
    for (int number = 0; number < 1200; number++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

        if (!name || !is_named(name))
            assert_int_equal(ask(number, 0, 0, 0), ERRNO(ENOSYS));
        free(name);
    }
    assert_int_equal(ask_name("clone3", 0, 0, 0), ERRNO(ENOSYS));
}

static void test_other_machines(void **state)
{
    struct seccomp_data data = {.nr = 0, .arch = AUDIT_ARCH_I386};

    (void)state;
    assert_int_equal(run(&data), KILL);
    data.arch = AUDIT_ARCH_ARM;
    assert_int_equal(run(&data), KILL);
#ifdef __x86_64__
    assert_int_equal(ask(0x40000000, 0, 0, 0), KILL); /* x32 */
    assert_int_equal(ask(0x40000000 + 512, 0, 0, 0), KILL);
#endif
}

static void test_clone(void **state)
{
    const uint64_t thread = 0x3d0f00, fork = 0x1200011, vfork = 0x4111;

    (void)state;
    assert_int_equal(ask_name("clone", thread, 0, 0), ALLOW);
    assert_int_equal(ask_name("clone", fork, 0, 0), ALLOW);
    assert_int_equal(ask_name("clone", vfork, 0, 0), ALLOW);
    for (int bit = 0; bit < 32; bit++) {
        uint64_t flag = 1ull << bit;
        int is_namespace = (0x7e020000ull & flag) != 0;

        assert_int_equal(ask_name("clone", flag, 0, 0), is_namespace ? ERRNO(EPERM) : ALLOW);
        assert_int_equal(ask_name("clone", flag | thread, 0, 0), is_namespace ? ERRNO(EPERM) : ALLOW);
    }
    assert_int_equal(ask_name("clone", 0x7e020000ull | fork, 0, 0), ERRNO(EPERM));
}

static void test_sockets(void **state)
{
    (void)state;
    for (uint64_t family = 0; family < 64; family++) {
        int known = family == 1 || family == 2 || family == 10;

        assert_int_equal(ask_name("socket", family, 1, 0), known ? ALLOW : ERRNO(EAFNOSUPPORT));
        for (uint64_t protocol = 1; protocol < 300; protocol++) {
            uint32_t answer = ask_name("socket", family, 1, protocol);
            int ip = protocol == 6 || protocol == 17;

            if (family == 2 || family == 10)
                assert_int_equal(answer == ALLOW, ip);
            else
                assert_int_equal(answer == ALLOW, family == 1);
        }
    }
    assert_int_equal(ask_name("socket", 2, 1, 262), ERRNO(EPROTONOSUPPORT));
    assert_int_equal(ask_name("socket", (1ull << 32) | 16, 3, 0), ERRNO(EAFNOSUPPORT));
    assert_int_equal(ask_name("socketpair", 1, 1, 0), ALLOW);
    assert_int_not_equal(ask_name("socketpair", 2, 1, 0), ALLOW);
}

/* A command has 32 bits; what is above, the kernel ignores. */
static void test_commands(void **state)
{
    const uint64_t high = 0xdeadbeefull << 32;

    (void)state;
    for (uint64_t command = 0; command < 0x10000; command++)
        if (ask_name("ioctl", 0, command, 0) == ALLOW)
            assert_true(command >> 8 == 0x54 || command >> 8 == 0x89);
    assert_int_equal(ask_name("ioctl", 0, 0x5401, 0), ALLOW);
    assert_int_equal(ask_name("ioctl", 0, 0x40049409, 0), ERRNO(EOPNOTSUPP)); /* FICLONE */
    assert_int_equal(ask_name("ioctl", 0, 0x5412, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("ioctl", 0, 0x5412 | high, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("ioctl", 0, 0x541c | high, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("prctl", 22, 0, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("prctl", 22 | high, 0, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("prctl", 15, 0, 0), ALLOW);
    assert_int_equal(ask_name("prctl", 0x59616d61, 0, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("fcntl", 0, 1024, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("fcntl", 0, 1030, 0), ALLOW);
    assert_int_equal(ask_name("prlimit64", 0, 7, 0), ALLOW);
    for (int bit = 0; bit < 64; bit++)
        assert_int_equal(ask_name("prlimit64", 1ull << bit, 7, 0), ERRNO(EPERM));
    assert_int_equal(ask_name("mknodat", 0, 0, 0010644), ALLOW);
    assert_int_equal(ask_name("mknodat", 0, 0, 0000600), ALLOW); /* os.mknod(path) */
    assert_int_equal(ask_name("mknodat", 0, 0, 0020644), ERRNO(EPERM));
    assert_int_equal(ask_name("mknodat", 0, 0, 0060644), ERRNO(EPERM));
}

/* Where there are no namespaces. */
static void test_variants(void **state)
{
    struct err e = ERR_INIT;
    static const char *const watching[] = {"inotify_init", "inotify_init1", "inotify_add_watch"};

    (void)state;
    for (size_t i = 0; i < sizeof watching / sizeof *watching; i++)
        assert_int_equal(ask_name(watching[i], 0, 0, 0), ALLOW);
    buf_clear(&program);
    assert_int_equal(filter_compile_for(SYSCALLS_SHARED, &program, &e), 0);
    for (size_t i = 0; i < sizeof watching / sizeof *watching; i++)
        assert_int_equal(ask_name(watching[i], 0, 0, 0), ERRNO(ENOSYS));
    for (uint64_t type = 0; type < 16; type++) {
        assert_int_not_equal(ask_name("socket", 1, type, 0), ALLOW);
        assert_int_equal(ask_name("socketpair", 1, type | 02004000, 0) == ALLOW, type == 1 || type == 5);
    }
    assert_int_equal(ask_name("socket", 2, 1, 6), ALLOW);
    buf_clear(&program);
    assert_int_equal(filter_compile_for(SYSCALLS_SHARED | SYSCALLS_OFFLINE, &program, &e), 0);
    for (uint64_t family = 0; family < 64; family++)
        for (uint64_t protocol = 0; protocol < 300; protocol++)
            assert_int_not_equal(ask_name("socket", family, 1, protocol), ALLOW);
    assert_int_equal(ask_name("socket", 2, 1, 0), ERRNO(EACCES));
    assert_int_equal(ask_name("read", 0, 0, 0), ALLOW);
    assert_int_equal(ask_name("ptrace", 0, 0, 0), ERRNO(EPERM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_the_rest), cmocka_unit_test(test_other_machines),
        cmocka_unit_test(test_clone),    cmocka_unit_test(test_sockets),  cmocka_unit_test(test_commands),
        cmocka_unit_test(test_variants), /* the last: it compiles others */
    };

    return cmocka_run_group_tests(tests, compile, forget);
}
