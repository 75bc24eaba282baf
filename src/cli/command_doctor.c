/* cellblock doctor: how well code can be isolated on this machine, and what to do where it cannot. */
#include <stdio.h>

#include "cli/commands.h"
#include "sandbox/probe.h"

static const char *tier_text(enum sandbox_tier tier)
{
    switch (tier) {
    case TIER_FULL:
        return "everything a sandbox has";
    case TIER_NO_PROC:
        return "a sandbox without /proc";
    case TIER_LANDLOCK:
        return "no namespaces: a user id of its own, Landlock and a system call filter";
    default:
        return "no isolation can be had";
    }
}

static void print_feature(const struct probe_feature *f)
{
    (void)printf("  %-14s %-8s %s\n", f->name, probe_state_name(f->state), f->detail);
    if (f->remedy[0])
        (void)printf("  %-14s %-8s -> %s\n", "", "", f->remedy);
}

int command_doctor(void)
{
    struct probe probe;

    probe_run(&probe);
    (void)printf("Isolation on this machine:\n\n");
    for (size_t i = 0; i < probe.n; i++)
        print_feature(&probe.features[i]);
    (void)printf("\nLevel reached: %s (%s)\n", tier_name(probe.tier), tier_text(probe.tier));
    return probe.tier > TIER_NONE ? 0 : 1;
}
