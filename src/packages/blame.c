#include "packages/blame.h"

#include <string.h>

#include "base/mem.h"
#include "packages/explain.h"
#include "packages/report.h"

void blame_request(struct request *q, const struct explain *why)
{
    bool other = *why->package && strcmp(why->package, q->key) != 0 && why->kind != EXPLAIN_CONFLICT &&
                 why->kind != EXPLAIN_UNKNOWN;

    q->state = REQUEST_FAILED;
    free(q->reason);
    q->reason = other ? xasprintf("it needs %s: %s", why->package, why->reason) : xstrdup(why->reason);
}

bool blame_requests(struct request *requests, const bool *attempted, size_t n, const struct explain *why)
{
    struct request *mentioned = NULL;
    size_t n_attempted = 0, n_mentioned = 0;
    bool found = false;

    for (size_t i = 0; i < n; i++)
        n_attempted += attempted[i];
    for (size_t i = 0; i < n; i++) {
        struct request *q = &requests[i];

        if (!attempted[i] || q->state != REQUEST_WAITING)
            continue;
        if (n_attempted == 1 || (why->kind != EXPLAIN_CONFLICT && strcmp(q->key, why->package) == 0)) {
            blame_request(q, why);
            found = true;
        } else if (explain_mentions(why, q->key)) {
            mentioned = q;
            n_mentioned++;
            if (why->kind == EXPLAIN_CONFLICT) {
                blame_request(q, why);
                found = true;
            }
        }
    }
    if (!found && n_mentioned == 1) {
        blame_request(mentioned, why);
        found = true;
    }
    return found;
}
