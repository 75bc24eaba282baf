#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "store/impl.h"

#define TRIES 1000 /* of 2 ms: who holds it alone looks at it for a moment, or is about to move it away */

/* Is the lock still the one of at/id, not of something that was moved away meanwhile? */
static bool is_in_place(int at, const char *path, int fd)
{
    struct stat here, locked;

    return fstatat(at, path, &here, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &locked) == 0 &&
           here.st_ino == locked.st_ino && here.st_dev == locked.st_dev;
}

/* -ENOENT: nothing is there; -EUCLEAN: there is, but it has no lock. Looked at again: it may just have come. */
static int missing(int at, const char *id, unsigned *times)
{
    if (faccessat(at, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return -ENOENT;
    return ++*times < 3 ? 0 : -EUCLEAN;
}

int lock_take(int at, const char *id, enum lock_how how, int *ret)
{
    int kind = (how == LOCK_REMOVE ? LOCK_EX : LOCK_SH) | LOCK_NB;
    char path[STORE_ID_MAX + sizeof STORE_LOCK + 1];
    const struct timespec moment = {0, 2000000};
    unsigned times = 0;

    (void)snprintf(path, sizeof path, "%s/" STORE_LOCK, id);
    for (int i = 0; i < TRIES; i++) {
        /* For reading and writing: where flock(2) is made of fcntl(2) locks (NFS) a lock needs that. */
        autofd int fd = openat(at, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        int r;

        if (fd < 0 && errno == ENOENT) {
            r = missing(at, id, &times);
            if (r < 0)
                return r;
            continue;
        }
        if (fd < 0)
            return errno == ENOTDIR || errno == ELOOP || errno == EISDIR ? -EUCLEAN : -errno;
        if (flock(fd, kind) == 0) {
            if (!is_in_place(at, path, fd))
                continue; /* gone, or another came in its place */
            if (how == LOCK_USE)
                (void)futimens(fd, NULL);
            *ret = steal_fd(&fd);
            return 0;
        }
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (how == LOCK_REMOVE)
            return -EBUSY;
        (void)nanosleep(&moment, NULL);
    }
    return -EBUSY;
}

int64_t lock_used_ms(int at, const char *id)
{
    char path[STORE_ID_MAX + sizeof STORE_LOCK + 1];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/" STORE_LOCK, id);
    if (fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

int64_t lock_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
