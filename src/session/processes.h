/*
 * Finding and ending the processes of a session, whatever they did to hide: by the mark of src/kernel/mark.h.
 */
#ifndef CELLBLOCK_SESSION_PROCESSES_H
#define CELLBLOCK_SESSION_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Mark this process, and so all that it starts from now on. *ret: the server's part of the mark. */
int processes_mark_self(uint64_t *ret_server, struct err *e);

/* The mark of kernel number serial (from 1). */
uint64_t processes_mark(uint64_t server, uint64_t serial);

/*
 * Send SIGKILL to every process with this mark (or, with whole_server, with any mark of its server), but not to
 * except. Returns how many were found alive: call again until it is 0, because some may just have forked.
 */
unsigned processes_kill(uint64_t mark, bool whole_server, pid_t except);

/* Is there a process of this server (by its part of the mark) that is called so (PR_SET_NAME)? */
bool processes_named(uint64_t mark, const char *name);

/* How many processes the system has killed for want of memory since it started (vmstat oom_kill); 0: unknown. */
uint64_t processes_oom_kills(void);

#endif
