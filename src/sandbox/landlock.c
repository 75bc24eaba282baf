#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

/* linux/landlock.h of the build machine may be older than the kernel that this runs on. */
#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1
#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_ABI_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)     /* ABI 2 */
#define FS_TRUNCATE (1ull << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define SCOPE_ABSTRACT_UNIX (1ull << 0) /* ABI 6 */
#define SCOPE_SIGNAL (1ull << 1)

struct ruleset_attr {
    uint64_t handled_fs, handled_net, scoped;
};

struct path_attr {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    return abi > 0 ? (int)abi : 0;
}

static int allow(int ruleset, const char *path, uint64_t rights, struct err *e)
{
    struct path_attr rule = {.allowed = rights};
    autofd int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(e, "open %s", path);
    rule.parent = fd;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_errno(e, "landlock_add_rule %s", path);
    return 0;
}

static int allow_all(int ruleset, uint64_t handled, const char *const *writable, size_t n, struct err *e)
{
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full"};
    const uint64_t inside = handled & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV);
    int status = allow(ruleset, "/", FS_READ_FILE | FS_READ_DIR | FS_EXECUTE, e);

    for (size_t i = 0; i < sizeof devices / sizeof *devices && status == 0; i++)
        status = allow(ruleset, devices[i], handled & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE), e);
    for (size_t i = 0; i < n && status == 0; i++)
        status = allow(ruleset, writable[i], inside, e);
    return status;
}

int landlock_restrict(const char *const *writable, size_t n, struct err *e)
{
    struct ruleset_attr attr = {.handled_fs = FS_ABI_1 | FS_REFER};
    int abi = landlock_abi(), status;
    autofd int ruleset = -1;
    size_t size = sizeof attr.handled_fs;

    if (abi < 2)
        return err_set(e, ENOSYS, "this kernel has no Landlock of version 2 or later");
    if (abi >= 3)
        attr.handled_fs |= FS_TRUNCATE;
    if (abi >= 5)
        attr.handled_fs |= FS_IOCTL_DEV;
    if (abi >= 6) {
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
        size = sizeof attr;
    }
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return err_errno(e, "landlock_create_ruleset");
    status = allow_all(ruleset, attr.handled_fs, writable, n, e);
    if (status < 0)
        return status;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return err_errno(e, "landlock_restrict_self");
    return 0;
}
