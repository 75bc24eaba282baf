/*
 * Installing packages into an environment with uv or pip, run as a child process; no resolver of our own. Used by
 * session.c; knows environments and child processes, not sessions.
 */
#ifndef CELLBLOCK_PACKAGES_PACKAGES_H
#define CELLBLOCK_PACKAGES_PACKAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct err;
struct install_ops;
struct packages_run;

struct packages_env {
    const char *workdir; /* absolute */
    const char *python;  /* the interpreter that runs the session (sys.executable), absolute */
    const char *prefix;  /* its sys.prefix and sys.base_prefix: they differ in a virtual environment */
    const char *base_prefix;
};

/* What was installed into, once the run is over; valid during done. */
struct packages_target {
    const char *executable;    /* <venv>/bin/python */
    const char *prefix;        /* <venv> */
    const char *site_packages; /* <venv>/lib/pythonX.Y/site-packages */
    bool created;              /* the .venv was made by this run */
};

/*
 * Is it one requirement by PEP 508 that may be handed to an installer? Refuses options, paths, file: URLs, shell
 * words, control characters, ${...}, what is longer than LIMIT_REQUIREMENT; e says what is wrong with which word.
 */
int requirement_check(const char *spec, struct err *e);

/* The normalised project name (PEP 503) of a checked requirement, NUL-terminated, cut to size. */
void requirement_name(const char *spec, char *ret, size_t size);

/*
 * Install into the virtual environment that env is in, or else into <workdir>/.venv, which is made when missing (a
 * lock on it keeps two servers from racing). Refused specifiers: a negative errno and e, and nothing runs. Else done
 * follows, never from within this call. It gets an outcome without notes; of an item that is new, reason may say what
 * it took the place of ("in place of 1.0"). Child processes are ended at timeout and on cancel with all they started.
 */
int packages_install(uv_loop_t *loop, const struct packages_env *env, const char *const *specs, size_t n,
                     int64_t timeout_ms, const struct install_ops *ops, void *data, struct packages_run **ret,
                     struct err *e);
void packages_cancel(struct packages_run *run);

/* During done: where it went. NULL when nothing was installed into. */
const struct packages_target *packages_run_target(const struct packages_run *run);

#endif
