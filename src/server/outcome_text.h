/* How the outcome of an execution is told: to a model in words, to a program in _meta. */
#ifndef CELLBLOCK_SERVER_OUTCOME_TEXT_H
#define CELLBLOCK_SERVER_OUTCOME_TEXT_H

#include <stdint.h>

struct buf;
struct exec_outcome;

/* What went wrong or was lost, as sentences, each ended by a line end; nothing when all is well. */
void outcome_explain(struct buf *out, const struct exec_outcome *o, int64_t timeout_ms);

/* "[session 7hq2kd · ok · 12 ms · new: report.csv 1.2 kB]" */
void outcome_status_line(struct buf *out, const struct exec_outcome *o, const char *session);

/* The object for _meta "cellblock/execution". */
void outcome_meta(struct buf *out, const struct exec_outcome *o, const char *session);

/* "ok", "error", "timeout", ... */
const char *outcome_status(const struct exec_outcome *o);

#endif
