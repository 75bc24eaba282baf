/* Files and directories by descriptor; no symbolic link is ever followed, and nothing but a regular file is opened. */
#ifndef CELLBLOCK_STORE_FILE_H
#define CELLBLOCK_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/sha256.h"

struct buf;

/* All files of the store have this time (2020-01-01, after what the zip format can say), so that a change shows. */
#define FILE_TIME 1577836800

/* Descriptors, or -errno. */
int file_open_dir(int at, const char *name);
int file_open_read(int at, const char *name, struct stat *ret); /* -EINVAL: it is not a regular file */

/* Names of a directory but dots: one opened anew, so that the position is its own. NULL and errno: it cannot be. */
struct dirent;
void *file_list(int dir);             /* a DIR; closedir(3) */
struct dirent *file_next(void *list); /* NULL at the end */

/* All of a regular file of at most most bytes; the caller frees *ret, which ends in a NUL. 0 or -errno (-EFBIG). */
int file_read(int at, const char *name, size_t most, char **ret, size_t *ret_size);

/* A new file; -EEXIST. Its mode is mode, whatever the umask is. 0 or -errno; what failed half-way is left there. */
int file_write(int at, const char *name, mode_t mode, const void *data, size_t size);

int file_mkdir(int at, const char *name, mode_t mode); /* its mode is mode, whatever the umask is; -EEXIST */

int file_hash(int fd, unsigned char ret[SHA256_BYTES], uint64_t *ret_bytes);

/* Mode and time of a file of the store, as its kind (x, -) wants them. */
mode_t file_mode(char kind);
int file_set_time(int fd);

#endif
