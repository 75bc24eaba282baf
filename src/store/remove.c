/* Removing and measuring trees, of whatever a sandbox made of them: see tree.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/random.h"
#include "store/file.h"
#include "store/tree.h"

#define LOCK "lock"
#define BLOCK 512 /* the unit of st_blocks: stat(3type) */

/* ---- removing ---- */

struct removal {
    int top;
    bool moved; /* something was moved up into top: it has to be gone through again */
    int failed; /* the first error */
};

static void note(struct removal *x, int error)
{
    if (x->failed == 0 && error != ENOENT)
        x->failed = -error;
}

/* So that no depth takes descriptors or stack. */
static void move_up(struct removal *x, int dir, const char *name)
{
    char up[24];

    random_id(up, sizeof up - 1);
    if (renameat(dir, name, x->top, up) < 0)
        note(x, errno);
    else
        x->moved = true;
}

static void clear(struct removal *x, int dir, unsigned depth);

static void remove_dir(struct removal *x, int dir, const char *name, unsigned depth)
{
    autofd int fd = -1;

    if (unlinkat(dir, name, AT_REMOVEDIR) == 0) /* many are empty */
        return;
    if (depth == TREE_DEPTH) {
        (void)!fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW); /* rename(2) changes its `..` */
        move_up(x, dir, name);
        return;
    }
    fd = file_open_dir(dir, name);
    if (fd == -EACCES && fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0) /* its owner may not list it */
        fd = file_open_dir(dir, name);
    if (fd < 0) {
        note(x, -fd);
        return;
    }
    clear(x, fd, depth + 1);
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && !x->moved)
        note(x, errno);
}

static void clear(struct removal *x, int dir, unsigned depth)
{
    DIR *list;

    (void)fchmod(dir, 0700);
    list = file_list(dir);
    if (!list) {
        note(x, errno);
        return;
    }
    for (struct dirent *entry; (entry = file_next(list)) != NULL;) {
        const char *name = entry->d_name;
        struct stat st;

        if (depth == 0 && strcmp(name, LOCK) == 0)
            continue;
        if (entry->d_type != DT_DIR && unlinkat(dir, name, 0) == 0)
            continue;
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            note(x, errno);
        else if (S_ISDIR(st.st_mode))
            remove_dir(x, dir, name, depth);
        else if (unlinkat(dir, name, 0) < 0)
            note(x, errno);
    }
    (void)closedir(list);
}

int tree_remove(int at, const char *name)
{
    struct removal x = {.top = -1};
    autofd int top = -1;

    (void)!fchmodat(at, name, 0700, AT_SYMLINK_NOFOLLOW);
    top = file_open_dir(at, name);
    if (top == -ENOTDIR || top == -ELOOP)
        return unlinkat(at, name, 0) < 0 ? -errno : 0;
    if (top < 0)
        return top;
    x.top = top;
    do {
        x.moved = false;
        clear(&x, top, 0);
    } while (x.moved && x.failed == 0);
    if (x.failed)
        return x.failed;
    /* Last: who finds it without a lock must not take it for one that is just being made (work.c). */
    if (unlinkat(top, LOCK, 0) < 0 && (errno == EISDIR || errno == EPERM))
        (void)tree_remove(top, LOCK);
    return unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- measuring ---- */

static int measure(int at, const char *name, unsigned depth, uint64_t *sum)
{
    autofd int dir = file_open_dir(at, name);
    DIR *list;
    int r = 0;

    if (dir < 0)
        return dir == -ENOENT ? 0 : dir;
    if (depth > TREE_DEPTH)
        return -E2BIG;
    list = file_list(dir);
    if (!list)
        return -errno;
    for (struct dirent *entry; r == 0 && (entry = file_next(list)) != NULL;) {
        struct stat st;

        if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue; /* what goes meanwhile takes nothing */
        *sum += (uint64_t)st.st_blocks * BLOCK;
        if (S_ISDIR(st.st_mode))
            r = measure(dir, entry->d_name, depth + 1, sum);
    }
    (void)closedir(list);
    return r;
}

int tree_measure(int at, const char *name, uint64_t *ret_bytes)
{
    uint64_t sum = 0;
    int r = measure(at, name, 0, &sum);

    *ret_bytes = sum;
    return r;
}
