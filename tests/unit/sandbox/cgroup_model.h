/*
 * A model of control groups version 2 in an ordinary directory: groups have files, controllers come from above, and a
 * group with processes of its own cannot hand them on (the kernel's Documentation/admin-guide/cgroup-v2.rst). It takes
 * the place of mkdir, rmdir and cgroup_file_write.
 */
#ifndef CELLBLOCK_TESTS_CGROUP_MODEL_H
#define CELLBLOCK_TESTS_CGROUP_MODEL_H

#include <stdbool.h>
#include <sys/types.h>

extern const char *model_refuse; /* no process may enter a group whose path has this in it; NULL: none */
extern pid_t model_appears;      /* will be in the group whose controllers are changed next; 0: nobody */

void model_start(const char *root); /* makes the directory, which is the root group; the string must stay */

void model_put(const char *dir, const char *name, const char *text);
const char *model_get(const char *dir, const char *name); /* the first line, until the next call */
bool model_exists(const char *dir, const char *name);

void model_add(const char *dir, pid_t pid); /* moves it there */
void model_remove(const char *dir, pid_t pid);
bool model_has(const char *dir, pid_t pid);
bool model_populated(const char *dir);

#endif
