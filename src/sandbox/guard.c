#include "sandbox/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "sandbox/init.h"
#include "sandbox/people.h"
#include "sandbox/plan.h"
#include "sandbox/seal.h"
#include "sandbox/steps.h"

#define SWEEP_MS 10000
#define LOOK_MS 1000   /* between two looks at what the files take */
#define LOOK_EASILY 20 /* but at most this part of the time is spent with looking */
#define EXIT_LEFT_OVER 1

/* setgroups(2) and the others by their bare calls: those of libc send signals to threads, of which there are none. */
int guard_become(const struct guard *guard, struct err *e)
{
    if (syscall(SYS_setgroups, 0, NULL) < 0)
        return err_errno(e, "setgroups");
    if (syscall(SYS_setresgid, guard->user, guard->user, guard->user) < 0)
        return err_errno(e, "setresgid %u", guard->user);
    if (seal_bounds(e) < 0)
        return -e->code;
    if (syscall(SYS_setresuid, guard->self, guard->user, guard->self) < 0)
        return err_errno(e, "setresuid %u", guard->user);
    return seal_capabilities(e);
}

/* ---- the end ---- */

/*
 * Until nobody is left. Each kill(-1) finds every process that there is at that moment, children of a fork that is
 * under way included: fork(2) fails with a signal pending. Who joins has the user id before it goes through the door
 * (enter_join), so it is found here, or finds the door closed.
 */
static int end_people(const struct guard *guard, int64_t until)
{
    int left, pause_ms = 0;

    home_close(guard->home);
    for (;;) {
        (void)kill(-1, SIGKILL);
        home_close(guard->home); /* those who have been ended might have opened it */
        left = people_count(guard->user, guard->user);
        if (left <= 0 || clock_ms() > until)
            return left;
        (void)poll(NULL, 0, pause_ms);
        pause_ms = pause_ms < 32 ? 2 * pause_ms + 1 : pause_ms;
    }
}

/* The door is open while files are deleted, so after it is closed people are looked for once more. */
static _Noreturn void end(const struct guard *guard)
{
    int64_t until = clock_ms() + SWEEP_MS;
    int left;

    do {
        left = end_people(guard, until);
        if (left == 0)
            left = home_empty(guard->home, guard->user);
        home_close(guard->home);
    } while (left == 0 && people_count(guard->user, guard->user) != 0 && clock_ms() < until);
    _exit(left == 0 && people_count(guard->user, guard->user) == 0 ? 0 : EXIT_LEFT_OVER);
}

_Noreturn void guard_sweep(const struct guard *guard)
{
    struct err e = ERR_INIT;

    if (setsid() < 0 || seal_close_from(3, -1, &e) < 0 || guard_become(guard, &e) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        _exit(EXIT_LEFT_OVER);
    end(guard);
}

/* ---- watching ---- */

/* What the plan allows, or no limit. */
static struct home_usage most_of(const struct plan *plan)
{
    struct home_usage most = {UINT64_MAX, UINT64_MAX};

    for (size_t i = 0; i < plan->n; i++)
        if (plan->steps[i].kind == STEP_HOME)
            most = (struct home_usage){plan->steps[i].size, plan->steps[i].inodes};
    return most;
}

/* There is no quota to be had, so it is looked at from time to time. */
static bool takes_too_much(const struct guard *guard, const struct home_usage *most)
{
    struct home_usage now = {0, 0};
    int status = home_measure(guard->home, &now);

    return status == -E2BIG || now.bytes > most->bytes || now.files > most->files;
}

static _Noreturn void watch(const struct plan *plan, const struct steps_context *context)
{
    struct home_usage most = most_of(plan);
    struct pollfd wait = {context->control, POLLIN, 0};
    int64_t pause_ms = LOOK_MS;
    char byte;

    for (;;) {
        int n = poll(&wait, 1, (int)pause_ms);
        int64_t start = clock_ms();

        if (n > 0 && recv(context->control, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN)
            end(context->guard);
        if (n == 0 && takes_too_much(context->guard, &most))
            end(context->guard);
        pause_ms = (clock_ms() - start) * LOOK_EASILY;
        if (pause_ms < LOOK_MS)
            pause_ms = LOOK_MS;
    }
}

/* Descriptors, for each level of directories that home_measure descends to. */
static void raise_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

_Noreturn void guard_run(const struct plan *plan, const struct steps_context *context)
{
    char path[HOME_PATH_MAX];
    struct err e = ERR_INIT;

    init_reset_signals();
    raise_files();
    (void)prctl(PR_SET_NAME, "cellblock-guard");
    if (setsid() < 0)
        (void)err_errno(&e, "setsid");
    if (e.code || steps_run(plan, 0, context, &e) < 0)
        init_fail(context->control, &e);
    home_path(path, context->guard->home, HOME_WORKSPACE);
    init_ready(context->control, path);
    watch(plan, context);
}
