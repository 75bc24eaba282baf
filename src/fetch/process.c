#include "fetch/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "fetch/reply.h"
#include "packages/explain.h"
#include "packages/requirement.h"
#include "store/store.h"

#define JOB_MAX (8 * MIB)
#define LINE_SHOWN 160

void process_fail(struct process *p, const char *format, ...)
{
    autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    if (!p->error)
        p->error = explain_clean(text, strlen(text));
}

int process_fail_offline(struct process *p, const char *package)
{
    autobuf struct buf asked = BUF_INIT;

    for (size_t i = 0; i < p->n; i++)
        if (p->attempted[i])
            (void)buf_printf(&asked, "%s%s", asked.len ? ", " : "", p->requests[i].spec);
    if (*package)
        process_fail(p, "no %s that would do is in the package store, and the server works offline (--offline)",
                     package);
    else
        process_fail(p,
                     "not all that is needed for %s is in the package store, and the server works offline (--offline)",
                     buf_str(&asked));
    return -EIO;
}

void process_say(const char *line)
{
    autofree char *clean = explain_clean(line, strlen(line));
    char shown[LINE_SHOWN + 1];
    size_t size;

    requirement_show(clean + strspn(clean, " \n"), shown, sizeof shown - 1);
    size = strlen(shown);
    shown[size++] = '\n';
    if (size > 1)
        (void)fd_write_all(STDOUT_FILENO, shown, size);
}

void process_add_hashes(const struct process *p, struct buf *job)
{
    for (size_t i = 0; i < p->hashes.n; i++)
        (void)buf_printf(job, "hash %s\n", p->hashes.items[i]);
}

/* ---- the job ---- */

static int read_job(struct record *ret)
{
    autofree char *text = NULL;
    struct stat st;

    if (fstat(FETCH_FD, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)JOB_MAX)
        return -EBADMSG;
    text = xnew_n(char, (size_t)st.st_size + 1);
    if (pread(FETCH_FD, text, (size_t)st.st_size, 0) != st.st_size)
        return -EIO;
    return record_parse(text, (size_t)st.st_size, ret);
}

static const char *need(struct process *p, const char *key)
{
    const char *value = record_value(&p->job, key);

    if (!value)
        process_fail(p, "the job of the process that fetches packages lacks %s", key);
    return value ? value : "";
}

static void take_requests(struct process *p)
{
    bool of_file = record_value(&p->job, "of-file") != NULL;

    p->requests = xnew_n(struct request, p->job.n + 1);
    for (size_t i = 0; i < p->job.n; i++) {
        const char *spec = p->job.entries[i].value;
        struct request *q = &p->requests[p->n];
        struct requirement parsed;
        struct err e = ERR_INIT;

        if (strcmp(p->job.entries[i].key, "hash") == 0)
            words_add(&p->hashes, spec);
        if (strcmp(p->job.entries[i].key, "spec") != 0)
            continue;
        if (requirement_parse(spec, &parsed, &e) < 0) {
            process_fail(p, "%s", e.text);
            continue;
        }
        q->spec = xstrdup(spec);
        q->key = xstrdup(parsed.name);
        q->bare = !parsed.has_extras && !parsed.has_version && !parsed.has_url && !parsed.has_marker;
        q->has_marker = parsed.has_marker;
        q->of_file = of_file;
        p->n++;
    }
    p->attempted = xnew_n(bool, p->n + 1);
    p->there = xnew_n(bool, p->n + 1);
}

static void take_job(struct process *p)
{
    const char *uv = record_value(&p->job, "uv"), *builds = record_value(&p->job, "builds");
    int major = 0, minor = 0;

    p->base.executable = need(p, "executable");
    p->base.version = need(p, "version");
    p->base.prefix = need(p, "prefix");
    p->base.base_prefix = need(p, "base-prefix");
    p->base.sites = need(p, "sites");
    p->key = need(p, "key");
    p->layer_id = record_value(&p->job, "layer");
    p->uv = uv && *uv ? uv : NULL;
    p->offline = record_value(&p->job, "offline") != NULL;
    p->builds_allowed = builds ? (enum fetch_builds)atoi(builds) : BUILDS_NONE;
    if (sscanf(p->base.version, "%d.%d", &major, &minor) != 2)
        process_fail(p, "%s is no version of Python", p->base.version);
    p->cache_tag = xasprintf("cpython-%d%d", major, minor);
    p->lib = xasprintf("lib/python%d.%d/site-packages", major, minor);
    take_requests(p);
    if (p->hashes.n) /* of what would be built nobody could have given one */
        p->builds_allowed = BUILDS_NONE;
    for (const char *at = p->base.sites; *at; at += strcspn(at, ":"), at += *at == ':') {
        autofree char *site = xstrndup(at, strcspn(at, ":"));

        site_add(&p->site, site, false);
    }
    site_seal(&p->site);
}

/* compose.c wrote it. */
static void read_layer(struct process *p)
{
    autorecord struct record info = RECORD_INIT;
    const char *text = store_set_info(p->layer);

    if (record_parse(text, strlen(text), &info) < 0) {
        process_fail(p, "the packages of this session cannot be read: restart it");
        return;
    }
    for (size_t i = 0; i + 2 < info.n; i += 3)
        if (wheel_id_check(info.entries[i].value, p->cache_tag) == 0)
            wheels_put(&p->has, info.entries[i + 1].value, info.entries[i + 2].value, info.entries[i].value, NULL);
}

/* ---- the work ---- */

static int open_all(struct process *p, struct err *e)
{
    unsigned long long bytes = strtoull(need(p, "store-bytes"), NULL, 10);

    if (store_open(need(p, "store"), bytes, &p->store, e) < 0)
        return -e->code;
    if (p->layer_id && store_set_open(p->store, p->layer_id, &p->layer, e) < 0)
        return -e->code;
    if (p->layer)
        read_layer(p);
    if (store_work_begin(p->store, &p->work, e) < 0)
        return -e->code;
    return tool_open(p, e);
}

/* Again at once only what is whole: who asks again after a failure wants another attempt. */
static void keep_answer(struct process *p, const struct reply *a)
{
    autobuf struct buf text = BUF_INIT;
    struct err e = ERR_INIT;

    if (!a->ok || !a->set)
        return;
    reply_write(a, &text);
    (void)store_answer_put(p->store, p->key, a->set, buf_str(&text), &e); /* else the next one asks the index */
}

static void close_all(struct process *p)
{
    builds_close(p->builds);
    tool_close(p);
    store_work_end(p->work);
    if (p->store)
        (void)store_collect(p->store);
    store_set_close(p->layer);
    store_close(p->store);
}

static int write_result(const struct reply *a)
{
    autobuf struct buf text = BUF_INIT;

    reply_write(a, &text);
    if (ftruncate(FETCH_FD, 0) < 0 || lseek(FETCH_FD, 0, SEEK_SET) < 0)
        return -errno;
    return fd_write_all(FETCH_FD, buf_begin(&text), text.len);
}

/* Nothing is freed that lives as long as the process. */
static int run(void)
{
    static struct box box = BOX_INIT;
    static struct builds builds;
    static struct process p = {.box = &box, .builds = &builds};
    struct reply reply;
    struct err e = ERR_INIT;

    if (read_job(&p.job) < 0)
        return 2;
    take_job(&p);
    if (!p.error && open_all(&p, &e) < 0)
        process_fail(&p, "%s", e.text);
    process_say("looking for versions that fit");
    if (!p.error)
        resolve_all(&p);
    if (!p.error)
        gather_all(&p);
    compose(&p, &reply);
    keep_answer(&p, &reply);
    if (write_result(&reply) < 0)
        return 1;
    close_all(&p);
    reply_fini(&reply);
    return 0;
}

void fetch_hook(int argc, char **argv)
{
    pid_t parent = getppid();

    if (argc != 1 || strcmp(argv[0], FETCH_ARGV0) != 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* and the builder ends with this process */
    (void)prctl(PR_SET_NAME, "cellblock-fetch");
    if (getppid() != parent || fd_set_cloexec(FETCH_FD, true) < 0 || fd_set_cloexec(FETCH_HOLD_FD, true) < 0)
        exit(2);
    (void)signal(SIGPIPE, SIG_IGN);
    exit(run());
}
