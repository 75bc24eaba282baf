#include "session/output_cut.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "session/session.h"

#define LINE_SLACK 200 /* a cut moves this many bytes at most to fall between lines */

/* Always a new file: the code may have put something of the same name there, a FIFO that would block for example. */
static int create(int dir, const char *path)
{
    const char *name = strrchr(path, '/') + 1;

    if (dir < 0)
        return -1;
    (void)unlinkat(dir, name, 0);
    return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
}

/* "1,234,567": sizes are read by people. */
static void with_commas(size_t n, char *ret, size_t size)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%zu", n);
    size_t out = 0;

    for (int i = 0; i < len && out + 2 < size; i++) {
        if (i && (len - i) % 3 == 0)
            ret[out++] = ',';
        ret[out++] = digits[i];
    }
    ret[out] = '\0';
}

static char *save_text(const struct exec_item *items, size_t n, int dir, const char *dir_path, unsigned number)
{
    char *path = xasprintf("%s/output-%u.txt", dir_path, number);
    autofd int fd = create(dir, path);
    int r = fd < 0 ? -1 : 0;

    for (size_t i = 0; i < n && r == 0; i++)
        if (items[i].kind == EXEC_TEXT)
            r = fd_write_all(fd, items[i].data, items[i].size);
    if (r == 0)
        return path;
    free(path);
    return NULL;
}

/* Keep the first chars characters of an item. */
static void keep_head(struct exec_item *item, size_t chars)
{
    size_t at = utf8_offset(item->data, item->size, chars);
    char *line = at ? memrchr(item->data, '\n', at) : NULL;

    if (line && (size_t)(item->data + at - line) <= LINE_SLACK)
        at = (size_t)(line - item->data) + 1;
    item->size = at;
}

/* Replace an item by its last chars characters, with note before them. */
static void keep_tail(struct exec_item *item, size_t chars, const char *note)
{
    size_t at = utf8_offset_back(item->data, item->size, chars);
    const char *line = memchr(item->data + at, '\n', item->size - at);
    autobuf struct buf text = BUF_INIT;

    if (at && line && (size_t)(line - item->data) - at < LINE_SLACK && line + 1 < item->data + item->size)
        at = (size_t)(line - item->data) + 1;
    (void)buf_puts(&text, note);
    (void)buf_append(&text, item->data + at, item->size - at);
    free(item->data);
    item->data = buf_steal(&text, &item->size);
}

static void make_note(size_t cut, const char *path, bool after_line, char *ret, size_t size)
{
    char count[32];

    with_commas(cut, count, sizeof count);
    if (path)
        (void)snprintf(ret, size, "%s[... %s characters left out; the whole output is in %s ...]\n",
                       after_line ? "" : "\n", count, path);
    else
        (void)snprintf(ret, size, "%s[... %s characters left out ...]\n", after_line ? "" : "\n", count);
}

/*
 * Which items hold the cut: everything of text between the first half and the last half of the limit goes. An item
 * that holds both ends is split in place: its head, the note, its tail.
 */
static void cut_text(struct exec_item *items, size_t n, size_t total, const char *path)
{
    size_t half = LIMIT_TEXT_CHARS / 2, seen = 0;
    bool noted = false;
    char note[4400];

    for (size_t i = 0; i < n; i++) {
        struct exec_item *item = &items[i];
        size_t chars, tail_from = total - half;

        if (item->kind != EXEC_TEXT)
            continue;
        chars = utf8_length(item->data, item->size);
        if (seen + chars > half && seen < tail_from) {
            size_t head = seen < half ? half - seen : 0;
            size_t tail = seen + chars > tail_from ? seen + chars - tail_from : 0;
            autobuf struct buf text = BUF_INIT;
            struct exec_item first = {.data = item->data, .size = item->size};

            keep_head(&first, head);
            (void)buf_append(&text, first.data, first.size);
            make_note(total - 2 * half, path, !first.size || first.data[first.size - 1] == '\n', note, sizeof note);
            keep_tail(item, tail, noted ? "" : note);
            noted = true;
            (void)buf_append(&text, item->data, item->size);
            free(item->data);
            item->data = buf_steal(&text, &item->size);
        }
        seen += chars;
    }
}

static void limit_images(struct exec_item *items, size_t n, int dir, const char *dir_path, unsigned number)
{
    size_t count = 0, bytes = 0;

    for (size_t i = 0; i < n; i++) {
        char *path;
        autofd int fd = -1;

        if (items[i].kind != EXEC_IMAGE)
            continue;
        count++;
        if (count <= LIMIT_FIGURES && items[i].size <= LIMIT_IMAGE && bytes + items[i].size <= LIMIT_RESULT_IMAGES) {
            bytes += items[i].size;
            continue;
        }
        path = xasprintf("%s/figure-%u-%zu.%s", dir_path, number, count, items[i].mime[6] == 'p' ? "png" : "jpg");
        fd = create(dir, path);
        if (fd >= 0)
            (void)fd_write_all(fd, items[i].data, items[i].size);
        free(items[i].data);
        items[i].kind = EXEC_FILE;
        items[i].data = path;
        items[i].size = strlen(path);
    }
}

char *output_cut(struct exec_item *items, size_t *n_items, int dir, const char *dir_path, unsigned number)
{
    size_t total = 0, kept = 0;
    char *path = NULL;

    for (size_t i = 0; i < *n_items; i++)
        if (items[i].kind == EXEC_TEXT)
            total += utf8_length(items[i].data, items[i].size);
    if (total > LIMIT_TEXT_CHARS) {
        path = save_text(items, *n_items, dir, dir_path, number);
        cut_text(items, *n_items, total, path);
    }
    limit_images(items, *n_items, dir, dir_path, number);
    for (size_t i = 0; i < *n_items; i++) {
        if (items[i].kind == EXEC_TEXT && items[i].size == 0)
            free(items[i].data);
        else
            items[kept++] = items[i];
    }
    *n_items = kept;
    return path;
}
