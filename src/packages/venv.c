#include "packages/venv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "packages/python.h"

/* Does dir have only what uv venv and python -m venv put there? Then completing it harms nobody's files. */
static bool only_venv_parts(const char *dir)
{
    static const char *const parts[] = {".",     "..",         "bin",        "lib",          "lib64", "include",
                                        "share", "pyvenv.cfg", ".gitignore", "CACHEDIR.TAG", ".lock"};
    DIR *opened = opendir(dir);
    const struct dirent *d;
    bool only = opened != NULL;

    if (!opened)
        return false;
    while (only && (d = readdir(opened))) {
        only = false;
        for (size_t i = 0; !only && i < sizeof(parts) / sizeof(parts[0]); i++)
            only = strcmp(d->d_name, parts[i]) == 0;
    }
    (void)closedir(opened);
    return only;
}

int venv_look(const char *dir, struct err *e)
{
    char python[PATH_MAX], config[PATH_MAX];
    struct stat st;

    if (snprintf(python, sizeof(python), "%s/bin/python", dir) >= (int)sizeof(python))
        return err_set(e, ENAMETOOLONG, "the path %s is too long for a virtual environment", dir);
    (void)snprintf(config, sizeof(config), "%s/pyvenv.cfg", dir);
    if (lstat(dir, &st) < 0)
        return errno == ENOENT ? VENV_MISSING : err_errno(e, "%s", dir);
    if (stat(dir, &st) < 0)
        return err_errno(e, "%s is a symbolic link that leads nowhere: remove or repair it", dir);
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ENOTDIR,
                       "%s is not a directory, so packages cannot be installed there: rename or remove it, "
                       "or start the server with another --workdir",
                       dir);
    if (access(dir, R_OK | X_OK) < 0)
        return err_errno(e, "%s cannot be read", dir);
    if (lstat(python, &st) == 0 && access(config, F_OK) == 0) {
        if (stat(python, &st) == 0)
            return VENV_THERE;
        return err_set(e, ENOENT,
                       "the Python that %s was made with is gone: %s leads nowhere. Remove %s and install "
                       "again: it will be made anew",
                       dir, python, dir);
    }
    if (only_venv_parts(dir))
        return VENV_HALF;
    return err_set(e, EEXIST,
                   "%s is there, but is not a virtual environment: rename or remove it, or start the server "
                   "with another --workdir",
                   dir);
}

int venv_fits(const char *dir, const struct python_info *venv, const struct python_info *base, struct err *e)
{
    char real_dir[PATH_MAX], real_prefix[PATH_MAX];

    if (!realpath(dir, real_dir) || !realpath(venv->prefix, real_prefix) || strcmp(real_dir, real_prefix) != 0)
        return err_set(e, EINVAL,
                       "%s is broken: its Python says that it belongs to %s. It may have been moved; remove "
                       "it and install again: it will be made anew",
                       dir, venv->prefix);
    if (strcmp(venv->abi, base->abi) == 0)
        return 0;
    return err_set(e, EINVAL,
                   "%s is for Python %s (%s), this session runs Python %s (%s). Start the server with "
                   "--python %s/bin/python, or remove %s and install again: it will be made anew",
                   dir, venv->version, venv->abi, base->version, base->abi, dir, dir);
}

int venv_lock(const char *dir)
{
    autofd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return steal_fd(&fd);
    if (errno == EWOULDBLOCK)
        return -EAGAIN;
    /* EBADF: NFS wants a descriptor that is open for writing, which a directory's never is (flock(2)). */
    return -EOPNOTSUPP;
}

int venv_writable(const char *dir, struct err *e)
{
    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0)
        return 0;
    return err_errno(e,
                     "packages cannot be installed: no right to write to %s. Start the server with a --workdir that "
                     "you can write to, or with the --python of a virtual environment of yours",
                     dir);
}
