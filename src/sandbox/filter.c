#include "sandbox/filter.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "sandbox/syscalls.h"

#define OPTIMIZE_TREE 2 /* binary search by number (libseccomp 2.5), not one comparison a call */

static int add_names(scmp_filter_ctx context, uint32_t action, const char *const *names, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int number = seccomp_syscall_resolve_name(names[i]), status;

        if (number < 0) /* not known to this libseccomp, or not of this machine: stays at ENOSYS */
            continue;
        status = seccomp_rule_add_array(context, action, number, 0, NULL);
        if (status < 0)
            return err_set(e, -status, "system call filter: %s: %s", names[i], strerror(-status));
    }
    return 0;
}

static int add_rule(scmp_filter_ctx context, const struct syscall_rule *rule, struct err *e)
{
    uint32_t action = rule->error ? SCMP_ACT_ERRNO((uint32_t)rule->error) : SCMP_ACT_ALLOW;
    int number = seccomp_syscall_resolve_name(rule->name), status;
    struct scmp_arg_cmp tests[2];
    unsigned n = 0;

    if (number < 0)
        return 0;
    for (size_t i = 0; i < sizeof rule->arguments / sizeof *rule->arguments; i++) {
        const struct rule_argument *a = &rule->arguments[i];

        if (a->test == RULE_EQUAL)
            tests[n++] = (struct scmp_arg_cmp){a->index, SCMP_CMP_EQ, a->value, 0};
        else if (a->test == RULE_ABOVE)
            tests[n++] = (struct scmp_arg_cmp){a->index, SCMP_CMP_GT, a->value, 0};
        else if (a->test == RULE_BITS)
            tests[n++] = (struct scmp_arg_cmp){a->index, SCMP_CMP_MASKED_EQ, a->mask, a->value};
    }
    status = seccomp_rule_add_array(context, action, number, n, tests);
    return status < 0 ? err_set(e, -status, "system call filter: %s: %s", rule->name, strerror(-status)) : 0;
}

/* By way of an anonymous file: libseccomp exports to memory only since 2.6. */
static int export(scmp_filter_ctx context, struct buf *ret, struct err *e)
{
    autofd int fd = fd_memfile("filter", NULL, 0);
    int status;

    if (fd < 0)
        return err_set(e, -fd, "system call filter: an anonymous file");
    status = seccomp_export_bpf(context, fd);
    if (status < 0)
        return err_set(e, -status, "system call filter: export: %s", strerror(-status));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_errno(e, "system call filter");
    for (;;) {
        char *room = buf_reserve(ret, 16 * KIB);
        ssize_t size = room ? read(fd, room, 16 * KIB) : -1;

        if (size < 0)
            return err_errno(e, "system call filter: read");
        if (size == 0)
            return 0;
        buf_commit(ret, (size_t)size);
    }
}

int filter_compile(struct buf *ret, struct err *e)
{
    return filter_compile_for(0, ret, e);
}

int filter_compile_for(unsigned for_what, struct buf *ret, struct err *e)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int status = 0;

    if (!context)
        return err_set(e, ENOMEM, "system call filter: seccomp_init");
    /* x32 and 32-bit calls have numbers of their own, which the table does not mean. */
    if ((status = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) < 0 ||
        (status = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE)) < 0)
        (void)err_set(e, -status, "system call filter: attributes");
    if (status == 0)
        status = add_names(context, SCMP_ACT_ALLOW, syscalls_allowed, syscalls_n_allowed, e);
    if (status == 0)
        status = add_names(context, SCMP_ACT_ERRNO(EPERM), syscalls_refused, syscalls_n_refused, e);
    for (size_t i = 0; i < syscalls_n_rules && status == 0; i++)
        if (syscalls_is_rule_of(&syscalls_rules[i], for_what))
            status = add_rule(context, &syscalls_rules[i], e);
    if (status == 0)
        status = export(context, ret, e);
    seccomp_release(context);
    return status;
}
