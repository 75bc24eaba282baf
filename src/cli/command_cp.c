/*
 * cellblock cp: files out of a session of a running server, and into it. The server opens the session's file or
 * directory and passes the descriptor; this process copies.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/copy.h"
#include "cli/options.h"

#define ID_CHARS 6
#define ID_ALPHABET "abcdefghijkmnpqrstuvwxyz23456789" /* random_id's */

struct copying {
    const struct options *options;
    struct control_servers servers;
    char session[ID_CHARS + 1];
    const char *inside;  /* the path in the session */
    const char *outside; /* the other one */
};

/* SESSION:PATH? A file with such a name is written ./SESSION:PATH. */
static bool is_inside(const char *text)
{
    return strspn(text, ID_ALPHABET) >= ID_CHARS && text[ID_CHARS] == ':';
}

/* Where the last part of a path begins; *ret_size: of it, 0 when it could be no file's name: "", ".", "..", "/". */
static size_t last_part(const char *path, size_t *ret_size)
{
    size_t end = strlen(path), start;

    while (end > 0 && path[end - 1] == '/')
        end--;
    for (start = end; start > 0 && path[start - 1] != '/'; start--)
        ;
    *ret_size = end - start;
    if ((*ret_size == 1 || *ret_size == 2) && strspn(path + start, ".") >= *ret_size)
        *ret_size = 0;
    return start;
}

/* The caller frees it; NULL when there is none. */
static char *base_name(const char *path)
{
    size_t size, start = last_part(path, &size);

    return size ? xstrndup(path + start, size) : NULL;
}

static bool is_directory(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int ask(const struct copying *c, const char *verb, const char *path, int *ret_fd, struct err *e)
{
    struct control_answer answer = CONTROL_ANSWER_INIT;
    int r = control_ask_session(&c->servers, verb, c->session, path, &answer, e);

    if (r == 0) {
        *ret_fd = steal_fd(&answer.fd);
        if (*ret_fd < 0)
            r = err_set(e, EPROTO, "session %s: the server gave no descriptor", c->session);
    }
    control_answer_fini(&answer);
    return r;
}

static int need_recursive(const char *path, struct err *e)
{
    return err_set(e, EISDIR, "%.200s is a directory: cellblock cp -r copies directories", *path ? path : "it");
}

/* What copy_tree counted, for the person, and as the result. */
static int report(const struct copy_report *done, struct err *e)
{
    if (done->left_out)
        (void)fprintf(stderr, "cellblock: left out %zu symbolic links and special files\n", done->left_out);
    return done->failed ? err_set(e, EIO, "%zu files copied, %zu failed", done->files, done->failed) : 0;
}

/* Would writing to one empty the other? In local mode both can be the same file. */
static bool is_same(int a, int b)
{
    struct stat one, other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* ---- out ---- */

static int file_out(const struct copying *c, int from, struct err *e)
{
    autofree char *name = base_name(c->inside), *path = NULL;
    autofd int to = -1;
    struct stat st;

    if (strcmp(c->outside, "-") == 0)
        return copy_bytes(from, STDOUT_FILENO, e);
    path = stat(c->outside, &st) == 0 && S_ISDIR(st.st_mode) && name ? xasprintf("%s/%s", c->outside, name)
                                                                     : xstrdup(c->outside);
    if (fstat(from, &st) < 0)
        return err_errno(e, "fstat");
    to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666 | (st.st_mode & 0111));
    if (to < 0)
        return err_errno(e, "cannot write %.300s", path);
    if (is_same(from, to))
        return err_set(e, EINVAL, "%.300s is the session's file itself", path);
    if (fstat(to, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(to, 0) < 0)
        return err_errno(e, "cannot write %.300s", path);
    return copy_bytes(from, to, e);
}

static int tree_out(const struct copying *c, int from, struct err *e)
{
    autofree char *name = base_name(c->inside), *path = NULL;
    struct copy_report done = {0, 0, 0};
    struct stat st;
    autofd int to = -1;

    if (strcmp(c->outside, "-") == 0)
        return err_set(e, EINVAL, "a directory cannot be written to stdout; name a directory");
    path = stat(c->outside, &st) == 0 && S_ISDIR(st.st_mode) && name ? xasprintf("%s/%s", c->outside, name)
                                                                     : xstrdup(c->outside);
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return err_errno(e, "cannot make %.300s", path);
    to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0)
        return err_errno(e, "%.300s", path);
    if (is_same(from, to))
        return err_set(e, EINVAL, "%.300s is the session's directory itself", path);
    /* Of the whole workspace, without the server's own files in it. */
    copy_tree(&(struct copy_tree){from, to, false, name ? NULL : ".cellblock"}, &done);
    return report(&done, e);
}

static int copy_out(const struct copying *c, struct err *e)
{
    autofd int from = -1;
    int r = ask(c, "open", c->inside, &from, e);

    if (r < 0)
        return r;
    if (!is_directory(from))
        return file_out(c, from, e);
    return c->options->recursive ? tree_out(c, from, e) : need_recursive(c->inside, e);
}

/* ---- in ---- */

static int file_in(const struct copying *c, int from, struct err *e)
{
    autofree char *name = base_name(c->outside), *path = NULL;
    autofd int there = -1, to = -1;
    struct err ignored = ERR_INIT;
    int r = ask(c, "open", c->inside, &there, &ignored); /* not there yet is fine; if it is a directory, into it */

    path = xstrdup(c->inside);
    if (r == 0 && is_directory(there)) {
        if (!name || strcmp(c->outside, "-") == 0)
            return err_set(e, EINVAL, "name the file: %s:%s is a directory", c->session, c->inside);
        free(path);
        path = *c->inside ? xasprintf("%s/%s", c->inside, name) : xstrdup(name);
        fd_close(&there);
        r = ask(c, "open", path, &there, &ignored);
    }
    if (r == 0 && is_same(from, there))
        return err_set(e, EINVAL, "%.300s is the session's file itself", c->outside);
    r = ask(c, "create", path, &to, e);
    return r < 0 ? r : copy_bytes(from, to, e);
}

/* The directory that the files go into, made when it is not there. */
static int make_inside(const struct copying *c, const char *path, int *ret_fd, struct err *e)
{
    autofree char *name = base_name(path), *above = NULL;
    autofd int dir = -1, fd = -1;
    struct stat st;
    size_t size;
    int r = ask(c, "open", path, ret_fd, e);

    if (r == 0 || !name)
        return r;
    above = xstrndup(path, last_part(path, &size));
    r = ask(c, "open", above, &dir, e);
    if (r < 0)
        return r;
    if (mkdirat(dir, name, 0777) < 0)
        return err_errno(e, "cannot make %.200s in session %s", path, c->session);
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "%.300s", path);
    if (geteuid() == 0 && fstat(dir, &st) == 0)
        (void)!fchown(fd, st.st_uid, st.st_gid);
    *ret_fd = steal_fd(&fd);
    return 0;
}

static int tree_in(const struct copying *c, int from, struct err *e)
{
    autofree char *name = base_name(c->outside), *path = NULL;
    struct copy_report done = {0, 0, 0};
    struct err ignored = ERR_INIT;
    autofd int there = -1, to = -1;
    int r = ask(c, "open", c->inside, &there, &ignored);

    if (r == 0 && !is_directory(there))
        return err_set(e, ENOTDIR, "%s:%.200s is a file, and a directory cannot be copied over it", c->session,
                       c->inside);
    path = r == 0 && name ? xasprintf("%s%s%s", c->inside, *c->inside ? "/" : "", name) : xstrdup(c->inside);
    r = make_inside(c, path, &to, e);
    if (r < 0)
        return r;
    if (!is_directory(to))
        return err_set(e, ENOTDIR, "%s:%.200s is a file, and a directory cannot be copied over it", c->session, path);
    if (is_same(from, to))
        return err_set(e, EINVAL, "%.300s is the session's directory itself", c->outside);
    copy_tree(&(struct copy_tree){from, to, true, NULL}, &done);
    return report(&done, e);
}

static int copy_in(const struct copying *c, struct err *e)
{
    bool is_stdin = strcmp(c->outside, "-") == 0;
    autofd int from =
        is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(c->outside, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (from < 0)
        return err_errno(e, "cannot read %.300s", c->outside);
    if (!is_directory(from))
        return file_in(c, from, e);
    return c->options->recursive ? tree_in(c, from, e) : need_recursive(c->outside, e);
}

/* ---- which is which ---- */

static int understand(struct copying *c, const struct options *options, struct err *e)
{
    bool from = is_inside(options->from), to = is_inside(options->to);
    const char *inside = from ? options->from : options->to;

    if (from && to)
        return err_set(e, EINVAL, "one of the two is on this machine: copy out of one session, then into the other");
    if (!from && !to)
        return err_set(e, EINVAL,
                       "neither `%.100s` nor `%.100s` is in a session: that is SESSION:PATH, like 7hq2kd:out.csv; "
                       "`cellblock sessions` lists sessions",
                       options->from, options->to);
    memcpy(c->session, inside, ID_CHARS);
    c->inside = inside + ID_CHARS + 1;
    c->outside = from ? options->to : options->from;
    if (!*c->outside)
        return err_set(e, EINVAL, "the other path is empty");
    return 0;
}

int command_cp(const struct options *options)
{
    struct copying c = {.options = options, .servers = CONTROL_SERVERS_INIT};
    struct err e = ERR_INIT;
    int r = understand(&c, options, &e), status = EXIT_USAGE;

    if (r == 0) {
        control_servers_find(&c.servers);
        r = is_inside(options->from) ? copy_out(&c, &e) : copy_in(&c, &e);
        status = EXIT_CODE_FAILED;
    }
    control_servers_fini(&c.servers);
    if (r == 0)
        return 0;
    (void)fprintf(stderr, "cellblock: %s\n", e.text);
    return status;
}
