#include "cli/control_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "server/control_wire.h"

#define SERVERS_MAX 256
#define PATTERN "cellblock-" /* and six characters: keeper.c makes them by mkdtemp(3) */
#define PATTERN_SIZE (strlen(PATTERN) + 6)
#define WAIT_SECONDS 5

/* ---- which there are ---- */

static bool is_name(const char *name, size_t size)
{
    return size == PATTERN_SIZE && strncmp(name, PATTERN, strlen(PATTERN)) == 0;
}

static bool is_known(const struct control_servers *servers, const struct stat *st)
{
    for (size_t i = 0; i < servers->n; i++) {
        struct stat other;

        if (fstat(servers->directories[i], &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino)
            return true;
    }
    return false;
}

/* Private, and this user's: then nobody else has put anything in it. */
static void consider(struct control_servers *servers, int parent, const char *path)
{
    autofd int fd = openat(parent, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st, socket_st;

    if (fd < 0 || servers->n == SERVERS_MAX || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077))
        return;
    if (fstatat(fd, CONTROL_NAME, &socket_st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(socket_st.st_mode))
        return;
    if (is_known(servers, &st))
        return;
    servers->directories = xrealloc(servers->directories, servers->n + 1, sizeof *servers->directories);
    servers->directories[servers->n++] = steal_fd(&fd);
}

static void find_below(struct control_servers *servers, const char *base)
{
    DIR *dir = opendir(base);

    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (is_name(entry->d_name, strlen(entry->d_name)))
            consider(servers, dirfd(dir), entry->d_name);
    (void)closedir(dir);
}

/* proc_pid_net(5): seven columns, then the path as the server wrote it. Finds those with another TMPDIR. */
static void find_listening(struct control_servers *servers)
{
    FILE *file = fopen("/proc/net/unix", "re");
    autofree char *line = NULL;
    size_t room = 0;

    while (file && getline(&line, &room, file) > 0) {
        char *path = strchr(line, '/'), *end, *name;

        if (!path)
            continue;
        path[strcspn(path, "\n")] = '\0';
        end = strrchr(path, '/');
        if (strcmp(end, "/" CONTROL_NAME) != 0)
            continue;
        *end = '\0';
        name = strrchr(path, '/');
        if (name && is_name(name + 1, strlen(name + 1)))
            consider(servers, AT_FDCWD, path);
    }
    if (file)
        (void)fclose(file);
}

void control_servers_find(struct control_servers *ret)
{
    const char *tmp = getenv("TMPDIR");

    *ret = (struct control_servers)CONTROL_SERVERS_INIT;
    if (tmp && tmp[0] == '/')
        find_below(ret, tmp);
    find_below(ret, "/tmp");
    find_listening(ret);
}

void control_servers_fini(struct control_servers *servers)
{
    for (size_t i = 0; i < servers->n; i++)
        fd_close(&servers->directories[i]);
    free(servers->directories);
    *servers = (struct control_servers)CONTROL_SERVERS_INIT;
}

/* ---- one question ---- */

void control_answer_fini(struct control_answer *answer)
{
    free(answer->text);
    fd_close(&answer->fd);
    *answer = (struct control_answer)CONTROL_ANSWER_INIT;
}

/* In this one's mount namespace? Where namespaces cannot be told at all: yes. */
static bool is_outside(pid_t pid)
{
    char path[64];
    struct stat own, other;

    if (stat("/proc/self/ns/mnt", &own) < 0)
        return true;
    (void)snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
    return stat(path, &other) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static int connect_to(int directory, int fd, pid_t *ret_pid, struct err *e)
{
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t size = sizeof peer;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" CONTROL_NAME, directory);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        if (errno == ENOENT)
            errno = ECONNREFUSED; /* the last of it has been removed meanwhile */
        return err_errno(e, "cannot connect to a server");
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return err_errno(e, "SO_PEERCRED");
    if (peer.uid != geteuid() || !is_outside(peer.pid))
        return err_set(e, ECONNREFUSED, "process %d is no server of yours", (int)peer.pid);
    *ret_pid = peer.pid;
    return 0;
}

static int understand(const char *data, size_t size, struct control_answer *ret, struct err *e)
{
    static const char *const words[] = {"ok", "error", "unknown", "ended"};
    const char *end = size ? memchr(data, '\0', size) : NULL;

    for (size_t i = 0; end && data[size - 1] == '\0' && i < sizeof words / sizeof *words; i++)
        if (strcmp(data, words[i]) == 0) {
            ret->word = (enum control_word)i;
            ret->text = xstrdup(end + 1 < data + size ? end + 1 : "");
            return 0;
        }
    return err_set(e, EPROTO,
                   "server %d (a process number) answered what this version of cellblock does not understand",
                   (int)ret->pid);
}

int control_ask(int directory, const char *verb, const char *session, const char *path, struct control_answer *ret,
                struct err *e)
{
    const char *const parts[] = {CONTROL_VERSION, verb, session, path};
    autofd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct control_answer answer = CONTROL_ANSWER_INIT;
    autofree char *data = xcalloc(1, CONTROL_ANSWER_MAX + 1);
    autobuf struct buf question = BUF_INIT;
    size_t n_fds = 1;
    ssize_t n;
    int r = fd < 0 ? err_errno(e, "socket") : connect_to(directory, fd, &answer.pid, e);

    if (r < 0)
        return r;
    buf_init(&question, CONTROL_QUESTION_MAX);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (buf_append(&question, parts[i], strlen(parts[i]) + 1) < 0)
            return err_set(e, ENAMETOOLONG, "the path is too long");
    r = fd_send(fd, buf_begin(&question), question.len, NULL, 0);
    n = r < 0 ? r : fd_recv(fd, data, CONTROL_ANSWER_MAX, &answer.fd, &n_fds);
    if (n == -EAGAIN)
        return err_set(e, ETIMEDOUT, "server %d (a process number) does not answer", (int)answer.pid);
    if (n <= 0)
        return err_set(e, ECONNREFUSED, "server %d (a process number) has ended", (int)answer.pid);
    r = understand(data, (size_t)n, &answer, e);
    if (r < 0)
        control_answer_fini(&answer);
    else
        *ret = answer;
    return r;
}

static int nobody_has(const char *session, size_t n_servers, const struct err *silent, struct err *e)
{
    if (silent->code)
        return err_set(e, silent->code, "session %s was not found, but %s", session, silent->text);
    if (n_servers == 0)
        return err_set(e, ENOENT, "there is no session %s: no cellblock server of yours runs here", session);
    return err_set(e, ENOENT, "there is no session %s; `cellblock sessions` lists those of your servers", session);
}

int control_ask_session(const struct control_servers *servers, const char *verb, const char *session, const char *path,
                        struct control_answer *ret, struct err *e)
{
    struct err silent = ERR_INIT;
    bool ended = false;
    size_t n = 0;

    for (size_t i = 0; i < servers->n; i++) {
        struct control_answer answer = CONTROL_ANSWER_INIT;
        struct err why = ERR_INIT;
        int r = control_ask(servers->directories[i], verb, session, path, &answer, &why);

        if (r == -ENAMETOOLONG)
            return err_set(e, ENAMETOOLONG, "%s", why.text);
        if (r < 0 && r != -ECONNREFUSED)
            silent = why;
        n += r == 0;
        if (r == 0 && answer.word == CONTROL_OK) {
            *ret = answer;
            return 0;
        }
        if (r == 0 && answer.word == CONTROL_ERROR)
            r = err_set(e, EIO, "session %s: %s", session, answer.text);
        ended |= r == 0 && answer.word == CONTROL_ENDED;
        control_answer_fini(&answer);
        if (r == -EIO)
            return r;
    }
    if (ended)
        return err_set(e, ENOENT, "session %s has ended; an isolated session's files end with it", session);
    return nobody_has(session, n, &silent, e);
}
