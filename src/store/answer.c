#include "store/answer.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/file.h"
#include "store/impl.h"
#include "store/text.h"

#define FIRST_LINE "cellblock answer 1\n"

/* ---- as text ---- */

static bool take_hash(struct cursor *c, unsigned char ret[SHA256_BYTES])
{
    const char *hex;

    return text_take_bytes(c, SHA256_HEX - 1, &hex) && sha256_parse(hex, SHA256_HEX - 1, ret) && text_take(c, "\n");
}

int answer_parse(const char *text, size_t size, struct answer *ret)
{
    struct cursor c = {text, text + size};
    unsigned char sum[SHA256_BYTES], right[SHA256_BYTES];
    struct answer answer = {.text = NULL};
    size_t set_size = 0, summed;
    uint64_t time, text_size;
    const char *set;

    if (!text_take(&c, FIRST_LINE "key ") || !take_hash(&c, answer.key) || !text_take(&c, "time ") ||
        !text_take_number(&c, &time) || time > INT64_MAX || !text_take(&c, "\nset ") ||
        !text_take_line(&c, &set, &set_size) || !text_is_id(set, set_size) || !text_take(&c, "text ") ||
        !text_take_number(&c, &text_size) || !text_take(&c, "\n") || text_size > STORE_INFO_BYTES ||
        !text_take_bytes(&c, (size_t)text_size, &answer.text) || !text_take(&c, "\n"))
        return -EUCLEAN;
    summed = (size_t)(c.at - text);
    if (!text_take(&c, "sum ") || !take_hash(&c, sum) || c.at < c.end)
        return -EUCLEAN;
    sha256_of(text, summed, right);
    if (memcmp(sum, right, sizeof sum) != 0)
        return -EUCLEAN;
    memcpy(answer.set, set, set_size);
    answer.time_ms = (int64_t)time;
    answer.text_size = (size_t)text_size;
    *ret = answer;
    return 0;
}

void answer_write(struct buf *out, const struct answer *answer)
{
    unsigned char sum[SHA256_BYTES];
    char hex[SHA256_HEX];
    size_t start = out->len;

    sha256_hex(answer->key, hex);
    (void)buf_printf(out, FIRST_LINE "key %s\ntime %" PRId64 "\nset %s\ntext %zu\n", hex, answer->time_ms, answer->set,
                     answer->text_size);
    (void)buf_append(out, answer->text, answer->text_size);
    (void)buf_puts(out, "\n");
    sha256_of(buf_begin(out) + start, out->len - start, sum);
    sha256_hex(sum, hex);
    (void)buf_printf(out, "sum %s\n", hex);
}

/* ---- in the store ---- */

int store_answer_find(struct store *s, const char *key, int64_t max_age_ms, char **ret_text, char ret_set[STORE_ID_MAX])
{
    autofree char *text = NULL;
    unsigned char hash[SHA256_BYTES];
    struct answer answer;
    char name[SHA256_HEX];
    int64_t age_ms;
    size_t size;

    sha256_of(key, strlen(key), hash);
    sha256_hex(hash, name);
    if (file_read(s->answers, name, ANSWER_BYTES, &text, &size) < 0 || answer_parse(text, size, &answer) < 0 ||
        memcmp(hash, answer.key, sizeof hash) != 0)
        return 0;
    age_ms = lock_now_ms() - answer.time_ms;
    /* One from the future: a clock was set back, and nobody can tell how old it is. */
    if (max_age_ms >= 0 && (age_ms < 0 || age_ms > max_age_ms))
        return 0;
    memcpy(ret_set, answer.set, sizeof answer.set);
    *ret_text = xstrndup(answer.text, answer.text_size);
    return 1;
}

int store_answer_put(struct store *s, const char *key, const char *set_id, const char *text, struct err *e)
{
    struct answer answer = {.time_ms = lock_now_ms(), .text = text, .text_size = strlen(text)};
    char name[SHA256_HEX], temporary[STORE_RANDOM + 2] = ".";
    autobuf struct buf out = BUF_INIT;
    int r;

    if (answer.text_size > STORE_INFO_BYTES || !text_is_id(set_id, strlen(set_id)))
        return err_set(e, EINVAL, "that cannot be an answer of the package store");
    (void)snprintf(answer.set, sizeof answer.set, "%s", set_id);
    sha256_of(key, strlen(key), answer.key);
    sha256_hex(answer.key, name);
    answer_write(&out, &answer);
    random_id(temporary + 1, STORE_RANDOM);
    r = file_write(s->answers, temporary, 0600, buf_begin(&out), out.len);
    if (r == 0 && renameat(s->answers, temporary, s->answers, name) < 0)
        r = -errno;
    if (r == 0)
        return 0;
    (void)unlinkat(s->answers, temporary, 0);
    return err_set(e, -r, "package store %.300s: %s", s->path, strerrordesc_np(-r));
}
