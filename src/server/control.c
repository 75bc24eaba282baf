#include "server/control.h"

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
#include "session/session.h"

#define ASKERS_MAX 16 /* who has connected and asked nothing yet; one more, and the first of them is dropped */

struct asker {
    struct control *control;
    struct asker *next; /* the one that came after it */
    uv_poll_t poll;
    int fd;
};

struct control {
    struct sessions *sessions;
    uv_poll_t poll;
    int fd;
    int spare; /* given up for a moment when no other descriptor is to be had */
    struct asker *first;
    size_t n_askers, n_handles; /* handles that are not closed yet */
    bool stopping;
};

/* ---- the end of things ---- */

static void unref(struct control *control)
{
    if (--control->n_handles == 0 && control->stopping)
        free(control);
}

static void on_asker_closed(uv_handle_t *handle)
{
    struct asker *asker = handle->data;

    fd_close(&asker->fd);
    unref(asker->control);
    free(asker);
}

static void drop(struct asker *asker)
{
    struct asker **at = &asker->control->first;

    while (*at && *at != asker)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = asker->next;
    asker->control->n_askers--;
    uv_close((uv_handle_t *)&asker->poll, on_asker_closed);
}

static void on_closed(uv_handle_t *handle)
{
    struct control *control = handle->data;

    fd_close(&control->fd);
    fd_close(&control->spare);
    unref(control);
}

void control_stop(struct control *control)
{
    if (!control || control->stopping)
        return;
    control->stopping = true;
    while (control->first)
        drop(control->first);
    uv_close((uv_handle_t *)&control->poll, on_closed);
}

/* ---- answers ---- */

struct question {
    const char *verb, *session, *path;
};

/* Four texts, each ended by a NUL, and nothing behind them. */
static bool parse(const char *data, size_t size, struct question *ret)
{
    const char *parts[4];

    for (size_t i = 0; i < 4; i++) {
        const char *end = memchr(data, '\0', size);

        if (!end)
            return false;
        parts[i] = data;
        size -= (size_t)(end + 1 - data);
        data = end + 1;
    }
    *ret = (struct question){parts[1], parts[2], parts[3]};
    return size == 0 && strcmp(parts[0], CONTROL_VERSION) == 0;
}

/* fd: -1 for none. It does not wait: the buffer of a new connection is empty, and has room for one answer. */
static void answer(const struct asker *asker, const char *word, const char *text, int fd)
{
    autobuf struct buf out = BUF_INIT;

    (void)buf_append(&out, word, strlen(word) + 1);
    if (text)
        (void)buf_append(&out, text, strlen(text) + 1);
    (void)fd_send(asker->fd, buf_begin(&out), out.len, &fd, fd >= 0 ? 1 : 0);
}

struct listing {
    struct buf text;
    size_t n_more;
};

static void list_one(void *data, const struct session_info *info)
{
    struct listing *listing = data;
    autofree char *workdir = xstrdup(info->workdir);

    for (char *c = workdir; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = '?'; /* it would end the field or the line */
    if (listing->n_more ||
        buf_printf(&listing->text, "%s\t%s\t%s\t%lld\t%zu\t%s\n", info->id, info->isolated ? "isolated" : "local",
                   info->busy ? "busy" : "idle", (long long)info->idle_ms, info->n_files, workdir) < 0)
        listing->n_more++;
}

static void list(const struct asker *asker)
{
    struct listing listing = {BUF_INIT, 0};

    buf_init(&listing.text, CONTROL_ANSWER_MAX - 64);
    sessions_each(asker->control->sessions, list_one, &listing);
    listing.text.max = CONTROL_ANSWER_MAX - 32;
    if (listing.n_more)
        (void)buf_printf(&listing.text, "+%zu\n", listing.n_more);
    answer(asker, "ok", buf_str(&listing.text), -1);
    buf_fini(&listing.text);
}

/* Also as the code would write it: absolute, below its working directory. */
static const char *relative(const struct session *s, const char *path)
{
    struct session_info info;
    size_t size;

    session_describe(s, &info);
    size = strlen(info.workdir);
    if (strncmp(path, info.workdir, size) == 0 && (path[size] == '/' || path[size] == '\0'))
        path += size + strspn(path + size, "/");
    return *path ? path : ".";
}

static int open_any(struct session *s, const char *path, int *ret_fd, struct err *e)
{
    int64_t size;

    return session_open_dir(s, path, ret_fd, NULL) == 0 ? 0 : session_open_file(s, path, ret_fd, &size, e);
}

static void give(const struct asker *asker, const struct question *q)
{
    struct session *s = session_find(asker->control->sessions, q->session);
    bool create = strcmp(q->verb, "create") == 0;
    struct err e = ERR_INIT;
    autofd int fd = -1;
    int r;

    if (!s) {
        answer(asker, session_ended(asker->control->sessions, q->session) ? "ended" : "unknown", NULL, -1);
        return;
    }
    r = create ? session_create_file(s, relative(s, q->path), &fd, &e) : open_any(s, relative(s, q->path), &fd, &e);
    answer(asker, r < 0 ? "error" : "ok", r < 0 ? e.text : "", fd);
}

static void on_question(uv_poll_t *poll, int status, int events)
{
    struct asker *asker = poll->data;
    char data[CONTROL_QUESTION_MAX];
    struct question question;
    ssize_t n;

    (void)events;
    n = status < 0 ? 0 : fd_recv(asker->fd, data, sizeof data, NULL, NULL); /* descriptors that come along are closed */
    if (n == -EAGAIN)
        return;
    if (n > 0 && !parse(data, (size_t)n, &question))
        answer(asker, "error", "this server is of another version of cellblock", -1);
    else if (n > 0 && strcmp(question.verb, "list") == 0)
        list(asker);
    else if (n > 0 && (strcmp(question.verb, "open") == 0 || strcmp(question.verb, "create") == 0))
        give(asker, &question);
    else if (n > 0)
        answer(asker, "error", "this server does not know that question", -1);
    drop(asker);
}

/* ---- who asks ---- */

/* unix(7): the kernel vouches for it. The directory keeps others away already. */
static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static void take(struct control *control, int fd_take)
{
    struct asker *asker = xnew(struct asker), **at = &control->first;

    asker->control = control;
    asker->fd = fd_take;
    if (!may_ask(fd_take) || uv_poll_init(control->poll.loop, &asker->poll, fd_take) < 0) {
        fd_close(&asker->fd);
        free(asker);
        return;
    }
    if (control->n_askers == ASKERS_MAX)
        drop(control->first);
    asker->poll.data = asker;
    control->n_handles++;
    control->n_askers++;
    while (*at)
        at = &(*at)->next;
    *at = asker;
    (void)uv_poll_start(&asker->poll, UV_READABLE | UV_DISCONNECT, on_question);
    uv_unref((uv_handle_t *)&asker->poll);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct control *control = poll->data;
    int fd;

    (void)status;
    (void)events;
    fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        take(control, fd);
        return;
    }
    if (errno != EMFILE && errno != ENFILE)
        return;
    /* What cannot be accepted would be reported again and again: accept it with the spare one, and hang up. */
    fd_close(&control->spare);
    fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    fd_close(&fd);
    control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* A path that is too long for an address is shorter by way of its directory's descriptor. */
static int bind_in(int fd, const char *directory, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    autofd int dir = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0)
        return err_errno(e, "cannot open %s", directory);
    if (strlen(directory) + strlen("/" CONTROL_NAME) < sizeof address.sun_path)
        (void)snprintf(address.sun_path, sizeof address.sun_path, "%.99s/" CONTROL_NAME, directory);
    else
        (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" CONTROL_NAME, dir);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, ASKERS_MAX) < 0)
        return err_errno(e, "cannot listen at %s/" CONTROL_NAME, directory);
    return 0;
}

int control_start(uv_loop_t *loop, struct sessions *sessions, struct control **ret, struct err *e)
{
    const char *directory = sessions_runtime_dir(sessions);
    autofd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct control *control;
    int r;

    if (!directory)
        return err_set(e, ENOENT, "there is no runtime directory yet");
    if (fd < 0)
        return err_errno(e, "socket");
    r = bind_in(fd, directory, e);
    if (r < 0)
        return r;
    control = xnew(struct control);
    r = uv_poll_init(loop, &control->poll, fd);
    if (r < 0) {
        free(control);
        return err_set(e, -r, "cannot watch the control socket: %s", uv_strerror(r));
    }
    control->sessions = sessions;
    control->fd = steal_fd(&fd);
    control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    control->poll.data = control;
    control->n_handles = 1;
    (void)uv_poll_start(&control->poll, UV_READABLE, on_connection);
    uv_unref((uv_handle_t *)&control->poll);
    *ret = control;
    return 0;
}
