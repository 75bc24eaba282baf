#include "fetch/reply.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "fetch/key.h"
#include "fetch/record.h"
#include "packages/report.h"
#include "packages/outcome.h"

static const char *const states[] = {
    [INSTALL_NEW] = "new", [INSTALL_PRESENT] = "present", [INSTALL_FAILED] = "failed", [INSTALL_SKIPPED] = "skipped"};

void reply_write(const struct reply *a, struct buf *out)
{
    record_add(out, "answer", a->ok ? "ok" : "failed");
    record_add(out, "set", a->set);
    record_add(out, "error", a->error);
    record_add(out, "notes", a->notes);
    for (size_t i = 0; i < a->n_items; i++) {
        const struct install_item *item = &a->items[i];

        record_add(out, item->asked ? "asked" : "came", states[item->state]);
        record_add(out, "spec", item->spec);
        record_add(out, "version", item->version);
        record_add(out, "reason", item->reason);
    }
}

static bool take_state(struct reply *a, const char *value, bool asked)
{
    struct install_item *item = &a->items[a->n_items];

    if (a->n_items == REPLY_ITEMS_MAX)
        return false;
    for (int i = INSTALL_NEW; i <= INSTALL_SKIPPED; i++)
        if (strcmp(value, states[i]) == 0) {
            *item = (struct install_item){.state = (enum install_state)i, .asked = asked};
            a->n_items++;
            return true;
        }
    return false;
}

/* Each text once. */
static bool take_text(const char **field, const char *value)
{
    if (*field)
        return false;
    *field = xstrdup(value);
    return true;
}

static bool take_entry(struct reply *a, const struct record_entry *entry)
{
    struct install_item *item = a->n_items ? &a->items[a->n_items - 1] : NULL;
    const char *key = entry->key;

    if (strcmp(key, "asked") == 0 || strcmp(key, "came") == 0)
        return (!item || item->spec) && take_state(a, entry->value, *key == 'a');
    if (item && strcmp(key, "spec") == 0)
        return take_text(&item->spec, entry->value);
    if (item && strcmp(key, "version") == 0)
        return take_text(&item->version, entry->value);
    if (item && strcmp(key, "reason") == 0)
        return take_text(&item->reason, entry->value);
    if (!item && strcmp(key, "set") == 0)
        return take_text((const char **)&a->set, entry->value);
    if (!item && strcmp(key, "error") == 0)
        return take_text((const char **)&a->error, entry->value);
    return !item && strcmp(key, "notes") == 0 && take_text((const char **)&a->notes, entry->value);
}

int reply_read(const char *text, size_t size, struct reply *ret)
{
    autorecord struct record r = RECORD_INIT;
    struct reply a = {0};
    bool good = record_parse(text, size, &r) == 0 && r.n > 0 && strcmp(r.entries[0].key, "answer") == 0;

    if (!good)
        return -EBADMSG;
    a.ok = strcmp(r.entries[0].value, "ok") == 0;
    a.items = xnew_n(struct install_item, REPLY_ITEMS_MAX);
    for (size_t i = 1; good && i < r.n; i++)
        good = take_entry(&a, &r.entries[i]);
    if (!good || (a.n_items && !a.items[a.n_items - 1].spec)) {
        reply_fini(&a);
        return -EBADMSG;
    }
    *ret = a;
    return 0;
}

void reply_fini(struct reply *a)
{
    report_free(a->items, a->n_items);
    free(a->set);
    free(a->error);
    free(a->notes);
    *a = (struct reply){0};
}

bool reply_fit(struct reply *a, const char *const *specs, size_t n)
{
    struct install_item *items = xnew_n(struct install_item, REPLY_ITEMS_MAX);
    autofree bool *used = xnew_n(bool, a->n_items + 1);
    size_t n_items = 0, left = 0;

    for (size_t i = 0; i < n; i++) {
        autofree char *wanted = key_of_spec(specs[i]);

        for (size_t k = 0; k < a->n_items; k++) {
            autofree char *has = used[k] || !a->items[k].asked ? NULL : key_of_spec(a->items[k].spec);

            if (!has || strcmp(has, wanted) != 0)
                continue;
            used[k] = true;
            items[n_items] = a->items[k];
            free((char *)items[n_items].spec);
            items[n_items++].spec = xstrdup(specs[i]);
            a->items[k] = (struct install_item){.asked = true};
            break;
        }
    }
    for (size_t k = 0; k < a->n_items; k++)
        left += a->items[k].asked && !used[k];
    for (size_t k = 0; k < a->n_items; k++)
        if (!used[k])
            items[n_items++] = a->items[k];
    free(a->items);
    a->items = items;
    a->n_items = n_items;
    return left == 0 && n_items >= n;
}
