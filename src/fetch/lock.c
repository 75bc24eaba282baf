#include "fetch/lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "packages/version.h"

#define FIELDS 6
#define NAME_MAX_BYTES 200
#define REASON_MAX_BYTES 2000
#define LINE_MAX_BYTES 8000
#define SHA256_HEX 64

/* ---- lists ---- */

static void free_wheel(struct wheel *w)
{
    free(w->key);
    free(w->version);
    free(w->id);
    free(w->line);
}

void wheels_fini(struct wheels *w)
{
    for (size_t i = 0; i < w->n; i++)
        free_wheel(&w->items[i]);
    free(w->items);
    *w = (struct wheels){NULL, 0};
}

struct wheel *wheels_find(const struct wheels *w, const char *key)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->items[i].key, key) == 0)
            return &w->items[i];
    return NULL;
}

void wheels_put(struct wheels *w, const char *key, const char *version, const char *id, const char *line)
{
    struct wheel made = {xstrdup(key), xstrdup(version), xstrdup(id), xstrdup(line)};
    struct wheel *old = wheels_find(w, key);

    if (old) {
        free_wheel(old);
        *old = made;
        return;
    }
    w->items = xrealloc(w->items, w->n + 1, sizeof *w->items);
    w->items[w->n++] = made;
}

void wheels_drop(struct wheels *w, const char *key)
{
    struct wheel *old = wheels_find(w, key);

    if (!old)
        return;
    free_wheel(old);
    w->n--;
    memmove(old, old + 1, (size_t)(w->items + w->n - old) * sizeof *old);
}

/* ---- checks ---- */

static bool is_hex(const char *text, size_t size)
{
    return strspn(text, "0123456789abcdef") >= size;
}

int wheel_id_check(const char *id, const char *cache_tag)
{
    return strnlen(id, SHA256_HEX + 1) > SHA256_HEX && is_hex(id, SHA256_HEX) && id[SHA256_HEX] == '-' &&
                   strcmp(id + SHA256_HEX + 1, cache_tag) == 0
               ? 0
               : -EBADMSG;
}

/* A name as PEP 503 normalises it, into ret. */
static bool normalise(const char *name, char ret[NAME_MAX_BYTES + 1])
{
    size_t n = 0;

    if (!isalnum((unsigned char)*name))
        return false;
    for (; *name && n < NAME_MAX_BYTES; name++) {
        if (isalnum((unsigned char)*name))
            ret[n++] = (char)tolower((unsigned char)*name);
        else if (!strchr("-_.", *name))
            return false;
        else if (ret[n - 1] != '-')
            ret[n++] = '-';
    }
    ret[n] = '\0';
    return !*name && ret[n - 1] != '-';
}

/* Goes into a line for the other program, and into messages. */
static bool is_plain(const char *text, size_t max)
{
    size_t size = strlen(text);

    if (size == 0 || size > max || !utf8_valid(text, size))
        return false;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

static char *trimmed(char *text)
{
    size_t size;

    text += strspn(text, " ");
    for (size = strlen(text); size && text[size - 1] == ' '; size--)
        text[size - 1] = '\0';
    return text;
}

/* The fields of a line, in place: how many, at most max; more than that is one more. */
static size_t split(char *line, char **fields, size_t max)
{
    size_t n = 0;

    for (char *p = line; p; n++) {
        char *tab = strchr(p, '\t');

        if (tab)
            *tab++ = '\0';
        if (n < max)
            fields[n] = trimmed(p);
        p = tab;
    }
    return n;
}

/* ---- files ---- */

char *lock_read_file(int at, const char *name)
{
    /* Not to be held up by a named pipe, nor led elsewhere by a link. */
    autofd int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    autofree char *text = NULL;
    struct stat st;
    size_t done = 0;
    ssize_t n = 1;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    if (st.st_size > LOCK_FILE_MAX && lseek(fd, st.st_size - LOCK_FILE_MAX, SEEK_SET) < 0)
        return NULL;
    text = xnew_n(char, (size_t)LOCK_FILE_MAX + 1);
    while (n > 0 && done < LOCK_FILE_MAX) {
        n = read(fd, text + done, LOCK_FILE_MAX - done);
        done += n > 0 ? (size_t)n : 0;
    }
    return strlen(text) == done ? steal_ptr(text) : NULL;
}

static int take_lock_line(const char *line, const char *cache_tag, struct wheels *ret)
{
    autofree char *copy = xstrdup(line), *id = NULL;
    char *f[FIELDS], key[NAME_MAX_BYTES + 1];

    if (!utf8_valid(line, strlen(line)) || strlen(line) > LINE_MAX_BYTES || split(copy, f, FIELDS) != FIELDS)
        return -EBADMSG;
    for (size_t i = 0; i < FIELDS; i++)
        if (!is_plain(f[i], LINE_MAX_BYTES))
            return -EBADMSG;
    if (!normalise(f[0], key) || !version_check(f[1], strlen(f[1]), NULL) || strchr(f[1], '*') ||
        strlen(f[1]) > NAME_MAX_BYTES || strchr(f[2], '/') || ret->n == LOCK_WHEELS_MAX)
        return -EBADMSG;
    if (strcmp(f[3], "-") != 0 && (strlen(f[3]) != SHA256_HEX || !is_hex(f[3], SHA256_HEX)))
        return -EBADMSG;
    if (strcmp(f[3], "-") != 0)
        id = xasprintf("%s-%s", f[3], cache_tag);
    wheels_put(ret, key, f[1], id, line);
    return 0;
}

int lock_parse(const char *text, const char *cache_tag, struct wheels *ret, struct err *e)
{
    autofree char *copy = xstrdup(text);

    for (char *save = NULL, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (take_lock_line(line, cache_tag, ret) < 0)
            return err_set(e, EBADMSG, "what uv or pip chose cannot be understood");
    return 0;
}

void lock_parse_done(const char *text, const char *cache_tag, struct wheels *wheels)
{
    autofree char *copy = xstrdup(text);

    for (char *save = NULL, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *f[3], key[NAME_MAX_BYTES + 1];
        struct wheel *w;

        if (split(line, f, 3) != 3 || !normalise(f[0], key) || wheel_id_check(f[2], cache_tag) < 0)
            continue;
        w = wheels_find(wheels, key);
        if (!w || (w->id && strcmp(w->id, f[2]) != 0))
            continue;
        free(w->id);
        w->id = xstrdup(f[2]);
    }
}

size_t lock_parse_failed(const char *text, struct lock_failure *ret, size_t max)
{
    autofree char *copy = xstrdup(text);
    size_t n = 0;

    for (char *save = NULL, *line = strtok_r(copy, "\n", &save); line && n < max; line = strtok_r(NULL, "\n", &save)) {
        char *f[3], key[NAME_MAX_BYTES + 1];

        if (split(line, f, 3) != 3 || !normalise(f[0], key) || !is_plain(f[1], NAME_MAX_BYTES) ||
            !is_plain(f[2], REASON_MAX_BYTES))
            continue;
        ret[n++] = (struct lock_failure){xstrdup(key), xstrdup(f[1]), xstrdup(f[2])};
    }
    return n;
}
