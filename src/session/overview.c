/* What there is: for those who look at a running server from outside (server/control.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "session/boxes.h"
#include "session/impl.h"

const char *sessions_runtime_dir(const struct sessions *all)
{
    return all->keeper.rundir;
}

void session_describe(const struct session *s, struct session_info *ret)
{
    *ret = (struct session_info){
        .id = s->id,
        .workdir = s->all->isolated ? box_workspace(s->box) : s->all->workdir,
        .isolated = !!s->all->isolated,
        .busy = s->first != NULL,
        .idle_ms = s->first ? 0 : clock_ms() - s->last_used_ms,
        .n_files = s->n_recent,
    };
}

void sessions_each(const struct sessions *all, void (*each)(void *data, const struct session_info *info), void *data)
{
    for (const struct session *s = all->first; s; s = s->next) {
        struct session_info info;

        session_describe(s, &info);
        each(data, &info);
    }
}

int session_open_dir(const struct session *s, const char *path, int *ret_fd, struct err *e)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int dir = session_workdir_fd(s), fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof how);

    if (fd < 0 && dir < 0)
        return err_set(e, ENOENT, "session %s has no files yet", s->id);
    if (fd < 0 && (errno == EXDEV || errno == ELOOP))
        return err_set(e, EACCES, "%s leads out of the session's files", path);
    if (fd < 0)
        return err_errno(e, "%s", path);
    *ret_fd = fd;
    return 0;
}
