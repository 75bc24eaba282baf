/* Which groups this process is in, and where they are in the file system: proc(5), cgroups(7). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "sandbox/cgroup_impl.h"

#define LINES_MAX 65536 /* of mountinfo: containers have many */

/* As /proc/self/cgroup has them, from the root of the cgroup namespace; "": none. */
struct paths {
    char v2[CGROUP_PATH_MAX], memory[CGROUP_PATH_MAX], processes[CGROUP_PATH_MAX];
};

/* Is word one of a list with commas? */
static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);

    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, word, size) == 0 && (at[size] == ',' || at[size] == '\0'))
            return true;
    return false;
}

static void copy(char ret[CGROUP_PATH_MAX], const char *text)
{
    if (strlen(text) < CGROUP_PATH_MAX) /* else it is as if it were not there */
        memcpy(ret, text, strlen(text) + 1);
}

static FILE *open_in(const char *proc, const char *name, struct err *e)
{
    char path[CGROUP_FILE_MAX];
    FILE *file = cgroup_path(path, sizeof path, proc, name) == 0 ? fopen(path, "re") : NULL;

    if (!file)
        (void)err_errno(e, "open %s/%s", proc, name);
    return file;
}

/* "hierarchy:controllers:path"; the hierarchy of version 2 has the number 0 and no controllers. */
static int read_paths(const char *proc, struct paths *ret, struct err *e)
{
    FILE *file = open_in(proc, "self/cgroup", e);
    autofree char *line = NULL;
    size_t room = 0;

    if (!file)
        return -e->code;
    while (getline(&line, &room, file) > 0) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

        if (!path)
            continue;
        line[strcspn(line, "\n")] = '\0';
        *controllers++ = '\0';
        *path++ = '\0';
        if (strcmp(line, "0") == 0 && !*controllers)
            copy(ret->v2, path);
        if (has_word(controllers, "memory"))
            copy(ret->memory, path);
        if (has_word(controllers, "pids"))
            copy(ret->processes, path);
    }
    (void)fclose(file);
    return 0;
}

/*
 * A file system shows the tree from its root on, which may be another group than the one that paths begin at. A group
 * above or beside it cannot be reached through it; such paths begin with "/..".
 */
static void locate(const char *root, const char *mount, const char *path, char ret[CGROUP_PATH_MAX])
{
    size_t size = strcmp(root, "/") == 0 ? 0 : strlen(root);
    char found[CGROUP_PATH_MAX];
    int length;

    if (ret[0] || !path[0] || strncmp(path, root, size) != 0 || (path[size] != '/' && path[size] != '\0'))
        return;
    path += size;
    if (strstr(path, "/../") || strcmp(path, "/..") == 0 || strchr(mount, '\\')) /* or with blanks in its name */
        return;
    length = snprintf(found, sizeof found, "%s%s", mount, strcmp(path, "/") == 0 ? "" : path);
    if (length > 0 && (size_t)length < sizeof found && access(found, F_OK) == 0)
        memcpy(ret, found, (size_t)length + 1);
}

/* "id parent device root mount options [tags] - type source super-options" */
static void read_mount(char *line, const struct paths *paths, struct cgroup_own *ret)
{
    char *rest = line, *fields[5], *tail = strstr(line, " - "), *type, *options;

    if (!tail)
        return;
    *tail = '\0';
    tail += strlen(" - ");
    tail[strcspn(tail, "\n")] = '\0';
    for (size_t i = 0; i < 5; i++)
        if (!(fields[i] = strsep(&rest, " ")))
            return;
    type = strsep(&tail, " ");
    (void)strsep(&tail, " ");
    options = tail ? tail : (char *)"";
    if (strcmp(type, "cgroup2") == 0) {
        bool first = !ret->v2[0];

        locate(fields[3], fields[4], paths->v2, ret->v2);
        if (first && ret->v2[0])
            copy(ret->v2_top, fields[4]);
    } else if (strcmp(type, "cgroup") == 0) {
        if (has_word(options, "memory"))
            locate(fields[3], fields[4], paths->memory, ret->memory);
        if (has_word(options, "pids"))
            locate(fields[3], fields[4], paths->processes, ret->processes);
    }
}

int cgroup_find(const char *proc, struct cgroup_own *ret, struct err *e)
{
    struct paths paths = {"", "", ""};
    autofree char *line = NULL;
    size_t room = 0;
    FILE *file;
    int status = read_paths(proc, &paths, e);

    memset(ret, 0, sizeof *ret);
    if (status < 0)
        return status;
    file = open_in(proc, "self/mountinfo", e);
    if (!file)
        return -e->code;
    for (unsigned i = 0; i < LINES_MAX && getline(&line, &room, file) > 0; i++)
        read_mount(line, &paths, ret);
    (void)fclose(file);
    return 0;
}
