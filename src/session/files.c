/*
 * The files of a session: the working directory and, apart from it, a scratch directory for what the user did not ask
 * for (whole outputs, HTML of charts). Isolated code owns both and may have put anything there: every path is resolved
 * by openat2(2), which follows nothing out of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "session/boxes.h"
#include "session/impl.h"

#define SCRATCH_NAME ".cellblock"
#define SCRATCH_PREFIX SCRATCH_NAME "/"

static int open_beneath(int dir, const char *path, uint64_t flags, mode_t mode)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof how);

    return fd >= 0 ? fd : dir < 0 ? -ENOENT : -errno;
}

int session_workdir_fd(const struct session *s)
{
    return !s->all->isolated ? s->all->workdir_fd : s->box ? box_sandbox(s->box)->workspace : -1;
}

/* ---- scratch ---- */

static int make_scratch_inside(const struct session *s)
{
    int dir = session_workdir_fd(s);

    if (dir < 0 || (mkdirat(dir, SCRATCH_NAME, 0755) < 0 && errno != EEXIST))
        return -1;
    /* As root, whose sandboxes have users of their own. It is not followed: the code may have put a link there. */
    if (geteuid() == 0 &&
        fchownat(dir, SCRATCH_NAME, box_sandbox(s->box)->uid, box_sandbox(s->box)->uid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return open_beneath(dir, SCRATCH_NAME, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int make_scratch_outside(const struct session *s, const char *path)
{
    if (!s->all->keeper.rundir || (mkdir(path, 0700) < 0 && errno != EEXIST))
        return -1;
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

const char *session_scratch(struct session *s)
{
    if (!s->scratch)
        s->scratch = s->all->isolated ? xasprintf("%s/" SCRATCH_NAME, box_workspace(s->box))
                                      : xasprintf("%s/%s", s->all->keeper.rundir, s->id);
    return s->scratch;
}

int session_scratch_fd(struct session *s)
{
    if (s->scratch_fd < 0)
        s->scratch_fd = s->all->isolated ? make_scratch_inside(s) : make_scratch_outside(s, session_scratch(s));
    return s->scratch_fd;
}

void session_forget_scratch(struct session *s)
{
    fd_close(&s->scratch_fd);
    free(s->scratch);
    s->scratch = NULL;
}

/* ---- by name ---- */

/* *ret_path: the rest of path below the directory that is returned. */
static int directory_of(struct session *s, const char *path, const char **ret_path)
{
    bool scratch = strncmp(path, SCRATCH_PREFIX, strlen(SCRATCH_PREFIX)) == 0;

    *ret_path = scratch ? path + strlen(SCRATCH_PREFIX) : path;
    return scratch ? session_scratch_fd(s) : session_workdir_fd(s);
}

static int refuse(int code, const char *path, struct err *e)
{
    if (code == EXDEV || code == ELOOP)
        return err_set(e, EACCES, "%.200s leads out of the session's files", path);
    return err_set(e, code, "%.200s: %s", path, strerror(code));
}

int session_open_file(struct session *s, const char *path, int *ret_fd, int64_t *ret_size, struct err *e)
{
    const char *rest;
    int dir = directory_of(s, path, &rest);
    autofd int fd = open_beneath(dir, rest, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0); /* a FIFO would block */
    struct stat st;

    if (fd < 0)
        return refuse(-fd, path, e);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s is not a regular file", path);
    *ret_fd = steal_fd(&fd);
    *ret_size = st.st_size;
    return 0;
}

int session_create_file(struct session *s, const char *path, int *ret_fd, struct err *e)
{
    const char *rest;
    int dir = directory_of(s, path, &rest);
    autofd int fd = open_beneath(dir, rest, O_WRONLY | O_CREAT | O_EXCL | O_NOCTTY, 0644);
    bool is_new = fd >= 0;
    struct stat st;

    if (fd == -EEXIST)
        fd = open_beneath(dir, rest, O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);

    if (fd < 0)
        return refuse(-fd, path, e);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(e, EINVAL, "%s is not a regular file", path);
    if (ftruncate(fd, 0) < 0)
        return err_errno(e, "%s", path);
    /* Only a new one: what lies there already may be a file of the user's, from a directory that is shared. */
    if (is_new && s->all->isolated && geteuid() == 0 &&
        fchown(fd, box_sandbox(s->box)->uid, box_sandbox(s->box)->uid) < 0)
        return err_errno(e, "%s", path);
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* ---- what changed lately ---- */

void session_remember_file(struct session *s, const char *path)
{
    size_t max = sizeof s->recent / sizeof *s->recent;

    for (size_t i = 0; i < s->n_recent; i++)
        if (strcmp(s->recent[i], path) == 0)
            return;
    if (s->n_recent == max) {
        free(s->recent[0]);
        memmove(s->recent, s->recent + 1, (max - 1) * sizeof *s->recent);
        s->n_recent--;
    }
    s->recent[s->n_recent++] = xstrdup(path);
}

void sessions_each_file(const struct sessions *all,
                        void (*each)(void *data, const char *session, const char *path, int64_t size), void *data)
{
    for (const struct session *s = all->first; s; s = s->next)
        for (size_t i = s->n_recent; i-- > 0;) {
            autofd int fd = open_beneath(session_workdir_fd(s), s->recent[i], O_PATH | O_NOFOLLOW, 0);
            struct stat st;

            if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
                each(data, s->id, s->recent[i], st.st_size);
        }
}
