#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
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
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_REG (1ull << 8)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_ABI_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)     /* ABI 2 */
#define FS_TRUNCATE (1ull << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define FS_READ (FS_EXECUTE | FS_READ_FILE | FS_READ_DIR)
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
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

/* The version of the kernel, and everything that it can refuse. */
static int make_ruleset(int abi, uint64_t *ret_handled, struct err *e)
{
    struct ruleset_attr attr = {.handled_fs = FS_ABI_1 | FS_REFER};
    size_t size = sizeof attr.handled_fs;
    int ruleset;

    if (abi >= 3)
        attr.handled_fs |= FS_TRUNCATE;
    if (abi >= 5)
        attr.handled_fs |= FS_IOCTL_DEV;
    if (abi >= 6) {
        attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
        size = sizeof attr;
    }
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    *ret_handled = attr.handled_fs;
    return ruleset < 0 ? err_errno(e, "landlock_create_ruleset") : ruleset;
}

/* The rights that mean something for the kind of file. What is not there, or not to be reached, is left out. */
static int allow(int ruleset, const char *path, uint64_t rights, struct err *e)
{
    struct path_attr rule = {.allowed = rights};
    autofd int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return errno == ENOENT || errno == EACCES ? 0 : err_errno(e, "open %s", path);
    if (fstat(fd, &st) < 0)
        return err_errno(e, "stat %s", path);
    if (!S_ISDIR(st.st_mode))
        rule.allowed &= FS_OF_FILES;
    rule.parent = fd;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_errno(e, "landlock_add_rule %s", path);
    return 0;
}

static int allow_each(int ruleset, const char *const *paths, size_t n, uint64_t rights, struct err *e)
{
    int status = 0;

    for (size_t i = 0; i < n && status == 0; i++)
        status = allow(ruleset, paths[i], rights, e);
    return status;
}

static int allow_devices(int ruleset, uint64_t handled, struct err *e)
{
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full"};

    return allow_each(ruleset, devices, sizeof devices / sizeof *devices,
                      handled & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE), e);
}

static int allow_writable(int ruleset, uint64_t handled, const char *const *writable, size_t n, struct err *e)
{
    return allow_each(ruleset, writable, n, handled & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_IOCTL_DEV), e);
}

static int restrict_self(int ruleset, struct err *e)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? err_errno(e, "landlock_restrict_self") : 0;
}

int landlock_restrict(const char *const *writable, size_t n, struct err *e)
{
    autofd int ruleset = -1;
    int abi = landlock_abi(), status;
    uint64_t handled;

    if (abi < 2)
        return err_set(e, ENOSYS, "this kernel has no Landlock of version 2 or later");
    ruleset = make_ruleset(abi, &handled, e);
    if (ruleset < 0)
        return -e->code;
    status = allow(ruleset, "/", FS_READ, e);
    if (status == 0)
        status = allow_devices(ruleset, handled, e);
    if (status == 0)
        status = allow_writable(ruleset, handled, writable, n, e);
    return status < 0 ? status : restrict_self(ruleset, e);
}

int landlock_wall(const char *const *readable, size_t n_readable, const char *const *writable, size_t n_writable,
                  struct err *e)
{
    autofd int ruleset = -1;
    int abi = landlock_abi(), status;
    uint64_t handled;

    if (abi < LANDLOCK_WALL_ABI)
        return err_set(e, ENOSYS, "this kernel has no Landlock of version %d or later", LANDLOCK_WALL_ABI);
    ruleset = make_ruleset(abi, &handled, e);
    if (ruleset < 0)
        return -e->code;
    status = allow_each(ruleset, readable, n_readable, FS_READ, e);
    if (status == 0)
        status = allow_devices(ruleset, handled, e);
    if (status == 0)
        status = allow_writable(ruleset, handled, writable, n_writable, e);
    /* shm_overview(7), sem_overview(7): opened by names that those who share them know. Names of others stay hidden. */
    if (status == 0)
        status = allow(ruleset, "/dev/shm",
                       handled & (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_REMOVE_FILE), e);
    return status < 0 ? status : restrict_self(ruleset, e);
}
