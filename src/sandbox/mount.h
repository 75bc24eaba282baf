/*
 * Mounting, by the new calls where the kernel has them (open_tree, mount_setattr, move_mount: Linux 5.12) and the old
 * one elsewhere. Runs in the first process of a sandbox and in the builder: no libuv, no threads, no locks.
 */
#ifndef CELLBLOCK_SANDBOX_MOUNT_H
#define CELLBLOCK_SANDBOX_MOUNT_H

#include <stdint.h>
#include <sys/types.h>

struct err;

#define MOUNT_WRITABLE 1u
#define MOUNT_DEVICE 2u /* a device node: works also where it is read-only, which keeps its times and mode */

/* A detached copy of source and what is mounted below, read-only unless flags say otherwise. A descriptor or -errno. */
int mount_copy(const char *source, unsigned flags, struct err *e);

/* Show source at target, which exists and is of the same type, with everything that is mounted below source. */
int mount_bind(const char *source, const char *target, unsigned flags, struct err *e);

/* Attach what mount_copy returned. */
int mount_attach(int copy, const char *target, struct err *e);

/* The same in the mount namespace of another process. */
int mount_attach_inside(int pidfd, int copy, const char *target, struct err *e);

int mount_tmpfs(const char *target, uint64_t size, uint64_t inodes, mode_t mode, unsigned owner, struct err *e);
int mount_proc(const char *target, struct err *e);
int mount_readonly(const char *target, struct err *e); /* not what is mounted below */

/* The current directory becomes the root; the old one is gone afterwards. */
int mount_pivot_here(struct err *e);

#endif
