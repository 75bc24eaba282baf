/*
 * The process that fetches, while it does. One job, then it ends; nothing here waits for anybody but for the programs
 * in the sandbox, because the server ends it when it takes too long.
 *
 *     process.c   the job, the result          tool.c      one run of the program in the sandbox
 *     resolve.c   which wheels                 gather.c    fetching and publishing them
 *     compose.c   the set of them          overrides.c what of it must come before the base environment
 *     build.c     what has no wheel (build.h)
 */
#ifndef CELLBLOCK_FETCH_PROCESS_H
#define CELLBLOCK_FETCH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "fetch/box.h"
#include "fetch/build.h"
#include "fetch/fetch.h"
#include "fetch/lock.h"
#include "fetch/record.h"
#include "fetch/settings.h"
#include "packages/report.h"
#include "packages/shown.h"
#include "packages/site.h"

struct reply;
struct explain;
struct store;
struct store_set;
struct store_work;

#define FETCH_FD 3      /* the job, and then the result */
#define FETCH_HOLD_FD 4 /* a socket: the set of the result, held until the server has opened it (store_set_hold) */

struct process {
    struct record job; /* what follows points into it */
    struct fetch_base base;
    const char *key, *layer_id;
    const char *uv; /* NULL: pip */
    bool offline;
    struct words hashes; /* "name sha256", see fetch.h */
    enum fetch_builds builds_allowed;
    struct request *requests;
    size_t n;

    char *cache_tag; /* cpython-311 */
    char *lib;       /* lib/python3.11/site-packages */
    struct store *store;
    struct store_work *work;
    struct store_set *layer; /* NULL: none */
    struct box *box;
    struct builds *builds;
    bool alone; /* what is found is for an environment without anything of the base: to build in */
    struct settings settings;
    struct shown shown;
    char *home, *bundle; /* paths in the work directory */
    struct site site;    /* what the base environment has */
    struct wheels has;   /* what the session has */
    struct wheels found; /* what is to be in the set besides; all with an id once they are gathered */
    struct buf notes;

    bool *there;     /* which requests were satisfied from the start */
    bool *attempted; /* which the running attempt is about */
    size_t n_attempted;
    char *error; /* of the whole: nothing else is tried */
};

/* Lines of the job: the files that may be used. */
void process_add_hashes(const struct process *p, struct buf *job);

/* `resolve`, `unpack` or `source` with these lines of the job, to which what is common to both is added. 0 with the
 * exit status
 * (-1: a signal ended it, see e) and output; -errno and e: it was not run. */
int tool_run(struct process *p, const char *what, const char *lines, struct buf *ret_output, int *ret_status,
             struct err *e);
int tool_open(struct process *p, struct err *e); /* what it needs, made once */
void tool_close(struct process *p);
char *tool_file(struct process *p, const char *name); /* what it wrote; NULL: nothing; the caller frees */

/* Fills found: what the requests that do not fail need. p->error, or some requests have failed. */
void resolve_all(struct process *p);

/* The wheels of these requirements alone, added to ret. -errno when there is no answer; then why (explain_fini). */
int resolve_specs(struct process *p, const char *const *specs, size_t n, int pins, struct wheels *ret,
                  struct explain *why);

/* How the session's layer has to go on working. The base environment is preferred in any case. */
enum pins {
    PINS_ALL,   /* in its version */
    PINS_LAYER, /* in its version, if it is not asked for */
    PINS_NAMES, /* in any version */
    PINS_NONE   /* nothing */
};

/* Found wheels that are not in the store are fetched into it. What cannot be had is gone from found afterwards, and the
 * requests that need it have failed, or p->error. */
void gather_all(struct process *p);

/* What the sandbox says of a failure, as the kinds that everything else knows (explain_fini). */
void gather_understand(const struct lock_failure *f, struct explain *ret);
void gather_add_folders(const struct process *p, struct buf *job); /* those that settings name: `wheel-dir` */

/* The names of wheels, whose trees are in the store, that stand in for a part of the base environment, one a line; ""
 * for none. The caller frees. */
char *name_overrides(const struct process *p, const struct wheels *all);

/* Makes the set, when there is something new, and the answer. */
void compose(struct process *p, struct reply *ret);

/* The set of what was found and of what the session has, opened; NULL: p->error. */
struct store_set *compose_set(struct process *p);

void process_fail(struct process *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* uv and pip say all kinds of things then; package: of which one, "" when they do not say. Returns -EIO. */
int process_fail_offline(struct process *p, const char *package);
void process_say(const char *line); /* for the server: cleaned, a line */

#endif
