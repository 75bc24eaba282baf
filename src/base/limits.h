/*
 * Every bound of the server, in one place. What a user would want to change has a flag and a CELLBLOCK_... variable
 * (src/cli/options.c); the rest is fixed.
 */
#ifndef CELLBLOCK_BASE_LIMITS_H
#define CELLBLOCK_BASE_LIMITS_H

#include <stddef.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* Protocol. */
#define LIMIT_MESSAGE_IN (4 * MIB)     /* one message from a client; a longer one is answered with an error */
#define LIMIT_JSON_DEPTH 64            /* nesting of a message from a client */
#define LIMIT_MESSAGE_OUT (1000 * KIB) /* one message to a client: some refuse an event over 1 MiB */
#define LIMIT_INFLIGHT 256             /* requests of one connection that are not answered yet */
#define LIMIT_CLIENT_QUEUE (64 * MIB)  /* unsent bytes to a client that does not read, then it is dropped */
#define LIMIT_RESOURCE_READ (7 * MIB)  /* a file read over stdio: some clients close at a line over 10 MiB */
#define LIMIT_STDIO_GRACE_MS 1000      /* for running calls after the end of stdin */
#define LIMIT_STDIO_FLUSH_MS 300       /* for unsent answers at the end */

/* Sessions. */
#define LIMIT_SESSIONS 256
#define LIMIT_SESSION_IDLE_MS (30 * 60 * 1000)
#define LIMIT_QUEUE 64 /* executions that wait in one session */
#define LIMIT_RUNNING_PER_CORE 8
#define LIMIT_SPARE_KERNELS 1 /* kernels kept ready for the next session */

/* Executions. */
#define LIMIT_TIMEOUT_DEFAULT_MS 30000
#define LIMIT_TIMEOUT_MAX_MS 600000
#define LIMIT_ABORT_AFTER_MS 500        /* from SIGINT to the abort that user code cannot catch */
#define LIMIT_KILL_AFTER_MS 2000        /* from the abort to SIGKILL */
#define LIMIT_OUTPUT_KEPT (10 * MIB)    /* output of one execution that is kept */
#define LIMIT_TEXT_CHARS 20000          /* text of one result */
#define LIMIT_FIGURES 32                /* images of one execution */
#define LIMIT_DISPLAYS 10000            /* what one execution shows with display(); more is dropped, and told */
#define LIMIT_DISPLAY_BYTES (64 * MIB)  /* of that, what is held until the end: images, most of it */
#define LIMIT_IMAGE (700 * KIB)         /* encoded size of an image that is sent inline (base64 is 4/3 of it) */
#define LIMIT_RESULT_IMAGES (720 * KIB) /* all inline images of one result together; the rest are linked */
#define LIMIT_FILES_LISTED 20           /* new and changed files linked in one result */

/* Isolated sessions: each, and settable (src/cli/isolation_options.c). */
#define LIMIT_BOX_MEMORY (1024 * MIB)
#define LIMIT_BOX_WORKSPACE (1024 * MIB)
#define LIMIT_BOX_TMP (256 * MIB) /* of /tmp and of /dev/shm */
#define LIMIT_BOX_INODES 65536
#define LIMIT_BOX_FILE (1024 * MIB)
#define LIMIT_BOX_PROCESSES 256 /* threads count too: numerical libraries start one a processor */
#define LIMIT_BOX_OPEN_FILES 1024
#define LIMIT_BOXES_READY 2 /* sandboxes kept ready, each about a tenth of a megabyte */

/* Kernels. */
#define LIMIT_FRAME (16 * MIB) /* one frame from or to a kernel */
#define LIMIT_FRAME_FIELDS 256

/* Packages. */
#define LIMIT_PACKAGES 100              /* requirements of one install */
#define LIMIT_REQUIREMENT 1000          /* bytes of one requirement */
#define LIMIT_RESOLVE_TTL_S (24 * 3600) /* the same packages again, without asking the index */
#define LIMIT_INSTALL_MS 60000

/* The store of packages for isolated sessions. A wheel is refused before and while it is unpacked: neither pip nor uv
 * have a bound, and 2 MB can hold 2 GB. */
#define LIMIT_WHEEL_BYTES (2048 * MIB)    /* one wheel as it is downloaded */
#define LIMIT_WHEEL_UNPACKED (4096 * MIB) /* what is in it, bytecode included */
#define LIMIT_WHEEL_FILES 50000           /* the same; and at most as many directories */
#define LIMIT_STORE_BYTES (10240 * MIB)   /* all of the store, settable */

#endif
