/* Calls that wait a moment. They belong to the sessions, which make them at once when they end. */
#include <stdlib.h>

#include "base/mem.h"
#include "session/impl.h"

struct later {
    uv_timer_t timer;
    struct sessions *all;
    struct later *next;
    void (*cb)(void *data);
    void *data;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void make_call(struct later *l)
{
    struct later **at = &l->all->later;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    uv_close((uv_handle_t *)&l->timer, on_closed);
    l->cb(l->data);
}

static void on_timer(uv_timer_t *timer)
{
    make_call(timer->data);
}

void sessions_later(struct sessions *all, uint64_t ms, void (*cb)(void *data), void *data)
{
    struct later *l = xnew(struct later);

    (void)uv_timer_init(all->loop, &l->timer);
    l->timer.data = l;
    l->all = all;
    l->cb = cb;
    l->data = data;
    l->next = all->later;
    all->later = l;
    (void)uv_timer_start(&l->timer, on_timer, ms, 0);
}

void sessions_flush_later(struct sessions *all)
{
    while (all->later)
        make_call(all->later);
}
