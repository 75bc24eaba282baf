/*
 * --mount HOST:GUEST[:rw]: what the user shares with the sandbox. What would let code out of it is refused: a mount is
 * as wide as it says, and read-only keeps nobody from connecting to a socket (unix(7): that takes write permission on
 * the socket, not on its file system).
 */
#ifndef CELLBLOCK_CLI_MOUNT_OPTION_H
#define CELLBLOCK_CLI_MOUNT_OPTION_H

#include <stddef.h>

struct err;
struct sandbox_mount;

#define MOUNT_SOCKETS_MAX 8
#define MOUNT_PYTHON_MAX 12

/* What no mount may show, or none that can be written to. Real paths, owned; NULL where there is no such thing. */
struct mount_guard {
    char *runtime;                    /* where the server makes the directory for its own files: TMPDIR or /tmp */
    char *session_runtime;            /* XDG_RUNTIME_DIR */
    char *sockets[MOUNT_SOCKETS_MAX]; /* agents, container services */
    char *home;
    char *store;                    /* --store, if it is given */
    char *program;                  /* this one */
    char *python[MOUNT_PYTHON_MAX]; /* where the interpreter and its packages come from */
    char *future_python;            /* .venv of the working directory, when the next start of the server would use it */
};

/* By this process' environment. python, store: --python, --store or NULL; workdir: --workdir, or NULL for the current
 * one. */
void mount_guard_init(struct mount_guard *guard, const char *python, const char *store, const char *workdir);
void mount_guard_fini(struct mount_guard *guard);

/*
 * Read the option: HOST is made a real path, GUEST is the same path when left out. name: of the option or variable,
 * for errors. The caller frees both paths (mount_fini). -EINVAL with a text.
 */
int mount_parse(const char *name, const char *text, struct sandbox_mount *ret, struct err *e);
void mount_fini(struct sandbox_mount *mount);

/* -EPERM with a text: what it would expose, and what to do instead. */
int mount_check(const struct mount_guard *guard, const char *name, const struct sandbox_mount *mount, struct err *e);

#endif
