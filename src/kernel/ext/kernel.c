/* Runs in the child of a fork, with one thread and before any Python: async-signal-safe calls only, no stdio. */
#include "kernel/ext/ext.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/mark.h"

#define KERNEL_EXIT_SETUP 70
#define KERNEL_FD_MIN 900 /* high, where no library of the user's that counts descriptors will meet them */
#define KERNEL_FD_LOW 20  /* where the limit is too small for that */

#define MT_WORDS 624 /* of numpy's mt19937_state: key[624], then int pos */

static void fail_text(int out, const char *text, const char *why)
{
    const char *parts[] = {"cellblock: the kernel could not be set up: ", text, why ? ": " : "", why ? why : "", "\n"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (write(out, parts[i], strlen(parts[i])) < 0)
            break;
    _exit(KERNEL_EXIT_SETUP);
}

static void fail(int out, const char *step)
{
    fail_text(out, step, strerror(errno));
}

/* A copy of fd out of the way, close-on-exec and blocking. */
static int move_up(int fd, int out)
{
    int flags, up = fcntl(fd, F_DUPFD_CLOEXEC, KERNEL_FD_MIN);

    if (up < 0)
        up = fcntl(fd, F_DUPFD_CLOEXEC, KERNEL_FD_LOW);
    if (up < 0)
        fail(out, "fcntl(F_DUPFD_CLOEXEC)");
    flags = fcntl(up, F_GETFL);
    if (flags >= 0 && flags & O_NONBLOCK)
        (void)fcntl(up, F_SETFL, flags & ~O_NONBLOCK);
    return up;
}

static void set_fds(const struct kernel_start *start, const char *nonce)
{
    int channel = move_up(start->channel, start->pipe), pipe = move_up(start->pipe, start->pipe);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0)
        fail(pipe, "open /dev/null");
    if (dup2(null, 0) < 0 || dup2(pipe, 1) < 0 || dup2(pipe, 2) < 0)
        fail(pipe, "dup2");
    (void)close(null);
    (void)close(start->channel);
    (void)close(start->pipe);
    channel_open(channel, pipe, nonce);
}

/* Children of one process would all continue the same sequence. By pointer: np.random.seed costs 0.9 ms a child. */
static void reseed(uint32_t *state)
{
    size_t done = 0, size = MT_WORDS * sizeof *state;
    int pos = MT_WORDS; /* all words are used up: the next number makes new ones */

    while (done < size) {
        size_t left = size - done;
        ssize_t n = getrandom((char *)state + done, left < 256 ? left : 256, 0);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0)
            done += (size_t)n;
    }
    memcpy(state + MT_WORDS, &pos, sizeof pos);
}

static void close_span(unsigned first, unsigned last)
{
    if (first <= last && syscall(SYS_close_range, first, last, 0) < 0)
        fail(STDERR_FILENO, "close_range");
}

/* The zygote's own and what its libraries had opened. */
static void close_others(void)
{
    int low, high;

    channel_fds(&low, &high);
    close_span(STDERR_FILENO + 1, (unsigned)low - 1);
    close_span((unsigned)low + 1, (unsigned)high - 1);
    close_span((unsigned)high + 1, ~0U);
}

/* A session of its own: a group that an interrupt reaches, with what the code has started and nothing else. */
static void leave_zygote(const struct kernel_start *start)
{
    struct err e = ERR_INIT;

    if (start->isolation) {
        if (isolate_enter(start->isolation, start->packet, &e) < 0)
            fail_text(start->pipe, e.text, NULL);
        return;
    }
    if (getppid() != start->zygote)
        _exit(KERNEL_EXIT_SETUP);
    if (setsid() < 0)
        fail(start->pipe, "setsid");
}

void kernel_enter(const struct kernel_start *start, const char *nonce)
{
    struct err e = ERR_INIT;
    sigset_t none;

    /* Lost when the parent died before: then its place is taken by another. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        fail(start->pipe, "prctl(PR_SET_PDEATHSIG)");
    if (start->mark != 0) {
        struct rlimit limit = {MARK_BASE + start->mark, MARK_BASE + start->mark};

        if (setrlimit(RLIMIT_RTTIME, &limit) < 0)
            fail(start->pipe, "setrlimit(RLIMIT_RTTIME)");
    }
    leave_zygote(start);
    (void)prctl(PR_SET_NAME, "cellblock-kernel"); /* the kernel keeps 15 characters */
    set_fds(start, nonce);
    if (start->random_state)
        reseed(start->random_state);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (start->isolation) {
        close_others();
        if (isolate_seal(start->isolation, &e) < 0)
            fail_text(STDERR_FILENO, e.text, NULL);
    }
}
