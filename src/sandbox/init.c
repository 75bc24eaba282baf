#include "sandbox/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "sandbox/guard.h"
#include "sandbox/plan.h"
#include "sandbox/template.h"

int steps_ask_for_maps(int control, struct err *e)
{
    char byte = INIT_MAPS;

    if (send(control, &byte, 1, MSG_NOSIGNAL) != 1)
        return err_errno(e, "ask for the maps");
    if (recv(control, &byte, 1, 0) != 1 || byte != INIT_MAPS)
        return err_set(e, EPERM, "the maps of the user namespace were not written");
    return 0;
}

static void on_sigchld(int number)
{
    (void)number; /* it only has to end ppoll */
}

/* Everything the parent had handled: what the builder ignores would stay ignored (SIGCHLD: children become zombies). */
void init_reset_signals(void)
{
    struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_NOCLDSTOP};
    sigset_t block;

    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL);
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &block, NULL);
}

/* Until the builder closes its end: then the kernel ends everything inside, as with every first process. */
static _Noreturn void reap_until_closed(int control)
{
    struct pollfd wait = {control, POLLIN, 0};
    sigset_t none;
    char byte;

    (void)sigemptyset(&none);
    for (;;) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (ppoll(&wait, 1, NULL, &none) > 0 && recv(control, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN)
            _exit(0);
    }
}

_Noreturn void init_fail(int control, const struct err *e)
{
    struct init_failure failure = {.kind = INIT_FAILED, .code = e->code};

    (void)snprintf(failure.text, sizeof failure.text, "%.479s", e->text);
    (void)send(control, &failure, sizeof failure, MSG_NOSIGNAL);
    _exit(1);
}

void init_ready(int control, const char *path)
{
    char ready = INIT_READY;
    /* For the server, which looks at the files from outside: a path to them may not exist there. */
    int workspace = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (workspace < 0 || fd_send(control, &ready, 1, &workspace, 1) < 0)
        _exit(1);
    (void)close(workspace);
}

_Noreturn void init_run(const struct plan *plan, const struct steps_context *context)
{
    struct err e = ERR_INIT;

    if (plan->namespaces == 0)
        guard_run(plan, context);
    init_reset_signals();
    (void)prctl(PR_SET_NAME, "cellblock-init");
    /* A builder that died before this is noticed by the closed socket. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setsid() < 0)
        (void)err_errno(&e, "prctl");
    if (!e.code && context->mounts >= 0 && template_enter(context->mounts) < 0)
        (void)err_errno(&e, "enter the template");
    if (!e.code && context->net >= 0 && setns(context->net, CLONE_NEWNET) < 0)
        (void)err_errno(&e, "enter the network namespace");
    if (e.code || steps_run(plan, context->done, context, &e) < 0)
        init_fail(context->control, &e);
    init_ready(context->control, SANDBOX_WORKSPACE);
    reap_until_closed(context->control);
}
