#include "sandbox/seal.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

#define CAPABILITIES_MAX 64

/* By the bare calls: those of libc send signals to other threads, of which there are none. */
int seal_set_ids(unsigned id, struct err *e)
{
    if (syscall(SYS_setresgid, id, id, id) < 0)
        return err_errno(e, "setresgid %u", id);
    if (syscall(SYS_setresuid, id, id, id) < 0)
        return err_errno(e, "setresuid %u", id);
    return 0;
}

int seal_bounds(struct err *e)
{
    /* Root gains nothing by exec, and none of this can be switched back (capabilities(7), "The securebits flags"). */
    const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                               SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                               SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_NO_NEW_PRIVS");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return err_errno(e, "PR_CAP_AMBIENT_CLEAR_ALL");
    /* Up to the first that this kernel does not know, not up to the last that this compiler knew. */
    for (unsigned long capability = 0; capability < CAPABILITIES_MAX; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL && capability > CAP_AUDIT_READ)
            break;
        return err_errno(e, "PR_CAPBSET_DROP %lu", capability);
    }
    if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_SECUREBITS");
    return 0;
}

int seal_capabilities(struct err *e)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    /* All three sets: an inheritable one that was left gave capabilities back (CVE-2022-27650). */
    if (syscall(SYS_capset, &header, none) < 0)
        return err_errno(e, "capset");
    return 0;
}

int seal_privileges(struct err *e)
{
    int status = seal_bounds(e);

    return status < 0 ? status : seal_capabilities(e);
}

int seal_close_from(unsigned low, int keep, struct err *e)
{
    unsigned kept = (unsigned)keep;

    if (keep < 0 || kept < low)
        return syscall(SYS_close_range, low, ~0U, 0) < 0 ? err_errno(e, "close_range") : 0;
    if (kept > low && syscall(SYS_close_range, low, kept - 1, 0) < 0)
        return err_errno(e, "close_range");
    if (syscall(SYS_close_range, kept + 1, ~0U, 0) < 0)
        return err_errno(e, "close_range");
    return 0;
}

int seal_init(int control, struct err *e)
{
    int status = seal_close_from(0, control, e);

    if (status == 0)
        status = seal_privileges(e);
    if (status < 0)
        return status;
    /* Both are lost by a change of ids, so they come after it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_PDEATHSIG");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_DUMPABLE");
    return 0;
}

/* No PR_SET_PDEATHSIG: it has to clean up when the builder is gone. */
int seal_guard(int control, struct err *e)
{
    int status = seal_close_from(0, control, e);

    if (status == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_errno(e, "PR_SET_DUMPABLE");
    return status;
}
