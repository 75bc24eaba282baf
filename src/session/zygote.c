#include "session/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/embed.h"
#include "kernel/wire.h"
#include "session/boxes.h"
#include "session/kernel.h"
#include "session/processes.h"

#define HELLO_WITHIN_MS 30000 /* a bare one; a warm one may import for long */
#define END_WITHIN_MS 1000
#define NAME_ONE " Name a CPython from 3.9 on with --python."
#define SAID_MAX (4 * KIB) /* of what an interpreter writes to stderr while it starts */

struct zygote {
    struct zygote_config config;
    uv_process_t process;
    uv_poll_t control_poll, said_poll;
    uv_timer_t hello_timer;
    int control, said;
    unsigned closing;
    bool running, ready, failed, retired, ending;
    struct buf said_text;
    char *failure;
    struct interpreter interpreter;
    struct kernel *kernels;
};

static uint32_t next_serial; /* kernels of this server, whichever zygote they have */

/* ---- the end ---- */

static void free_now(struct zygote *z)
{
    fd_close(&z->control);
    fd_close(&z->said);
    buf_fini(&z->said_text);
    free(z->failure);
    free(z->interpreter.version);
    free(z->interpreter.executable);
    free(z->interpreter.prefix);
    free(z->interpreter.base_prefix);
    free(z->interpreter.site_packages);
    free(z->interpreter.sites);
    free((char *)z->config.python);
    free((char *)z->config.workdir);
    free((char *)z->config.preload);
    free(z);
}

static void on_closed(uv_handle_t *handle)
{
    struct zygote *z = handle->data;

    if (--z->closing == 0)
        free_now(z);
}

static void on_not_ended(uv_timer_t *timer)
{
    struct zygote *z = timer->data;

    (void)uv_process_kill(&z->process, SIGKILL);
}

/* Once it has no kernels it is told to end, and freed when it has. */
static void free_if_done(struct zygote *z)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&z->process, (uv_handle_t *)&z->control_poll, (uv_handle_t *)&z->said_poll,
                              (uv_handle_t *)&z->hello_timer};

    if (!z->retired || z->kernels || uv_is_closing(handles[1]))
        return;
    if (z->running && !z->ending) {
        z->ending = true;
        if (z->ready) { /* not close: its number must stay taken until the handle that polls it is closed too */
            (void)shutdown(z->control, SHUT_RDWR);
            (void)uv_timer_start(&z->hello_timer, on_not_ended, END_WITHIN_MS, 0);
            uv_unref((uv_handle_t *)&z->hello_timer);
        } else { /* it imports, and would not see the end of the channel */
            (void)uv_process_kill(&z->process, SIGKILL);
        }
        (void)uv_poll_stop(&z->control_poll);
        (void)uv_poll_stop(&z->said_poll);
    }
    if (z->running)
        return; /* on_process_exit */
    for (size_t i = 0; i < 4; i++) {
        z->closing++;
        uv_close(handles[i], on_closed);
    }
}

void zygote_retire(struct zygote *z)
{
    if (!z)
        return;
    z->retired = true;
    z->config.events = NULL;
    free_if_done(z);
}

void zygote_release(struct zygote *z, struct kernel *k)
{
    struct kernel **at = &z->kernels;

    while (*at && *at != k)
        at = &(*at)->next;
    if (*at)
        *at = k->next;
    free_if_done(z);
}

/* Why there is no Python, in a sentence or two that end with what to do. */
static void explain_failure(struct zygote *z, struct buf *text)
{
    if (z->failure) {
        (void)buf_puts(text, z->failure);
        return;
    }
    if (z->ready) {
        (void)buf_puts(text, "the Python process that starts sessions has ended; try again");
        return;
    }
    (void)buf_printf(text, "%s is not a CPython that Cellblock can use: it ended at once.", z->config.python);
    /* A program that is no Python may show all of what it was given. */
    if (z->said_text.len && !strstr(buf_str(&z->said_text), "Starts the zygote"))
        (void)buf_printf(text, " It said: %.400s", buf_str(&z->said_text));
    (void)buf_puts(text, NAME_ONE);
}

static void fail(struct zygote *z)
{
    autobuf struct buf text = BUF_INIT;

    if (z->failed)
        return;
    z->failed = true;
    (void)uv_timer_stop(&z->hello_timer);
    explain_failure(z, &text);
    /* Its kernels die with it (PR_SET_PDEATHSIG); each tells its owner, who may free it. */
    for (struct kernel *k = z->kernels, *next; k; k = next) {
        next = k->next;
        kernel_exited(k, SIGKILL, 0);
    }
    if (z->config.events)
        z->config.events->failed(z->config.data, z, buf_str(&text));
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal)
{
    struct zygote *z = process->data;

    log_debug("python process %d ended: status %d, signal %d", process->pid, (int)status, signal);
    z->running = false;
    fail(z);
    free_if_done(z);
}

static void on_late(uv_timer_t *timer)
{
    struct zygote *z = timer->data;

    if (!z->failure)
        z->failure =
            xasprintf("%s did not start as a Python within %d s." NAME_ONE, z->config.python, HELLO_WITHIN_MS / 1000);
    (void)uv_process_kill(&z->process, SIGKILL);
}

/* ---- control channel ---- */

static struct kernel *find_kernel(struct zygote *z, uint32_t serial)
{
    struct kernel *k = z->kernels;

    while (k && k->serial != serial)
        k = k->next;
    return k;
}

/* Before the first fork: it becomes able to enter sandboxes. */
static int tell_isolation(struct zygote *z)
{
    const struct buf *entering = boxes_entering(z->config.boxes);
    struct zy_msg msg = {.op = ZY_ISOLATE, .text_size = (uint32_t)entering->len};
    autobuf struct buf packet = BUF_INIT;
    int userns = boxes_userns(z->config.boxes);

    (void)buf_append(&packet, &msg, sizeof msg);
    (void)buf_append(&packet, buf_begin(entering), entering->len);
    return fd_send(z->control, buf_begin(&packet), packet.len, &userns, userns >= 0);
}

static void take_hello(struct zygote *z, char *text)
{
    char **fields[] = {&z->interpreter.version,     &z->interpreter.executable,    &z->interpreter.prefix,
                       &z->interpreter.base_prefix, &z->interpreter.site_packages, &z->interpreter.sites};

    if (z->ready)
        return;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        *fields[i] = xstrdup(text ? strsep(&text, "\n") : "");
    /* What it may read is part of what it has to be told. That it fails is told by who makes the first sandbox. */
    if (z->config.boxes)
        (void)boxes_set_interpreter(z->config.boxes, &z->interpreter, NULL);
    if (z->config.boxes && tell_isolation(z) < 0)
        return; /* it has ended: on_process_exit tells */
    z->ready = true;
    (void)uv_timer_stop(&z->hello_timer);
    if (z->config.events)
        z->config.events->hello(z->config.data, z);
}

static void take_message(struct zygote *z, const struct zy_msg *m, char *text, int *pidfd)
{
    struct kernel *k = m->kernel ? find_kernel(z, m->kernel) : NULL;

    switch (m->op) {
    case ZY_HELLO:
        take_hello(z, text);
        break;
    case ZY_WARM:
        log_info("preloaded: %s", text);
        break;
    case ZY_FORKED:
        if (k)
            kernel_forked(k, m->pid, steal_fd(pidfd));
        break;
    case ZY_EXITED:
        if (k)
            kernel_exited(k, m->status, (long)m->value);
        break;
    case ZY_FAILED:
        if (k) {
            kernel_break(k, text);
            kernel_exited(k, SIGKILL, 0);
        } else if (!z->failure) {
            z->failure = xstrdup(text);
        }
        break;
    default:
        log_warn("unknown message %u from Python, ignoring", m->op);
    }
}

static void on_control(uv_poll_t *poll, int status, int events)
{
    struct zygote *z = poll->data;
    struct {
        struct zy_msg m;
        char text[ZY_TEXT_MAX + 1];
    } packet;
    autofd int pidfd = -1;
    size_t n_fds = 1;
    ssize_t n;

    (void)events;
    n = status < 0 ? 0 : fd_recv(z->control, &packet, sizeof packet - 1, &pidfd, &n_fds);
    if (n == -EAGAIN || n == -EINTR)
        return;
    if (n < (ssize_t)sizeof packet.m || packet.m.text_size != (size_t)n - sizeof packet.m) {
        (void)uv_poll_stop(poll); /* the process ends, or has: on_process_exit tells */
        (void)uv_process_kill(&z->process, SIGKILL);
        return;
    }
    packet.text[packet.m.text_size] = '\0';
    take_message(z, &packet.m, packet.text, &pidfd);
}

static void on_said(uv_poll_t *poll, int status, int events)
{
    struct zygote *z = poll->data;
    char text[1024];
    ssize_t n = status < 0 ? 0 : read(z->said, text, sizeof text);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        (void)uv_poll_stop(poll);
        return;
    }
    (void)buf_append(&z->said_text, text, (size_t)n); /* full: the beginning tells most */
}

int zygote_fork(struct zygote *z, struct box *box, bool alone, struct kernel **ret, struct err *e)
{
    struct {
        struct zy_msg m;
        char text[WIRE_NONCE_SIZE + SANDBOX_HOME_MAX];
    } packet = {0};
    uint32_t serial = ++next_serial;
    int fds[ZY_FORK_FDS_MAX] = {-1, -1}, r;
    size_t n_fds = 2, home_size = 0;
    struct kernel *k;

    r = kernel_new(z->config.loop, z, serial, processes_mark(z->config.server, serial), &k, fds, e);
    if (r < 0)
        return r;
    k->box = box;
    k->next = z->kernels;
    z->kernels = k;
    if (box) {
        packet.m.value = (uint64_t)box_sandbox(box)->namespaces;
        packet.m.pid = (int32_t)box_sandbox(box)->uid;
        packet.m.status = (alone ? ZY_FORK_ALONE : 0) | (box_sandbox(box)->gate >= 0 ? ZY_FORK_GATE : 0);
        home_size = strlen(box_sandbox(box)->home);
        memcpy(packet.text + WIRE_NONCE_SIZE, box_sandbox(box)->home, home_size);
        fds[n_fds++] = box_sandbox(box)->pidfd;
        if (box_sandbox(box)->gate >= 0)
            fds[n_fds++] = box_sandbox(box)->gate;
        for (size_t i = 0; i < box_sandbox(box)->n_cgroup; i++)
            fds[n_fds++] = box_sandbox(box)->cgroup[i];
    }
    packet.m.op = ZY_FORK;
    packet.m.kernel = serial;
    packet.m.mark = k->mark;
    packet.m.text_size = (uint32_t)(WIRE_NONCE_SIZE + home_size);
    memcpy(packet.text, k->nonce, WIRE_NONCE_SIZE);
    r = fd_send(z->control, &packet, sizeof packet.m + packet.m.text_size, fds, n_fds);
    fd_close(&fds[0]);
    fd_close(&fds[1]);
    if (r < 0) {
        kernel_free(k);
        return err_set(e, -r, "cannot ask Python for a kernel: %s", strerror(-r));
    }
    *ret = k;
    return 0;
}

/* ---- the start ---- */

struct start_fds {
    int control, blob, ext, said; /* the child's ends */
};

static void close_start_fds(struct start_fds *fds)
{
    fd_close(&fds->control);
    fd_close(&fds->blob);
    fd_close(&fds->ext);
    fd_close(&fds->said);
}

static int spawn(struct zygote *z, const struct start_fds *fds, struct err *e)
{
    char *boot = xstrndup((const char *)embed_boot, embed_boot_size);
    char *mode = z->config.preload ? "warm" : "bare";
    char *preload = z->config.preload ? (char *)z->config.preload : "";
    char *args[] = {(char *)z->config.python, "-c", boot, "3", "4", "5", mode, preload, NULL};
    uv_stdio_container_t stdio[6] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = fds->said},
        {.flags = UV_INHERIT_FD, .data.fd = fds->said},
        {.flags = UV_INHERIT_FD, .data.fd = fds->control},
        {.flags = UV_INHERIT_FD, .data.fd = fds->blob},
        {.flags = UV_INHERIT_FD, .data.fd = fds->ext},
    };
    uv_process_options_t options = {
        .file = z->config.python,
        .args = args,
        .cwd = z->config.boxes ? "/" : z->config.workdir,
        .env = z->config.boxes ? (char **)boxes_environment(z->config.boxes) : NULL,
        .flags = UV_PROCESS_DETACHED, /* a terminal's Ctrl-C is for the server */
        .stdio = stdio,
        .stdio_count = 6,
        .exit_cb = on_process_exit,
    };
    int r = uv_spawn(z->config.loop, &z->process, &options);

    free(boot);
    if (r < 0)
        return err_set(e, -r, "cannot start %s: %s." NAME_ONE, z->config.python, uv_strerror(r));
    z->running = true;
    return 0;
}

static int open_fds(struct zygote *z, struct start_fds *fds, struct err *e)
{
    int pair[2], said[2], r;

    r = fd_socketpair(SOCK_SEQPACKET, pair);
    if (r < 0)
        return err_set(e, -r, "socketpair: %s", strerror(-r));
    z->control = pair[0];
    fds->control = pair[1];
    r = fd_pipe(said);
    if (r < 0)
        return err_set(e, -r, "pipe: %s", strerror(-r));
    z->said = said[0];
    fds->said = said[1];
    fds->blob = fd_memfile("cellblock-kernel", embed_blob, embed_blob_size);
    fds->ext = fd_memfile("cellblock-ext", embed_ext, embed_ext_size);
    if (fds->blob < 0 || fds->ext < 0)
        return err_set(e, ENOMEM, "cannot hand Python its code: %s", strerror(fds->ext < 0 ? -fds->ext : -fds->blob));
    return 0;
}

int zygote_start(const struct zygote_config *config, struct zygote **ret, struct err *e)
{
    struct start_fds fds = {-1, -1, -1, -1};
    struct zygote *z = xnew(struct zygote);
    int r;

    z->config = *config;
    z->config.python = xstrdup(config->python);
    z->config.workdir = xstrdup(config->workdir);
    z->config.preload = xstrdup(config->preload);
    z->control = z->said = -1;
    buf_init(&z->said_text, SAID_MAX);
    r = open_fds(z, &fds, e);
    if (r < 0) {
        close_start_fds(&fds);
        free_now(z);
        return r;
    }
    (void)fd_set_nonblock(z->control, true);
    (void)uv_poll_init(config->loop, &z->control_poll, z->control);
    (void)uv_poll_init(config->loop, &z->said_poll, z->said);
    (void)uv_timer_init(config->loop, &z->hello_timer);
    z->process.data = z->control_poll.data = z->said_poll.data = z->hello_timer.data = z;
    r = spawn(z, &fds, e);
    close_start_fds(&fds);
    if (r < 0) { /* the handle of a process that could not be started has to be closed too */
        z->retired = true;
        free_if_done(z);
        return r;
    }
    (void)uv_poll_start(&z->control_poll, UV_READABLE, on_control);
    (void)uv_poll_start(&z->said_poll, UV_READABLE, on_said);
    if (!config->preload)
        (void)uv_timer_start(&z->hello_timer, on_late, HELLO_WITHIN_MS, 0);
    *ret = z;
    return 0;
}

const struct interpreter *zygote_interpreter(const struct zygote *z)
{
    return z->ready ? &z->interpreter : NULL;
}
