#include "cli/isolation_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "cli/mount_option.h"
#include "sandbox/plan.h"
#include "sandbox/probe.h"

#define ENVIRONMENT_VALUE_MAX (64 * 1024) /* of all of them; execve(2) and the wire to kernels take this easily */

/* ---- lists ---- */

static void list_clear(struct option_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct option_list){NULL, 0, false};
}

static int list_append(struct option_list *list, const char *name, const char *text, size_t size, struct err *e)
{
    if (list->n == OPTION_LIST_MAX)
        return err_set(e, E2BIG, "%s is given too often: at most %d times", name, OPTION_LIST_MAX);
    list->items = xrealloc(list->items, list->n + 1, sizeof *list->items);
    list->items[list->n++] = xstrndup(text, size);
    return 0;
}

int option_list_add(struct option_list *list, const char *name, const char *text, bool from_environment, struct err *e)
{
    if (!from_environment) {
        if (list->from_environment)
            list_clear(list);
        return list_append(list, name, text, strlen(text), e);
    }
    list->from_environment = true;
    while (*text) {
        size_t size = strcspn(text, "\n");
        int r = size ? list_append(list, name, text, size, e) : 0;

        if (r < 0)
            return r;
        text += size + (text[size] == '\n');
    }
    return 0;
}

static const char *list_name(const struct option_list *list, const char *option, const char *variable)
{
    return list->from_environment ? variable : option;
}

/* ---- mounts ---- */

/* The places in the sandbox are the plan's to judge: it knows what it has there of its own. */
static int check_targets(const struct isolation_options *o, const char *name, struct err *e)
{
    struct sandbox_config config = {.mounts = o->mounts, .n_mounts = o->n_mounts, .tier = TIER_FULL};
    autoplan struct plan plan = PLAN_INIT;
    struct err why = ERR_INIT;

    return plan_make(&config, &plan, &why) < 0 ? err_set(e, EINVAL, "%s: %s", name, why.text) : 0;
}

static int resolve_mounts(struct isolation_options *o, const char *python, const char *store, const char *workdir,
                          struct err *e)
{
    const char *name = list_name(&o->mount, "--mount", "CELLBLOCK_MOUNT");
    struct mount_guard guard;
    int r = 0;

    if (o->mount.n == 0)
        return 0;
    o->mounts = xnew_n(struct sandbox_mount, o->mount.n);
    mount_guard_init(&guard, python, store, workdir);
    for (size_t i = 0; i < o->mount.n && r == 0; i++) {
        r = mount_parse(name, o->mount.items[i], &o->mounts[i], e);
        if (r < 0)
            break;
        o->n_mounts++;
        r = mount_check(&guard, name, &o->mounts[i], e);
    }
    mount_guard_fini(&guard);
    return r < 0 ? r : check_targets(o, name, e);
}

/* ---- environment ---- */

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!(isalpha((unsigned char)text[i]) || text[i] == '_' || (i > 0 && isdigit((unsigned char)text[i]))))
            return false;
    return size > 0;
}

/* The last one of a name counts, as in a shell. text is taken. */
static void set_variable(struct isolation_options *o, char *text_take)
{
    size_t size = strcspn(text_take, "=") + 1;

    for (size_t i = 0; i < o->n_environment; i++)
        if (strncmp(o->environment[i], text_take, size) == 0) {
            free(o->environment[i]);
            o->environment[i] = text_take;
            return;
        }
    o->environment[o->n_environment++] = text_take;
}

static int resolve_environment(struct isolation_options *o, struct err *e)
{
    const char *option = list_name(&o->env, "--env", "CELLBLOCK_ENV");
    size_t total = 0;

    if (o->env.n > 0)
        o->environment = xnew_n(char *, o->env.n);
    for (size_t i = 0; i < o->env.n; i++) {
        const char *text = o->env.items[i], *value;
        size_t size = strcspn(text, "=");

        if (!is_name(text, size))
            return err_set(e, EINVAL, "%s takes NAME=VALUE or NAME, not '%.60s'", option, text);
        value = text[size] ? text + size + 1 : getenv(text);
        if (!value)
            return err_set(
                e, EINVAL,
                "%s %.60s: the server has no such variable to hand on. Set it where the server is started, or "
                "write the value: %.60s=VALUE",
                option, text, text);
        total += size + strlen(value) + 2;
        if (total > ENVIRONMENT_VALUE_MAX)
            return err_set(e, E2BIG, "%s: names and values together are more than %d bytes; share a file by --mount",
                           option, ENVIRONMENT_VALUE_MAX);
        set_variable(o, xasprintf("%.*s=%s", (int)size, text, value));
    }
    return 0;
}

/* ---- the level ---- */

static int resolve_level(struct isolation_options *o, struct err *e)
{
    char all[64] = "";

    o->required = TIER_NONE;
    if (!o->level || strcmp(o->level, "any") == 0)
        return 0;
    for (int tier = TIER_NONE + 1; tier < TIER_MAX; tier++) {
        if (strcmp(o->level, tier_name((enum sandbox_tier)tier)) == 0) {
            o->required = (enum sandbox_tier)tier;
            return 0;
        }
        (void)strncat(all, tier_name((enum sandbox_tier)tier), sizeof all - strlen(all) - 3);
        (void)strcat(all, ", ");
    }
    if (strcmp(o->level, tier_name(TIER_NONE)) == 0)
        return err_set(e, EINVAL, "no isolation at all is --local, not --require-isolation %s", o->level);
    return err_set(e, EINVAL,
                   "--require-isolation is %sor any, not '%.60s'; `cellblock doctor` tells what this machine has", all,
                   o->level);
}

int isolation_options_resolve(struct isolation_options *o, const char *python, const char *store, const char *workdir,
                              struct err *e)
{
    int r = resolve_level(o, e);

    if (r == 0)
        r = resolve_environment(o, e);
    if (r == 0)
        r = resolve_mounts(o, python, store, workdir, e);
    return r;
}

void isolation_options_fini(struct isolation_options *o)
{
    list_clear(&o->mount);
    list_clear(&o->env);
    for (size_t i = 0; i < o->n_mounts; i++)
        mount_fini(&o->mounts[i]);
    free(o->mounts);
    for (size_t i = 0; i < o->n_environment; i++)
        free(o->environment[i]);
    free(o->environment);
    *o = (struct isolation_options){0};
}
