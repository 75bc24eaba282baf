#include "packages/blame.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "packages/explain.h"
#include "packages/report.h"

bool blame_mentions(const struct explain *x, const char *key)
{
    size_t size = strlen(key);

    for (const char *p = x->section; *p; p++) {
        size_t n = 0;

        if (p > x->section && (isalnum((unsigned char)p[-1]) || strchr("-_.", p[-1])))
            continue;
        while (n < size && (tolower((unsigned char)p[n]) == key[n] || (key[n] == '-' && p[n] && strchr("_.", p[n]))))
            n++;
        if (n == size && !isalnum((unsigned char)p[n]) && !(strchr("-_.", p[n]) && isalnum((unsigned char)p[n + 1])))
            return true;
    }
    return false;
}

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
        } else if (blame_mentions(why, q->key)) {
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
