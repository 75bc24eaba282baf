/* What a fetch process and the program in its sandbox hand back: anything is taken or refused, and what is taken is
 * plain. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/utf8.h"
#include "fetch/lock.h"
#include "fetch/places.h"
#include "fetch/reply.h"
#include "packages/outcome.h"
#include "packages/words.h"

#define TAG "cpython-311"
#define FAILURES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written and read to the same. */
static void check_reply(const char *text, size_t size)
{
    autobuf struct buf out = BUF_INIT, again = BUF_INIT;
    struct reply reply, copy;

    if (reply_read(text, size, &reply) < 0)
        return;
    for (size_t i = 0; i < reply.n_items; i++)
        assert(reply.items[i].spec && utf8_valid(reply.items[i].spec, strlen(reply.items[i].spec)));
    reply_write(&reply, &out);
    assert(reply_read(buf_begin(&out), out.len, &copy) == 0);
    reply_write(&copy, &again);
    assert(strcmp(buf_str(&out), buf_str(&again)) == 0);
    reply_fini(&reply);
    reply_fini(&copy);
}

static void check_lock(const char *text)
{
    autowheels struct wheels wheels = {NULL, 0};
    struct lock_failure failures[FAILURES_MAX];
    struct err e = ERR_INIT;
    size_t n;

    (void)lock_parse(text, TAG, &wheels, &e);
    lock_parse_done(text, TAG, &wheels);
    for (size_t i = 0; i < wheels.n; i++) {
        const struct wheel *w = &wheels.items[i];

        assert(strspn(w->key, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(w->key));
        assert(!strpbrk(w->version, " /\n\t\\") && !strchr(w->line, '\n'));
        assert(!w->id || wheel_id_check(w->id, TAG) == 0);
    }
    n = lock_parse_failed(text, failures, FAILURES_MAX);
    for (size_t i = 0; i < n; i++) {
        assert(utf8_valid(failures[i].reason, strlen(failures[i].reason)));
        free(failures[i].key);
        free(failures[i].kind);
        free(failures[i].reason);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autowords struct words places = {NULL, 0};
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_reply(text, size);
    check_lock(text);
    places_of_file(text, &places);
    for (size_t i = 0; i < places.n; i++)
        assert(places.items[i][0] == '/' && strcmp(places.items[i], "/") != 0);
    free(text);
    return 0;
}
