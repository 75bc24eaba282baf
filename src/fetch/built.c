/*
 * Wheels that were built, as the store keeps them: one that has nothing but the wheel as a file, and a set of it. So
 * they are hashed, counted, locked and thrown away as all else there.
 */
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
#include "fetch/key.h"
#include "fetch/process.h"
#include "store/file.h"
#include "store/store.h"

/* ---- the questions ---- */

static void add_python(const struct process *p, struct buf *key)
{
    (void)buf_printf(key, "python %s %s %s\nbuilds %d\n", p->base.version, p->base.base_prefix, p->cache_tag,
                     (int)p->builds_allowed);
}

static void question_of_source(const struct process *p, const char *sha256, struct buf *key)
{
    (void)buf_puts(key, "the wheel built of a source\n");
    add_python(p, key);
    (void)buf_printf(key, "%s\n", sha256);
}

static void question_of_spec(const struct process *p, const char *name, const char *spec, struct buf *key)
{
    autofree char *written = spec ? key_of_spec(spec) : xstrdup(name);

    (void)buf_puts(key, "the wheel built for a requirement\n");
    add_python(p, key);
    settings_describe(p->base.prefix, p->uv != NULL, key);
    (void)buf_printf(key, "%s\n%s\n", name, written);
}

/* ---- finding ---- */

static bool take_info(struct store_set *set, const char *sha256, struct built *ret)
{
    autorecord struct record info = RECORD_INIT;
    const char *name, *version, *source, *filename;

    if (record_parse(store_set_info(set), strlen(store_set_info(set)), &info) < 0)
        return false;
    name = record_value(&info, "built");
    version = record_value(&info, "version");
    source = record_value(&info, "source");
    filename = record_value(&info, "file");
    if (!name || !version || !source || !filename || (sha256 && strcmp(source, sha256) != 0))
        return false;
    *ret = (struct built){
        .name = xstrdup(name),
        .version = xstrdup(version),
        .filename = xstrdup(filename),
        .set = set,
        .source = xstrdup(source),
    };
    return true;
}

static bool find(struct process *p, struct buf *key, const char *sha256, struct built *ret)
{
    autofree char *text = NULL;
    struct store_set *set = NULL;
    char id[STORE_ID_MAX];

    if (store_answer_find(p->store, buf_str(key), -1, &text, id) != 1 || store_set_open(p->store, id, &set, NULL) < 0)
        return false;
    if (store_set_check(set, NULL) < 0) {
        store_set_discard(p->store, set);
        return false;
    }
    if (take_info(set, sha256, ret))
        return true;
    store_set_close(set);
    return false;
}

bool built_find(struct process *p, const char *sha256, struct built *ret)
{
    autobuf struct buf key = BUF_INIT;

    question_of_source(p, sha256, &key);
    return find(p, &key, sha256, ret);
}

bool built_recall(struct process *p, const char *name, const char *spec, struct built *ret)
{
    autobuf struct buf key = BUF_INIT;

    question_of_spec(p, name, spec, &key);
    return find(p, &key, NULL, ret);
}

void built_remember(struct process *p, const char *name, const char *spec, const struct built *b)
{
    autobuf struct buf key = BUF_INIT;

    question_of_spec(p, name, spec, &key);
    (void)store_answer_put(p->store, buf_str(&key), store_set_id(b->set), b->version, NULL);
}

/* ---- keeping ---- */

/* <out>/<id>/ with tree/ and manifest, as store_publish_wheel takes it; the file is moved there. */
static int lay_out(struct store_work *w, const char *id, const char *wheel, const char *filename, const char *hash,
                   uint64_t size, struct err *e)
{
    autofree char *tree = xasprintf("%s/%s/tree", store_work_out(w), id);
    autofree char *manifest = xasprintf("%s/%s/manifest", store_work_out(w), id);
    autofree char *to = xasprintf("%s/%s", tree, filename), *top = xasprintf("%s/%s", store_work_out(w), id);
    autofree char *line = xasprintf("%s %llu - %s\n", hash, (unsigned long long)size, filename);
    autofd int fd = -1;

    if (mkdir(top, 0700) < 0 || mkdir(tree, 0700) < 0 || rename(wheel, to) < 0)
        return err_errno(e, "prepare %s", top);
    fd = open(manifest, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || fd_write_all(fd, line, strlen(line)) < 0)
        return err_errno(e, "write %s", manifest);
    return 0;
}

static int make_set(struct process *p, struct store_work *w, const char *id, const char *info, struct store_set **ret,
                    struct err *e)
{
    const struct store_set_make make = {&id, 1, NULL, 0, info};
    autobuf struct buf overlaps = BUF_INIT;
    autofree char *damaged = NULL;
    int r = store_publish_wheel(p->store, w, id, e);

    return r < 0 ? r : store_make_set(p->store, w, &make, ret, &overlaps, &damaged, e);
}

/* "toy_x-1.0-py3-none-any.whl": its second part. */
static char *version_of(const char *filename)
{
    const char *version = strchr(filename, '-');

    return version ? xstrndup(version + 1, strcspn(version + 1, "-")) : xstrdup("0");
}

int built_keep(struct process *p, const struct source *s, const char *wheel, struct built *ret, struct err *e)
{
    const char *slash = strrchr(wheel, '/'), *filename = slash ? slash + 1 : wheel;
    autofree char *version = version_of(filename), *id = NULL, *name = xstrdup(filename);
    autobuf struct buf info = BUF_INIT, key = BUF_INIT;
    autofd int fd = open(wheel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct store_work *w = NULL;
    struct store_set *set = NULL;
    unsigned char digest[SHA256_BYTES];
    char hash[SHA256_HEX];
    uint64_t size;
    int r = fd < 0 ? -errno : file_hash(fd, digest, &size);

    if (r < 0)
        return err_set(e, -r, "read %s: %s", wheel, strerror(-r));
    sha256_hex(digest, hash);
    id = xasprintf("%s-built", hash);
    record_add(&info, "built", s->name);
    record_add(&info, "version", version);
    record_add(&info, "file", name);
    record_add(&info, "source", s->sha256);
    r = store_work_begin(p->store, &w, e);
    if (r < 0)
        return r;
    r = lay_out(w, id, wheel, name, hash, size, e);
    if (r == 0)
        r = make_set(p, w, id, buf_str(&info), &set, e);
    store_work_end(w);
    if (r < 0)
        return r;
    question_of_source(p, s->sha256, &key);
    (void)store_answer_put(p->store, buf_str(&key), store_set_id(set), version, NULL); /* else it is built again */
    if (!take_info(set, s->sha256, ret)) {
        store_set_close(set);
        return err_set(e, EIO, "what was built cannot be read");
    }
    return 0;
}
