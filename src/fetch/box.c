#include "fetch/box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"
#include "sandbox/run.h"
#include "sandbox/syscalls.h"

#define FETCH_MEMORY (2048 * MIB)
#define BUILD_MEMORY (4096 * MIB) /* with namespaces its files too, which are in memory */
#define PROCESSES 256
#define TMP_BYTES (64 * MIB)     /* TMPDIR is in the store: what is large goes there */
#define BUILD_BYTES (3072 * MIB) /* a source, a copy of it, a second one, a wheel of that */
#define FILE_BYTES (4096 * MIB)
#define OUTPUT_KEPT (512 * KIB)
#define LINE_BYTES 1000
#define END_WAIT_MS 15000
#define USER_WAIT_MS 10000

/* ---- the builder ---- */

static int open_builder(struct box *box, struct err *e)
{
    int r = box->tier == TIER_LANDLOCK ? builder_start_plain(&box->builder, e) : builder_start(&box->builder, e);

    if (r < 0)
        return r;
    box->running = true;
    return 0;
}

static int need_filter(struct box *box, enum box_kind kind, struct err *e)
{
    struct buf *filter = &box->filters[kind];

    if (filter->len)
        return 0;
    if (box->tier != TIER_LANDLOCK)
        return filter_compile(filter, e);
    return filter_compile_for(SYSCALLS_SHARED | (kind == BOX_BUILD ? SYSCALLS_OFFLINE : 0), filter, e);
}

int box_open(struct box *box, struct err *e)
{
    struct err first = ERR_INIT;

    *box = (struct box)BOX_INIT;
    if (open_builder(box, &first) == 0)
        return 0;
    box->tier = TIER_LANDLOCK;
    if (open_builder(box, NULL) == 0)
        return 0;
    return err_set(e, first.code, "%s", first.text);
}

void box_close(struct box *box)
{
    if (box->running)
        builder_stop(&box->builder);
    box->running = false;
    for (size_t i = 0; i < BOX_KINDS; i++)
        buf_fini(&box->filters[i]);
}

/* ---- one sandbox ---- */

static uint64_t memory_of(const struct box_run *run)
{
    return run->kind == BOX_FETCH ? FETCH_MEMORY : BUILD_MEMORY;
}

static int make_plan(const struct box *box, const struct box_run *run, struct plan *ret, struct err *e)
{
    autofree struct sandbox_mount *mounts = xnew_n(struct sandbox_mount, run->n_mounts + 1);
    struct sandbox_config config = {
        .mounts = mounts,
        .tmp_bytes = TMP_BYTES,
        .shm_bytes = TMP_BYTES,
        .workspace_bytes = run->kind == BOX_FETCH ? TMP_BYTES : BUILD_BYTES,
        .memory_bytes = memory_of(run),
        .processes = PROCESSES,
        .network = run->kind == BOX_BUILD ? NETWORK_NONE : NETWORK_HOST,
        .tier = box->tier,
    };
    int r;

    for (size_t i = 0; i < run->n_mounts; i++) {
        struct sandbox_mount *mount = &mounts[config.n_mounts];

        *mount = run->mounts[i];
        /* Without namespaces a link leads to where it always did; and what is to be written to is for Landlock only
         * (run_in), because it is the sandbox's own once it is known which user that has (prepare). */
        if (box->tier == TIER_LANDLOCK)
            mount->target = mount->source;
        if (box->tier != TIER_LANDLOCK || !mount->writable)
            config.n_mounts++;
    }
    r = plan_make(&config, ret, e);
    if (r == 0 && box->tier != TIER_LANDLOCK && config.network == NETWORK_HOST)
        plan_use_host_names(ret);
    return r;
}

static int make_one(struct box *box, const struct box_run *run, struct plan *plan, struct sandbox *ret, struct err *e)
{
    int r = make_plan(box, run, plan, e);

    return r < 0 ? r : builder_make(&box->builder, plan, ret, e);
}

/* On the level that this machine grants: if one fails, the next. */
static int make_on_some_level(struct box *box, const struct box_run *run, struct plan *plan, struct sandbox *ret,
                              struct err *e)
{
    struct err first = ERR_INIT, later = ERR_INIT;

    if (make_one(box, run, plan, ret, &first) == 0)
        return 0;
    plan_fini(plan);
    if (box->tier == TIER_FULL) {
        box->tier = TIER_NO_PROC;
        if (make_one(box, run, plan, ret, &later) == 0)
            return 0;
        plan_fini(plan);
    }
    if (box->tier != TIER_LANDLOCK) {
        box_close(box);
        box->tier = TIER_LANDLOCK;
        if (open_builder(box, &later) == 0 && make_one(box, run, plan, ret, &later) == 0)
            return 0;
        plan_fini(plan);
    }
    return err_set(e, first.code ? first.code : EIO, "%s", first.text);
}

/*
 * Code of packages has another user than who fetches, for whom there are files. As long as the first user is taken
 * another one is given out.
 */
static int make_for_building(struct box *box, const struct box_run *run, struct plan *plan, struct sandbox *ret,
                             struct err *e)
{
    struct sandbox first;
    int r = make_on_some_level(box, run, plan, ret, e);

    if (r < 0 || box->builder.uid_pool == 0 || !box->has_user || ret->uid != box->user)
        return r;
    first = *ret;
    plan_fini(plan);
    r = make_one(box, run, plan, ret, e);
    sandbox_end(&box->builder, &first);
    return r;
}

/*
 * Its user is that of the first one: what an earlier run left is its own, and so is the cache. Users are given out in
 * order, and that of the one before is free again in a moment.
 */
static int make_for_fetching(struct box *box, const struct box_run *run, struct plan *plan, struct sandbox *ret,
                             struct err *e)
{
    int64_t until = clock_ms() + USER_WAIT_MS;

    for (;;) {
        if (make_on_some_level(box, run, plan, ret, e) < 0)
            return -e->code;
        if (!box->has_user || ret->uid == box->user)
            break;
        sandbox_end(&box->builder, ret);
        plan_fini(plan);
        if (clock_ms() > until)
            return err_set(e, EBUSY, "the sandbox that fetches packages did not end in time");
        (void)poll(NULL, 0, 3);
    }
    box->user = ret->uid;
    box->has_user = true;
    return 0;
}

/* Gone is it when its first process is: the kernel ends that one last (pid_namespaces(7)), and so does a guard. */
static int end_sandbox(struct box *box, struct sandbox *s, struct err *e)
{
    autofd int watch = fcntl(s->pidfd, F_DUPFD_CLOEXEC, 3);
    int64_t until = clock_ms() + END_WAIT_MS;
    struct pollfd gone = {watch, POLLIN, 0};
    int r = 0;

    if (watch < 0)
        return err_errno(e, "fcntl");
    sandbox_end(&box->builder, s);
    do
        r = poll(&gone, 1, (int)(until - clock_ms() > 0 ? until - clock_ms() : 0));
    while (r < 0 && errno == EINTR);
    return r > 0 ? 0 : err_set(e, ETIMEDOUT, "the sandbox that fetches packages does not end");
}

/* ---- its output ---- */

struct output {
    const struct box_run *run;
    struct buf *all;
    char line[LINE_BYTES + 1];
    size_t size;
};

static void take_output(struct output *o, const char *data, size_t size)
{
    if (o->all->len + size > OUTPUT_KEPT) /* the end is what explains a failure */
        buf_consume(o->all, o->all->len / 2);
    (void)buf_append(o->all, data, size);
    for (size_t i = 0; i < size; i++) {
        if (data[i] != '\n' && data[i] != '\r') {
            if (data[i] && o->size < LINE_BYTES)
                o->line[o->size++] = data[i];
            continue;
        }
        o->line[o->size] = '\0';
        if (o->size && o->run->line)
            o->run->line(o->run->data, o->line);
        o->size = 0;
    }
}

/* False at its end. */
static bool read_output(struct output *o, int fd)
{
    char chunk[16384];
    ssize_t n = read(fd, chunk, sizeof chunk);

    if (n > 0)
        take_output(o, chunk, (size_t)n);
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* Until the program itself ends; what it left behind may hold the pipe open and does not count. */
static void follow(struct output *o, int pipe, int report)
{
    struct pollfd both[2] = {{report, POLLIN, 0}, {pipe, POLLIN, 0}};

    while (both[0].revents == 0) {
        if (poll(both, 2, -1) < 0 && errno != EINTR)
            break;
        if (both[1].revents && !read_output(o, pipe))
            both[1].fd = -1;
    }
    for (int i = 0; i < 64 && poll(&both[1], 1, 0) > 0 && read_output(o, pipe); i++)
        ;
}

/* ---- the whole ---- */

static int run_in(const struct box *box, const struct sandbox *s, const struct plan *plan, const struct box_run *run,
                  struct output *o, int *ret_status, struct err *e)
{
    const struct enter_limit limits[] = {
        {RLIMIT_CORE, 0},
        {RLIMIT_NPROC, PROCESSES},
        {RLIMIT_NOFILE, 4096},
        {RLIMIT_FSIZE, FILE_BYTES},
        {RLIMIT_MEMLOCK, 64 * KIB},
        {RLIMIT_MSGQUEUE, 0},
        {RLIMIT_DATA, memory_of(run)},
        {RLIMIT_NICE, 0},
        {RLIMIT_RTPRIO, 0},
        {RLIMIT_SIGPENDING, 1024},
    };
    const char *readable[PLAN_TARGETS_MAX];
    autofree const char **writable = xnew_n(const char *, run->n_mounts + 1);
    autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC), in = -1, out = -1;
    struct run_config config = {
        .enter = {.limits = limits,
                  .n_limits = sizeof limits / sizeof *limits,
                  .workdir = run->cwd,
                  .landlock = landlock_abi() >= 2,
                  .writable = writable,
                  .readable = readable,
                  .filter = buf_begin(&box->filters[run->kind]),
                  .filter_size = box->filters[run->kind].len},
        .argv = run->argv,
        .environment = run->environment,
    };
    struct run started;
    int ends[2], r = fd_pipe(ends);

    if (r < 0 || null < 0)
        return err_set(e, r < 0 ? -r : errno, "a pipe for the sandbox that fetches packages");
    in = ends[0];
    out = ends[1];
    config.in = null;
    config.out = out;
    for (size_t i = 0; i < run->n_mounts; i++)
        if (run->mounts[i].writable)
            writable[config.enter.n_writable++] = s->namespaces ? run->mounts[i].target : run->mounts[i].source;
    if (!s->namespaces)
        config.enter.n_readable = plan_targets(plan, STEP_READABLE, readable, PLAN_TARGETS_MAX);
    r = run_start(&box->builder, s, &config, &started, e);
    if (r < 0)
        return r;
    fd_close(&out);
    follow(o, in, started.report);
    return run_wait(&started, ret_status, e);
}

int box_run(struct box *box, const struct box_run *run, struct buf *ret_output, int *ret_status, struct err *e)
{
    autoplan struct plan plan = PLAN_INIT;
    struct output o = {.run = run, .all = ret_output};
    struct sandbox s = SANDBOX_INIT;
    struct cgroup_usage usage = {0};
    struct err ending = ERR_INIT;
    bool own;
    int r;

    r = run->kind == BOX_FETCH ? make_for_fetching(box, run, &plan, &s, e) : make_for_building(box, run, &plan, &s, e);
    if (r < 0)
        return r;
    own = s.namespaces && box->builder.uid_pool == 0; /* the user inside is the caller */
    r = need_filter(box, run->kind, e);               /* by the level that the sandbox has */
    if (r == 0 && run->prepare)
        r = run->prepare(run->data, own ? (uid_t)-1 : s.uid, e);
    if (r == 0)
        r = run_in(box, &s, &plan, run, &o, ret_status, e);
    if (r == 0 && *ret_status == 0 && run->take)
        r = run->take(run->data, s.workspace, e);
    if (box->builder.cgroups.version)
        (void)cgroup_usage(&box->builder.cgroups, s.group, &usage, NULL);
    if (usage.memory_kills && (r < 0 || *ret_status != 0))
        r = err_set(e, ENOMEM, "%s takes more memory than the %zu MiB that it may use",
                    run->kind == BOX_FETCH ? "fetching" : "building", (size_t)(memory_of(run) / MIB));
    if (end_sandbox(box, &s, &ending) < 0 && r == 0)
        r = err_set(e, ending.code, "%s", ending.text);
    return r;
}
