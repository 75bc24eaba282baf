#include "packages/report.h"

#include <string.h>

#include "base/mem.h"
#include "packages/site.h"
#include "packages/outcome.h"

/* Is it new, of another version, or now in the environment itself? */
static bool is_changed(const struct site_package *was, const struct site_package *is)
{
    return is && (!was || strcmp(was->version, is->version) != 0 || (is->own && !was->own));
}

static void set_new(struct install_item *item, const struct site_package *was, const struct site_package *is)
{
    item->state = INSTALL_NEW;
    item->version = xstrdup(is->version);
    if (was && strcmp(was->version, is->version) != 0)
        item->reason = xasprintf("in place of %s", was->version);
}

static void set_asked(struct install_item *item, const struct request *q, const struct site_package *was,
                      const struct site_package *is, const char *unfinished)
{
    item->spec = xstrdup(q->spec);
    item->asked = true;
    if (q->state != REQUEST_FAILED && is_changed(was, is)) {
        set_new(item, was, is);
        return;
    }
    if (q->state == REQUEST_DONE && is) {
        item->state = INSTALL_PRESENT;
        item->version = xstrdup(is->version);
        return;
    }
    if (q->state == REQUEST_DONE && q->has_marker && q->of_file) {
        item->state = INSTALL_SKIPPED;
        return;
    }
    item->state = INSTALL_FAILED;
    if (q->state == REQUEST_FAILED)
        item->reason = xstrdup(q->reason);
    else if (q->state == REQUEST_WAITING)
        item->reason = xstrdup(unfinished);
    else if (q->has_marker)
        item->reason = xstrdup("its condition (after the ';') does not hold for this Python: nothing to install");
    else
        item->reason = xasprintf("the installer succeeded, but there is no %s", q->key);
}

static bool was_asked(const struct request *requests, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(requests[i].key, key) == 0)
            return true;
    return false;
}

size_t report_make(const struct request *requests, size_t n, const struct site *before, const struct site *after,
                   const char *unfinished, struct install_item **ret, bool *ret_ok)
{
    struct install_item *items = xnew_n(struct install_item, n + after->n + 1);
    size_t n_items = 0;

    *ret_ok = true;
    for (size_t i = 0; i < n; i++) {
        struct install_item *item = &items[n_items++];

        set_asked(item, &requests[i], site_find(before, requests[i].key), site_find(after, requests[i].key),
                  unfinished);
        if (item->state == INSTALL_FAILED)
            *ret_ok = false;
    }
    for (size_t i = 0; i < after->n; i++) {
        const struct site_package *is = &after->items[i], *was = site_find(before, is->key);
        struct install_item *item = &items[n_items];

        if (!is_changed(was, is) || was_asked(requests, n, is->key))
            continue;
        item->spec = xasprintf("%s==%s", is->name, is->version);
        set_new(item, was, is);
        n_items++;
    }
    *ret = items;
    return n_items;
}

void report_free(struct install_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)items[i].spec);
        free((char *)items[i].version);
        free((char *)items[i].reason);
    }
    free(items);
}
