#include "kernel/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/limits.h"

/* The field at pos, which moves behind it; false when it passes the end. Compares what is left: no sum can wrap. */
static bool field_at(const char *body, size_t size, size_t *pos, struct wire_field *ret)
{
    if (size - *pos < sizeof *ret)
        return false;
    memcpy(ret, body + *pos, sizeof *ret);
    if (size - *pos - sizeof *ret < ret->size)
        return false;
    *pos += sizeof *ret + ret->size;
    return true;
}

long wire_parse(const char *data, size_t size, struct wire_frame *ret)
{
    struct wire_header header;
    struct wire_field field;
    const char *body;
    size_t pos = 0;

    if (size < sizeof header)
        return 0;
    memcpy(&header, data, sizeof header);
    /* Judged before the body has come: a peer that announces too much is dropped, not waited for. */
    if (header.size > LIMIT_FRAME || header.count > LIMIT_FRAME_FIELDS || header.type == 0)
        return -EBADMSG;
    if (header.size < header.count * sizeof field)
        return -EBADMSG;
    if (size - sizeof header < header.size)
        return 0;
    body = data + sizeof header;
    for (unsigned i = 0; i < header.count; i++)
        if (!field_at(body, header.size, &pos, &field))
            return -EBADMSG;
    if (pos != header.size)
        return -EBADMSG;
    ret->header = header;
    ret->body = body;
    return (long)(sizeof header + header.size);
}

int wire_next(const struct wire_frame *frame, size_t *pos, uint32_t *ret_tag, const char **ret_data, size_t *ret_size)
{
    struct wire_field field;
    size_t start = *pos;

    if (start >= frame->header.size || !field_at(frame->body, frame->header.size, pos, &field))
        return 0;
    *ret_tag = field.tag;
    *ret_data = frame->body + start + sizeof field;
    *ret_size = field.size;
    return 1;
}

int wire_find(const struct wire_frame *frame, uint32_t tag, const char **ret_data, size_t *ret_size)
{
    const char *data;
    size_t pos = 0, size;
    uint32_t found;

    while (wire_next(frame, &pos, &found, &data, &size)) {
        if (found != tag)
            continue;
        *ret_data = data;
        *ret_size = size;
        return 1;
    }
    return 0;
}

size_t wire_size(const struct wire_part *parts, size_t n)
{
    size_t size = 0;

    if (n > LIMIT_FRAME_FIELDS)
        return 0;
    for (size_t i = 0; i < n; i++) {
        /* size <= LIMIT_FRAME here, so the subtraction cannot wrap, and the sum stays small. */
        if (parts[i].size > LIMIT_FRAME - size || LIMIT_FRAME - size - parts[i].size < sizeof(struct wire_field))
            return 0;
        size += sizeof(struct wire_field) + parts[i].size;
    }
    return sizeof(struct wire_header) + size;
}

void wire_build(char *out, uint16_t type, uint32_t seq, const struct wire_part *parts, size_t n)
{
    size_t size = wire_size(parts, n);
    struct wire_header header = {(uint32_t)(size - sizeof header), type, (uint16_t)n, seq};

    assert(size >= sizeof header);
    memcpy(out, &header, sizeof header);
    out += sizeof header;
    for (size_t i = 0; i < n; i++) {
        struct wire_field field = {parts[i].tag, (uint32_t)parts[i].size};

        memcpy(out, &field, sizeof field);
        out += sizeof field;
        if (parts[i].size > 0)
            memcpy(out, parts[i].data, parts[i].size);
        out += parts[i].size;
    }
}
