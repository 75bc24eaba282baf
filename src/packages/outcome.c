#include "packages/outcome.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

static void describe_item(const struct install_item *item, struct buf *out)
{
    switch (item->state) {
    case INSTALL_NEW:
        (void)buf_printf(out, "%s: installed %s%s%s\n", item->spec, item->version ? item->version : "",
                         item->reason ? ", " : "", item->reason ? item->reason : "");
        break;
    case INSTALL_PRESENT:
        (void)buf_printf(out, "%s: already there%s%s\n", item->spec, item->version ? ", " : "",
                         item->version ? item->version : "");
        break;
    case INSTALL_SKIPPED:
        (void)buf_printf(out, "%s: not for this Python and platform\n", item->spec);
        break;
    default:
        (void)buf_printf(out, "%s: failed: %s\n", item->spec, item->reason ? item->reason : "unknown");
    }
}

void install_describe(const struct install_outcome *outcome, struct buf *out)
{
    size_t n_more = 0;

    for (size_t i = 0; i < outcome->n_items; i++)
        if (outcome->items[i].asked)
            describe_item(&outcome->items[i], out);
    for (size_t i = 0; i < outcome->n_items; i++)
        if (!outcome->items[i].asked)
            (void)buf_printf(out, "%s%s%s%s", n_more++ ? ", " : "with them: ", outcome->items[i].spec,
                             outcome->items[i].reason ? " " : "",
                             outcome->items[i].reason ? outcome->items[i].reason : "");
    if (n_more)
        (void)buf_puts(out, "\n");
    if (outcome->error_text)
        (void)buf_printf(out, "%s\n", outcome->error_text);
    if (outcome->notes)
        (void)buf_printf(out, "%s\n", outcome->notes);
}

struct install_outcome *install_outcome_copy(const struct install_outcome *outcome)
{
    struct install_outcome *copy = xnew(struct install_outcome);
    struct install_item *items = xnew_n(struct install_item, outcome->n_items + 1);

    *copy = *outcome;
    copy->notes = xstrdup(outcome->notes);
    copy->error_text = xstrdup(outcome->error_text);
    for (size_t i = 0; i < outcome->n_items; i++) {
        items[i] = outcome->items[i];
        items[i].spec = xstrdup(outcome->items[i].spec);
        items[i].version = xstrdup(outcome->items[i].version);
        items[i].reason = xstrdup(outcome->items[i].reason);
    }
    copy->items = items;
    return copy;
}

void install_outcome_free(struct install_outcome *copy)
{
    for (size_t i = 0; i < copy->n_items; i++) {
        free((char *)copy->items[i].spec);
        free((char *)copy->items[i].version);
        free((char *)copy->items[i].reason);
    }
    free((struct install_item *)copy->items);
    free((char *)copy->error_text);
    free((char *)copy->notes);
    free(copy);
}
