#include "sandbox/people.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

/*
 * Not by the owner of /proc/<pid>: that is root's where a process is not dumpable (proc(5)). false: it is gone, or a
 * zombie.
 */
static bool read_ids(int proc, const char *name, unsigned ret[3])
{
    char path[64], text[1024];
    const char *state, *ids;
    autofd int fd = -1;
    ssize_t size;

    (void)snprintf(path, sizeof path, "%.20s/status", name);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (size <= 0)
        return false;
    text[size] = '\0';
    state = strstr(text, "\nState:\t");
    ids = strstr(text, "\nUid:\t");
    if (!state || !ids || state[8] == 'Z' || state[8] == 'X')
        return false;
    return sscanf(ids, "\nUid: %u %u %u", &ret[0], &ret[1], &ret[2]) == 3;
}

/* Is the first line of what is found one's own? Where /proc hides the processes of others, it shows nobody else. */
static bool shows_others(int proc)
{
    char path[32];

    (void)snprintf(path, sizeof path, "%d/status", (int)getppid());
    return getppid() == 0 || faccessat(proc, path, R_OK, 0) == 0;
}

/* The number of processes; *ret_lowest: of their ids in the range. */
static int look(unsigned first, unsigned last, unsigned *ret_lowest)
{
    DIR *proc = opendir("/proc");
    int own = (int)getpid(), found = 0;
    struct dirent *entry;

    if (!proc)
        return -errno;
    if (!shows_others(dirfd(proc))) {
        (void)closedir(proc);
        return -EACCES;
    }
    *ret_lowest = last;
    while ((entry = readdir(proc))) {
        unsigned ids[3];
        bool in_range = false;

        if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == own ||
            !read_ids(dirfd(proc), entry->d_name, ids))
            continue;
        for (int i = 0; i < 3; i++)
            if (ids[i] >= first && ids[i] <= last) {
                in_range = true;
                if (ids[i] < *ret_lowest)
                    *ret_lowest = ids[i];
            }
        found += in_range;
    }
    (void)closedir(proc);
    return found;
}

int people_count(unsigned first, unsigned last)
{
    unsigned lowest;

    return look(first, last, &lowest);
}

int people_find(unsigned first, unsigned last, unsigned *ret)
{
    unsigned lowest;
    int found = look(first, last, &lowest);

    if (found > 0)
        *ret = lowest;
    return found < 0 ? found : found > 0;
}
