/*
 * The installer. All requirements go to one call, because only so their dependencies are resolved together. When that
 * fails because of one of them, the rest is tried again without it; when nobody can tell which one, one at a time.
 */
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "packages/blame.h"
#include "packages/explain.h"
#include "packages/installer.h"
#include "packages/run.h"
#include "packages/version.h"

#define LOG_READ (4 * MIB)

static void attempt(struct packages_run *run);

/* ---- choosing pip ---- */

static void on_pip_made(struct packages_run *run, const struct child_result *result)
{
    (void)result; /* whether it worked is seen by what is there */
    site_fini(&run->before);
    run_scan(run, &run->before);
    attempt_start(run);
}

/* The environment's own pip or the one that it inherits; one made from Python's bundled copy; the base's. */
static bool choose_pip(struct packages_run *run)
{
    autowords struct words argv = {NULL, 0};

    if (site_find(&run->before, "pip")) {
        run->pip_python = run->python;
        return true;
    }
    if (run->pip_made) {
        run->pip_python = run->venv.base_executable;
        return true;
    }
    run->pip_made = true;
    run_say(run, "adding pip to the virtual environment");
    installer_ensurepip(run->python, &argv);
    run_child(run, &argv, run->dir, false, on_pip_made);
    return false;
}

/* ---- what uv gets besides ---- */

/*
 * uv does not see what the environment inherits from the base Python and installs it again, in another version. Two
 * versions of numpy, one of them loaded already, do harm; so uv is asked to keep to the versions that are there, as
 * long as that is possible. Returns the number of versions.
 */
static size_t write_constraints(const struct packages_run *run, struct buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < run->before.n; i++) {
        const struct site_package *p = &run->before.items[i];
        bool asked = false;

        for (size_t k = 0; k < run->n; k++)
            asked = asked || strcmp(run->requests[k].key, p->key) == 0;
        if (p->own || asked || !version_check(p->version, strlen(p->version), NULL) || strchr(p->version, '*'))
            continue;
        n++;
        (void)buf_printf(out, "%s==%s\n", p->key, p->version);
    }
    return n;
}

/* For the same reason, what is there already and wanted in any version is not handed to uv. */
static void skip_inherited(struct packages_run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        const struct site_package *p = site_find(&run->before, run->requests[i].key);

        if (run->requests[i].bare && p && !p->own)
            run->requests[i].state = REQUEST_DONE;
    }
}

/* ---- judging a failure ---- */

/* pip's log, from its descriptor. "" for uv. */
static char *read_log(const struct packages_run *run)
{
    struct stat st;
    char *text;
    ssize_t n;

    if (run->uv || run->extra_fd < 0 || fstat(run->extra_fd, &st) < 0)
        return xstrdup("");
    text = xnew_n(char, LOG_READ + 1);
    n = pread(run->extra_fd, text, LOG_READ, st.st_size > (off_t)LOG_READ ? st.st_size - (off_t)LOG_READ : 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void on_failed(struct packages_run *run, const struct child_result *result)
{
    autofree char *log = read_log(run);
    struct explain why;
    bool global;

    if (result->signal) {
        run_fail(run, "the installer was ended by signal %d%s", result->signal,
                 result->signal == SIGKILL ? " (perhaps for want of memory)" : "");
        return;
    }
    explain(buf_str(result->output), result->output->len, *log ? log : NULL, strlen(log), &why);
    run->n_refused = why.kind == EXPLAIN_REFUSED ? run->n_refused + 1 : 0;
    global = explain_is_global(why.kind) || run->n_refused > 1; /* 403 for one package is a policy, for two the index */
    if (global) {
        run_fail(run, "%s", why.reason);
    } else if (run->constrained && why.kind <= EXPLAIN_BUILD) {
        run->unconstrained = true;
        attempt(run);
    } else {
        if (!blame_requests(run->requests, run->attempted, run->n, &why))
            run->singles = true;
        run->unconstrained = false;
        attempt(run);
    }
    explain_fini(&why);
}

static void on_installer_done(struct packages_run *run, const struct child_result *result)
{
    if (result->exit_code != 0) {
        on_failed(run, result);
        return;
    }
    for (size_t i = 0; i < run->n; i++)
        if (run->attempted[i] && run->requests[i].state == REQUEST_WAITING)
            run->requests[i].state = REQUEST_DONE;
    run->n_refused = 0;
    attempt(run); /* what is left of single ones; else it is the end */
}

/* ---- one call ---- */

/* The installer's program and options; its descriptor 3. */
static void installer_words(struct packages_run *run, struct words *argv)
{
    autobuf struct buf constraints = BUF_INIT;
    autowords struct words env = {NULL, 0};
    bool no_index = false;

    fd_close(&run->extra_fd);
    if (!run->uv) {
        run->extra_fd = fd_memfile("pip-log", "", 0);
        installer_pip_install(run->pip_python, run->pip_python == run->python ? NULL : run->python, argv);
        return;
    }
    run->constrained = !run->unconstrained && write_constraints(run, &constraints) > 0;
    if (run->constrained)
        run->extra_fd = fd_memfile("constraints", buf_begin(&constraints), constraints.len);
    run->constrained = run->extra_fd >= 0;
    installer_env(run->workdir, run->dir, true, &env, &no_index);
    installer_uv_install(run->uv, run->python, no_index, run->constrained, &env, argv);
}

static void attempt(struct packages_run *run)
{
    autowords struct words argv = {NULL, 0};

    installer_words(run, &argv);
    run->n_attempted = 0;
    for (size_t i = 0; i < run->n; i++) {
        run->attempted[i] = run->requests[i].state == REQUEST_WAITING && !(run->singles && run->n_attempted);
        if (!run->attempted[i])
            continue;
        run->n_attempted++;
        words_add(&argv, run->requests[i].spec);
    }
    if (run->n_attempted)
        run_child(run, &argv, run->workdir, run->uv != NULL, on_installer_done);
    else
        run_finish(run);
}

void attempt_start(struct packages_run *run)
{
    if (run->uv)
        skip_inherited(run);
    else if (!choose_pip(run))
        return;
    attempt(run);
}
