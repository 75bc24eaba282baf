/*
 * Which packages of a session stand in for a part of the base environment: those that this has in another version, and
 * those with a module that this has too, from another distribution or from one without metadata. They only count when
 * they come first on sys.path.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "fetch/process.h"
#include "packages/modules.h"
#include "store/store.h"

static void list_base(const struct process *p, struct modules *ret)
{
    autofree char *sites = xstrdup(p->base.sites ? p->base.sites : "");

    for (char *save = NULL, *site = strtok_r(sites, ":", &save); site; site = strtok_r(NULL, ":", &save))
        modules_add(ret, site);
    modules_seal(ret);
}

static bool has_a_module_of(const struct process *p, const struct wheel *w, const struct modules *base)
{
    autofree char *tree = store_wheel_tree(p->store, w->id);
    autofree char *site = xasprintf("%s/%s", tree, p->lib);
    automodules struct modules own = {NULL, 0, 0};

    modules_add(&own, site);
    modules_seal(&own);
    return modules_meet(&own, base);
}

char *name_overrides(const struct process *p, const struct wheels *all)
{
    autobuf struct buf names = BUF_INIT;
    automodules struct modules base = {NULL, 0, 0};

    list_base(p, &base);
    for (size_t i = 0; i < all->n; i++) {
        const struct wheel *w = &all->items[i];
        const struct site_package *same = site_find(&p->site, w->key);

        if (same ? strcmp(same->version, w->version) != 0 : has_a_module_of(p, w, &base))
            (void)buf_printf(&names, "%s\n", w->key);
    }
    return xstrdup(buf_str(&names));
}
