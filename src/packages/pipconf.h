/*
 * Where pip is told to look for packages: its variables and configuration files. uv reads neither; a machine whose
 * index is set for pip only has to work with uv just the same.
 */
#ifndef CELLBLOCK_PACKAGES_PIPCONF_H
#define CELLBLOCK_PACKAGES_PIPCONF_H

#include <stdbool.h>

struct words;

/*
 * Add to a uv environment what pip's settings say and uv's own do not. prefix: the environment installed into, which
 * may have a pip.conf; workdir: may have a uv.toml. Returns whether pip is told to use no index at all.
 */
bool pipconf_for_uv(struct words *env, const char *workdir, const char *prefix);

#endif
