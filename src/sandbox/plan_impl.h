/* Inside of plan: what the plans of the two kinds of sandboxes share. */
#ifndef CELLBLOCK_SANDBOX_PLAN_IMPL_H
#define CELLBLOCK_SANDBOX_PLAN_IMPL_H

#include "sandbox/plan.h"

/* Defaults of struct sandbox_config. */
#define PLAN_TMP_BYTES (256 * MIB)
#define PLAN_SHM_BYTES (256 * MIB)
#define PLAN_WORKSPACE_BYTES (1024 * MIB)
#define PLAN_INODES 65536

/* Of /etc, what libraries need to be found and to work. */
extern const char *const plan_settings[];
extern const size_t plan_n_settings;

/* All that is to be seen of /sys: lscpu, thread pools and numerical libraries ask it what processors there are. */
#define PLAN_PROCESSORS "/sys/devices/system/cpu"

/* One more step; the texts are copied. */
struct step *plan_add(struct plan *plan, enum step_kind kind, const char *source, const char *target);

/* Absolute, and without "." and "..". */
bool plan_is_plain(const char *path);

/* Is it a place where something of the user's may be shown? what: the beginning of an error. */
int plan_check_path(const char *path, const char *what, struct err *e);

/* The plan for TIER_LANDLOCK. */
int plan_make_wall(const struct sandbox_config *c, struct plan *plan, struct err *e);

#endif
