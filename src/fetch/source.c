/* A source distribution, found and downloaded in the fetch sandbox; here it is only copied, hashed and named. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "fetch/build.h"
#include "fetch/process.h"
#include "packages/explain.h"
#include "packages/installer.h"
#include "packages/pipconf.h"
#include "packages/requirement.h"
#include "store/store.h"

#define SOURCE_BYTES (1024 * MIB)
#define HINTS_MAX 40
#define HINT_BYTES 120
#define NOWHERE "/nonexistent" /* for the working directory, whose files do not count */

void source_fini(struct source *s)
{
    free(s->name);
    free(s->version);
    free(s->filename);
    free(s->sha256);
    free(s->path);
}

/* ---- the job ---- */

/* The indexes as uv's variables name them: pip's own settings are in files that only C reads. */
static void add_settings(const struct process *p, struct buf *job)
{
    static const char *const wanted[] = {
        "UV_DEFAULT_INDEX=", "UV_INDEX_URL=",  "UV_INDEX=",          "UV_EXTRA_INDEX_URL=",
        "UV_FIND_LINKS=",    "UV_CONSTRAINT=", "UV_INDEX_STRATEGY=", "UV_INSECURE_HOST="};
    autowords struct words all = {NULL, 0}, env = {NULL, 0};
    bool no_index;

    installer_env(NOWHERE, p->base.prefix, false, &all, NULL);
    for (size_t i = 0; i < all.n; i++)
        if (p->uv || strncmp(all.items[i], "UV_", 3) != 0)
            words_add(&env, all.items[i]);
    no_index = pipconf_for_uv(&env, NOWHERE, p->base.prefix);
    for (size_t i = 0; i < env.n; i++)
        for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++)
            if (strncmp(env.items[i], wanted[k], strlen(wanted[k])) == 0) {
                autofree char *line = xstrdup(env.items[i]);

                for (char *c = line; *c; c++)
                    if (*c == '\n' || *c == '\r')
                        *c = ' ';
                (void)buf_printf(job, "set %s\n", line);
            }
    if (no_index && !p->settings.no_index) /* which tool_run tells itself */
        (void)buf_puts(job, "no-index 1\n");
}

/* The comparisons behind a name, such as ">=1,<2"; "" for none. */
static void read_comparisons(const char *at, char ret[HINT_BYTES])
{
    size_t n = 0;

    for (; *at && n + 1 < HINT_BYTES && (isalnum((unsigned char)*at) || strchr("<>=!~.,*+_-", *at)); at++)
        ret[n++] = *at;
    while (n && strchr(",.", ret[n - 1])) /* of the sentence */
        n--;
    ret[n] = '\0';
}

static bool ends_with(const char *text, const char *end, const char *what)
{
    size_t size = strlen(what);

    return (size_t)(end - text) >= size && strncmp(end - size, what, size) == 0;
}

/*
 * Which versions others want, as uv and pip say it: "x==1.0 depends on NAME<2", "NAME==1.0 has no usable wheels", "the
 * requirement NAME<2 (from x)".
 */
static void add_hints(const char *said, const char *name, struct buf *job)
{
    static const char *const before[] = {"depends on ", "require ", "requirement ", "found for ", " and ", NULL};
    size_t size = strlen(name), found = 0;

    for (const char *at = said; *at && found < HINTS_MAX; at++) {
        char hint[HINT_BYTES];
        const char *after;
        size_t n = 0;
        bool counts;

        if (at > said && (isalnum((unsigned char)at[-1]) || strchr("-_.", at[-1])))
            continue;
        while (n < size &&
               (tolower((unsigned char)at[n]) == name[n] || (name[n] == '-' && at[n] && strchr("_.", at[n]))))
            n++;
        if (n < size || !at[n] || !strchr("<>=!~", at[n]))
            continue;
        read_comparisons(at + n, hint);
        after = at + n + strlen(hint);
        counts = strncmp(after, " has no usable wheels", 21) == 0;
        for (size_t i = 0; before[i] && !counts; i++)
            counts = ends_with(said, at, before[i]);
        if (!counts || !*hint)
            continue;
        (void)buf_printf(job, "hint %s\n", hint);
        found++;
    }
}

static void add_question(const struct process *p, const char *name, const char *const *specs, size_t n,
                         const struct explain *said, struct buf *job)
{
    struct requirement parsed;

    for (size_t i = 0; i < n; i++)
        if (requirement_parse(specs[i], &parsed, NULL) == 0 && strcmp(parsed.name, name) == 0 && !parsed.has_url)
            (void)buf_printf(job, "spec %s\n", specs[i]);
    if (said->section)
        add_hints(said->section, name, job);
    for (size_t i = 0; i < p->builds->n; i++)
        if (p->builds->items[i].set && strcmp(p->builds->items[i].name, name) == 0)
            (void)buf_printf(job, "exclude %s\n", p->builds->items[i].version);
}

/* ---- what came ---- */

static int copy_file(int from, int to, char ret_hash[SHA256_HEX])
{
    unsigned char hash[SHA256_BYTES];
    char block[65536];
    struct sha256 h;
    uint64_t all = 0;
    ssize_t n;
    int r = 0;

    sha256_init(&h);
    while ((n = read(from, block, sizeof block)) > 0 && r == 0) {
        all += (uint64_t)n;
        sha256_add(&h, block, (size_t)n);
        r = all > SOURCE_BYTES ? -EFBIG : fd_write_all(to, block, (size_t)n);
    }
    sha256_end(&h, hash);
    sha256_hex(hash, ret_hash);
    return n < 0 ? -errno : r;
}

/* Out of the directory that a sandbox has written to, to one that none can write to. */
static int take_file(struct process *p, struct source *s, struct err *e)
{
    autofd int out = open(store_work_out(p->work), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    autofd int from = out < 0 ? -1 : openat(out, "sdist", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), to = -1;
    char hash[SHA256_HEX];
    struct stat st;
    int r;

    if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(e, EBADMSG, "what was downloaded is no file");
    s->path = xasprintf("%s/sdist-%zu", store_work_dir(p->work), p->builds->n_files++);
    to = open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (to < 0 || fchmod(to, 0444) < 0)
        return err_errno(e, "create %s", s->path);
    r = copy_file(from, to, hash);
    if (r < 0)
        return err_set(e, -r, "copy %s: %s", s->filename, strerror(-r));
    s->sha256 = xstrdup(hash);
    return 0;
}

/* A file's name that can be an argument and a part of a message. */
static bool is_file_name(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._+!~-", *c))
            return false;
    return isalnum((unsigned char)*text) && strlen(text) < 250;
}

/* "name\tversion\tfile name\tsha256"; the first and the last are known, or found out, here. */
static bool read_answer(char *line, const char *name, struct source *ret)
{
    char *save = NULL, *fields[4];

    line[strcspn(line, "\n")] = '\0';
    for (size_t i = 0; i < 4; i++)
        if (!(fields[i] = strtok_r(i ? NULL : line, "\t", &save)))
            return false;
    if (strcmp(fields[0], name) != 0 || !is_file_name(fields[2]) ||
        (strcmp(fields[1], "-") != 0 && !is_file_name(fields[1])))
        return false;
    ret->name = xstrdup(name);
    ret->version = xstrdup(fields[1]);
    ret->filename = xstrdup(fields[2]);
    return true;
}

static int understand_failure(struct process *p, const char *name, bool asks_index, const struct buf *output,
                              struct explain *why)
{
    autofree char *text = tool_file(p, "failed");
    struct lock_failure f;
    int r = -EIO;

    if (!text || lock_parse_failed(text, &f, 1) != 1) {
        autofree char *tail = explain_tail(buf_begin(output), output->len, 5);

        process_fail(p, "fetching the source of %s failed%s%s", name, *tail ? ":\n" : "", tail);
        return -EIO;
    }
    if (strcmp(f.kind, "no-source") == 0) {
        r = -ENOENT;
        explain_of_kind(EXPLAIN_PLATFORM, name, f.reason, why);
    } else {
        gather_understand(&f, why);
        if (asks_index && explain_is_global(why->kind))
            process_fail(p, "%s: %s", name, why->reason);
    }
    free(f.key);
    free(f.kind);
    free(f.reason);
    return r;
}

int source_find(struct process *p, const char *name, const char *url, const char *const *specs, size_t n,
                const struct explain *said, struct source *ret, struct explain *why)
{
    autobuf struct buf job = BUF_INIT, output = BUF_INIT;
    autofree char *answer = NULL;
    struct err e = ERR_INIT;
    int status = 0;

    (void)buf_printf(&job, "source %s\nmax-wheel-bytes %llu\n", name, (unsigned long long)SOURCE_BYTES);
    if (url)
        (void)buf_printf(&job, "url %s\n", url);
    else
        add_question(p, name, specs, n, said, &job);
    add_settings(p, &job);
    gather_add_folders(p, &job);
    if (tool_run(p, "source", buf_str(&job), &output, &status, &e) < 0 || status < 0) {
        process_fail(p, "%s", e.text);
        return -EIO;
    }
    answer = status == 0 ? tool_file(p, "source") : NULL;
    if (!answer)
        return understand_failure(p, name, !url, &output, why);
    if (!read_answer(answer, name, ret) || take_file(p, ret, &e) < 0) {
        explain_of_kind(EXPLAIN_BAD_FILE, name, e.code ? e.text : "its name is malformed", why);
        return -EBADMSG;
    }
    return 0;
}
