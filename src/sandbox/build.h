/*
 * The builder: a small process beside the server that makes sandboxes, and the server's end of it. It is the server's
 * own program, started again inside of the user namespace that it works in (where it is not root): what a process was
 * started in decides who may join it once it is not dumpable (ptrace(2), "Ptrace access mode checking").
 *
 * One SOCK_SEQPACKET socket, one struct build_msg (+ bytes) a packet. When it closes, the builder ends, and with it
 * every sandbox.
 */
#ifndef CELLBLOCK_SANDBOX_BUILD_H
#define CELLBLOCK_SANDBOX_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/cgroup.h"

struct err;
struct plan;

#define BUILDER_ARGV0 "cellblock-builder"
#define SANDBOX_HOME_MAX 96
#define BUILD_MSG_MAX (64 * 1024)
#define BUILD_TEXT_MAX (BUILD_MSG_MAX - sizeof(struct build_msg))
#define BUILD_ANSWER_MAX 2048 /* bytes after the struct of what the builder says */

enum build_op {
    /* to the builder */
    BUILD_MAKE = 1,  /* id, a packed plan; status: 1: BUILD_BEGUN is wanted */
    BUILD_END = 2,   /* id */
    BUILD_MOUNT = 3, /* id, "source\0target\0": show a directory of the host, read-only, in a running sandbox */

    /* from the builder */
    /* uid: first of the pool of user ids, 0 for none; its control groups (cgroups_pack); [descriptor: user namespace]
     */
    BUILD_HELLO = 101,
    /*
     * id, pid, namespaces, uid, group; descriptors: pidfd of the first process, workspace, those of struct cgroup;
     * text: home
     */
    BUILD_MADE = 102,
    BUILD_MOUNTED = 103, /* id */
    BUILD_FAILED = 104,  /* id (0: the builder itself, which ends), status: errno; text */
    /*
     * Before BUILD_MADE or BUILD_FAILED: as BUILD_MADE, but for the gate in place of the workspace. It is a pipe: one
     * byte comes when the sandbox is ready, and its end without one when it will not be.
     */
    BUILD_BEGUN = 105,
};

struct build_msg {
    uint32_t op, id;
    int32_t pid, status;
    int32_t namespaces; /* to be joined, CLONE_NEW... */
    uint32_t uid;       /* of the user inside, as seen from outside */
    uint32_t size;      /* bytes that follow */
    uint32_t group;     /* number of its control group; 0: none */
};

/* What is needed to join a sandbox and to watch and to end it. Its end ends every process in it. */
struct sandbox {
    uint32_t id;
    int pidfd;     /* of its first process or guard; owned; -1: none */
    int workspace; /* owned; its directory, for openat2(2) from outside (O_PATH) */
    int gate;      /* owned; -1 unless the sandbox has only begun: see BUILD_BEGUN */
    pid_t pid;
    int namespaces; /* 0: it has none, see guard.h */
    uint32_t uid;
    char home[SANDBOX_HOME_MAX]; /* without namespaces: where its directories are; else "" */
    /* Of its control group, which who joins has to enter first (cgroup_enter); owned; none where there are no groups.
     */
    int cgroup[CGROUP_FDS_MAX];
    size_t n_cgroup;
    uint32_t group; /* for cgroup_usage; 0: none */
};

struct builder {
    int sock;   /* -1: none */
    int userns; /* of the builder, to be entered by who joins sandboxes (enter_outer); -1: it is the server's own */
    pid_t pid;
    uint32_t uid_pool;
    uint32_t last_id;       /* of all builders that this was */
    struct cgroups cgroups; /* a copy, to ask for the use of a sandbox by its group; version 0: there are none */
};

#define BUILDER_INIT                                                                                                   \
    {                                                                                                                  \
        -1, -1, 0, 0, 0, CGROUPS_INIT                                                                                  \
    }
#define SANDBOX_INIT                                                                                                   \
    {                                                                                                                  \
        0, -1, -1, -1, 0, 0, 0, "", {-1, -1}, 0, 0                                                                     \
    }

/*
 * The first thing in main of every program that starts a builder: in the process that is to be the builder it does
 * not return.
 */
void builder_hook(int argc, char **argv);

/* b: BUILDER_INIT, or of a builder that was stopped. */
int builder_start(struct builder *b, struct err *e);
/* The same without namespaces (TIER_LANDLOCK, guard.h). */
int builder_start_plain(struct builder *b, struct err *e);
void builder_stop(struct builder *b); /* ends every sandbox */

/*
 * Ask; the answers come in the order of requests. early: a sandbox with namespaces is answered twice, first when it has
 * begun. Who joins then has to wait at the gate between enter_target and enter_join. 0 or -errno.
 */
int builder_ask_make(struct builder *b, const struct plan *plan, bool early, uint32_t *ret_id, struct err *e);
int builder_ask_mount(struct builder *b, uint32_t id, const char *source, const char *target, struct err *e);

/* One answer, when the socket is readable (or waits for it). What failed is in e; ret->id says which one. */
int builder_answer(struct builder *b, struct sandbox *ret, struct err *e);

/* Ask and wait. */
int builder_make(struct builder *b, const struct plan *plan, struct sandbox *ret, struct err *e);

void sandbox_end(struct builder *b, struct sandbox *s);
void sandbox_close(struct sandbox *s); /* forget it only */

#endif
