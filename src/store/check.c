/*
 * Is a set what it was when it was made, as far as one can tell without reading files? It is asked before each use, so
 * it has to be quick: every directory is opened once, relative to the one above, and a file costs one fstatat(2) of a
 * name.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fd.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"

struct checking {
    const struct store_set *set;
    struct level {
        int fd;
        size_t end;           /* length of its path, the slash included */
    } levels[TREE_DEPTH + 1]; /* of the directory that is looked at, from the tree down */
    size_t depth;             /* the number of the last one */
    struct err *e;
};

static int damaged(const struct checking *c, const char *path, size_t size, const char *why)
{
    char shown[TEXT_SHOWN], part[STORE_PATH_BYTES];

    memcpy(part, path, size);
    part[size] = '\0';
    return err_set(c->e, EUCLEAN, "%s: %s", size ? text_shown(part, shown) : "its tree", why);
}

/* What failed for a reason that a damaged tree gives, or for another. */
static int failed(const struct checking *c, const char *path, size_t size, int error)
{
    if (error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES)
        return damaged(c, path, size, "it is missing");
    if (error == EIO)
        return damaged(c, path, size, "the disk cannot read it");
    errno = error;
    return err_errno(c->e, "%.*s", (int)size, path);
}

/* The time of a directory changes with each file that comes or goes. */
static int check_dir(const struct checking *c, int fd, const char *path, size_t size)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return failed(c, path, size, errno);
    if (st.st_mtim.tv_sec != c->set->about.seconds || st.st_mtim.tv_nsec != (long)c->set->about.nanoseconds)
        return damaged(c, path, size, "something in it was changed");
    return 0;
}

static void leave_dirs(struct checking *c, size_t shared)
{
    while (c->depth > 0 && c->levels[c->depth].end > shared)
        fd_close(&c->levels[c->depth--].fd);
}

/* Down to the directory of path. */
static int enter_dirs(struct checking *c, const char *path)
{
    char name[256];
    int r = 0;

    for (const char *slash; r == 0 && (slash = strchr(path + c->levels[c->depth].end, '/')) != NULL;) {
        const struct level *above = &c->levels[c->depth];
        size_t end = (size_t)(slash - path), size = end - above->end;
        int fd;

        if (c->depth == TREE_DEPTH || size >= sizeof name)
            return damaged(c, path, end, "it is nested too deeply");
        memcpy(name, path + above->end, size);
        name[size] = '\0';
        fd = openat(above->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return failed(c, path, end, errno);
        c->levels[++c->depth] = (struct level){fd, end + 1};
        r = check_dir(c, fd, path, end);
    }
    return r;
}

static int check_file(const struct checking *c, const struct manifest_file *file)
{
    const struct level *dir = &c->levels[c->depth];
    size_t size = strlen(file->path);
    struct stat st;

    if (fstatat(dir->fd, file->path + dir->end, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(c, file->path, size, errno);
    if ((uint64_t)st.st_size != file->size)
        return damaged(c, file->path, size, "its size changed");
    if (file->kind == 'l')
        return S_ISLNK(st.st_mode) ? 0 : damaged(c, file->path, size, "it is no symbolic link any more");
    if (!S_ISREG(st.st_mode) || (st.st_mode & 07777) != file_mode(file->kind))
        return damaged(c, file->path, size, "its mode changed");
    if (st.st_mtim.tv_sec != FILE_TIME || st.st_mtim.tv_nsec != 0)
        return damaged(c, file->path, size, "it was changed");
    return 0;
}

static int check_all(struct checking *c, const struct manifest *m)
{
    int r = check_dir(c, c->levels[0].fd, "", 0);

    for (size_t i = 0; r == 0 && i < m->n; i++) {
        if (i)
            leave_dirs(c, manifest_shared(m->files[i - 1].path, m->files[i].path));
        r = enter_dirs(c, m->files[i].path);
        if (r == 0)
            r = check_file(c, &m->files[i]);
    }
    leave_dirs(c, 0);
    return r;
}

int store_set_check(const struct store_set *set, struct err *e)
{
    struct checking c = {.set = set, .e = e};
    struct manifest m = MANIFEST_INIT;
    autofd int tree = file_open_dir(set->dir, "tree");
    int r;

    if (tree < 0)
        return err_set(e, EUCLEAN, "its tree cannot be opened: %s", strerrordesc_np(-tree));
    c.levels[0] = (struct level){tree, 0};
    r = store_read_manifest(set->dir, &set->about, true, &m, e);
    if (r == 0)
        r = check_all(&c, &m);
    manifest_fini(&m);
    return r;
}
