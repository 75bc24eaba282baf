#include "session/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "session/zygote.h"

#define READ_SIZE (64 * KIB)
#define READS_AT_ONCE 64            /* then other kernels have their turn */
#define WATCH_AFTER_MS 2            /* see kernel_send; below a second, for set_alarm */
#define END_AFTER_CLOSE_MS 500      /* a kernel that closed its channel but did not exit */
#define ABORT_SIGNAL (SIGRTMAX - 1) /* the same in src/kernel/ext */

static void on_channel(uv_poll_t *poll, int status, int events);
static void on_output(uv_poll_t *poll, int status, int events);
static void on_alarm(uv_poll_t *poll, int status, int events);

int kernel_new(uv_loop_t *loop, struct zygote *zygote, uint32_t serial, uint64_t mark, struct kernel **ret,
               int ret_fds[2], struct err *e)
{
    int channel[2] = {-1, -1}, output[2] = {-1, -1}, r;
    autofd int alarm = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct kernel *k;

    if (alarm < 0)
        return err_errno(e, "cannot make a timer for Python");
    r = fd_socketpair(SOCK_STREAM, channel);
    if (r < 0)
        return err_set(e, -r, "cannot make a socket for Python: %s", strerror(-r));
    r = fd_pipe(output);
    if (r < 0) {
        fd_close(&channel[0]);
        fd_close(&channel[1]);
        return err_set(e, -r, "cannot make a pipe for Python: %s", strerror(-r));
    }
    (void)fd_set_nonblock(channel[0], true);
    (void)fd_set_nonblock(output[0], true);
    k = xnew(struct kernel);
    k->loop = loop;
    k->zygote = zygote;
    k->serial = serial;
    k->mark = mark;
    k->pidfd = -1;
    k->channel = channel[0];
    k->output = output[0];
    k->alarm = steal_fd(&alarm);
    (void)snprintf(k->nonce, sizeof k->nonce, "%016llx", (unsigned long long)random_u64());
    buf_init(&k->in, LIMIT_FRAME + sizeof(struct wire_header) + READ_SIZE);
    buf_init(&k->unsent, 2 * LIMIT_FRAME);
    (void)uv_poll_init(loop, &k->channel_poll, k->channel);
    (void)uv_poll_init(loop, &k->output_poll, k->output);
    (void)uv_poll_init(loop, &k->alarm_poll, k->alarm);
    (void)uv_timer_init(loop, &k->timer);
    k->channel_poll.data = k->output_poll.data = k->alarm_poll.data = k->timer.data = k;
    (void)uv_poll_start(&k->channel_poll, UV_READABLE, on_channel);
    (void)uv_poll_start(&k->alarm_poll, UV_READABLE, on_alarm);
    ret_fds[0] = channel[1];
    ret_fds[1] = output[1];
    *ret = k;
    return 0;
}

void kernel_attach(struct kernel *k, const struct kernel_events *events, void *data)
{
    k->events = events;
    k->data = data;
}

/* ---- the process ---- */

void kernel_forked(struct kernel *k, pid_t pid, int pidfd_take)
{
    k->pid = pid;
    k->pidfd = pidfd_take;
    if (k->broken || k->freed)
        kernel_kill(k);
}

static bool is_alive(const struct kernel *k)
{
    if (k->exited || k->pid <= 0)
        return false;
    return k->pidfd < 0 || syscall(SYS_pidfd_send_signal, k->pidfd, 0, NULL, 0) == 0;
}

static void signal_one(struct kernel *k, int number)
{
    if (k->exited || k->pid <= 0)
        return;
    if (k->pidfd < 0 || syscall(SYS_pidfd_send_signal, k->pidfd, number, NULL, 0) < 0)
        (void)kill(k->pid, number);
}

void kernel_interrupt(struct kernel *k)
{
    /* The group, so that a subprocess in the foreground ends too; the kernel made it with setsid(2). */
    if (is_alive(k) && kill(-k->pid, SIGINT) < 0)
        signal_one(k, SIGINT);
}

void kernel_abort(struct kernel *k)
{
    signal_one(k, ABORT_SIGNAL);
}

void kernel_kill(struct kernel *k)
{
    signal_one(k, SIGKILL); /* ends a stopped one too (signal(7)) */
}

void kernel_break(struct kernel *k, const char *reason)
{
    if (k->broken)
        return;
    k->broken = true;
    (void)snprintf(k->reason, sizeof k->reason, "%s", reason);
    kernel_kill(k);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct kernel *k = handle->data;

    if (--k->closing > 0)
        return;
    fd_close(&k->channel);
    fd_close(&k->output);
    fd_close(&k->alarm);
    fd_close(&k->pidfd);
    if (!k->freed)
        return;
    buf_fini(&k->in);
    buf_fini(&k->unsent);
    free(k);
}

static void close_handles(struct kernel *k)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&k->channel_poll, (uv_handle_t *)&k->output_poll,
                              (uv_handle_t *)&k->alarm_poll, (uv_handle_t *)&k->timer};

    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        if (!uv_is_closing(handles[i])) {
            k->closing++;
            uv_close(handles[i], on_closed);
        }
}

/* Everything it wrote is read, then it is told. */
static void finish(struct kernel *k)
{
    if (k->told)
        return;
    k->told = true;
    kernel_drain(k);
    if (!k->broken && k->channel >= 0)
        on_channel(&k->channel_poll, 0, UV_READABLE);
    k->gone = true;
    close_handles(k);
    if (k->events && !k->freed)
        k->events->gone(k->data);
}

void kernel_exited(struct kernel *k, int wait_status, long peak_kib)
{
    if (k->exited)
        return;
    k->exited = true;
    k->wait_status = wait_status;
    k->peak_kib = peak_kib;
    finish(k);
}

void kernel_free(struct kernel *k)
{
    if (!k)
        return;
    k->events = NULL;
    k->freed = true;
    zygote_release(k->zygote, k);
    kernel_kill(k);
    if (k->gone && k->closing == 0) { /* its handles are closed already */
        buf_fini(&k->in);
        buf_fini(&k->unsent);
        free(k);
        return;
    }
    k->gone = k->told = true;
    close_handles(k);
}

/* ---- channel ---- */

static void on_still_there(uv_timer_t *timer)
{
    kernel_break(timer->data, "it closed its channel");
}

/* The process should follow at once; its exit status tells more than the closed channel. */
static void channel_ended(struct kernel *k)
{
    (void)uv_poll_stop(&k->channel_poll);
    if (!k->exited)
        (void)uv_timer_start(&k->timer, on_still_there, END_AFTER_CLOSE_MS, 0);
}

static void take_frames(struct kernel *k)
{
    while (!k->broken && !k->freed && k->in.len) {
        struct wire_frame frame;
        long size = wire_parse(buf_begin(&k->in), k->in.len, &frame);

        if (size == 0)
            break;
        if (size < 0) {
            kernel_break(k, "it sent a malformed frame");
            break;
        }
        /* What was written before the frame was sent comes first; a display item has its own mark for that. */
        if (frame.header.type != WIRE_DISPLAY && frame.header.type != WIRE_CLEAR)
            kernel_drain(k);
        if (k->events)
            k->events->frame(k->data, &frame);
        buf_consume(&k->in, (size_t)size);
    }
}

static void flush_unsent(struct kernel *k)
{
    while (k->unsent.len) {
        ssize_t n = send(k->channel, buf_begin(&k->unsent), k->unsent.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        buf_consume(&k->unsent, (size_t)n);
    }
    (void)uv_poll_start(&k->channel_poll, UV_READABLE, on_channel);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct kernel *k = poll->data;

    if (status < 0) {
        channel_ended(k);
        return;
    }
    if (events & UV_WRITABLE)
        flush_unsent(k);
    for (int i = 0; (events & UV_READABLE) && i < READS_AT_ONCE && !k->broken && !k->freed; i++) {
        char *room = buf_reserve(&k->in, READ_SIZE);
        ssize_t n;

        if (!room) {
            kernel_break(k, "its frame is too large");
            return;
        }
        n = recv(k->channel, room, READ_SIZE, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            channel_ended(k);
            return;
        }
        buf_commit(&k->in, (size_t)n);
        take_frames(k);
        if ((size_t)n < READ_SIZE)
            return;
    }
}

/*
 * A descriptor and no timer of the loop: with one of those, each time the loop sleeps the clock's hardware is set,
 * which costs a virtual machine more than all else that a short execution makes this process do. This one is set once
 * in WATCH_AFTER_MS, whatever is executed meanwhile.
 */
static void set_alarm(struct kernel *k)
{
    static const struct itimerspec after = {.it_value = {.tv_nsec = WATCH_AFTER_MS * 1000000}};

    if (!k->alarm_set)
        k->alarm_set = timerfd_settime(k->alarm, 0, &after, NULL) == 0;
}

static void on_alarm(uv_poll_t *poll, int status, int events)
{
    struct kernel *k = poll->data;
    uint64_t n;

    (void)status;
    (void)events;
    if (read(k->alarm, &n, sizeof n) < 0 || k->gone)
        return;
    k->alarm_set = false;
    if (clock_us() - k->sent_us < WATCH_AFTER_MS * 1000 / 2) /* what was executed at first is over */
        set_alarm(k);
    else if (uv_poll_start(&k->output_poll, UV_READABLE, on_output) == 0)
        k->watching = true;
}

void kernel_send(struct kernel *k, uint16_t type, uint32_t seq, const struct wire_part *parts, size_t n)
{
    size_t size = wire_size(parts, n);
    char *room;
    bool was_empty = k->unsent.len == 0;

    if (k->gone || k->broken)
        return;
    room = size ? buf_reserve(&k->unsent, size) : NULL;
    if (!room) {
        kernel_break(k, "it does not read what it is sent");
        return;
    }
    wire_build(room, type, seq, parts, n);
    buf_commit(&k->unsent, size);
    if (k->watching) {
        (void)uv_poll_stop(&k->output_poll);
        k->watching = false;
    }
    k->sent_us = clock_us();
    set_alarm(k);
    if (!was_empty)
        return;
    while (k->unsent.len) {
        ssize_t sent = send(k->channel, buf_begin(&k->unsent), k->unsent.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) /* full, or gone: then the channel's end will be told */
            break;
        buf_consume(&k->unsent, (size_t)sent);
    }
    if (k->unsent.len)
        (void)uv_poll_start(&k->channel_poll, UV_READABLE | UV_WRITABLE, on_channel);
}

/* ---- output ---- */

/* The bytes that were there, at most READ_SIZE; 0 at the end of the pipe; -errno, -EAGAIN when it is empty. */
static ssize_t read_output(struct kernel *k)
{
    static char bytes[READ_SIZE];
    ssize_t n;

    do {
        n = read(k->output, bytes, sizeof bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (n > 0 && k->events)
        k->events->output(k->data, bytes, (size_t)n);
    return n;
}

void kernel_drain(struct kernel *k)
{
    int held = 0;

    /* One system call where little was written. Bounded: another process may write faster than this reads. */
    if (k->output < 0 || read_output(k) < (ssize_t)READ_SIZE || ioctl(k->output, FIONREAD, &held) < 0)
        return;
    for (; held > 0; held -= (int)READ_SIZE)
        if (read_output(k) <= 0)
            return;
}

static void on_output(uv_poll_t *poll, int status, int events)
{
    struct kernel *k = poll->data;
    ssize_t n;

    (void)events;
    if (status < 0) {
        (void)uv_poll_stop(poll);
        return;
    }
    n = read_output(k);
    if (n <= 0 && n != -EAGAIN) /* every writer has closed it: nothing more will come */
        (void)uv_poll_stop(poll);
}
