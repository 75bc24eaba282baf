#include "session/boxes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/home.h"
#include "sandbox/plan.h"
#include "session/box_mounts.h"
#include "session/boxes_impl.h"

#define PROCESS_EXITING 0x4 /* PF_EXITING of include/linux/sched.h */
#define LOST "the process that makes sandboxes has ended"
#define LOST_MAX 3
#define MAKING_MAX 8 /* asked for and not answered yet */

/* ---- making ---- */

static void ask(struct boxes *all);

static void fail(struct boxes *all, const char *text)
{
    free(all->error);
    all->error = xstrdup(text);
    if (!all->asking)
        all->config.changed(all->config.data);
}

/* Whoever has started something in it lets go of it. */
static void drop_begun(struct boxes *all)
{
    struct box *box = all->begun;

    if (!box)
        return;
    all->begun = NULL;
    all->config.dropped(all->config.data, box);
    box_end(box);
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void stop_builder(struct boxes *all)
{
    drop_begun(all);
    while (all->ready) {
        struct box *box = all->ready;

        all->ready = box->next;
        box_end(box);
    }
    all->last = &all->ready;
    all->n_ready = all->n_making = 0;
    box_mounts_fail(&all->mounts, LOST);
    if (all->poll) {
        (void)uv_poll_stop(all->poll);
        uv_close((uv_handle_t *)all->poll, on_poll_closed);
        all->poll = NULL;
    }
    if (all->running)
        builder_stop(&all->builder);
    all->running = false;
}

/* Every sandbox went with it. Another is started for who waits, unless it would go the same way again and again. */
static void builder_lost(struct boxes *all, const char *text)
{
    log_warn("%s", text);
    stop_builder(all);
    all->generation++;
    if (all->asking || ++all->n_lost > LOST_MAX)
        fail(all, text);
    else
        all->config.changed(all->config.data);
}

void boxes_check(struct boxes *all)
{
    char byte;
    ssize_t n = all->running ? recv(all->builder.sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) : 1;

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        builder_lost(all, LOST);
}

static struct box *new_box(struct boxes *all, const struct sandbox *sandbox_take)
{
    struct box *box = xnew(struct box);

    *box = (struct box){.all = all, .sandbox = *sandbox_take, .generation = all->generation};
    if (box->sandbox.home[0])
        box->workspace = xasprintf("%s/" HOME_WORKSPACE, box->sandbox.home);
    return box;
}

/* It is the one that was told when it began, or a new one. */
static struct box *finish_box(struct boxes *all, struct sandbox *made_take)
{
    struct box *box = all->begun;

    if (!box || box->sandbox.id != made_take->id)
        return new_box(all, made_take);
    all->begun = NULL;
    sandbox_close(&box->sandbox);
    box->sandbox = *made_take;
    return box;
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
    struct boxes *all = poll->data;
    struct err e = ERR_INIT;
    struct sandbox made;
    struct box *box;
    int r;

    (void)events;
    r = status < 0 ? err_set(&e, -status, "the process that makes sandboxes: %s", uv_strerror(status))
                   : builder_answer(&all->builder, &made, &e);
    if (r < 0 && (status < 0 || made.id == 0)) {
        builder_lost(all, status < 0 ? LOST : e.text);
        return;
    }
    if (box_mounts_answer(&all->mounts, made.id, r < 0 ? &e : NULL))
        return;
    if (made.gate >= 0) {
        drop_begun(all);
        all->begun = new_box(all, &made);
        all->config.begun(all->config.data, all->begun);
        return;
    }
    if (all->n_making)
        all->n_making--;
    if (r < 0) {
        drop_begun(all);
        fail(all, e.text);
        return;
    }
    all->n_lost = 0;
    box = finish_box(all, &made);
    *all->last = box;
    all->last = &box->next;
    all->n_ready++;
    all->config.changed(all->config.data);
    ask(all);
}

int boxes_start_builder(struct boxes *all, struct err *e)
{
    if (all->running)
        return 0;
    if ((all->plain ? builder_start_plain(&all->builder, e) : builder_start(&all->builder, e)) < 0)
        return -e->code;
    all->running = true;
    all->generation++;
    return 0;
}

int boxes_start_polling(struct boxes *all)
{
    uv_poll_t *poll = xnew(uv_poll_t);
    int r = uv_poll_init(all->config.loop, poll, all->builder.sock);

    if (r < 0) {
        free(poll);
        return r;
    }
    poll->data = all;
    all->poll = poll;
    return uv_poll_start(poll, UV_READABLE, on_answer);
}

/* As many as are wanted and as are kept ready. */
static void ask(struct boxes *all)
{
    struct err e = ERR_INIT;

    if (!all->has_plan || all->error)
        return;
    if (!all->running && (boxes_start_builder(all, &e) < 0 || boxes_start_polling(all) < 0)) {
        fail(all, e.text);
        return;
    }
    while (all->n_making < MAKING_MAX && all->n_ready + all->n_making < all->wanted + all->config.ready) {
        bool early = all->n_ready + all->n_making < all->wanted;
        uint32_t id;

        if (builder_ask_make(&all->builder, &all->plan, early, &id, &e) < 0) {
            builder_lost(all, e.text);
            return;
        }
        all->n_making++;
    }
}

/* ---- taking ---- */

struct box *boxes_take(struct boxes *all)
{
    struct box *box = all->ready;

    free(all->error);
    all->error = NULL;
    if (box) {
        all->ready = box->next;
        if (!all->ready)
            all->last = &all->ready;
        all->n_ready--;
        if (all->wanted)
            all->wanted--;
        box->next = NULL;
    }
    return box;
}

void boxes_want(struct boxes *all, size_t n)
{
    all->wanted = n;
    all->asking = true;
    ask(all);
    all->asking = false;
}

const char *boxes_error(const struct boxes *all)
{
    return all->error;
}

const struct sandbox *box_sandbox(const struct box *box)
{
    return &box->sandbox;
}

const char *box_workspace(const struct box *box)
{
    return box && box->workspace ? box->workspace : SANDBOX_WORKSPACE;
}

/* A first process that ends waits for all others, and can be signalled meanwhile. proc(5): field 9 of stat. */
static bool is_exiting(pid_t pid)
{
    char path[64], text[512], *at;
    unsigned flags = 0;
    autofd int fd = -1;
    ssize_t n;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return true;
    text[n] = '\0';
    at = strrchr(text, ')'); /* the name before it may hold anything */
    return !at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || (flags & PROCESS_EXITING);
}

bool box_alive(const struct box *box)
{
    if (!box->sandbox.namespaces && home_is_closed(box->sandbox.workspace))
        return false; /* its guard is at its end, which takes as long as there are files */
    return box->generation == box->all->generation && box->all->running &&
           syscall(SYS_pidfd_send_signal, box->sandbox.pidfd, 0, NULL, 0) == 0 && !is_exiting(box->sandbox.pid);
}

uint64_t box_memory_kills(const struct box *box)
{
    struct cgroup_usage usage;

    if (!box->all->level.memory || cgroup_usage(&box->all->builder.cgroups, box->sandbox.group, &usage, NULL) < 0)
        return 0;
    return usage.memory_kills;
}

bool box_plain(const struct box *box)
{
    return !box->sandbox.namespaces;
}

int box_mount(struct box *box, const char *directory, box_mounted_cb done, void *data, struct err *e)
{
    struct boxes *all = box->all;

    if (box_plain(box))
        return err_set(e, ENOTSUP, "nothing can be mounted without namespaces");
    if (!box_alive(box))
        return err_set(e, ECHILD, "the sandbox has ended");
    if (builder_ask_mount(&all->builder, box->sandbox.id, directory, SANDBOX_PACKAGES, e) < 0)
        return -e->code;
    box_mounts_add(&all->mounts, box->sandbox.id, box, done, data);
    return 0;
}

void box_end(struct box *box)
{
    if (!box)
        return;
    box_mounts_forget(&box->all->mounts, box);
    /* Nobody ends it who is asked for that. A guard has noticed, and must not be stopped in its work. */
    if ((box->generation != box->all->generation || !box->all->running) && box->sandbox.namespaces)
        (void)syscall(SYS_pidfd_send_signal, box->sandbox.pidfd, SIGKILL, NULL, 0);
    sandbox_end(&box->all->builder, &box->sandbox);
    free(box->workspace);
    free(box);
}

/* ---- the start ---- */

int boxes_new(const struct boxes_config *config, struct boxes **ret, struct err *e)
{
    struct boxes *all = xnew(struct boxes);

    all->config = *config;
    all->builder = (struct builder)BUILDER_INIT;
    all->last = &all->ready;
    all->mounts.loop = config->loop;
    all->environment = boxes_make_environment(config->isolation);
    if (boxes_start(all, e) < 0) {
        stop_builder(all);
        box_mounts_free(&all->mounts);
        buf_fini(&all->entering);
        boxes_free_environment(all->environment);
        free(all);
        return -e->code;
    }
    log_info("isolation: %s%s, memory limited by %s", all->level.name, all->level.landlock ? "" : ", without Landlock",
             all->level.memory ? "session" : "process");
    *ret = all;
    return 0;
}

void boxes_show_packages(struct boxes *all, const char *directory)
{
    if (all->plain && !all->packages)
        all->packages = xstrdup(directory);
}

int boxes_set_interpreter(struct boxes *all, const struct interpreter *python, struct err *e)
{
    struct plan plan = PLAN_INIT;
    int r;

    if (all->has_plan)
        return 0;
    r = boxes_make_plan(all->config.isolation, all->level.tier, python, all->packages, &plan, e);
    if (r < 0)
        return r;
    if (all->plain) { /* what can be read is not the plan's alone */
        buf_clear(&all->entering);
        r = boxes_make_entering(all->config.isolation, &all->level, &plan, &all->entering, e);
    }
    if (r < 0) {
        plan_fini(&plan);
        return r;
    }
    all->plan = plan;
    all->has_plan = true;
    ask(all);
    return 0;
}

const struct isolation_level *boxes_level(const struct boxes *all)
{
    return &all->level;
}

uint64_t boxes_memory(const struct boxes *all)
{
    uint64_t set = all->config.isolation->limits.memory_bytes;

    return set ? set : LIMIT_BOX_MEMORY;
}

const struct buf *boxes_entering(const struct boxes *all)
{
    return &all->entering;
}

unsigned boxes_generation(const struct boxes *all)
{
    return all->generation;
}

int boxes_userns(const struct boxes *all)
{
    return all->builder.userns;
}

char *const *boxes_environment(const struct boxes *all)
{
    return all->environment;
}

void boxes_free(struct boxes *all)
{
    if (!all)
        return;
    stop_builder(all);
    box_mounts_free(&all->mounts);
    plan_fini(&all->plan);
    buf_fini(&all->entering);
    boxes_free_environment(all->environment);
    free(all->error);
    free(all->packages);
    free(all);
}
