#include "sandbox/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "sandbox/build.h"
#include "sandbox/cgroup.h"
#include "sandbox/home.h"
#include "sandbox/plan.h"
#include "sandbox/seal.h"

#define EXIT_BROKEN 125

static _Noreturn void report(int fd, const struct err *e)
{
    (void)fd_write_all(fd, e, sizeof *e);
    _exit(EXIT_BROKEN);
}

/* In the sandbox's PID namespace already. */
static _Noreturn void become_code(const struct run_config *config, int errors)
{
    char home[HOME_PATH_MAX + 8] = "HOME=" SANDBOX_WORKSPACE, tmp[HOME_PATH_MAX + 8] = "TMPDIR=/tmp";
    char *const environment[] = {(char[]){"PATH=/usr/local/bin:/usr/bin:/bin"},
                                 (char[]){"LANG=C.UTF-8"},
                                 (char[]){"OPENBLAS_NUM_THREADS=1"},
                                 home,
                                 tmp,
                                 NULL};
    struct err e = ERR_INIT;
    sigset_t none;

    if ((config->in > 0 && dup2(config->in, 0) < 0) ||
        (config->out > 0 && (dup2(config->out, 1) < 0 || dup2(config->out, 2) < 0))) {
        (void)err_errno(&e, "dup2");
        report(errors, &e);
    }
    if (!config->enter.namespaces) {
        home_path(home + strlen("HOME="), config->enter.home, HOME_WORKSPACE);
        home_path(tmp + strlen("TMPDIR="), config->enter.home, HOME_TMP);
    }

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (enter_join(&config->enter, &e) < 0 || seal_close_from(3, errors, &e) < 0 || enter_seal(&config->enter, &e) < 0)
        report(errors, &e);
    if (!config->argv) {
        (void)close(errors);
        _exit(config->check());
    }
    (void)execvpe(config->argv[0], config->argv, config->environment ? config->environment : environment);
    (void)err_errno(&e, "start %s in the sandbox", config->argv[0]);
    report(errors, &e);
}

/* The zygote's part: this process becomes able to join, and is the parent of the one that does. */
static _Noreturn void become_launcher(const struct builder *b, const struct sandbox *s, const struct run_config *config,
                                      int errors)
{
    struct err e = ERR_INIT;
    int status = 0;
    pid_t pid;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)close(b->sock); /* or the builder would not see that its server has ended */
    status = s->n_cgroup ? cgroup_enter(s->cgroup, s->n_cgroup) : 0;
    if (status < 0) {
        (void)err_set(&e, -status, "enter the sandbox's control group: %s", strerror(-status));
        report(errors, &e);
    }
    if (enter_outer(b->userns, &e) < 0 || enter_target(config->enter.pidfd, config->enter.namespaces, &e) < 0)
        report(errors, &e);
    pid = fork();
    if (pid == 0)
        become_code(config, errors);
    if (pid < 0) {
        (void)err_errno(&e, "fork");
        report(errors, &e);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    e.code = 0;
    memcpy(e.text, &status, sizeof status);
    (void)fd_write_all(errors, &e, sizeof e);
    _exit(0);
}

/* The first report counts: the launcher's own follows one of the code. */
static int read_report(int fd, struct err *ret)
{
    size_t done = 0;

    while (done < sizeof *ret) {
        ssize_t size = recv(fd, (char *)ret + done, sizeof *ret - done, 0);

        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return -EIO;
        done += (size_t)size;
    }
    return 0;
}

int run_start(const struct builder *b, const struct sandbox *s, const struct run_config *config, struct run *ret,
              struct err *e)
{
    struct run_config joined = *config;
    int pair[2], status = fd_socketpair(SOCK_STREAM, pair);

    if (status < 0)
        return err_set(e, -status, "socketpair: %s", strerror(-status));
    joined.enter.pidfd = s->pidfd;
    joined.enter.namespaces = s->namespaces;
    joined.enter.uid = s->uid;
    joined.enter.home = s->home;
    ret->pid = fork();
    if (ret->pid == 0) {
        (void)close(pair[0]);
        become_launcher(b, s, &joined, pair[1]);
    }
    fd_close(&pair[1]);
    ret->report = pair[0];
    if (ret->pid < 0) {
        (void)err_errno(e, "fork");
        fd_close(&ret->report);
        return -e->code;
    }
    return 0;
}

int run_wait(struct run *run, int *ret_status, struct err *e)
{
    struct err said = ERR_INIT;
    int status = read_report(run->report, &said);

    fd_close(&run->report);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (status < 0)
        return err_set(e, -status, "the process that joins the sandbox: %s", strerror(-status));
    if (said.code)
        return err_set(e, said.code, "%s", said.text);
    memcpy(ret_status, said.text, sizeof *ret_status);
    return 0;
}

int run_inside(const struct builder *b, const struct sandbox *s, const struct run_config *config, int *ret_status,
               struct err *e)
{
    struct run run;
    int status = run_start(b, s, config, &run, e);

    return status < 0 ? status : run_wait(&run, ret_status, e);
}
