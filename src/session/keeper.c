#include "session/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "session/processes.h"

#define END_WITHIN_MS 1800
#define BUILDER_NAME "cellblock-build" /* sandbox/builder.c */
#define BUILDER_WITHIN_MS 1200
#define PENDING_MAX 256
#define NAME "cellblock-"
#define LEFT_OVER_S 60 /* a younger directory may not be locked yet */
#define LEFT_OVER_MAX 1000

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&t, NULL);
}

/* A process that forks quickly is caught by looking again until there is none. */
static void kill_until_none(uint64_t mark, bool whole_server, pid_t except, int64_t within_ms)
{
    int64_t end = clock_ms() + within_ms;

    while (processes_kill(mark, whole_server, except) > 0 && clock_ms() < end)
        sleep_ms(2);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    (void)remove(path);
    return 0;
}

/* A directory in use is locked (flock(2)) by its keeper. */
static bool is_left_over(int dir, const char *name)
{
    autofd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    return fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0 &&
           time(NULL) - st.st_mtime > LEFT_OVER_S && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void remove_left_over(const char *rundir)
{
    autofree char *base = xstrndup(rundir, (size_t)(strrchr(rundir, '/') - rundir));
    DIR *dir = opendir(base);
    struct dirent *entry;

    for (int n = 0; dir && n < LEFT_OVER_MAX && (entry = readdir(dir));) {
        autofree char *path = NULL;

        if (strncmp(entry->d_name, NAME, strlen(NAME)) != 0 || strlen(entry->d_name) != strlen(NAME "XXXXXX") ||
            !is_left_over(dirfd(dir), entry->d_name))
            continue;
        path = xasprintf("%s/%s", base, entry->d_name);
        (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        n++;
    }
    if (dir)
        (void)closedir(dir);
}

static _Noreturn void keeper_main(int fd, const char *rundir, pid_t server_pid)
{
    uint64_t server = 0, marks[PENDING_MAX];

    (void)setsid();
    (void)prctl(PR_SET_NAME, "cellblock-keeper");
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    remove_left_over(rundir);
    for (;;) {
        ssize_t n = recv(fd, marks, sizeof marks, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (server == 0) { /* the first message tells the server's own mark */
            server = marks[0];
            continue;
        }
        for (size_t i = 0; i < (size_t)n / sizeof *marks; i++)
            kill_until_none(marks[i], false, server_pid, 200);
    }
    /* A server that ends by itself has done this already; what it starts while it ends (a leak checker) is its own. */
    for (int ms = 0; getppid() == server_pid && ms < END_WITHIN_MS / 2; ms += 5)
        sleep_ms(5);
    /* It ends the sandboxes and removes their control groups, which nobody else can any more. */
    for (int ms = 0; server && processes_named(server, BUILDER_NAME) && ms < BUILDER_WITHIN_MS; ms += 5)
        sleep_ms(5);
    if (server)
        kill_until_none(server, true, server_pid, END_WITHIN_MS);
    (void)nftw(rundir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    _exit(0);
}

static void keeper_child(int fd, int lock, const char *rundir, pid_t server_pid)
{
    int null;

    /* Nothing of the server may stay open here: a host waits for the end of its pipes. */
    fd = fcntl(fd, F_DUPFD, 5); /* out of the way of 3 and 4 */
    lock = fcntl(lock, F_DUPFD, 5);
    if (fd < 0 || lock < 0 || dup2(fd, 3) < 0 || dup2(lock, 4) < 0)
        _exit(1);
    null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3 && null >= 0; i++)
        (void)dup2(null, i);
    (void)close_range(5, ~0U, 0);
    keeper_main(3, rundir, server_pid);
}

static char *make_rundir(struct err *e)
{
    const char *base = getenv("TMPDIR");
    char *path = xasprintf("%s/" NAME "XXXXXX", base && base[0] == '/' ? base : "/tmp");

    if (!mkdtemp(path)) {
        (void)err_errno(e, "cannot make a directory for session files (%s; set TMPDIR to a writable one)", path);
        free(path);
        return NULL;
    }
    return path;
}

int keeper_start(struct keeper *keeper, struct err *e)
{
    autofd int lock = -1; /* the keeper's copy keeps it */
    int pair[2], r;
    uint64_t mark;
    pid_t pid, self = getpid();

    keeper->rundir = make_rundir(e);
    if (!keeper->rundir)
        return -e->code;
    lock = open(keeper->rundir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0)
        return err_errno(e, "lock %s", keeper->rundir);
    r = fd_socketpair(SOCK_SEQPACKET, pair);
    if (r < 0)
        return err_set(e, -r, "socketpair: %s", strerror(-r));
    pid = fork();
    if (pid < 0) {
        r = err_errno(e, "fork");
        fd_close(&pair[0]);
        fd_close(&pair[1]);
        return r;
    }
    if (pid == 0)
        keeper_child(pair[1], lock, keeper->rundir, self);
    fd_close(&pair[1]);
    keeper->fd = pair[0];
    r = processes_mark_self(&keeper->server, e);
    if (r < 0)
        return r;
    mark = processes_mark(keeper->server, 0);
    (void)fd_send(keeper->fd, &mark, sizeof mark, NULL, 0);
    return 0;
}

void keeper_end_kernel(const struct keeper *keeper, uint64_t mark)
{
    if (keeper->fd >= 0 && send(keeper->fd, &mark, sizeof mark, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        (void)processes_kill(mark, false, -1);
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper->fd >= 0)
        (void)processes_kill(processes_mark(keeper->server, 0), true, getpid());
    fd_close(&keeper->fd);
    free(keeper->rundir);
    keeper->rundir = NULL;
}
