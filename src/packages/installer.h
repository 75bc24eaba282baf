/* The programs that install: which one, with what arguments, in what environment. Starts nothing. */
#ifndef CELLBLOCK_PACKAGES_INSTALLER_H
#define CELLBLOCK_PACKAGES_INSTALLER_H

#include <stdbool.h>
#include <stddef.h>

#include "packages/words.h"

/* The path of uv: on PATH, in the environment, or where its own installers put it. NULL: none. The caller frees. */
char *installer_find_uv(const char *prefix);

/*
 * What of the server's environment an installer gets: what uv, pip, and a compiler need, and nothing else, because uv
 * expands variables in what packages ask for and build scripts can read all of it. for_uv: pip's settings are
 * translated; *ret_no_index (may be NULL without for_uv) is then what pip's no-index says.
 */
void installer_env(const char *workdir, const char *prefix, bool for_uv, struct words *ret, bool *ret_no_index);

/*
 * What is run; specs are added by the caller, behind a "--" that is already there. constrained: uv keeps to what is in
 * INSTALLER_FD_PATH, and to the person's own constraints in env, which that option would hide.
 */
void installer_uv_install(const char *uv, const char *python, bool no_index, bool constrained, const struct words *env,
                          struct words *ret);
void installer_pip_install(const char *python, const char *target_python, struct words *ret);
void installer_uv_venv(const char *uv, const char *python, const char *dir, struct words *ret);
void installer_python_venv(const char *python, const char *dir, struct words *ret);
void installer_ensurepip(const char *python, struct words *ret);
void installer_probe(const char *python, struct words *ret);

#define INSTALLER_FD_PATH "/proc/self/fd/3" /* constraints for uv, the log of pip */

#endif
