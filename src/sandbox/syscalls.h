/*
 * The table of system calls: what foreign code may do, everything else being refused. Data only; filter.h compiles it.
 * What is not named here answers ENOSYS, as an older kernel would, so that libraries fall back to something else.
 */
#ifndef CELLBLOCK_SANDBOX_SYSCALLS_H
#define CELLBLOCK_SANDBOX_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rule_test { RULE_ALWAYS, RULE_EQUAL, RULE_ABOVE, RULE_BITS, RULE_TEST_MAX };

/* One argument of one call. */
struct rule_argument {
    enum rule_test test;
    unsigned index;
    uint64_t mask, value; /* BITS: (argument & mask) == value; ABOVE: argument > value */
};

/*
 * Where there are no namespaces, the filter must refuse what they make harmless elsewhere, and Landlock does not see:
 * sockets that have a path or a name in the machine's network, and watching files by path (inotify).
 */
enum syscalls_variant {
    SYSCALLS_SHARED = 1, /* no namespaces */
    SYSCALLS_OFFLINE = 2 /* no network: not even loopback, which is the machine's */
};

/* Allowed (error 0), or answered with an error, when all tests hold. A rule without tests stands alone for its call. */
struct syscall_rule {
    const char *name; /* one that this machine does not have is left out */
    int error;
    struct rule_argument arguments[2];
    /* Bits of enum syscalls_variant: a rule for filters with one of only (0: all filters), and none of never. */
    unsigned only, never;
};

extern const char *const syscalls_allowed[]; /* whatever the arguments */
extern const size_t syscalls_n_allowed;
extern const char *const syscalls_refused[]; /* EPERM: an exception in Python, where ENOSYS would puzzle */
extern const size_t syscalls_n_refused;
extern const struct syscall_rule syscalls_rules[]; /* by argument; none holds: ENOSYS */
extern const size_t syscalls_n_rules;

static inline bool syscalls_is_rule_of(const struct syscall_rule *rule, unsigned for_what)
{
    return !(rule->never & for_what) && (!rule->only || rule->only & for_what);
}

#endif
