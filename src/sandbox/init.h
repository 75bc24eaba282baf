/* The first process of a sandbox: builds it from inside, then only reaps. User code is never process 1. */
#ifndef CELLBLOCK_SANDBOX_INIT_H
#define CELLBLOCK_SANDBOX_INIT_H

#include "sandbox/steps.h"

/*
 * What it says to the builder: one byte, with INIT_FAILED an errno and a text, with INIT_READY the workspace (O_PATH).
 * And the answer to INIT_MAPS.
 */
#define INIT_MAPS 'U'
#define INIT_READY 'R'
#define INIT_FAILED 'E'

struct init_failure {
    char kind;
    int code;
    char text[480];
};

_Noreturn void init_run(const struct plan *plan, const struct steps_context *context);

/* Its parts, for who takes its place where there are no namespaces (guard.h). */
void init_reset_signals(void);
_Noreturn void init_fail(int control, const struct err *e);
void init_ready(int control, const char *workspace); /* does not return when that fails */

#endif
