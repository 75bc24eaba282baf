/*
 * Finding or making the virtual environment. In order: the session's Python, unless it is in one already; the lock on
 * the working directory, under which .venv is looked at and made; the lock on the environment; its Python. Making it
 * again over a half-made one completes it, so a crash in the middle needs no clean-up.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "packages/explain.h"
#include "packages/installer.h"
#include "packages/run.h"
#include "packages/venv.h"

#define LOCK_RETRY_MS 100

static void probe(struct packages_run *run, const char *python, run_child_done done)
{
    autowords struct words argv = {NULL, 0};

    installer_probe(python, &argv);
    run_child(run, &argv, run->workdir, false, done);
}

/* ---- the environment's Python ---- */

static void on_venv_probed(struct packages_run *run, const struct child_result *result)
{
    struct err e = ERR_INIT;
    const char *purelib;

    if (python_read(run->python, buf_str(result->output), result->output->len, &run->venv, &e) < 0) {
        if (run->in_venv)
            run_fail(run, "%s", e.text);
        else
            run_fail(run, "%s\nRemove %s and install again: it will be made anew", e.text, run->dir);
        return;
    }
    if (!run->in_venv && venv_fits(run->dir, &run->venv, &run->base, &e) < 0) {
        run_fail(run, "%s", e.text);
        return;
    }
    purelib = run->venv.site_packages;
    if (venv_writable(access(purelib, F_OK) == 0 ? purelib : run->dir, &e) < 0) {
        run_fail(run, "%s", e.text);
        return;
    }
    run->target.executable = run->python;
    run->target.prefix = run->dir;
    run->target.site_packages = purelib;
    run->has_target = true;
    run_scan(run, &run->before);
    attempt_start(run);
}

static void lock_venv(struct packages_run *run)
{
    int fd = venv_lock(run->dir);

    if (fd == -EAGAIN) {
        run_say(run, "waiting for another installation to end");
        run_later(run, lock_venv, LOCK_RETRY_MS);
        return;
    }
    if (fd >= 0) /* else there are no locks here: go on without */
        run->dir_lock = fd;
    fd_close(&run->workdir_lock);
    probe(run, run->python, on_venv_probed);
}

/* ---- making it ---- */

static void fail_venv(struct packages_run *run, const struct child_result *result)
{
    struct explain why;

    explain(buf_str(result->output), result->output->len, NULL, 0, &why);
    run_fail(run, "cannot make the virtual environment %s: %s", run->dir, why.reason);
    explain_fini(&why);
}

static void on_venv_made(struct packages_run *run, const struct child_result *result)
{
    if (result->exit_code != 0) {
        fail_venv(run, result);
        return;
    }
    run->target.created = true;
    lock_venv(run);
}

static void make_with_python(struct packages_run *run)
{
    autowords struct words argv = {NULL, 0};

    installer_python_venv(run->session_python, run->dir, &argv);
    run_child(run, &argv, run->workdir, false, on_venv_made);
}

static void on_uv_venv_made(struct packages_run *run, const struct child_result *result)
{
    if (result->exit_code == 0)
        on_venv_made(run, result);
    else /* an old uv, one that does not know this Python, ...: what Python itself says then is the reason */
        make_with_python(run);
}

static void make(struct packages_run *run)
{
    autowords struct words argv = {NULL, 0};

    run_say(run, "making a virtual environment");
    if (!run->uv) {
        make_with_python(run);
        return;
    }
    installer_uv_venv(run->uv, run->session_python, run->dir, &argv);
    run_child(run, &argv, run->workdir, true, on_uv_venv_made);
}

static void lock_workdir(struct packages_run *run)
{
    struct err e = ERR_INIT;
    int fd = venv_lock(run->workdir), state;

    if (fd == -EAGAIN) {
        run_say(run, "waiting for another installation to end");
        run_later(run, lock_workdir, LOCK_RETRY_MS);
        return;
    }
    if (fd >= 0)
        run->workdir_lock = fd;
    state = venv_look(run->dir, &e);
    if (state >= 0 && state != VENV_THERE && venv_writable(state == VENV_HALF ? run->dir : run->workdir, &e) < 0)
        state = -1;
    if (state < 0)
        run_fail(run, "%s", e.text);
    else if (state == VENV_THERE)
        lock_venv(run);
    else
        make(run);
}

static void on_base_probed(struct packages_run *run, const struct child_result *result)
{
    struct err e = ERR_INIT;

    if (python_read(run->session_python, buf_str(result->output), result->output->len, &run->base, &e) < 0)
        run_fail(run, "%s", e.text);
    else
        lock_workdir(run);
}

void prepare_start(struct packages_run *run)
{
    run->uv = installer_find_uv(run->dir);
    if (run->in_venv)
        lock_venv(run);
    else
        probe(run, run->session_python, on_base_probed);
}
