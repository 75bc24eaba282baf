/*
 * The answers to one array of requests (2025-03-26 only). They go out together when the last of them is there. What
 * would make a message that clients refuse goes out in several arrays.
 */
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "mcp/impl.h"

struct batch *batch_new(struct mcp_conn *conn)
{
    struct batch *batch = xnew(struct batch);

    batch->conn = conn;
    batch->users = 1;
    return batch;
}

void batch_get(struct batch *batch)
{
    batch->users++;
}

static void flush(struct batch *batch)
{
    if (!batch->answers.len)
        return;
    (void)buf_puts(&batch->answers, "]");
    conn_send(batch->conn, buf_begin(&batch->answers), batch->answers.len);
    buf_clear(&batch->answers);
}

void batch_answer(struct batch *batch, const char *json, size_t size)
{
    if (batch->answers.len && batch->answers.len + size + 2 > LIMIT_MESSAGE_OUT)
        flush(batch);
    (void)buf_puts(&batch->answers, batch->answers.len ? "," : "[");
    (void)buf_append(&batch->answers, json, size);
}

void batch_put(struct batch *batch)
{
    if (--batch->users > 0)
        return;
    flush(batch);
    buf_fini(&batch->answers);
    free(batch);
}
