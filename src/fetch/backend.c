/*
 * From a source distribution to a wheel (PEP 517): what it needs is resolved and fetched as anything else, into a set
 * that is an environment of its own; its backend is asked and called in build sandboxes. Nothing that runs there sees
 * more than the system, the interpreter, that set and the source; what it leaves is copied and then looked at in a
 * further sandbox in which nothing of it runs.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fetch/build.h"
#include "fetch/process.h"
#include "packages/explain.h"
#include "packages/requirement.h"
#include "packages/words.h"
#include "store/store.h"

#define TAIL_LINES 12
#define MOUNTS_MAX (SHOWN_MAX + 4)
#define PATH_TAIL "/usr/local/bin:/usr/bin:/bin"

/* ---- one step ---- */

struct build_step {
    struct process *p;
    const char *name;            /* of the package */
    const char *what;            /* of build.py */
    const char *file;            /* the source, or the wheel */
    const char *arguments[3];    /* after it; NULL at the end */
    const struct store_set *set; /* the environment; NULL: nothing of the package runs, the interpreter will do */
    char *text;                  /* what it wrote that it needs; owned */
    char *wheel;                 /* path of what it built; owned */
    bool wheel_is_there;         /* file is the wheel */
    struct explain *why;
};

static void add_mount(struct box_run *run, const char *source, const char *target)
{
    ((struct sandbox_mount *)run->mounts)[run->n_mounts++] = (struct sandbox_mount){source, target, false, false};
}

static void set_environment(const struct build_step *s, struct words *env)
{
    static const char *const fixed[] = {
        "HOME=/tmp",
        "LANG=C.UTF-8",
        "NO_COLOR=1",
        "PYTHONIOENCODING=utf-8:backslashreplace",
        "PYTHONUNBUFFERED=1",
        "PYTHONNOUSERSITE=1",
        "SOURCE_DATE_EPOCH=1577836800", /* the same wheel each time, from backends that know it; zip begins at 1980 */
        NULL};

    words_add_all(env, fixed);
    if (s->set)
        words_addf(env, "PATH=%s/bin:" PATH_TAIL, store_set_tree(s->set));
    else
        words_add(env, "PATH=" PATH_TAIL);
}

/* Our places mean nothing to anybody. */
static void hide_places(const struct process *p, const struct build_step *s, char *text)
{
    const char *const places[] = {s->file, store_work_dir(p->work), s->set ? store_set_tree(s->set) : NULL};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (char *at = text; places[i] && (at = strstr(at, places[i]));)
            memmove(at, at + strlen(places[i]), strlen(at + strlen(places[i])) + 1);
}

/* What people can do about it, where the output tells. */
static const char *advice(const struct process *p, const char *said)
{
    static const char *const no_net[] = {"Temporary failure in name resolution",
                                         "Name or service not known",
                                         "Network is unreachable",
                                         "URLError",
                                         "Could not resolve host",
                                         NULL};
    const char *failed = strstr(said, "failed: No such file or directory");

    if ((failed && (strstr(said, "gcc") || strstr(said, "cc'") || strstr(said, "clang") || strstr(said, "g++"))) ||
        strstr(said, "Unknown compiler(s)") || strstr(said, "No CMAKE_C_COMPILER could be found"))
        return "this machine has no C compiler: install one (gcc) for it";
    if (strstr(said, "Python.h: No such file"))
        return "the headers of this Python are missing: install them (python3-dev)";
    for (size_t i = 0; no_net[i] && p->builds_allowed != BUILDS_NETWORK; i++)
        if (strstr(said, no_net[i]))
            return "the build has no network, unless with --allow-source-builds=network";
    return NULL;
}

static int fail(const struct build_step *s, const char *reason)
{
    explain_of_kind(EXPLAIN_NOT_BUILT, s->name, reason, s->why);
    return -EBADMSG;
}

/* What the program said before it failed. */
static int explain_output(struct build_step *s, const struct buf *output)
{
    autofree char *text = xstrndup(buf_begin(output), output->len), *tail = NULL, *reason = NULL;
    const char *hint, *start;

    for (size_t i = 0; i < output->len; i++) /* what is behind a NUL counts, too */
        text[i] = buf_begin(output)[i] ? buf_begin(output)[i] : ' ';
    hide_places(s->p, s, text);
    tail = explain_tail(text, strlen(text), TAIL_LINES);
    start = strncmp(tail, "error: ", 7) == 0 && !strchr(tail, '\n') ? tail + 7 : tail;
    hint = advice(s->p, text);
    reason =
        xasprintf("%s%s%s%s%s", s->wheel_is_there ? "the wheel that it made is refused: " : "",
                  *start ? start : "it ended without a word", hint ? "\n(" : "", hint ? hint : "", hint ? ")" : "");
    if (!s->set)
        return fail(s, reason);
    explain_of_kind(EXPLAIN_BUILD, s->name, reason, s->why);
    return -EBADMSG;
}

static int run_step(struct build_step *s, int (*take)(void *data, int directory, struct err *e))
{
    struct process *p = s->p;
    autofree char *python = s->set ? xasprintf("%s/bin/python", store_set_tree(s->set)) : xstrdup(p->base.executable);
    struct sandbox_mount mounts[MOUNTS_MAX];
    autowords struct words argv = {NULL, 0}, env = {NULL, 0};
    autobuf struct buf output = BUF_INIT;
    struct box_run run = {
        .kind = s->set && p->builds_allowed == BUILDS_NETWORK ? BOX_BUILD_NETWORK : BOX_BUILD,
        .mounts = mounts,
        .take = take,
        .data = s,
    };
    struct err e = ERR_INIT;
    int status = 0, r;

    for (size_t i = 0; i < p->shown.n; i++)
        add_mount(&run, p->shown.all[i].source, p->shown.all[i].target);
    add_mount(&run, p->bundle, p->bundle);
    add_mount(&run, s->file, s->file);
    if (s->set)
        add_mount(&run, store_set_tree(s->set), store_set_tree(s->set));
    words_add_all(&argv, (const char *const[]){python, "-I", "-B", p->bundle, s->what, s->file, NULL});
    words_add_all(&argv, s->arguments);
    set_environment(s, &env);
    run.argv = argv.items;
    run.environment = env.items;
    r = box_run(p->box, &run, &output, &status, &e);
    if (r == -EBADMSG || r == -ENOMEM) /* the package's own fault */
        return fail(s, e.text);
    if (r < 0) {
        process_fail(p, "%s", e.text);
        return r;
    }
    if (WIFSIGNALED(status)) {
        autofree char *reason = xasprintf("it was ended by signal %d%s", WTERMSIG(status),
                                          WTERMSIG(status) == SIGKILL ? " (perhaps for want of memory)" : "");

        return fail(s, reason);
    }
    return WEXITSTATUS(status) == 0 ? 0 : explain_output(s, &output);
}

/* ---- what a step leaves ---- */

static int take_requires(void *data, int directory, struct err *e)
{
    struct build_step *s = data;

    s->text = lock_read_file(directory, "requires");
    return s->text ? 0 : err_set(e, EBADMSG, "it does not say what it needs to be built");
}

static bool is_wheel_name(const char *name)
{
    size_t size = strlen(name);

    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._+!-", *c))
            return false;
    return size > 4 && size < 250 && isalnum((unsigned char)*name) && strcmp(name + size - 4, ".whl") == 0;
}

/* The name of the only thing in it. */
static int only_entry(int directory, char ret[256], struct err *e)
{
    int fd = fcntl(directory, F_DUPFD_CLOEXEC, 3);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    size_t n = 0;

    if (!list) {
        fd_close(&fd);
        return err_set(e, EBADMSG, "what it made cannot be listed");
    }
    for (struct dirent *entry; n < 2 && (entry = readdir(list));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        (void)snprintf(ret, 256, "%s", entry->d_name);
        n++;
    }
    (void)closedir(list);
    if (n != 1)
        return err_set(e, EBADMSG, n ? "it made more than one file where one wheel belongs" : "it made no wheel");
    return is_wheel_name(ret) ? 0 : err_set(e, EBADMSG, "what it made is not named like a wheel");
}

static int copy_wheel(int from, int to, struct err *e)
{
    autofree char *block = xnew_n(char, MIB);
    uint64_t all = 0;
    ssize_t n;

    while ((n = read(from, block, MIB)) > 0) {
        int r = fd_write_all(to, block, (size_t)n);

        all += (uint64_t)n;
        if (r < 0)
            return err_set(e, -r, "copy what was built: %s", strerror(-r));
        if (all > LIMIT_WHEEL_BYTES)
            return err_set(e, EBADMSG, "the wheel that it made is larger than what is accepted");
    }
    return n < 0 ? err_set(e, EBADMSG, "the wheel that it made cannot be read") : 0;
}

static int take_wheel(void *data, int directory, struct err *e)
{
    struct build_step *s = data;
    struct builds *b = s->p->builds;
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    autofd int dist = openat(directory, "dist", flags | O_DIRECTORY), from = -1, to = -1;
    autofree char *folder = xasprintf("%s/built-%zu", store_work_dir(s->p->work), b->n_files++), *path = NULL;
    struct stat st;
    char name[256];

    if (dist < 0)
        return err_set(e, EBADMSG, "the place for the wheel is gone");
    if (only_entry(dist, name, e) < 0)
        return -e->code;
    from = openat(dist, name, flags);
    if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(e, EBADMSG, "the wheel that it made is a link, or no file");
    path = xasprintf("%s/%s", folder, name);
    if (mkdir(folder, 0755) < 0 || chmod(folder, 0755) < 0)
        return err_errno(e, "mkdir %s", folder);
    to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (to < 0 || fchmod(to, 0444) < 0)
        return err_errno(e, "create %s", path);
    if (copy_wheel(from, to, e) < 0)
        return -e->code;
    s->wheel = steal_ptr(path);
    return 0;
}

/* ---- what has to be there ---- */

/* A list of requirements from code that is not trusted. */
static int read_requires(struct build_step *s, struct words *ret)
{
    for (char *save = NULL, *line = strtok_r(s->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct requirement parsed;
        struct err e = ERR_INIT;

        if (ret->n == BUILD_REQUIRES_MAX)
            return fail(s, "it needs too many packages to be built");
        if (requirement_parse(line, &parsed, &e) < 0) {
            autofree char *reason = xasprintf("what it needs to be built cannot be had: %s", e.text);

            return fail(s, reason);
        }
        if (parsed.has_url) /* the fetch sandbox would ask it */
            return fail(s, "what it needs to be built has an address: only what was asked for may have one");
        words_add(ret, line);
    }
    return 0;
}

static void add_requests(struct process *sub, const struct words *requires)
{
    sub->requests = xnew_n(struct request, requires->n + 1);
    sub->attempted = xnew_n(bool, requires->n + 1);
    sub->there = xnew_n(bool, requires->n + 1);
    for (size_t i = 0; i < requires->n; i++) {
        struct request *q = &sub->requests[sub->n++];
        struct requirement parsed;

        (void)requirement_parse(requires->items[i], &parsed, NULL);
        q->spec = xstrdup(requires->items[i]);
        q->key = xstrdup(parsed.name);
        q->has_marker = parsed.has_marker;
    }
}

static void free_sub(struct process *sub)
{
    for (size_t i = 0; i < sub->n; i++) {
        free(sub->requests[i].spec);
        free(sub->requests[i].instead);
        free(sub->requests[i].key);
        free(sub->requests[i].reason);
    }
    free(sub->requests);
    free(sub->attempted);
    free(sub->there);
    free(sub->error);
    wheels_fini(&sub->found);
    buf_fini(&sub->notes);
}

/* An environment with these and nothing else, as if somebody had asked for them; they may have to be built, too. */
static int make_environment(struct build_step *s, const struct words *requires, struct store_set **ret)
{
    struct process sub = *s->p;
    int r = 0;

    sub.alone = true;
    sub.n = 0;
    sub.layer = NULL;
    sub.layer_id = NULL;
    sub.has = sub.found = (struct wheels){NULL, 0};
    sub.site = (struct site){NULL, 0, 0};
    sub.notes = (struct buf)BUF_INIT;
    add_requests(&sub, requires);
    resolve_all(&sub);
    if (!sub.error)
        gather_all(&sub);
    for (size_t i = 0; i < sub.n && r == 0 && !sub.error; i++)
        if (sub.requests[i].state == REQUEST_FAILED) {
            autofree char *reason = xasprintf("it needs %s to be built, which cannot be had: %s", sub.requests[i].spec,
                                              sub.requests[i].reason);

            r = fail(s, reason);
        }
    if (r == 0 && !sub.error)
        *ret = compose_set(&sub);
    if (sub.error) {
        process_fail(s->p, "%s", sub.error);
        r = -EIO;
    }
    free_sub(&sub);
    return r;
}

/* ---- the whole ---- */

/* The environment in which the backend can be called: what pyproject.toml names, then what the backend wants besides.
 */
static int prepare(struct build_step *s, struct store_set **ret)
{
    autowords struct words requires = {NULL, 0};
    size_t n;
    int r = run_step(s, take_requires);

    if (r == 0)
        r = read_requires(s, &requires);
    if (r == 0)
        r = make_environment(s, &requires, ret);
    if (r < 0)
        return r;
    free(steal_ptr(s->text));
    n = requires.n;
    s->what = "ask";
    s->set = *ret;
    r = run_step(s, take_requires);
    if (r == 0)
        r = read_requires(s, &requires);
    if (r == 0 && requires.n > n) {
        store_set_close(*ret);
        *ret = NULL;
        s->set = NULL;
        r = make_environment(s, &requires, ret);
    }
    return r;
}

/* Nothing of the package runs: does the wheel say the same of itself as its source, and is it whole? */
static int check_wheel(struct process *p, const struct source *source, const char *wheel, struct explain *why)
{
    struct build_step s = {
        .p = p,
        .name = source->name,
        .what = "check",
        .file = wheel,
        .arguments = {source->name, source->version},
        .wheel_is_there = true,
        .why = why,
    };

    return run_step(&s, NULL);
}

int backend_build(struct process *p, const struct source *source, char **ret_wheel, struct explain *why)
{
    struct build_step s = {
        .p = p,
        .name = source->name,
        .what = "describe",
        .file = source->path,
        .arguments = {source->filename},
        .why = why,
    };
    autofree char *line = xasprintf("building %s %s", source->name, *source->version == '-' ? "" : source->version);
    struct store_set *set = NULL;
    int r;

    process_say(line);
    r = prepare(&s, &set);
    if (r == 0) {
        s.what = "build";
        s.set = set;
        process_say(line); /* after what was told of its requirements */
        r = run_step(&s, take_wheel);
    }
    if (r == 0)
        r = check_wheel(p, source, s.wheel, why);
    if (r == 0)
        *ret_wheel = steal_ptr(s.wheel);
    store_set_close(set);
    free(s.text);
    free(s.wheel);
    return r;
}
