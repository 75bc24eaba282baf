/* Frames from a kernel: no step outside of the bytes, and what is accepted builds the same bytes again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "kernel/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wire_part parts[LIMIT_FRAME_FIELDS];
    const char *text = (const char *)data, *field;
    struct wire_frame frame;
    size_t pos = 0, n = 0, field_size;
    uint32_t tag;
    char *again;
    long whole = wire_parse(text, size, &frame);

    if (whole <= 0)
        return 0;
    assert((size_t)whole <= size);
    while (wire_next(&frame, &pos, &tag, &field, &field_size)) {
        assert(n < frame.header.count);
        assert(field >= text && field + field_size <= text + whole);
        parts[n++] = (struct wire_part){tag, field, field_size};
    }
    assert(n == frame.header.count);
    assert(wire_size(parts, n) == (size_t)whole);
    again = malloc((size_t)whole);
    if (!again)
        return 0;
    wire_build(again, frame.header.type, frame.header.seq, parts, n);
    assert(memcmp(again, text, (size_t)whole) == 0);
    free(again);
    return 0;
}
