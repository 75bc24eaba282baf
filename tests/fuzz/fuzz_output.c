/*
 * What a kernel writes and displays, in any order and in any pieces: no step outside of the bytes, and what comes out
 * is bounded. The first byte of each piece says what it is.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "kernel/wire.h"
#include "session/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char nonce[] = "0123456789abcdef";

static void mark(struct output *o, char digit)
{
    char bytes[WIRE_MARK_SIZE];

    memcpy(bytes, WIRE_MARK_PREFIX, WIRE_MARK_PREFIX_SIZE);
    memcpy(bytes + WIRE_MARK_PREFIX_SIZE, nonce, WIRE_NONCE_SIZE);
    memcpy(bytes + WIRE_MARK_PREFIX_SIZE + WIRE_NONCE_SIZE, "0000000", 7);
    bytes[WIRE_MARK_SIZE - 2] = digit;
    bytes[WIRE_MARK_SIZE - 1] = '\0';
    output_bytes(o, nonce, bytes, sizeof bytes);
}

static void piece(struct output *o, uint8_t kind, const char *bytes, size_t size)
{
    static const char *const mimes[] = {"text/plain", "image/png", "image/jpeg", WIRE_MIME_FILE};
    uint32_t index = kind >> 2 & 7;

    switch (kind & 3) {
    case 0:
        output_bytes(o, nonce, bytes, size);
        break;
    case 1:
        output_display(o, index, mimes[kind >> 5 & 3], strlen(mimes[kind >> 5 & 3]), bytes, size);
        break;
    case 2:
        mark(o, (char)('0' + index));
        break;
    default:
        output_clear(o, index);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct output *o = output_new(NULL, NULL);
    const struct exec_item *items;
    size_t n, text = 0;
    char *path;

    while (size >= 2) {
        uint8_t kind = data[0];
        size_t part = data[1] < size - 2 ? data[1] : size - 2;

        piece(o, kind, (const char *)data + 2, part);
        data += 2 + part;
        size -= 2 + part;
    }
    output_finish(o, -1, "/nonexistent", 1, &items, &n, &path);
    for (size_t i = 0; i < n; i++)
        text += items[i].kind == EXEC_TEXT ? items[i].size : 0;
    assert(text < 8 * LIMIT_TEXT_CHARS);
    free(path);
    output_free(o);
    return 0;
}
