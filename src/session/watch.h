/*
 * Which files below a directory were made or changed, by inotify(7): the number of files that are there costs
 * nothing. Directories are found when the watch starts (a bounded walk, in a thread) and when they are made; hidden
 * ones and those that hold no work (.venv, __pycache__, node_modules) are left out.
 */
#ifndef CELLBLOCK_SESSION_WATCH_H
#define CELLBLOCK_SESSION_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct exec_file;
struct watch;

/* NULL when inotify is not to be had: then no changes are told. root is an absolute path. */
struct watch *watch_new(uv_loop_t *loop, const char *root);
void watch_free(struct watch *w);

/* A point in time. While any point is open changes are remembered. */
uint64_t watch_begin(struct watch *w);

/*
 * Close the point: files that changed since and are still there, oldest change first, at most max of them; *ret_more:
 * how many more. The caller frees the paths and the array.
 */
void watch_end(struct watch *w, uint64_t since, size_t max, struct exec_file **ret, size_t *ret_n, size_t *ret_more);

#endif
