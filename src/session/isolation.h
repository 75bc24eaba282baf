/*
 * How isolated sessions are set up: what they may use, what the user shares with them. Plain data; the command line
 * fills it, the sandboxes of the sessions (boxes.h) are made by it.
 */
#ifndef CELLBLOCK_SESSION_ISOLATION_H
#define CELLBLOCK_SESSION_ISOLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/plan.h"

/* 0: the default, see base/limits.h. */
struct isolation_limits {
    uint64_t memory_bytes;    /* of all processes of a session, its files in the workspace and /tmp included */
    uint64_t workspace_bytes; /* each of the three is also a bound of its own */
    uint64_t tmp_bytes;
    uint64_t inodes;      /* files and directories, in the workspace and in /tmp each */
    uint64_t file_bytes;  /* one file */
    uint64_t processes;   /* and threads */
    uint64_t open_files;  /* of one process */
    uint64_t cpu_seconds; /* of one process; 0: none */
};

struct isolation {
    struct isolation_limits limits;
    const struct sandbox_mount *mounts; /* sources are real paths (realpath(3)) */
    size_t n_mounts;
    const char *const *environment; /* NAME=VALUE, besides the sandbox's own */
    size_t n_environment;
    enum sandbox_network network;
    enum sandbox_tier required; /* TIER_NONE: whatever this machine grants, but some isolation */
};

/* What a machine grants of it. */
struct isolation_level {
    enum sandbox_tier tier;
    const char *name; /* of the tier */
    bool landlock;
    bool memory; /* the memory of all processes of a session together is limited, by a control group */
};

#endif
