/*
 * The plan of a sandbox as data: which namespaces, then what is mounted where and closed, in order. It is made by a
 * pure function, so that order and content can be tested without privilege; init.c carries it out.
 *
 * Paths of hosts are real ones (realpath(3)): a symbolic link would be followed inside the unfinished sandbox.
 */
#ifndef CELLBLOCK_SANDBOX_PLAN_H
#define CELLBLOCK_SANDBOX_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;

#define SANDBOX_WORKSPACE "/workspace"
#define SANDBOX_PACKAGES "/packages" /* empty; what is installed later is mounted over it (builder_ask_mount) */
#define SANDBOX_ID 1000              /* user and group inside */

enum sandbox_network { NETWORK_NONE, NETWORK_HOST, NETWORK_MAX };

/* What the machine grants beyond the least; found out by probe.h. */
enum sandbox_tier { TIER_NONE, TIER_LANDLOCK, TIER_NO_PROC, TIER_FULL, TIER_MAX };

struct sandbox_mount {
    const char *source, *target;
    bool writable;
    bool unlisted; /* the code may enter it, by names that it knows, not list it: as its mode has it */
};

struct sandbox_config {
    const char *const *prefixes; /* directories of the Python environment, shown read-only where they are */
    size_t n_prefixes;
    const struct sandbox_mount *mounts; /* what the user shares */
    size_t n_mounts;
    uint64_t tmp_bytes, shm_bytes, workspace_bytes; /* 0: the default */
    uint64_t inodes;                                /* of each of them; 0: the default */
    uint64_t memory_bytes, processes;               /* of all processes together (cgroup.h); 0: no limit */
    enum sandbox_network network;
    enum sandbox_tier tier; /* not TIER_NONE */
};

enum step_kind {
    STEP_PRIVATE,  /* no mount is seen by, or comes from, the host any more */
    STEP_ROOT,     /* an empty root beside the old one: target below /new, source below /old until STEP_PIVOT */
    STEP_DIR,      /* target, mode */
    STEP_LINK,     /* target is a symbolic link to source */
    STEP_FILE,     /* target is a file with the text source */
    STEP_TMPFS,    /* target, size, inodes, mode; owned by the user inside */
    STEP_BIND,     /* target shows source, by flags; when that is a symbolic link, target is the same link */
    STEP_DEVICE,   /* the same for a device node */
    STEP_PROC,     /* target shows the processes of the sandbox */
    STEP_HOSTNAME, /* source */
    STEP_LOOPBACK, /* bring lo up */
    STEP_PIVOT,    /* /new becomes /, the old root goes */
    STEP_READONLY, /* target, without what is mounted below */
    STEP_USER,     /* a user namespace that owns nothing: from here on nothing can be mounted or joined */
    STEP_NESTING,  /* no further namespaces */
    STEP_SEAL,     /* the first process gives up capabilities and descriptors */

    /* Without namespaces (TIER_LANDLOCK): only these, and STEP_SEAL. */
    STEP_HOME,       /* private directories, for workspace and /tmp; size and inodes: what may be below them */
    STEP_IDENTITY,   /* the sandbox's own user, no capability */
    STEP_READABLE,   /* target may be read by the code, nothing else; it is a rule of Landlock, checked here */
    STEP_CHANGEABLE, /* and target changed */
    STEP_MAX
};

#define STEP_WRITABLE 1u /* BIND: else read-only */
#define STEP_UNLISTED 4u /* READABLE: a directory that need not be listed */
#define STEP_OPTIONAL 2u /* BIND, DEVICE: left out when there is no source; READABLE: when it cannot be read */

struct step {
    enum step_kind kind;
    unsigned flags;
    mode_t mode;
    uint64_t size, inodes;
    char *source, *target; /* owned; NULL where unused */
};

struct plan {
    int namespaces;                   /* CLONE_NEW... of the first process; CLONE_NEWUSER follows by STEP_USER */
    uint64_t memory_bytes, processes; /* limits of a control group, where there are any; 0: no limit */
    struct step *steps;
    size_t n, cap;
};

#define autoplan __attribute__((cleanup(plan_fini)))
#define PLAN_INIT                                                                                                      \
    {                                                                                                                  \
        0, 0, 0, NULL, 0, 0                                                                                            \
    }

/*
 * -EINVAL with a text for the person who configured it: a path is not absolute, or would hide the sandbox's own; or,
 * with TIER_LANDLOCK, is to be shown at another place.
 */
int plan_make(const struct sandbox_config *config, struct plan *ret, struct err *e);
void plan_fini(struct plan *plan);

/*
 * For a plan with the host's network: names of other machines are found as the host finds them, by its resolv.conf,
 * which is often a link into a directory that is not shown, and its hosts file. Looks at the host.
 */
void plan_use_host_names(struct plan *plan);

/* The targets of the steps of a kind, up to max, as long as the plan lives: how many. */
size_t plan_targets(const struct plan *plan, enum step_kind kind, const char **ret, size_t max);
#define PLAN_TARGETS_MAX 256

/* So many steps at the beginning come to the same in all sandboxes (template.h): nothing there is configured. */
size_t plan_count_shared(const struct plan *plan);

/* Is path the directory itself, or below it? Both are plain: absolute, without "." and "..". */
bool plan_is_below(const char *path, const char *directory);

const char *step_name(enum step_kind kind);

/* The plan as bytes, for the builder, and back. -EBADMSG when the bytes are no plan. */
int plan_pack(const struct plan *plan, struct buf *out);
int plan_unpack(const void *data, size_t size, struct plan *ret);

#endif
