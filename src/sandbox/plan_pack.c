/* A plan as bytes: a head, then each step with its texts. Both ends are the same program on one machine. */
#include "sandbox/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define STEPS_MAX 4096

struct packed_step {
    uint64_t size, inodes;
    uint32_t kind, flags, mode;
    uint32_t source_size, target_size; /* with the NUL; 0: none */
    uint32_t zero;
};

struct packed_plan {
    uint64_t memory_bytes, processes;
    int32_t namespaces;
    uint32_t n;
};

static uint32_t text_size(const char *text)
{
    return text ? (uint32_t)strlen(text) + 1 : 0;
}

int plan_pack(const struct plan *plan, struct buf *out)
{
    struct packed_plan head = {plan->memory_bytes, plan->processes, plan->namespaces, (uint32_t)plan->n};
    int status = buf_append(out, &head, sizeof head);

    for (size_t i = 0; i < plan->n && status == 0; i++) {
        const struct step *s = &plan->steps[i];
        struct packed_step step = {
            .size = s->size,
            .inodes = s->inodes,
            .kind = s->kind,
            .flags = s->flags,
            .mode = s->mode,
            .source_size = text_size(s->source),
            .target_size = text_size(s->target),
        };

        status = buf_append(out, &step, sizeof step);
        if (status == 0 && s->source)
            status = buf_append(out, s->source, step.source_size);
        if (status == 0 && s->target)
            status = buf_append(out, s->target, step.target_size);
    }
    return status;
}

/* A text of size bytes at *data, NUL-terminated and without another NUL; NULL when size is 0. */
static int take_text(const char **data, size_t *left, size_t size, char **ret)
{
    *ret = NULL;
    if (size == 0)
        return 0;
    if (size > *left || memchr(*data, 0, size) != *data + size - 1)
        return -EBADMSG;
    *ret = xstrndup(*data, size - 1);
    *data += size;
    *left -= size;
    return 0;
}

static bool has_texts(const struct step *step)
{
    switch (step->kind) {
    case STEP_LINK:
    case STEP_FILE:
    case STEP_BIND:
    case STEP_DEVICE:
        return step->source && step->target;
    case STEP_DIR:
    case STEP_TMPFS:
    case STEP_PROC:
    case STEP_READONLY:
    case STEP_READABLE:
    case STEP_CHANGEABLE:
        return step->target;
    case STEP_HOSTNAME:
        return step->source;
    default:
        return true;
    }
}

static int take_step(const char **data, size_t *left, struct step *ret)
{
    struct packed_step step;

    if (*left < sizeof step)
        return -EBADMSG;
    memcpy(&step, *data, sizeof step);
    *data += sizeof step;
    *left -= sizeof step;
    if (step.kind >= STEP_MAX || step.mode > 07777)
        return -EBADMSG;
    ret->kind = step.kind;
    ret->flags = step.flags;
    ret->mode = step.mode;
    ret->size = step.size;
    ret->inodes = step.inodes;
    if (take_text(data, left, step.source_size, &ret->source) < 0)
        return -EBADMSG;
    if (take_text(data, left, step.target_size, &ret->target) < 0)
        return -EBADMSG;
    return has_texts(ret) ? 0 : -EBADMSG;
}

int plan_unpack(const void *bytes, size_t size, struct plan *ret)
{
    const char *data = bytes;
    struct packed_plan head;
    struct plan plan = PLAN_INIT;
    size_t left = size;
    int status = 0;

    if (left < sizeof head)
        return -EBADMSG;
    memcpy(&head, data, sizeof head);
    data += sizeof head;
    left -= sizeof head;
    if (head.n > STEPS_MAX)
        return -EBADMSG;
    plan.namespaces = head.namespaces;
    plan.memory_bytes = head.memory_bytes;
    plan.processes = head.processes;
    plan.steps = xnew_n(struct step, head.n + 1);
    plan.cap = head.n + 1;
    while (status == 0 && plan.n < head.n)
        status = take_step(&data, &left, &plan.steps[plan.n++]);
    if (status < 0 || left != 0) {
        plan_fini(&plan);
        return -EBADMSG;
    }
    *ret = plan;
    return 0;
}
