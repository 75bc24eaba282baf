/* The small files of the package store, of which manifests come from a sandbox: what is read is written again as it
 * was. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "store/about.h"
#include "store/answer.h"
#include "store/manifest.h"
#include "store/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(struct buf *out, const char *data, size_t size)
{
    assert(out->len == size && memcmp(buf_str(out), data, size) == 0);
}

static void check_path(const char *path)
{
    const char *part = path;

    assert(*path != '/' && strlen(path) < STORE_PATH_BYTES && utf8_valid(path, strlen(path)));
    for (const char *end; part; part = *end ? end + 1 : NULL) {
        end = strchrnul(part, '/');
        assert(end > part && end - part <= 255);
        assert(strncmp(part, "./", 2) != 0 && strncmp(part, "../", 3) != 0);
        assert(strcmp(part, ".") != 0 && strcmp(part, "..") != 0);
    }
}

static void try_manifest(const char *data, size_t size, bool links)
{
    autobuf struct buf out = BUF_INIT;
    struct err e = ERR_INIT;
    struct manifest m;

    if (manifest_parse(xmemdup(data, size), size, links, 1000, &m, &e) < 0) {
        assert(e.code && utf8_valid(e.text, strlen(e.text)) && !m.files);
        return;
    }
    for (size_t i = 0; i < m.n; i++) {
        check_path(m.files[i].path);
        assert(manifest_find(&m, m.files[i].path) == &m.files[i]);
        assert(links || m.files[i].kind != 'l');
        manifest_add_line(&out, &m.files[i]);
    }
    (void)manifest_disk_bytes(&m);
    check_same(&out, data, size);
    manifest_fini(&m);
}

static void try_about(const char *data, size_t size)
{
    autobuf struct buf out = BUF_INIT;
    struct about about;

    if (about_parse(data, size, &about) < 0)
        return;
    for (size_t i = 0; i < about.n_wheels; i++)
        assert(text_is_id(about.wheels[i].id, strlen(about.wheels[i].id)));
    about_write(&out, &about);
    check_same(&out, data, size);
    about_fini(&about);
}

static void try_answer(const char *data, size_t size)
{
    autobuf struct buf out = BUF_INIT;
    struct answer answer;

    if (answer_parse(data, size, &answer) < 0)
        return;
    assert(answer.text >= data && answer.text + answer.text_size <= data + size);
    answer_write(&out, &answer);
    check_same(&out, data, size);
}

/* No luck finds a sum: what the rest of an answer holds is tried with the right one too. */
static void try_summed(const char *data, size_t size)
{
    autobuf struct buf text = BUF_INIT;
    unsigned char sum[SHA256_BYTES];
    char hex[SHA256_HEX];

    (void)buf_append(&text, data, size);
    sha256_of(data, size, sum);
    sha256_hex(sum, hex);
    (void)buf_printf(&text, "sum %s\n", hex);
    try_answer(buf_str(&text), text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly that size: a step outside of it is seen. */
    char *text = malloc(size ? size : 1), shown[TEXT_SHOWN];

    if (!text)
        return 0;
    memcpy(text, data, size);
    try_manifest(text, size, false);
    try_manifest(text, size, true);
    try_about(text, size);
    try_answer(text, size);
    try_summed(text, size);
    free(text);
    text = xstrndup((const char *)data, size);
    assert(strlen(text_shown(text, shown)) < TEXT_SHOWN);
    free(text);
    return 0;
}
