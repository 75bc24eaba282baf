/* One run of the program in the fetch sandbox (py/): its directory, what it is shown, its job. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fetch/bundle.h"
#include "fetch/process.h"
#include "store/store.h"

struct tool_run {
    struct process *p;
    bool resolves;
    const char *lines;
};

/* ---- what is made once ---- */

static int write_new(int at, const char *name, const void *data, size_t size, mode_t mode, struct err *e)
{
    autofd int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    int r;

    if (fd < 0)
        return err_errno(e, "create %s for the sandbox that fetches packages", name);
    r = fd_write_all(fd, data, size);
    if (r < 0)
        return err_set(e, -r, "write %s: %s", name, strerror(-r));
    return fchmod(fd, mode) < 0 ? err_errno(e, "chmod %s", name) : 0;
}

int tool_open(struct process *p, struct err *e)
{
    autofd int dir = open(store_work_dir(p->work), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    p->home = xasprintf("%s/home", store_work_dir(p->work));
    p->bundle = xasprintf("%s/fetch.zip", store_work_dir(p->work));
    if (dir < 0 || mkdirat(dir, "home", 0755) < 0)
        return err_errno(e, "prepare %s", store_work_dir(p->work));
    if (write_new(dir, "fetch.zip", fetch_bundle, fetch_bundle_size, 0444, e) < 0)
        return -e->code;
    settings_make(p->home, p->base.prefix, p->uv != NULL, &p->settings);
    if (shown_interpreter(&p->shown, p->base.executable, p->base.prefix, p->base.base_prefix, e) < 0)
        return -e->code;
    return box_open(p->box, e);
}

void tool_close(struct process *p)
{
    box_close(p->box);
    shown_fini(&p->shown);
    settings_fini(&p->settings);
    free(p->home);
    free(p->bundle);
}

/* ---- the mounts ---- */

static void add_mount(struct box_run *run, struct words *paths, const char *source, const char *target, bool writable)
{
    struct sandbox_mount *mounts = (struct sandbox_mount *)run->mounts;

    words_add(paths, source);
    words_add(paths, target);
    mounts[run->n_mounts++] =
        (struct sandbox_mount){paths->items[paths->n - 2], paths->items[paths->n - 1], writable, false};
}

static void add_real(struct box_run *run, struct words *paths, const char *path, bool writable)
{
    char real[PATH_MAX];

    /* What is below /usr is there. Not twice: what is there already stays. */
    if (!realpath(path, real) || plan_is_below(path, "/usr"))
        return;
    for (size_t i = 0; i < run->n_mounts; i++)
        if (strcmp(run->mounts[i].target, path) == 0)
            return;
    add_mount(run, paths, real, path, writable);
}

/*
 * pip tells its index on what system it runs, and fails when such a file is there and cannot be read, as it is without
 * namespaces.
 */
static const char *const system_files[] = {
    "/etc/os-release",     "/etc/lsb-release",    "/etc/debian_version", "/etc/redhat-release", "/etc/fedora-release",
    "/etc/centos-release", "/etc/alpine-release", "/etc/arch-release",   "/etc/SuSE-release",   "/etc/system-release",
};
#define N_SYSTEM_FILES (sizeof system_files / sizeof *system_files)

/* paths keeps the strings. */
static void list_mounts(struct process *p, struct box_run *run, struct words *paths)
{
    for (size_t i = 0; i < N_SYSTEM_FILES; i++)
        add_real(run, paths, system_files[i], false);
    for (size_t i = 0; i < p->shown.n; i++)
        add_mount(run, paths, p->shown.all[i].source, p->shown.all[i].target, false);
    for (size_t i = 0; i < p->settings.shown.n; i++)
        add_real(run, paths, p->settings.shown.items[i], false);
    for (size_t i = 0; i < p->builds->n; i++)
        if (p->builds->items[i].set)
            add_real(run, paths, store_set_tree(p->builds->items[i].set), false);
    if (p->uv)
        add_real(run, paths, p->uv, false);
    add_real(run, paths, p->home, false);
    add_real(run, paths, p->bundle, false);
    add_real(run, paths, store_work_out(p->work), true);
    add_real(run, paths, store_cache(p->store), true);
}

/* ---- once there is a sandbox ---- */

/* A cache belongs to the user that the sandbox happens to have: others could not change what is in it. */
static int make_cache(struct process *p, uid_t user, char **ret, struct err *e)
{
    *ret = user == (uid_t)-1 ? xasprintf("%s/own", store_cache(p->store))
                             : xasprintf("%s/%u", store_cache(p->store), (unsigned)user);
    if (mkdir(*ret, 0700) < 0 && errno != EEXIST)
        return err_errno(e, "mkdir %s", *ret);
    if (user != (uid_t)-1 && lchown(*ret, user, user) < 0)
        return err_errno(e, "chown %s", *ret);
    return 0;
}

/* What an earlier run left there may be anything. */
static int forget_files(int out, struct err *e)
{
    static const char *const names[] = {
        "job",    "lock", "done", "failed", "pip.log", "pylock.toml", "requirements.in", "constraints.txt",
        "source", "sdist"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (unlinkat(out, names[i], 0) < 0 && errno != ENOENT)
            return err_errno(e, "remove %s of an earlier run", names[i]);
    return 0;
}

static int prepare(void *data, uid_t user, struct err *e)
{
    struct tool_run *t = data;
    struct process *p = t->p;
    autofd int out = open(store_work_out(p->work), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    autobuf struct buf job = BUF_INIT;
    autofree char *cache = NULL;
    /* Without namespaces uv is run by another user, where it lies: often where only its owner can enter. */
    bool uv = p->uv && (p->box->tier != TIER_LANDLOCK || shown_to_all(p->uv));

    if (out < 0)
        return err_errno(e, "open %s", store_work_out(p->work));
    if (forget_files(out, e) < 0 || make_cache(p, user, &cache, e) < 0)
        return -e->code;
    (void)buf_printf(&job, "tool %s\npython %s\ncache %s\n%s", uv ? p->uv : "pip", p->base.executable, cache, t->lines);
    for (size_t i = 0; i < p->builds->n; i++)
        if (p->builds->items[i].set)
            (void)buf_printf(&job, "wheel-dir %s\n", store_set_tree(p->builds->items[i].set));
    if (p->offline)
        (void)buf_puts(&job, "offline 1\n");
    if (p->settings.no_index)
        (void)buf_puts(&job, "no-index 1\n");
    if (write_new(out, "job", buf_begin(&job), job.len, 0444, e) < 0)
        return -e->code;
    (void)mkdirat(out, "tmp", 0700);
    if (user == (uid_t)-1)
        return 0;
    if (fchownat(out, "tmp", user, user, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(e, "chown tmp");
    if (fchownat(out, "wheels", user, user, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) /* pip's, of an earlier run */
        return err_errno(e, "chown wheels");
    if (settings_give(p->home, user, e) < 0)
        return -e->code;
    return store_work_give(p->work, user, user, e);
}

/* What uv and pip say while they look for an answer, and find none, is not for people: the next attempt may find one.
 */
static void on_line(void *data, const char *line)
{
    static const char *const told[] = {"Collecting ", "Downloading ", "Resolved "};
    const struct tool_run *t = data;
    bool tell = !t->resolves;

    line += strspn(line, " ");
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        tell = tell || strncmp(line, told[i], strlen(told[i])) == 0;
    if (tell)
        process_say(line);
}

int tool_run(struct process *p, const char *what, const char *lines, struct buf *ret_output, int *ret_status,
             struct err *e)
{
    struct tool_run t = {p, strcmp(what, "resolve") == 0, lines};
    autofree struct sandbox_mount *mounts =
        xnew_n(struct sandbox_mount, p->shown.n + p->settings.shown.n + N_SYSTEM_FILES + BUILDS_MAX + 5);
    autowords struct words paths = {NULL, 0}, argv = {NULL, 0}, env = {NULL, 0};
    struct box_run run = {
        .mounts = mounts,
        .cwd = store_work_out(p->work),
        .prepare = prepare,
        .line = on_line,
        .data = &t,
    };
    int status = 0, r;

    words_add_all(&argv, (const char *const[]){p->base.executable, "-I", "-B", p->bundle, what, NULL});
    words_add_all(&env, (const char *const *)p->settings.env.items);
    words_addf(&env, "TMPDIR=%s/tmp", store_work_out(p->work));
    list_mounts(p, &run, &paths);
    run.argv = argv.items;
    run.environment = env.items;
    r = box_run(p->box, &run, ret_output, &status, e);
    if (r < 0)
        return r;
    if (WIFSIGNALED(status)) {
        (void)err_set(e, EINTR, "the program that fetches packages was ended by signal %d%s", WTERMSIG(status),
                      WTERMSIG(status) == SIGKILL ? " (perhaps for want of memory)" : "");
        *ret_status = -1;
    } else {
        *ret_status = WEXITSTATUS(status);
    }
    return 0;
}

char *tool_file(struct process *p, const char *name)
{
    autofd int out = open(store_work_out(p->work), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    return out < 0 ? NULL : lock_read_file(out, name);
}
