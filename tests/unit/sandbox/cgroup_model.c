/* See cgroup_model.h. */
#include "cgroup_model.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/cgroup_impl.h"
#include "../unit.h"

#define TEXT_MAX 1024
#define PIDS_MAX 16
#define GROUPS_MAX 8

const char *model_refuse;
pid_t model_appears;

static const char *top = "/nowhere";
static char groups[GROUPS_MAX][CGROUP_PATH_MAX]; /* all that processes have been in */
static size_t n_groups;

static const char *const files[] = {"cgroup.procs",     "cgroup.controllers", "cgroup.subtree_control",
                                    "cgroup.kill",      "memory.max",         "memory.swap.max",
                                    "memory.oom.group", "memory.current",     "memory.peak",
                                    "memory.events",    "pids.max",           "pids.current",
                                    "pids.events"};
#define N_FILES (sizeof files / sizeof *files)

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_rmdir(const char *path);
int __wrap_cgroup_file_write(const char *dir, const char *name, const char *text);
int __real_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);

/* ---- files ---- */

void model_put(const char *dir, const char *name, const char *text)
{
    char path[CGROUP_FILE_MAX];
    FILE *file;

    assert_int_equal(cgroup_path(path, sizeof path, dir, name), 0);
    file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

const char *model_get(const char *dir, const char *name)
{
    static char text[TEXT_MAX];

    if (cgroup_file_read(dir, name, text, sizeof text) < 0)
        return "(none)";
    text[strcspn(text, "\n")] = '\0';
    return text;
}

bool model_exists(const char *dir, const char *name)
{
    char path[CGROUP_FILE_MAX];

    assert_int_equal(cgroup_path(path, sizeof path, dir, name), 0);
    return access(path, F_OK) == 0;
}

static bool is_model(const char *path)
{
    return strncmp(path, top, strlen(top)) == 0;
}

/* ---- groups ---- */

/* A group has the controllers that the one above names, and the files of these. */
static void refresh(const char *path)
{
    char above[CGROUP_PATH_MAX], controllers[TEXT_MAX];

    (void)snprintf(above, sizeof above, "%s", path);
    *strrchr(above, '/') = '\0';
    (void)snprintf(controllers, sizeof controllers, "%s",
                   is_model(above) ? model_get(above, "cgroup.subtree_control") : "");
    for (size_t i = 0; i < N_FILES; i++) {
        bool core = strncmp(files[i], "cgroup", 6) == 0;
        bool has = core || strstr(controllers, strncmp(files[i], "pids", 4) == 0 ? "pids" : "memory");

        if (has && !model_exists(path, files[i]))
            model_put(path, files[i], strstr(files[i], ".max") ? "max\n" : "");
    }
    model_put(path, "cgroup.controllers", controllers);
}

static void refresh_below(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;

    assert_non_null(list);
    while ((entry = readdir(list))) {
        char path[CGROUP_FILE_MAX];

        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            cgroup_path(path, sizeof path, dir, entry->d_name) == 0)
            refresh(path);
    }
    (void)closedir(list);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    if (__real_mkdir(path, mode) < 0)
        return -1;
    if (is_model(path))
        refresh(path);
    return 0;
}

/* The child that tried the way in has ended; its "0" is not a process. */
bool model_populated(const char *dir)
{
    const char *text = model_get(dir, "cgroup.procs");

    return text[0] && strcmp(text, "0") != 0;
}

int __wrap_rmdir(const char *path)
{
    char file[CGROUP_FILE_MAX];

    if (!is_model(path) || access(path, F_OK) < 0)
        return __real_rmdir(path);
    if (model_populated(path)) {
        errno = EBUSY;
        return -1;
    }
    for (size_t i = 0; i < N_FILES; i++)
        if (cgroup_path(file, sizeof file, path, files[i]) == 0)
            (void)unlink(file);
    if (__real_rmdir(path) == 0)
        return 0;
    errno = errno == ENOTEMPTY ? EBUSY : errno;
    return -1;
}

/* ---- processes ---- */

bool model_has(const char *dir, pid_t pid)
{
    pid_t pids[PIDS_MAX];
    ssize_t n = cgroup_file_procs(dir, pids, PIDS_MAX);

    for (ssize_t i = 0; i < n; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

static void write_procs(const char *dir, pid_t without, pid_t with)
{
    pid_t pids[PIDS_MAX];
    ssize_t n = cgroup_file_procs(dir, pids, PIDS_MAX);
    char text[TEXT_MAX] = "";
    size_t size = 0;

    for (ssize_t i = 0; i < n; i++)
        if (pids[i] != without)
            size += (size_t)snprintf(text + size, sizeof text - size, "%d\n", (int)pids[i]);
    if (with >= 0)
        (void)snprintf(text + size, sizeof text - size, "%d\n", (int)with);
    model_put(dir, "cgroup.procs", text);
}

void model_remove(const char *dir, pid_t pid)
{
    write_procs(dir, pid, -1);
}

void model_add(const char *dir, pid_t pid)
{
    bool known = false;

    for (size_t i = 0; i < n_groups; i++) {
        if (model_has(groups[i], pid))
            model_remove(groups[i], pid);
        known = known || strcmp(groups[i], dir) == 0;
    }
    write_procs(dir, -1, pid);
    if (known)
        return;
    assert_true(n_groups < GROUPS_MAX);
    (void)snprintf(groups[n_groups++], CGROUP_PATH_MAX, "%s", dir);
}

/* ---- writing ---- */

static int write_subtree(const char *dir, const char *text)
{
    char copy[64], *rest = copy, *word;
    bool memory = strstr(model_get(dir, "cgroup.subtree_control"), "memory");
    bool pids = strstr(model_get(dir, "cgroup.subtree_control"), "pids");

    if (model_appears)
        model_add(dir, model_appears);
    model_appears = 0;
    if (text[0] == '+' && strcmp(dir, top) != 0 && model_populated(dir))
        return -EBUSY;
    (void)snprintf(copy, sizeof copy, "%s", text);
    while ((word = strsep(&rest, " "))) {
        if (*word == '+' && !strstr(model_get(dir, "cgroup.controllers"), word + 1))
            return -ENOENT;
        if (strcmp(word + 1, "memory") == 0)
            memory = *word == '+';
        else
            pids = *word == '+';
    }
    model_put(dir, "cgroup.subtree_control", memory ? (pids ? "memory pids" : "memory") : pids ? "pids" : "");
    refresh_below(dir);
    return 0;
}

int __wrap_cgroup_file_write(const char *dir, const char *name, const char *text)
{
    if (!model_exists(dir, name))
        return -ENOENT;
    if (strcmp(name, "cgroup.subtree_control") == 0)
        return write_subtree(dir, text);
    if (strcmp(name, "cgroup.procs") != 0) {
        model_put(dir, name, text);
        return 0;
    }
    if (model_refuse && strstr(dir, model_refuse))
        return -EACCES;
    if (model_get(dir, "cgroup.subtree_control")[0] && strcmp(dir, top) != 0)
        return -EBUSY;
    model_add(dir, (pid_t)atoi(text));
    return 0;
}

void model_start(const char *root)
{
    top = root;
    n_groups = 0;
    model_refuse = NULL;
    model_appears = 0;
    assert_int_equal(__wrap_mkdir(root, 0700), 0);
}
