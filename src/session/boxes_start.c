/* Which sandboxes this machine grants: by making one of each kind on trial. */
#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "sandbox/landlock.h"
#include "sandbox/plan.h"
#include "sandbox/probe.h"
#include "session/boxes_impl.h"

static int try_tier(struct boxes *all, enum sandbox_tier tier, struct err *e)
{
    struct sandbox trial = SANDBOX_INIT;
    autoplan struct plan plan = PLAN_INIT;

    all->plain = tier == TIER_LANDLOCK;
    if (boxes_start_builder(all, e) < 0 || boxes_make_plan(all->config.isolation, tier, NULL, NULL, &plan, e) < 0 ||
        builder_make(&all->builder, &plan, &trial, e) < 0)
        return -e->code;
    sandbox_end(&all->builder, &trial);
    all->level.tier = tier;
    all->level.name = tier_name(tier);
    return 0;
}

static int check_required(const struct boxes *all, const struct err *why_less, struct err *e)
{
    enum sandbox_tier required = all->config.isolation->required;

    if (all->level.tier >= required)
        return 0;
    return err_set(e, ENOTSUP,
                   "isolation %s is required, this machine grants %s (%s). `cellblock doctor` tells what to do",
                   tier_name(required), tier_name(all->level.tier), why_less->text);
}

/* Without namespaces: what is missing in full isolation is in why already. */
static int try_plain(struct boxes *all, struct err *e)
{
    if (all->running)
        builder_stop(&all->builder);
    all->running = false;
    if (landlock_abi() < LANDLOCK_WALL_ABI)
        return err_set(e, ENOSYS, "Landlock is missing too (version %d or later)", LANDLOCK_WALL_ABI);
    return try_tier(all, TIER_LANDLOCK, e);
}

/* The best there is. why_less: why it is not the full one. */
static int try_tiers(struct boxes *all, struct err *why_less, struct err *e)
{
    struct err why = ERR_INIT, plain = ERR_INIT;

    if (try_tier(all, TIER_FULL, why_less) == 0 || (all->running && try_tier(all, TIER_NO_PROC, &why) == 0))
        return 0;
    if (!why.code)
        why = *why_less;
    if (try_plain(all, &plain) == 0) {
        *why_less = why;
        return 0;
    }
    return err_set(e, why.code,
                   "no sandbox can be made here: %.200s; nor one without namespaces: %.180s. `cellblock doctor` tells "
                   "what to do; --local runs code without isolation, with your rights",
                   why.text, plain.text);
}

int boxes_start(struct boxes *all, struct err *e)
{
    struct err why = ERR_INIT;
    int r;

    if (try_tiers(all, &why, e) < 0)
        return -e->code;
    all->level.landlock = all->plain || landlock_abi() >= 2;
    all->level.memory = all->builder.cgroups.version && all->builder.cgroups.memory[0];
    if (check_required(all, &why, e) < 0)
        return -e->code;
    if (all->plain && all->config.isolation->required == TIER_NONE)
        log_warn(
            "only the lowest level of isolation can be had here, without namespaces (%s). `cellblock doctor` tells "
            "what to do; --require-isolation landlock keeps it without this warning",
            why.text);
    if (boxes_make_entering(all->config.isolation, &all->level, NULL, &all->entering, e) < 0)
        return -e->code;
    r = boxes_start_polling(all);
    return r < 0 ? err_set(e, -r, "poll: %s", uv_strerror(r)) : 0;
}
