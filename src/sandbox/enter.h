/*
 * Joining a sandbox, in a process that is to run foreign code. After fork, one thread, before any library of the
 * interpreter runs again: no malloc, no stdio, no locks.
 *
 *   the zygote:  enter_outer once; then for each kernel enter_target, fork(3)
 *   the child:   enter_join (it is then where the code will be), its own descriptors, enter_seal, foreign code
 */
#ifndef CELLBLOCK_SANDBOX_ENTER_H
#define CELLBLOCK_SANDBOX_ENTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct enter_limit {
    int resource; /* RLIMIT_... */
    uint64_t value;
};

struct enter_config {
    int pidfd;      /* of the sandbox's first process (struct sandbox) */
    int namespaces; /* struct sandbox's; 0: there are none, and the next two count */
    unsigned uid;
    const char *home;    /* the directory that has HOME_WORKSPACE and HOME_TMP */
    const char *workdir; /* NULL: the workspace */
    const struct enter_limit *limits;
    size_t n_limits;
    bool landlock;               /* always with namespaces 0 */
    const char *const *writable; /* for Landlock, besides the sandbox's own: directories mounted to be written to */
    size_t n_writable;
    const char *const *readable; /* with namespaces 0: all that can be read */
    size_t n_readable;
    const void *filter; /* filter_compile's */
    size_t filter_size;
};

/* Become able to join sandboxes: enter the builder's user namespace (struct builder; -1: nothing to do). One thread. */
int enter_outer(int userns, struct err *e);

/*
 * The children are born in the sandbox's PID namespace, until the next call. Only root could go back to its own
 * (setns(2): a privilege over the user namespace that owns it is needed). The caller must reap each child: a zombie
 * here keeps the sandbox from ending. namespaces: struct sandbox's; with 0 there is nothing to do.
 */
int enter_target(int pidfd, int namespaces, struct err *e);

/*
 * A session of its own, the namespaces, the user inside, the directory. Still with capabilities, but for namespaces 0:
 * then kill(-1) ends all others of the sandbox and nobody else.
 */
int enter_join(const struct enter_config *config, struct err *e);

/* No way back: limits, capabilities, Landlock, seccomp. Descriptors are the caller's to close before. */
int enter_seal(const struct enter_config *config, struct err *e);

/* Limits that every sandbox has. */
extern const struct enter_limit enter_limits[];
extern const size_t enter_n_limits;

#endif
