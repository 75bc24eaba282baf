#include "packages/outcome.h"

#include "base/buf.h"

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
